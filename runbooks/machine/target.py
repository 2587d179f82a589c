"""A machine as the engine sees it: its board controller, and the system on it, which may be dead.

A Reader can ask both and wait for them; a Writer can use the power button, and the system's own commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from runbooks.errors import CommandFailed, Interrupted, Lost, Unreachable, Unwritable
from runbooks.model import Change, Facts, Reader, Target, Writer
from runbooks.oob.model import Ability, Action, Bmc, Driver, LogEntry, Power
from runbooks.systems import reads
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.reads import Boot

MACHINE = "machine"
"""The way to it, as the fleet calls it: ``machine:db1001``."""
STALE_S = 20.0
"""How old a begin may be when its command is sent: far less than a lease, so that a driver which slept sends nothing
after somebody else has taken over."""
LOCK_S = 5.0
OFTEN_S = 1.0
"""How long to wait between two looks."""


class Board:
    """A BMC, to be looked at. The power is asked once while nothing is changed."""

    def __init__(self, driver: Driver, still: dict[Bmc, Power] | None) -> None:
        self.__driver = driver
        self._still = still
        self.title = driver.title
        self.abilities: frozenset[Ability] = driver.abilities

    def power(self) -> Power:
        """Whether the machine has power."""
        if self._still is None:
            return self.__driver.power()
        if self.__driver.bmc not in self._still:
            self._still[self.__driver.bmc] = self.__driver.power()
        return self._still[self.__driver.bmc]

    def log(self, limit: int) -> Sequence[LogEntry]:
        """The event log, the newest first."""
        return self.__driver.log(limit)

    def progress(self) -> str:
        """How far a boot has come."""
        return self.__driver.progress()

    def serial(self) -> str:
        """The machine's serial number."""
        return self.__driver.serial()

    def console(self) -> str:
        """The command that opens the console."""
        return self.__driver.bmc.console or self.__driver.console()


class MachineReader(Reader):
    """Looks at a machine. ``why`` says why its system did not answer when it was last asked."""

    def __init__(self, machine: MachineTarget, run_id: str) -> None:
        self.host = machine.name
        self.run_id = run_id
        self.why = ""
        self.__machine = machine
        self._still: dict[Bmc, Power] | None = None

    def hold_still(self, likely: object = None) -> None:  # noqa: ARG002
        """Ask for the power once."""
        self._still = {}

    def board(self, bmc: Bmc) -> Board:
        """Its BMC. Raises SettingsError where there is no password for it."""
        return Board(self.__machine.driver(bmc), self._still)

    def boot(self, anew: bool = False) -> Boot | None:
        """Which boot its system is in; None where it does not answer. ``anew``: over a connection of its own."""
        if anew:
            self.__machine.system.close()
        try:
            self.why = ""
            return self.__machine.system.reader(self.run_id).ask(reads.boot())
        except (Unreachable, Lost) as gone:
            self.why = gone.why
            return None

    def system(self) -> HostReader:
        """A Reader of its system. Raises Unreachable."""
        return self.__machine.system.reader(self.run_id)

    def now(self) -> float:
        """Unix time, in seconds."""
        return self.__machine.wall()

    def wait_for(self, what: Callable[[], bool], at_most_s: float) -> bool:
        """Whether it comes to that in time. Raises Interrupted where the run is to end."""
        end = self.__machine.clock() + at_most_s
        while not what():
            if self.hurried():
                raise Interrupted(f"{self.host}: stopped while it was waited for")
            if self.__machine.clock() > end:
                return False
            self.__machine.sleep(OFTEN_S)
        return True


class MachineWriter(Writer):
    """Uses the power button of a machine, or its system; it can look, too."""

    def __init__(self, machine: MachineTarget, run_id: str, epoch: int) -> None:
        self.host = machine.name
        self.run_id = run_id
        self.transcript = []
        self.reader = machine.reader(run_id)
        self._machine, self._epoch, self._since = machine, epoch, machine.clock()

    def set_power(self, bmc: Bmc, action: Action) -> None:
        """Ask the BMC for it. Raises Lost, CommandFailed (it refused), Unwritable (nothing was sent)."""
        driver = self._machine.driver(bmc)
        self._log_in(driver)
        entry: dict[str, object] = {"command": f"{bmc.driver} {bmc.address}: power {action}", "status": None}
        self.transcript.append(entry)
        started = time.monotonic()
        try:
            driver.set_power(action)
            entry["status"] = 0
        except Unreachable as error:
            self.transcript.remove(entry)
            raise Unwritable(str(error)) from error
        except (Lost, CommandFailed) as error:
            entry["output"] = str(error)
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - started, 3)
            # What was connected to the system is of a life that ends.
            self._machine.system.close()

    def _log_in(self, driver: Driver) -> None:
        try:
            driver.power()
        except (Unreachable, CommandFailed) as error:
            raise Unwritable(str(error)) from error
        if self._machine.clock() > self._since + STALE_S:
            raise Unwritable(f"{self.host}: {STALE_S:.0f} s have passed since it was decided: look again")

    def note(self, command: str, output: str) -> None:
        """Record what was looked at, for whoever reads the run."""
        self.transcript.append({"command": command, "status": 0, "seconds": 0.0, "output": output})

    @contextmanager
    def system(self) -> Iterator[HostWriter]:
        """A Writer for the system, which holds its lock. Raises Unwritable, Busy, Fenced."""
        with ExitStack() as stack:
            try:
                writer = stack.enter_context(self._machine.system.writer(self.run_id, self._epoch, LOCK_S))
            except Unreachable as error:
                raise Unwritable(str(error)) from error
            writer.transcript = self.transcript
            yield writer


@dataclass
class MachineTarget(Target):
    """One machine; ``open_driver`` makes the driver for a BMC, with its password. Times in seconds."""

    name: str
    system: HostTarget
    open_driver: Callable[[Bmc], Driver]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time
    _drivers: dict[Bmc, Driver] = field(default_factory=dict, init=False, repr=False)

    def driver(self, bmc: Bmc) -> Driver:
        """The one driver for a BMC. Raises SettingsError, UsageError."""
        if bmc not in self._drivers:
            self._drivers[bmc] = self.open_driver(bmc)
        return self._drivers[bmc]

    def reader(self, run_id: str = "") -> MachineReader:
        """A Reader; nothing is connected before it looks."""
        return MachineReader(self, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[MachineWriter]:  # noqa: ARG002
        """A Writer. A power button has no lock: who sleeps too long before it is pressed sends nothing."""
        yield MachineWriter(self, run_id, epoch)

    def settle(self, wait_s: float) -> None:
        """Nothing can be waited for: a BMC does what it was told at once, and the looks that follow wait for it."""

    def rest(self) -> None:
        """The system's lock is let go of."""
        self.system.rest()

    def close(self) -> None:
        """Log out."""
        self.system.close()
        for driver in self._drivers.values():
            driver.close()
        self._drivers.clear()


class MachineChange(Change[MachineReader, MachineWriter]):
    """A change of a machine."""

    through = MACHINE

    def do(self, writer: MachineWriter, before: Facts) -> None:
        """Nothing, where all that there is to do is to look, and to wait."""
