"""What the conformance suite asks of each driver's surroundings: a BMC to be broken, real where one can be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from runbooks.oob.model import Bmc
from runbooks.secret import Secret


class Trouble(StrEnum):
    """What a BMC does wrong."""

    DEAD = "nobody answers"
    HANGS = "it takes a power command, and falls silent"
    GARBAGE = "its answers make no sense"
    DIALECT = "it answers as another vendor's does"
    LIES = "it says success, and does nothing"


class World(Protocol):
    """One BMC and the machine behind it. Nothing that a test does to it outlives the test."""

    user: str
    password: Secret
    tells_wrong_password: bool
    """Whether the driver can tell a refused log-in from a BMC that is not there."""
    troubles: frozenset[Trouble]
    """What can be broken here; each that is not is explained where the world is."""

    def bmc(self, user: str = "", insecure: bool = False) -> Bmc:
        """How it is reached; ``user`` instead of the right one."""
        ...

    def is_on(self) -> bool:
        """Whether the machine really runs, without asking the BMC."""
        ...

    def turn(self, on: bool) -> None:
        """Make it so, behind the BMC's back."""
        ...

    def happened(self) -> list[str]:
        """What was really done to the machine since the test began, oldest first: ``on``, ``off``, ``reset``. A BMC's
        own cycle is an off and an on."""
        ...

    def forget(self) -> None:
        """Let the test begin here."""
        ...

    def late(self, seconds: float) -> AbstractContextManager[None]:
        """From here on, power changes happen so many seconds after the BMC has said success."""
        ...

    def broken(self, trouble: Trouble) -> AbstractContextManager[None]:
        """Broken like that, meanwhile."""
        ...


Worlds = Iterator[World]
