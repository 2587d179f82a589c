"""The IPMI drivers' surroundings: Debian's ipmi_sim, a chassis behind it, and a relay in front to break it."""

from __future__ import annotations

import os
import random
import shlex
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.bmc.board import Board
from runbooks.lab.bmc.ipmi_sim import IpmiBmc, IpmiSim, need_ipmi_sim
from runbooks.oob.model import Bmc
from runbooks.secret import Secret
from tests.oob.chassis import Chassis, OnChassis
from tests.oob.relay import Change, Relay, lost, unchanged
from tests.oob.world import Trouble

USER, PASSWORD = "clinic", "geheim-und-lang"


@dataclass
class IpmiWorld(OnChassis):
    """One ipmi_sim."""

    driver: str
    server: IpmiBmc
    chassis: Chassis
    relay: Relay
    user: str = USER
    password: Secret = field(default_factory=lambda: Secret(PASSWORD))
    tells_wrong_password: bool = True
    troubles: frozenset[Trouble] = frozenset(Trouble)

    def bmc(self, user: str = "", insecure: bool = False) -> Bmc:
        return Bmc("db1001", self.driver, "127.0.0.1", user or self.user, self.relay.port, insecure=insecure)

    @contextmanager
    def broken(self, trouble: Trouble) -> Iterator[None]:
        if trouble is Trouble.LIES:
            self._deaf.touch()
        self.relay.answer = self._change(trouble)
        try:
            yield
        finally:
            self.relay.answer = unchanged
            self._deaf.unlink(missing_ok=True)

    @property
    def _deaf(self) -> Path:
        return deaf_file(self.chassis)

    def _change(self, trouble: Trouble) -> Change:
        if trouble is Trouble.DEAD:
            return lost
        if trouble is Trouble.GARBAGE:
            return lambda packet: packet[:4] + os.urandom(max(len(packet) - 4, 0))
        if trouble is Trouble.DIALECT:
            return of_ipmi_15
        if trouble is Trouble.HANGS:
            # The chassis acts before the BMC answers.
            before = len(self.chassis.happened())
            return lambda packet: packet if len(self.chassis.happened()) == before else None
        return unchanged


def deaf_file(chassis: Chassis) -> Path:
    """While it is there the chassis ignores what it is told."""
    return chassis.folder / "deaf"


def of_ipmi_15(packet: bytes) -> bytes:
    """What a BMC of IPMI 1.5 says of itself (22.13): no extended capabilities, and MD5; other answers as they are."""
    if len(packet) < 30 or packet[4] != 0 or packet[19] != 0x38:
        return packet
    said = bytearray(packet)
    said[22], said[24] = 0x04, 0x00
    said[29] = -sum(said[17:29]) & 0xFF
    return bytes(said)


def free_port() -> int:
    """A UDP port below those that the kernel gives to anybody."""
    while True:
        port = random.randrange(20000, 32000)
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
            return port


def board(chassis: Chassis, folder: Path, name: str = "db1001") -> Board:
    """A BMC for that chassis."""
    deaf = shlex.quote(str(deaf_file(chassis)))
    script = f'test "$1" = set && test -e {deaf} || exec {shlex.join(chassis.command)} "$@"'
    command = ("/bin/sh", "-c", script, "chassis")
    return Board(name, "127.0.0.1", free_port(), USER, Secret(PASSWORD), command, folder)


def ipmi_sim_or_skip() -> None:
    """Installed where we may."""
    try:
        need_ipmi_sim()
    except Blocked as error:
        pytest.skip(str(error))


@contextmanager
def running(server: IpmiBmc) -> Iterator[IpmiBmc]:
    """Meanwhile; skips where it cannot be had."""
    if isinstance(server, IpmiSim):
        ipmi_sim_or_skip()
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def world_of(driver: str, kind: type[IpmiBmc] = IpmiSim) -> Iterator[IpmiWorld]:
    """A world for that driver."""
    with tempfile.TemporaryDirectory() as top:
        chassis = Chassis(Path(top) / "chassis")
        with running(kind(board(chassis, Path(top) / "bmc"))) as server:
            relay = Relay((server.board.address, server.board.port))
            try:
                yield IpmiWorld(driver, server, chassis, relay)
            finally:
                relay.close()
