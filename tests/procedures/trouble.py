"""What can befall a directory, and the moments of a run at which it does; both are real, and each befalls it once."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from runbooks.lab import certificates
from runbooks.lab import directory as lab
from runbooks.lab.directory import ADMIN, GROUPS, TOOL, DirectoryServer
from runbooks.model import Event
from runbooks.systems import ldap
from runbooks.systems.ldap import LdapTarget, LdapWriter

MOMENTS = ("planning", "agreed", "between", "begun", "connected", "answered", "written", "verifying")
"""Before anything was looked at; between plan and apply; when the step before ours is over; when our begin is durable;
between the connection for the write and the write; when the server has carried it out, and its answer is on the way;
between the write and the second look; between that one's two questions."""

SOON_S = 1
"""How long a server that has fallen silent is waited for."""


@dataclass
class Way:
    """What befalls the server, and what makes all well again."""

    strike: Callable[[DirectoryServer], None]
    heal: Callable[[DirectoryServer], None] = lambda _server: None


def restart(server: DirectoryServer) -> None:
    server.kill()
    server.start()


def _with(path: str, change: Callable[[Path], None]) -> Callable[[DirectoryServer], None]:
    """Restarted with another file; the old one is kept beside it."""

    def strike(server: DirectoryServer) -> None:
        place = server.top / path
        shutil.copy(place, f"{place}.kept")
        change(server.top)
        restart(server)

    return strike


def _restored(*paths: str) -> Callable[[DirectoryServer], None]:
    def heal(server: DirectoryServer) -> None:
        for path in paths:
            (server.top / f"{path}.kept").rename(server.top / path)
        restart(server)

    return heal


def _another_ca(top: Path) -> None:
    """The server's certificate becomes one that a CA has signed whom nobody trusts."""
    elsewhere = top / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    certificates.make(elsewhere, lab.DirectoryServer.address)
    shutil.copy(top / "server.key", top / "server.key.kept")
    for name in ("server.pem", "server.key"):
        shutil.copy(elsewhere / name, top / name)


def _rights(old: str, new: str) -> Way:
    """Other rights, until those that were there come back."""

    def change(top: Path) -> None:
        text = (top / "slapd.conf").read_text()
        assert old in text
        (top / "slapd.conf").write_text(text.replace(old, new, 1))

    return Way(_with("slapd.conf", change), _restored("slapd.conf"))


def set_password(server: DirectoryServer, password: str) -> None:
    server.modify(f"dn: {TOOL}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n")


def drop_group(server: DirectoryServer, group: str = "wmf") -> None:
    server.modify(f"dn: cn={group},{GROUPS}\nchangetype: delete\n")


def set_members(server: DirectoryServer, group: str, *members: str) -> None:
    lines = "".join(f"member: {member}\n" for member in (TOOL, *members))
    server.modify(f"dn: cn={group},{GROUPS}\nchangetype: modify\nreplace: member\n{lines}")


def make_group(server: DirectoryServer, group: str = "wmf") -> None:
    server.add(f"dn: cn={group},{GROUPS}\nobjectClass: groupOfNames\ncn: {group}\nmember: {TOOL}\n")


_MAY_WRITE = f'by dn.exact="{TOOL}" write'
WAYS: Mapping[str, Way] = {
    "killed": Way(DirectoryServer.kill, DirectoryServer.start),
    "restarted": Way(restart),
    "frozen": Way(DirectoryServer.freeze, DirectoryServer.thaw),
    "another CA": Way(_with("server.pem", _another_ca), _restored("server.pem", "server.key")),
    "other password": Way(lambda s: set_password(s, "changed"), lambda s: set_password(s, s.password.reveal())),
    "may not write": _rights(_MAY_WRITE, "by * read"),
    "may not read": _rights(f"{_MAY_WRITE}\n  by * read", "by * none"),
    "sees nobody": _rights("by users read", f'by dn.exact="{ADMIN}" read'),
    "no group": Way(drop_group, make_group),
}  # fmt: skip


class Wire:
    """Between the tool and the server, byte by byte; ``cut`` is called when the server's next answer comes by, which
    then does not arrive any more, nor does anything else."""

    def __init__(self, port: int) -> None:
        self._port, self._listening = port, socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cut: Callable[[], None] | None = None
        self._open: list[socket.socket] = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours = self._listening.accept()[0]
                theirs = socket.create_connection(("127.0.0.1", self._port))
                self._open += [ours, theirs]
                threading.Thread(target=self._carry, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=self._carry, args=(theirs, ours, True), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket, answers: bool = False) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                if answers and self.cut is not None:
                    self.cut()
                    break
                there.sendall(data)
        for end in (here, there):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # whoever waits for it comes back
            one.close()


@dataclass
class Strike:
    """What befalls the server of a site at one moment, once. ``writes`` counts those that were sent. Where it falls
    silent (``silences``), it is given up soon, and not before: a busy machine is slow, too."""

    moment: str
    act: Callable[[], None]
    silences: bool = False
    writes: int = 0
    struck: bool = False
    _written: bool = field(default=False)
    _connections: list[Any] = field(default_factory=list)

    def now(self, moment: str) -> None:
        """If this is the moment, it is now."""
        if moment == self.moment and not self.struck:
            self.struck = True
            self.act()
            for connection in self._connections if self.silences else ():
                if not connection.closed:
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("LL", SOON_S, 0))

    def observe(self, event: Event, number: int) -> None:
        """Told of each event; ``number`` is our step's."""
        if event.kind == "outcome" and event.step == number - 1:
            self.now("between")
        if event.kind == "begin" and event.step == number:
            self.now("begun")

    def lie_in_wait(self, patch: pytest.MonkeyPatch, wire: Wire | None) -> None:
        """For what happens inside a step."""
        connect, modify, search = ldap.connect, LdapWriter._modify, LdapTarget.search

        def connecting(directory: ldap.Directory, read_only: bool) -> Any:
            if not read_only and wire is not None and not self.struck:
                directory = replace(directory, url=f"ldap://127.0.0.1:{wire.port}")
            if self.silences and self.struck:
                directory = replace(directory, answer_timeout_s=SOON_S)
            connection = connect(directory, read_only)
            self._connections.append(connection)
            if not read_only:
                self.now("connected")
                self._sends(connection, wire)
            return connection

        def modifying(*args: Any) -> None:
            modify(*args)
            self._written = True
            self.now("written")

        def searching(*args: Any) -> Any:
            found = search(*args)
            if self._written:
                self.now("verifying")
            return found

        patch.setattr(ldap, "connect", connecting)
        patch.setattr(LdapWriter, "_modify", modifying)
        patch.setattr(LdapTarget, "search", searching)

    def _sends(self, connection: Any, wire: Wire | None) -> None:
        real = connection.modify

        def modify(*args: Any) -> Any:
            self.writes += 1
            if wire is not None and not self.struck:
                wire.cut = lambda: self.now("answered")
            return real(*args)

        connection.modify = modify
