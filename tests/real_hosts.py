"""Hosts of a lab where the engine's tests have stand-ins: the same tests, over every transport."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from runbooks.lab import Lab
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.reads import Read
from runbooks.transport.quoting import Argument
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Result, Shell
from runbooks.transport.ssh import SshTransport

NAMES = {"h1": "lab01", "h2": "lab02", "h3": "lab03", "h4": "lab04", "@git": "lab05"}
_WORLDS = itertools.count(1)


class RealHosts:
    """The hosts of a lab over one client, and an eye on each that does not depend on it. ``place`` is where one world
    keeps its files on each host: no two worlds meet."""

    def __init__(self, lab: Lab, client: str) -> None:
        rows = {row.name: row for row in lab.status()}
        self._addresses = {name: (rows[host].address, rows[host].port) for name, host in NAMES.items()}
        self._transport = SshTransport(SshSettings(lab.ssh_config, client=client))
        self._eyes = SshTransport(SshSettings(lab.ssh_config))
        self._targets = {name: HostTarget(name, lambda name=name: self._shell(name)) for name in NAMES}
        self._watched: dict[str, Shell] = {}

    def _shell(self, name: str) -> Shell:
        return Shell(name, self._transport.open(name, *self._addresses[name], None), 60)

    def new_place(self) -> str:
        """A directory that nothing has used yet."""
        return f"/srv/world{next(_WORLDS)}"

    def target(self, name: str) -> HostTarget:
        """A host, as the engine reaches it."""
        return self._targets[name]

    def held(self, name: str, place: str) -> Files:
        """What a host holds, as a test looks at it."""
        if name not in self._watched:
            self._watched[name] = Shell(name, self._eyes.open(name, *self._addresses[name], None), 60)
        return Files(self._watched[name], place)

    def close(self) -> None:
        """Let go of all connections."""
        for one in [*self._targets.values(), *self._watched.values()]:
            one.close()


class Files(MutableMapping[str, Any]):
    """A file for each key on a real host, its value as JSON."""

    def __init__(self, shell: Shell, place: str) -> None:
        self._shell, self._place = shell, place
        self._run("mkdir", "-p", place)

    def _run(self, *argv: Argument) -> Result:
        return self._shell.read([argv])[0]

    def __getitem__(self, key: str) -> Any:
        found = self._run("cat", f"{self._place}/{key}")
        if found.status:
            raise KeyError(key)
        return json.loads(found.stdout)

    def __setitem__(self, key: str, value: Any) -> None:
        self._run("sh", "-c", 'printf %s "$2" >"$1"', "sh", f"{self._place}/{key}", json.dumps(value))

    def __delitem__(self, key: str) -> None:
        if self._run("rm", f"{self._place}/{key}").status:
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run("ls", self._place).text.split())

    def __len__(self) -> int:
        return len(list(iter(self)))


def get(reader: HostReader, place: str, key: str) -> Any:
    """What the host holds, as the engine looks at it."""
    return reader.ask(Read(("cat", f"{place}/{key}"), lambda r: json.loads(r.stdout or "null"), ok=(0, 1)))


def put(writer: HostWriter, place: str, key: str, value: Any) -> None:
    """Make it hold a value; None: nothing."""
    if value is None:
        writer.run("rm", "-f", f"{place}/{key}")
    else:
        writer.run("sh", "-c", 'printf %s "$2" >"$1"', "sh", f"{place}/{key}", json.dumps(value))
