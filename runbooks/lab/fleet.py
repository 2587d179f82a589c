"""The parts of a lab, one host at a time: keys, identity, disk, start, homes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from runbooks.lab.host import Host, wait_for
from runbooks.lab.layout import FILES, SERVER, Layout, State
from runbooks.lab.machine import Machine
from runbooks.lab.mail import hosts as mail
from runbooks.lab.network import network_of
from runbooks.lab.people import Person

Each = TypeVar("Each")
COMPILED = "usr/local/lib/lab/puppet.compiled"


def side_by_side(work: Callable[[Each], object], hosts: Iterable[Each], at_once: int = 8) -> None:
    """Do it on every host, some at a time; the first error counts."""
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, hosts))


def host_of(layout: Layout, state: State, name: str) -> Host:
    """A host by name; the name is known to exist."""
    return Host(name, state.hosts[name], state.port, layout, Machine(state.rootless), network_of(state))


def hosts_of(layout: Layout, state: State) -> list[Host]:
    """Every host, the puppet server last."""
    return [host_of(layout, state, name) for name in sorted(state.hosts, key=lambda name: (name == SERVER, name))]


def carriers(layout: Layout, state: State) -> list[Host]:
    """The hosts that carry accounts."""
    return [host for host in hosts_of(layout, state) if host.name != SERVER]


def make_keys(layout: Layout, people: Iterable[Person]) -> None:
    layout.person_key("").mkdir(parents=True, exist_ok=True)
    layout.keys.chmod(0o700)
    _keygen(layout.tool_key, "ops-clinic")
    for person in people:
        if not person.absent:
            _keygen(layout.person_key(person.name), f"{person.name}@example.org")


def _keygen(path: Path, comment: str) -> None:
    if not path.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def public_keys(layout: Layout, people: Iterable[Person]) -> dict[str, str]:
    keys = ((person.name, layout.person_key(person.name).with_suffix(".pub")) for person in people)
    return {name: path.read_text().strip() for name, path in keys if path.exists()}


def give_identity(layout: Layout, state: State, name: str) -> None:
    """What makes a host that host: name, host key, addresses. It lies below the disk, which starts as an image."""
    etc = layout.host(name) / "own/etc"
    (etc / "ssh").mkdir(parents=True, exist_ok=True)
    _keygen(etc / "ssh/ssh_host_ed25519_key", name)
    (etc / "hostname").write_text(f"{name}\n")
    (etc / "puppet").mkdir(exist_ok=True)
    # Without a certname puppet loads all of facter to learn its host's name, for each command.
    conf = f"[main]\ncertname = {name}\nssldir = /var/lib/puppet/ssl\n\n[agent]\nserver = {SERVER}\n"
    (etc / "puppet/puppet.conf").write_text(conf)
    known = {name: state.hosts[name], SERVER: state.hosts[SERVER]}
    rows = "".join(f"{address} {host} {host}.lab.example.org\n" for host, address in known.items())
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{rows}")
    settings: dict[str, str | int] = {
        "LAB_ROLE": "puppetserver" if name == SERVER else "host",
        "LAB_ADDRESS": state.hosts[name],
        "LAB_PORT": state.port,
        "LAB_PUPPET": state.hosts[SERVER],
        "LAB_GIT_PORT": state.git_port,
        "LAB_EVERY_S": state.puppet_every_s,
    }
    if name in state.mx:
        settings |= mail.write_identity(etc, state, name)
    (etc / "lab.env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def boot(layout: Layout, state: State, host: Host, first_run_s: int) -> None:
    usr = "" if state.rootless else "/usr"
    made = [layout.compiled] if layout.compiled.exists() else []
    host.boot([*made, layout.layer, layout.base], usr=usr, first_run_s=first_run_s)


def seed(host: Host, people: Iterable[Person]) -> None:
    """Fill homes, crontabs and mail spools of those whose home is still empty."""
    wanted = json.dumps([asdict(person) for person in people if not person.absent]).encode()
    program = (FILES / "inside/seed.py").read_text()
    host.run(["/usr/bin/python3", "-I", "-c", program], wanted, check=True, timeout_s=600)


def keep_compiled(layout: Layout, host: Host, where: str) -> None:
    """Take what a puppet run has compiled (``compiled.rb``) from a dead host's disk, for all that boot from here on."""
    made = host.folder / "upper" / where.lstrip("/")
    script = 'if [ -e "$1" ]; then install -D -m 644 "$1" "$2" && rm "$1"; fi'
    host.machine.call(["sh", "-c", script, "-", str(made), str(layout.compiled / COMPILED)])


def copy_image(layout: Layout, host: Host) -> None:
    upper = str(host.folder / "upper")
    host.machine.call(["rm", "-rf", upper])
    host.machine.call(["cp", "-a", str(layout.image), upper])


def settle_in(host: Host, people: Sequence[Person], processes: bool) -> None:
    """What the image cannot hold: groups of some hosts only, and processes that no crontab starts."""
    script = []
    for person in (p for p in people if not p.absent):
        if person.local_group and int(host.name.removeprefix("lab")) % 2 == 0:
            script.append(f"groupadd -f {person.local_group}; gpasswd -a {person.name} {person.local_group}")
        if processes and person.process and not person.crontab:
            run = f"setpriv --reuid {person.uid} --regid 500 --init-groups sleep 2147483"
            script.append(f"setsid -f {run} </dev/null >/dev/null 2>&1")
    if script:
        host.run(["bash", "-ec", "\n".join(script)], None, check=True, timeout_s=60)


def end_stragglers(layout: Layout) -> None:
    """End hosts of this lab that no pid file knows any more, as after a start that was killed half-way."""
    mark = f"LAB_HOST_DIR={layout.top}/".encode()

    def left() -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def gone() -> bool:
        # The outer process is what carries the mark; its host ends with it (unshare --kill-child).
        for pid in (pids := left()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    wait_for(gone, 60, f"lab: processes of {layout.top} do not end")
