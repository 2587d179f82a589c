"""A system that comes back: it answers, and it is in another boot than before (random(4): boot_id)."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import CommandFailed, Lost, Unreachable
from runbooks.machine.power import preview
from runbooks.machine.target import MachineChange, MachineReader, MachineWriter
from runbooks.model import Facts, Finding, blocked, done, todo
from runbooks.oob.model import Ability, Action, Bmc
from runbooks.systems.reads import Boot
from runbooks.transport.quoting import command_line

_NO_INVERSE = "a boot cannot be taken back"
SLACK_S = 600
"""How much older a boot may be than the wait for it: power comes first, and clocks differ."""


@dataclass(frozen=True)
class IsBack(MachineChange):
    """The system answers within ``within_s``, in another boot than ``old`` (empty: it did not answer before).
    ``any_boot``: nothing is about to end, and ``old`` will do."""

    bmc: Bmc
    old: str
    within_s: float
    any_boot: bool = False

    no_inverse = _NO_INVERSE

    def check(self, reader: MachineReader) -> Finding:
        """To do, as what answers now is what is about to end; where nothing is, done where it answered before."""
        if self.any_boot and self.old and reader.boot():
            return done("answers")
        return todo(wait_line(self.old, self.within_s), before={"asked_at": int(reader.now())})

    def verify(self, reader: MachineReader, before: Facts) -> Finding:
        """Look until it answers; otherwise, what is seen instead."""
        old = "" if self.any_boot else self.old
        return comes_back(reader, self.bmc, old, self.within_s, float(before["asked_at"]))


@dataclass(frozen=True)
class Reset(IsBack):
    """The machine starts anew without its power being taken, and its system comes back."""

    once = True

    def check(self, reader: MachineReader) -> Finding:
        """To do; where the BMC cannot, blocked."""
        board = reader.board(self.bmc)
        if Ability.RESET not in board.abilities:
            return blocked(f"{board.title} has no reset: cycle the power instead")
        lines = (preview(self.bmc, Action.RESET), wait_line(self.old, self.within_s))
        return todo(*lines, facts={"power": str(board.power())}, before={"asked_at": int(reader.now())})

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Press it. Raises Lost, CommandFailed, Unwritable."""
        writer.set_power(self.bmc, Action.RESET)


@dataclass(frozen=True)
class Reboot(MachineChange):
    """The system starts anew by its own ``command``, and comes back in another boot than ``old``. ``has_bmc``: where it
    hangs, its power button is what is left."""

    command: tuple[str, ...]
    old: str
    within_s: float
    has_bmc: bool

    no_inverse = _NO_INVERSE

    def check(self, reader: MachineReader) -> Finding:
        """To do while it is in the old boot, done in another one. Raises Unreachable."""
        boot = reader.boot()
        if boot is None:
            raise Unreachable(reader.host, reader.why)
        if boot.id != self.old:
            return done(f"back, {told(boot)}", boot=boot.id)
        lines = (f"$ {command_line(self.command)}", wait_line(self.old, self.within_s))
        return todo(*lines, facts={"boot": boot.id}, before={"asked_at": int(reader.now())})

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Say it. A connection that ends is what is wanted. Raises CommandFailed, Unwritable, Busy, Fenced."""
        try:
            with writer.system() as system:
                system.run(*self.command)
        except Lost as gone:
            writer.transcript[-1] = {**writer.transcript[-1], "output": f"the connection ended: {gone.why}"}

    def verify(self, reader: MachineReader, before: Facts) -> Finding:
        """Look until it answers anew; otherwise, what is seen instead, and what is left."""
        found = comes_back(reader, None, self.old, self.within_s, float(before["asked_at"]))
        return found if not found.note.startswith("not") else todo(note=found.note + self._button(reader.host))

    def _button(self, host: str) -> str:
        return f"; what is left is its power button: `inv powercycle {host}`" if self.has_bmc else ""


def wait_line(old: str, within_s: float) -> str:
    """What is waited for, and how long."""
    return f"# wait until ssh answers{', in another boot' if old else ''}, for at most {within_s:.0f} s"


def told(boot: Boot) -> str:
    """Which boot it is."""
    return f"boot {boot.id[:8]}, {boot.age_s} s old"


def comes_back(reader: MachineReader, bmc: Bmc | None, old: str, within_s: float, asked_at: float) -> Finding:
    """Whether the system comes back in another boot than ``old``, one that is not older than the question (Unix time);
    ``bmc`` is asked what there is to see if it does not."""
    boot: Boot | None = None

    def is_back() -> bool:
        nonlocal boot
        boot = reader.boot(anew=True)
        return boot is not None and boot.id != old

    if not reader.wait_for(is_back, within_s) or boot is None:
        still = f"ssh answers in the same boot, {old[:8]}" if boot else f"no ssh ({reader.why})"
        return todo(note=f"not back after {within_s:.0f} s: {_seen(reader, bmc)}{still}{_console(reader, bmc)}")
    if boot.age_s > reader.now() - asked_at + SLACK_S:
        return todo(note=f"not the machine that was started: it answers, and has been up for {boot.age_s} s")
    return done(f"back, {told(boot)}" + (f"; before: {old[:8]}" if old else ""))


def _seen(reader: MachineReader, bmc: Bmc | None) -> str:
    if bmc is None:
        return ""
    board = reader.board(bmc)
    try:
        power, progress = board.power(), board.progress()
    except (Unreachable, CommandFailed) as error:
        return f"BMC: {error}, "
    return f"power {power}, " + (f"{progress}, " if progress else "")


def _console(reader: MachineReader, bmc: Bmc | None) -> str:
    console = reader.board(bmc).console() if bmc else ""
    return f"; its console: `{console}`" if console else ""
