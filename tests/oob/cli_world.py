"""The conformance suite's surroundings for a command line over ssh: a stand-in, and a machine that is a folder."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runbooks.lab.bmc.board import Board
from runbooks.lab.bmc.cli import CliBmc
from runbooks.oob.model import Bmc
from runbooks.secret import Secret
from tests.oob.chassis import Chassis
from tests.oob.world import Trouble

USER, PASSWORD = "operator", "gar nicht geheim"


def free_port() -> int:
    """Below those that the kernel gives to anybody while the server is dead."""
    while True:
        port = random.randrange(20000, 32000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def command_line(folder: Path, driver: str, **more: object) -> CliBmc:
    """A stand-in on a chassis in that folder, not started yet."""
    chassis = Chassis(folder / "chassis")
    board = Board("h1", "127.0.0.1", free_port(), USER, Secret(PASSWORD), chassis.command, folder / "board")
    return CliBmc(board, driver, **more)  # type: ignore[arg-type]


def bmc_of(server: CliBmc, user: str = "", insecure: bool = False, pinned: bool = True) -> Bmc:
    """How it is reached."""
    board, pin = server.board, server.fingerprint if pinned and not insecure else ""
    return Bmc(board.name, server.driver, board.address, user or USER, board.port, fingerprint=pin, insecure=insecure)


@dataclass
class CliWorld:
    """Everything can be broken here."""

    server: CliBmc
    chassis: Chassis
    user: str = USER
    password: Secret = field(default_factory=lambda: Secret(PASSWORD))
    tells_wrong_password: bool = True
    troubles: frozenset[Trouble] = frozenset(Trouble)

    def bmc(self, user: str = "", insecure: bool = False) -> Bmc:
        return bmc_of(self.server, user, insecure)

    def is_on(self) -> bool:
        return self.chassis.is_on()

    def turn(self, on: bool) -> None:
        self.chassis.turn(on)

    def happened(self) -> list[str]:
        return self.chassis.happened()

    def forget(self) -> None:
        self.chassis.forget()

    def late(self, seconds: float) -> AbstractContextManager[None]:
        return self.chassis.late(seconds)

    @contextmanager
    def broken(self, trouble: Trouble) -> Iterator[None]:
        mark = self.server.board.folder / "trouble"
        try:
            if trouble is Trouble.DEAD:
                self.server.kill()
            else:
                mark.write_text(trouble.name.lower())
            yield
        finally:
            mark.unlink(missing_ok=True)
            self.server.start()


@contextmanager
def cli_world(driver: str) -> Iterator[CliWorld]:
    """The world of a driver."""
    with tempfile.TemporaryDirectory() as top:
        server = command_line(Path(top), driver)
        try:
            server.start()
            yield CliWorld(server, Chassis(Path(top) / "chassis"))
        finally:
            server.kill()
