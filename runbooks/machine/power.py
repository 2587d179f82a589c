"""A machine's power: what is asked for is judged by looking until it is so.

A cycle is two of these, off and on: a run that is killed in between finds the machine off, and turns it on.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import CommandFailed, Unreachable
from runbooks.machine.target import MachineChange, MachineReader, MachineWriter
from runbooks.model import Facts, Finding, Status, blocked, done, todo
from runbooks.oob.model import Ability, Action, Bmc, Power


@dataclass(frozen=True)
class PowerOff(MachineChange):
    """No power, at once: the system is not asked. ``after_shutdown``: an earlier step has asked it, and may have had
    its way."""

    bmc: Bmc
    within_s: float
    after_shutdown: bool = False

    def check(self, reader: MachineReader) -> Finding:
        """Done when it is off, and not only then."""
        line = preview(self.bmc, Action.OFF)
        if self.after_shutdown:
            return todo(line)
        power = reader.board(self.bmc).power()
        if power is Power.OFF:
            return done("is off", power=str(power))
        return todo(line, facts={"power": str(power)}, before={"power": str(power)})

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Turn it off; one that is off already is left alone. Raises Lost, CommandFailed, Unwritable."""
        writer.set_power(self.bmc, Action.OFF)

    def verify(self, reader: MachineReader, before: Facts) -> Finding:  # noqa: ARG002
        """Look until it is off. Raises Unreachable."""
        return comes_to(reader, self.bmc, Power.OFF, self.within_s)

    def inverse(self, before: Facts) -> PowerOn | None:
        """On again, where it was."""
        return None if before.get("power") == Power.OFF else PowerOn(self.bmc, self.within_s)


@dataclass(frozen=True)
class PowerOn(MachineChange):
    """Power. ``after_off``: an earlier step takes it away, so what is on now will have to be turned on."""

    bmc: Bmc
    within_s: float
    after_off: bool = False

    no_inverse = "a machine that was turned on stays on"

    def check(self, reader: MachineReader) -> Finding:
        """Done when it is on, and stays so until then."""
        line = preview(self.bmc, Action.ON)
        if self.after_off:
            return todo(line)
        power = reader.board(self.bmc).power()
        return done("is on", power=str(power)) if power is Power.ON else todo(line, facts={"power": str(power)})

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Turn it on; one that is on already is left alone. Raises Lost, CommandFailed, Unwritable."""
        writer.set_power(self.bmc, Action.ON)

    def verify(self, reader: MachineReader, before: Facts) -> Finding:  # noqa: ARG002
        """Look until it is on. Raises Unreachable."""
        return comes_to(reader, self.bmc, Power.ON, self.within_s)


@dataclass(frozen=True)
class ShutDown(MachineChange):
    """The system is asked to end by itself, and given ``within_s``; the power is taken from it afterwards anyhow."""

    bmc: Bmc
    within_s: float

    def check(self, reader: MachineReader) -> Finding:
        """Done when it is off; blocked where the BMC has no such button."""
        board = reader.board(self.bmc)
        power = board.power()
        if power is Power.OFF:
            return done("is off", power=str(power))
        if Ability.SHUTDOWN not in board.abilities:
            return blocked(f"{board.title} cannot ask a system to end: leave --graceful out, or shut it down by ssh")
        line = f"{preview(self.bmc, Action.SHUTDOWN)}    # waits at most {self.within_s:.0f} s"
        return todo(line, facts={"power": str(power)}, before={"power": str(power)})

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Ask. Raises Lost, CommandFailed, Unwritable."""
        writer.set_power(self.bmc, Action.SHUTDOWN)

    def verify(self, reader: MachineReader, before: Facts) -> Finding:  # noqa: ARG002
        """Wait until it is off, or long enough. Raises Unreachable."""
        if comes_to(reader, self.bmc, Power.OFF, self.within_s).status is Status.DONE:
            return done("ended by itself")
        return done(f"was asked, and did not end within {self.within_s:.0f} s")

    def inverse(self, before: Facts) -> PowerOn | None:
        """On again, where it was."""
        return None if before.get("power") == Power.OFF else PowerOn(self.bmc, self.within_s)


def preview(bmc: Bmc, action: Action) -> str:
    """What is about to be done, on one line."""
    return f"$ {bmc.driver} {bmc.address}: power {action}"


def comes_to(reader: MachineReader, bmc: Bmc, wanted: Power, within_s: float) -> Finding:
    """Whether the power comes to be as ``wanted`` in time. A BMC may be busy meanwhile: raises its last error,
    Unreachable or CommandFailed, where it ends with one."""
    board = reader.board(bmc)
    seen: Power | Unreachable | CommandFailed = Power.UNKNOWN

    def is_so() -> bool:
        nonlocal seen
        try:
            seen = board.power()
        except (Unreachable, CommandFailed) as error:
            seen = error
        return seen is wanted

    if reader.wait_for(is_so, within_s):
        return done(f"is {wanted}")
    if isinstance(seen, Exception):
        raise seen
    console = board.console()
    see = f"; its console: `{console}`" if console else ""
    return todo(note=f"the BMC took it, and after {within_s:.0f} s the power is {seen}{see}")
