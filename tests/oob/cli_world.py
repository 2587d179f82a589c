"""The conformance suite's surroundings for a command line over ssh: a stand-in, and a machine that is a folder."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from runbooks.errors import RunbookError
from runbooks.lab.bmc.board import Board
from runbooks.lab.bmc.cli import CliBmc
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Bmc
from runbooks.oob.ssh_cli import SshCli
from runbooks.secret import Secret
from tests.oob.chassis import Chassis, OnChassis
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


@contextmanager
def serving(server: CliBmc) -> Iterator[CliBmc]:
    """Meanwhile it runs."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., CliBmc]]:
    """A stand-in that runs, with its chassis in ``tmp_path``."""
    with ExitStack() as running:
        yield lambda driver, **more: running.enter_context(serving(command_line(tmp_path, driver, **more)))


@pytest.fixture
def drive() -> Iterator[Callable[..., SshCli]]:
    """A driver for a stand-in; ``bmc``: reached in that way."""
    with ExitStack() as open_:

        def new(server: CliBmc, bmc: Bmc | None = None, timeout_s: float = 20.0, password: str = PASSWORD) -> SshCli:
            driver: Any = driver_class(server.driver)(bmc or bmc_of(server), Secret(password), timeout_s)
            open_.callback(driver.close)
            return cast(SshCli, driver)

        yield new


def plain(error: RunbookError) -> str:
    """An error's one line, which names the host and no secret."""
    text = str(error)
    assert "\n" not in text and "h1: " in text and PASSWORD not in text and "object at" not in text
    return text


@dataclass
class CliWorld(OnChassis):
    """Everything can be broken here."""

    server: CliBmc
    chassis: Chassis
    user: str = USER
    password: Secret = field(default_factory=lambda: Secret(PASSWORD))
    tells_wrong_password: bool = True
    troubles: frozenset[Trouble] = frozenset(Trouble)

    def bmc(self, user: str = "", insecure: bool = False) -> Bmc:
        return bmc_of(self.server, user, insecure)

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
    with tempfile.TemporaryDirectory() as top, serving(command_line(Path(top), driver)) as server:
        yield CliWorld(server, Chassis(Path(top) / "chassis"))
