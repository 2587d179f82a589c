"""Mail hosts: a real exim on some of a lab's hosts, whose aliases puppet brings from the private repository.

No mail leaves the machine: what is for ``OUTSIDE`` is routed to a host that nobody looks up, and thrown away.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from runbooks.errors import Blocked, CommandFailed, UsageError
from runbooks.lab.host import Host, wait_for
from runbooks.lab.layout import FILES, State
from runbooks.lab.machine import Machine
from runbooks.lab.mail.exim import need_exim
from runbooks.lab.people import DOMAIN, Person

OUTSIDE = "example.net"
ROLE = "mx"
REPOSITORY_FILES = "modules/privateexim/files"
REPOSITORY_MANIFESTS = "modules/privateexim/manifests"
DIRECTORY = "/etc/exim4/aliases"
_PUPPET = "/usr/local/sbin/puppet"
_LINKS = {f"{REPOSITORY_FILES}/example.info": DOMAIN}


def need(machine: Machine) -> None:
    """Exim, installed where we may. Raises Blocked."""
    if machine.rootless:
        raise Blocked("lab: mail hosts need root: a lab without root has no exim in its small Debian")
    need_exim()


def refuse_late(state: State) -> None:
    """Mail hosts are made with the lab: their account is on the disk that every host starts from. Raises UsageError."""
    if not state.mx:
        raise UsageError("lab: the lab stands already, without mail hosts; lab.down first, then up with them")


def chosen(state: State) -> list[str]:
    """The hosts that are to be mail hosts: the first two, if there are as many."""
    return sorted(name for name in state.hosts if name.startswith("lab"))[:2]


def port(state: State) -> int:
    """Where a mail host listens, at its own address; on loopback it must be one that is the lab's."""
    return 25 if state.network == "netns" else state.git_port + 1


def write_identity(etc: Path, state: State, name: str) -> dict[str, str | int]:
    """What makes a host a mail host: exim's configuration and a fact for puppet; and what its init has to know."""
    (etc / "exim4").mkdir(exist_ok=True)
    text = (FILES / "exim4.conf").read_text()
    (etc / "exim4/exim4.conf").write_text(text.replace("@HOST@", f"{name}.lab.example.org"))
    facts = etc / "facter/facts.d"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "role.txt").write_text(f"role={ROLE}\n")
    return {"LAB_MX_PORT": port(state)}


def private_files(people: Sequence[Person]) -> tuple[dict[str, bytes], Mapping[str, str]]:
    """What the private repository has for mail hosts, files and links; the aliases lead to people of the lab."""
    names = cycle([person.name for person in people if not person.absent] or ["root"])
    top = FILES / "private"
    files: dict[str, bytes] = {}
    for path in sorted(path for path in top.rglob("*") if path.is_file()):
        text = path.read_text()
        while "@PERSON@" in text:
            text = text.replace("@PERSON@", next(names), 1)
        files[str(path.relative_to(top))] = text.encode()
    return files, _LINKS


def settings(state: State) -> dict[str, object]:
    """What the tool has to be told of them."""
    if not state.mx:
        return {}
    where = {"directory": REPOSITORY_FILES, "manifests": REPOSITORY_MANIFESTS, "host_directory": DIRECTORY}
    return {"aliases": {**where, "mail_hosts": f"A:{ROLE}"}}


def bring_up(host: Host, state: State) -> None:
    """Wait for a mail host's exim, and let puppet bring the first aliases. Raises RunbookError."""
    if host.run(["test", "-d", DIRECTORY], None, check=False, timeout_s=60).returncode:
        done = host.run([_PUPPET, "agent", "--test", "--waitforlock", "60"], None, check=False, timeout_s=300)
        if done.returncode not in (0, 2):
            text = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise CommandFailed(f"{host.name}: puppet brought no aliases: {text[:800]}")
    wait_for(lambda: greets(host, state), 60, f"lab: {host.name}: exim does not answer: see its /var/log/exim4")


def greets(host: Host, state: State) -> bool:
    """Whether the host's own exim answers there, and no forgotten other one."""
    try:
        with socket.create_connection((host.address, port(state)), timeout=0.5) as connection:
            return connection.recv(100).startswith(f"220 {host.name}.".encode())
    except OSError:
        return False
