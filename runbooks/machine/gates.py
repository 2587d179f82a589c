"""What is looked at before anything is done to a machine: its BMC, and whether its system still answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbooks.errors import CommandFailed, Unreachable
from runbooks.machine.event_log import line_of
from runbooks.machine.target import Board, MachineChange, MachineReader
from runbooks.model import Finding, Status, blocked, done, unreachable
from runbooks.oob.model import Ability, Bmc, Power

TAIL = 5
"""How many entries of the event log a plan shows."""
# What boards say that were never told: "Not Specified", "To be filled by O.E.M.", "0123456789", "Default string".
_SERIAL = re.compile(r"(?!0?123456789)(?=.*[0-9])[A-Za-z0-9._/-]{5,}")


@dataclass(frozen=True)
class LogIn(MachineChange):
    """The BMC lets us in, says whether the machine has power, and is the one of this machine: ``serial`` is what the
    inventory says, ``others`` are drivers that the machine has besides."""

    bmc: Bmc
    serial: str
    others: tuple[str, ...] = ()

    looks_only = True

    def check(self, reader: MachineReader) -> Finding:
        """Done; blocked where it is another machine's, or says neither on nor off."""
        board = reader.board(self.bmc)
        try:
            power = board.power()
        except Unreachable as error:
            return unreachable(f"{error.why}{self._offer()}")
        except CommandFailed as error:
            return blocked(f"{error}{self._offer()}")
        told = _serial(board)
        if told and self.serial and told.casefold() != self.serial.casefold():
            said = f"It says {told}, the inventory says {self.serial}"
            return blocked(f"whose BMC is {self.bmc.address}? {said}: correct the one that is wrong")
        if power is Power.UNKNOWN:
            return blocked("the BMC says neither on nor off: look again in a minute, or on its own page")
        facts = {"power": str(power), "serial": told}
        return Finding(Status.DONE, f"power is {power}", _tail(board), facts)

    def _offer(self) -> str:
        if not self.others:
            return ""
        return f"; this machine also has {' and '.join(self.others)}: --driver {self.others[0]}"


def _serial(board: Board) -> str:
    if Ability.SERIAL not in board.abilities:
        return ""
    try:
        told = board.serial().strip()
    except (Unreachable, CommandFailed):
        # Not every board of a kind has one.
        return ""
    return told if _SERIAL.fullmatch(told) else ""


def _tail(board: Board) -> tuple[str, ...]:
    if Ability.LOG not in board.abilities:
        return ()
    try:
        return tuple(line_of(entry) for entry in board.log(TAIL))
    except (Unreachable, CommandFailed) as error:
        return (f"event log: {error}",)


@dataclass(frozen=True)
class Answers(MachineChange):
    """Whether the system answers, and which boot it is in. Where it is ``needed``, it is in the way that it does not;
    ``has_bmc``: its power button is what is left."""

    needed: bool = False
    has_bmc: bool = False

    looks_only = True

    def check(self, reader: MachineReader) -> Finding:
        """Done; what matters is what it says."""
        boot = reader.boot()
        if boot is not None:
            return done(f"answers, up for {_duration(boot.age_s)}", boot=boot.id)
        if self.needed:
            left = f"; what is left is its power button: `inv powercycle {reader.host}`" if self.has_bmc else ""
            return unreachable(f"{reader.why}{left}")
        return done(f"does not answer: {reader.why}", boot="")


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
