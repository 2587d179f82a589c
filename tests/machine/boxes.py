"""Pretended machines, in memory, with a clock of their own: what a run does to them can be cut off at any point.

A stand-in for BMC and system alike; the real ones are in tests/power.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from runbooks import fibres
from runbooks.errors import CommandFailed, Lost, Unreachable
from runbooks.machine.target import MachineTarget
from runbooks.model import Target
from runbooks.oob.model import Ability, Action, Bmc, Driver, LogEntry, Power
from runbooks.secret import Secret
from runbooks.systems.reads import Boot

MINUTE = 60.0


@dataclass
class Box:
    """One machine. It takes ``takes_s`` until its power is as it was asked for, and ``boots_s`` until its system
    answers; None: it never does. ``happened`` is what was done to it."""

    name: str
    clock: Clock
    on: bool = True
    answers: bool = True
    takes_s: float = 0.0
    boots_s: float | None = 30.0
    lies: bool = False
    loses: bool = False
    dead_bmc: bool = False
    serial: str = "AB12345"
    neither: bool = False
    boots: int = 1
    booted_at: float = -86_400.0
    happened: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    pending: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    hook: Callable[[str, str], None] = lambda _point, _name: None
    answers_at: float | None = None

    def tick(self) -> None:
        """Whatever is due happens."""
        for due in [entry for entry in self.pending if entry[0] <= self.clock.now]:
            self.pending.remove(due)
            due[1]()
        if self.on and self.answers_at is not None and self.clock.now >= self.answers_at:
            self.answers, self.answers_at = True, None

    def ask(self, action: Action) -> None:
        """The BMC is told."""
        if self.dead_bmc:
            raise Unreachable(self.name, "no answer")
        self.hook("asked", self.name)
        if not self.lies:
            self.pending.append((self.clock.now + self.takes_s, lambda: self._become(action)))
            self.tick()
        self.hook("taken", self.name)
        if self.loses:
            raise Lost(self.name, "no answer came")

    def _become(self, action: Action) -> None:
        if action is Action.RESET and self.on:
            self.happened.append("reset")
            self._boot()
        elif action is Action.ON and not self.on:
            self.happened.append("on")
            self.on = True
            self._boot()
        elif action in (Action.OFF, Action.SHUTDOWN) and self.on:
            self.happened.append("off")
            self.on = self.answers = False
            self.answers_at = None
        self.events.append(f"power {action}")

    def _boot(self) -> None:
        self.boots += 1
        self.booted_at = self.clock.now
        self.answers = False
        self.answers_at = None if self.boots_s is None else self.clock.now + self.boots_s

    def boot(self) -> Boot:
        """What its system says."""
        return Boot(f"{self.boots:08}-{self.name}", int(self.clock.now - self.booted_at))


@dataclass
class Clock:
    """Time that passes only where somebody waits."""

    now: float = 1_000_000.0
    slept: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.slept()


class PretendedDriver(Driver):
    """A stand-in for a driver."""

    name = title = "pretended"
    port = 0
    abilities = frozenset(Ability)

    def __init__(self, bmc: Bmc, box: Box) -> None:
        super().__init__(bmc, Secret("none"))
        self.box = box

    def power(self) -> Power:
        self.box.tick()
        if self.box.dead_bmc:
            raise Unreachable(self.box.name, "no answer")
        if self.box.neither:
            return Power.UNKNOWN
        return Power.ON if self.box.on else Power.OFF

    def set_power(self, action: Action) -> None:
        self.box.ask(action)

    def log(self, limit: int) -> Sequence[LogEntry]:
        if self.box.dead_bmc:
            raise CommandFailed("no answer")
        numbered = list(enumerate(self.box.events, 1))[-limit:]
        return [LogEntry(str(number), "", "", text) for number, text in reversed(numbered)]

    def progress(self) -> str:
        return "POST 0x92"

    def serial(self) -> str:
        return self.box.serial

    def console(self) -> str:
        return f"sol {self.bmc.address}"


class PretendedSystem:
    """A stand-in for a host's target: it answers one question."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.commands: list[tuple[str, ...]] = []
        self.transcript: list[Any] = []
        self.on_command: Callable[[], None] = lambda: None

    def reader(self, _run_id: str = "") -> PretendedSystem:
        self.box.tick()
        if not self.box.answers:
            raise Unreachable(self.box.name, "connection timed out")
        return self

    @contextmanager
    def writer(self, _run_id: str, _epoch: int, _wait_s: float) -> Iterator[PretendedSystem]:
        yield self.reader()

    def ask(self, _read: Any) -> Boot:
        return self.box.boot()

    def run(self, *argv: str) -> None:
        self.commands.append(argv)
        self.transcript.append({"command": " ".join(argv)})
        self.on_command()

    def close(self) -> None:
        pass

    rest = close


@dataclass
class Boxes:
    """The machines, as the engine finds them; ``hooks`` as ``Life`` wants them."""

    boxes: dict[str, Box]
    hooks: list[Callable[[str, str, str], None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    systems: dict[str, PretendedSystem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for box in self.boxes.values():
            box.hook = self.tell
            self.systems[box.name] = PretendedSystem(box)

    def tell(self, point: str, name: str) -> None:
        """Just before a BMC does what it was told, and just after."""
        word = {"asked": "begin", "taken": "end"}[point]
        for hook in self.hooks:
            fibres.aside(partial(hook, word, name, "power"))

    def __getitem__(self, name: str) -> Target:
        way, _, host = name.rpartition(":")
        assert way == "machine"
        box = self.boxes[host]
        return MachineTarget(
            host,
            self.systems[host],  # type: ignore[arg-type]
            lambda bmc: PretendedDriver(bmc, box),
            box.clock,
            box.clock.sleep,
            box.clock,
        )

    def rest(self, name: str) -> None:
        """Nothing to let go of."""


def bmc(name: str) -> Bmc:
    """Its address."""
    return Bmc(name, "pretended", f"{name}.mgmt", "root")


def machines(*names: str, clock: Clock | None = None, **options: Any) -> Boxes:
    """Machines that are well, one clock for all."""
    shared = clock or Clock()
    return Boxes({name: Box(name, shared, **options) for name in names or ("db1",)})
