"""Walks a run's steps over their targets: stages with a canary, a sliding window of hosts, and a stop rule.

For each step on each target: check, ``begin`` (durable), do, verify, ``outcome`` (durable). The second look decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from runbooks import batch, fibres
from runbooks.errors import Busy, Fenced, JournalLost, Lost, RunbookError, Unreachable, Unwritable, Waiting
from runbooks.lease import Lease
from runbooks.looking import Targets, by_target, side_by_side
from runbooks.model import AnyChange, Batch, Facts, Finding, Reader, Result, Run, Status, Step, same
from runbooks.record import Key, Observer, Record
from runbooks.window import Window

BRIEFLY_S = 5.0
"""How long a lock is waited for that nobody should hold: a connection of ours that was closed may just let go of it."""


@dataclass
class Stop:
    """Asked to stop: nothing new is started. ``why`` names the signal."""

    event: threading.Event = field(default_factory=threading.Event)
    why: str = ""

    def ask(self, why: str) -> None:
        """Start nothing new from here on."""
        self.why = self.why or why
        self.event.set()

    def __bool__(self) -> bool:
        return self.event.is_set()


@dataclass(frozen=True)
class After:
    """What was ``seen`` on a target, by each of those who looked, from the end of a step's commands on."""

    number: int
    commands: int
    seen: list[Any]


@dataclass
class Walker:
    """One walk over a run. ``family`` is the run id that records and locks on hosts lie under: an undo shares the one
    of the run it undoes. ``expected`` is what was found when the operator agreed; anything else is a surprise,
    which stops that host. ``patience_s`` bounds the wait for a command of an earlier driver; on ``shut_out`` one may
    still run although this run has begun nothing there."""

    run: Run
    family: str
    lease: Lease
    steps: Sequence[Step]
    targets: Targets
    batch: Batch
    expected: Mapping[Key, Finding]
    observer: Observer
    stop: Stop
    patience_s: float
    clock: Callable[[], float] = time.time
    shut_out: Collection[str] = ()

    def __post_init__(self) -> None:
        self.record = Record(self.run, self.lease, self.steps, self.observer, self.clock)
        self.failed: set[str] = set()
        # Whom a patient step could not reach: nothing more is done there, and nobody stopped for it.
        self.left: set[str] = set()
        self.waits = False
        self._halt = False
        self._seen: dict[str, Any] = {}
        self._after: dict[str, After] = {}
        self._habits: dict[int, After] = {}

    # the walk

    def walk(self) -> None:
        """Take every stage in order, until the end, a stop rule, or a signal. Raises Fenced where the run was lost."""
        self._settle()
        for numbers in batch.stages(self.steps):
            if self._halt or self.stop:
                break
            self._stage(numbers)

    def _stage(self, numbers: Sequence[int]) -> None:
        steps = [self.steps[n] for n in numbers]
        everyone = by_target(self.steps, numbers)
        able = [(target, ns) for target, ns in everyone.items() if target not in self.failed | self.left]
        hosts = [target for target, ns in able if not all(self.record.is_done(n, target) for n in ns)]
        # At a barrier nobody may have failed, neither here nor before: then nothing of it is started.
        strict = any(step.is_barrier for step in steps)
        limit = 0 if strict else batch.amount(self.batch.max_failures, len(everyone), "max failures")
        looks = all(s.change_on(t).looks_only for s in steps for t in s.on)
        canary = 0 if looks else min(self.batch.canary, len(hosts))
        width = len(hosts) if looks else batch.window(self.batch.size, len(everyone))

        # Whoever fails from here on is of this stage.
        others = len(self.failed.difference(everyone))

        def may_start() -> bool:
            return not (self.stop or self._halt) and len(self.failed) - others <= limit

        pause_s = 0.0 if looks else self.batch.sleep_s
        window = Window(
            lambda host: self._host(host, everyone[host]),
            may_start,
            lambda: self._pause(pause_s),
            self._end_soon,
            lambda host: any(self.targets[way].blocks for way in self._ways(everyone[host], host)),
        )
        for some, side in ((hosts[:canary], 1), (hosts[canary:], max(1, min(width, 100)))):
            window.slide(some, side)
        if not may_start():
            self._halt = True

    def _pause(self, seconds: float) -> None:
        if seconds:
            # The hosts under way go on.
            fibres.aside(lambda: self.stop.event.wait(seconds))

    def _end_soon(self) -> None:
        self._halt = True

    def _host(self, target: str, numbers: Sequence[int]) -> None:
        """Take one target through a stage, until one of its steps fails, or the walk is to end."""
        try:
            for number in numbers:
                if self.stop or self._halt:
                    return
                if not self._step(number, target):
                    if target not in self.left:
                        self.failed.add(target)
                    return
        except BaseException:
            # A lost lease, or a bug: what the others have under way is finished and recorded, nothing new is begun.
            self._halt = True
            raise
        finally:
            self._learn(target)
            try:
                self.record.write(target)
            finally:
                for way in self._ways(numbers, target):
                    self.targets.rest(way)

    def _ways(self, numbers: Sequence[int], target: str) -> set[str]:
        return {self.steps[number].way_to(target) for number in numbers}

    # one step on one target

    def _step(self, number: int, target: str) -> bool:
        """Whether the target may go on to its next step."""
        change = self.steps[number].change_on(target)
        if self.record.is_done(number, target):
            return True
        kept = self.record.kept(number, target)
        try:
            finding = self._look(number, target, change.check)
        except (Unreachable, Lost) as error:
            self._leave(number, target)
            return self.record.close(number, target, kept, f"unreachable: {error.why}")
        except RunbookError as error:
            return self.record.close(number, target, kept, str(error))
        if surprise := self._surprise(number, target, finding):
            return self.record.close(number, target, kept, surprise)
        if finding.status is Status.DONE:
            return self.record.close(number, target, Result.DONE, finding.note)
        if change.once and kept in (Result.UNKNOWN, Result.UNVERIFIED):
            return self.record.close(
                number, target, kept, "not begun a second time: what became of the first is unseen"
            )
        return self._act(number, target, change, finding)

    def _leave(self, number: int, target: str) -> None:
        """A target went away: where the step is patient, that stops nobody else."""
        if self.steps[number].patient:
            self.left.add(target)

    def _look(self, number: int, target: str, look: Callable[[Reader], Finding]) -> Finding:
        """Look at one target; what a step was seen to end with, the next one need not look at again."""
        reader = self.targets[self.steps[number].way_to(target)].reader(self.family)
        reader.hurried = self.stop.event.is_set
        if target in self._seen:
            reader.recall(self._seen.pop(target))
        finding = look(reader)
        if (seen := reader.seen()) is not None:
            self._seen[target] = seen
            if target in self._after:
                self._after[target].seen.append(seen)
        return finding

    def _learn(self, target: str) -> None:
        """Something is done there again, or nothing any more: what was looked at until then will be on others, too."""
        self._seen.pop(target, None)
        if after := self._after.pop(target, None):
            self._habits[after.number] = after

    def _surprise(self, number: int, target: str, finding: Finding) -> str:
        if finding.status in (Status.BLOCKED, Status.UNREACHABLE):
            return finding.note
        if finding.status is Status.LATER:
            return f"an earlier step has not brought about what this one needs: {finding.note}"
        expected = self.expected.get((number, target))
        if expected is None or expected.status is Status.LATER or (number, target) in self.record.befores:
            return ""
        step, is_done = self.steps[number], finding.status is Status.DONE
        fine = step.patient or (is_done and step.change_on(target).by_others) or same(expected, finding)
        return "" if fine else f"no longer as planned ({expected.status}, now {finding.status})"

    def _act(self, number: int, target: str, change: AnyChange, finding: Finding) -> bool:
        kept = self.record.kept(number, target)
        self._learn(target)
        before = self.record.begin(number, target, finding.before)
        started = time.monotonic()
        commands: list[Facts] = []
        try:
            error = self._do(number, target, before, commands)
        except Fenced:
            raise
        except Lost as lost:
            self._leave(number, target)
            return self.record.close(number, target, Result.UNKNOWN, lost.why, commands, started)
        except Waiting as waiting:
            self.waits = True
            return self.record.close(
                number, target, Result.PENDING, f"waiting for a person: {waiting}", commands, started
            )
        except RunbookError as refused:
            return self.record.close(number, target, kept, f"nothing was sent: {refused}")
        try:
            self._after[target] = After(number, len(commands), [])
            seen = self._look(number, target, lambda reader: change.verify(reader, before))
        except RunbookError as lost:
            return self.record.close(number, target, Result.UNKNOWN, f"cannot look again: {lost}", commands, started)
        if seen.status is Status.DONE:
            note = "; ".join(filter(None, [seen.note, f"although {error}" if error else ""]))
            return self.record.close(number, target, Result.DONE, note, commands, started)
        result = Result.FAILED if error else Result.UNVERIFIED
        note = str(error) if error else f"done, but looking again shows: {seen.note or seen.status}"
        return self.record.close(number, target, result, note, commands, started)

    def _do(self, number: int, target: str, before: Facts, commands: list[Facts]) -> RunbookError | None:
        """The error that the change ended with, if it did. Raises Lost; anything else is raised before it began."""
        way = self.steps[number].way_to(target)
        with self.targets[way].writer(self.family, self.lease.epoch, BRIEFLY_S) as writer:
            writer.transcript, writer.hurried = commands, self.stop.event.is_set
            writer.tell = partial(self.record.progress, number, target)
            if number in self._habits:
                writer.foresee(self._habits[number].seen, self._habits[number].commands)
            try:
                self.steps[number].change_on(target).do(writer, before)
            except (Lost, Fenced, Waiting, Busy, Unwritable):
                raise
            except RunbookError as error:
                return error
        return None

    # what an earlier driver left

    def _settle(self) -> None:
        """Where a begin has no outcome: wait for its command, shut its driver out, and look what became of it."""
        unknown: dict[str, list[int]] = {way: [] for way in self.shut_out}
        for (number, target), outcome in self.record.outcomes.items():
            once = self.steps[number].change_on(target).once
            if outcome.result is Result.UNKNOWN or (once and outcome.result is Result.UNVERIFIED):
                unknown.setdefault(self.steps[number].way_to(target), []).append(number)
        side_by_side(unknown, self.targets, lambda way: self._settle_one(way, unknown[way]))

    def _settle_one(self, way: str, numbers: Sequence[int]) -> None:
        if self.stop:
            return
        target = self.targets[way]
        name = target.name
        try:
            with target.writer(self.family, self.lease.epoch, self.patience_s):
                pass
            reader = target.reader(self.family)
            reader.hurried = self.stop.event.is_set
            for number in numbers:
                change = self.steps[number].change_on(name)
                if change.verify(reader, self.record.befores[number, name]).status is Status.DONE:
                    self.record.close(number, name, Result.DONE, "found done when looked at again")
        except (Fenced, JournalLost):
            raise
        except RunbookError as error:
            for number in numbers or [n for n, step in enumerate(self.steps) if name in step.on][:1]:
                if not self.record.is_done(number, name):
                    self.record.close(number, name, self.record.kept(number, name), str(error))
            self.failed.add(name)
        finally:
            self.record.write(name)
