"""What the ``inv lab.*`` tasks do; the tasks themselves only name the arguments."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from runbooks.errors import UsageError
from runbooks.lab.build import Wanted
from runbooks.lab.lab import Lab
from runbooks.lab.machine import say

# Beside the settings, which look for it there, from whichever directory `inv` was called.
DEFAULT = Path(__file__).resolve().parents[2] / ".lab"


def up(hosts: int | str = "", network: str = "auto", home_files: int = 2000, puppet_every_s: int = 60,
       bmcs: bool = True, mail: bool = False, directory: Path = DEFAULT) -> None:  # fmt: skip
    """Start the lab, bring back dead hosts, add missing ones; then say how it stands."""
    if network not in ("auto", "netns", "loopback"):
        raise UsageError(f"lab.up: --network {network}: auto, netns or loopback")
    try:
        wanted = None if hosts == "" else int(hosts)
    except ValueError as error:
        raise UsageError(f"lab.up: --hosts {hosts}: a number") from error
    lab = Lab(directory)
    lab.up(wanted, network=cast(Wanted, network), home_files=home_files, puppet_every_s=puppet_every_s, bmcs=bmcs,
           lists=mail, mx=mail)  # fmt: skip
    status(directory)


def down(directory: Path = DEFAULT) -> None:
    """End the lab and remove it, disks and journal included."""
    lab = Lab(directory)
    known = bool(lab.status())
    lab.down()
    say("down" if known else f"there was no lab in {lab.layout.top}")


def status(directory: Path = DEFAULT) -> None:
    """One line a host."""
    rows = Lab(directory).status()
    if not rows:
        print("There is no lab here; start one with: inv lab.up")
        return
    table = [("HOST", "ADDRESS", "PORT", "STATE", "PID")]
    table += [(row.name, row.address, str(row.port), row.state, str(row.pid or "-")) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    for line in table:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


def kill(host: str, directory: Path = DEFAULT) -> None:
    """Pull a host's plug; its disk stays."""
    Lab(directory).kill(host)
    say(f"{host} is dead")


def start(host: str, directory: Path = DEFAULT) -> None:
    """Boot a dead host from its disk."""
    Lab(directory).start(host)
    say(f"{host} is up")


def freeze(host: str, directory: Path = DEFAULT) -> None:
    """Stop every process of a host: it answers no more, and connections to it stay open."""
    Lab(directory).freeze(host)
    say(f"{host} is frozen")


def thaw(host: str, directory: Path = DEFAULT) -> None:
    """Let a frozen host go on."""
    Lab(directory).thaw(host)
    say(f"{host} goes on")


def cut(host: str, directory: Path = DEFAULT) -> None:
    """Pull a host's network cable."""
    Lab(directory).cut(host)
    say(f"{host} is cut off")


def uncut(host: str, directory: Path = DEFAULT) -> None:
    """Put a host's network cable back."""
    Lab(directory).uncut(host)
    say(f"{host} is connected")


def shell(host: str, directory: Path = DEFAULT) -> int:
    """A root shell in a host; its exit status."""
    return Lab(directory).shell(host)
