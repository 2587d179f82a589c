"""Walks a run's steps over their targets: stages with a canary, a sliding window of hosts, and a stop rule.

For each step on each target: check, ``begin`` (durable), do, verify, ``outcome`` (durable). The second look decides.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from runbooks import batch
from runbooks.errors import Busy, Fenced, Lost, RunbookError, Unreachable
from runbooks.lease import Lease
from runbooks.looking import Targets, side_by_side
from runbooks.model import (
    AnyChange,
    Batch,
    Event,
    Facts,
    Finding,
    Json,
    Outcome,
    Result,
    Run,
    Status,
    Step,
    same,
)

Observer = Callable[[Event], None]
Key = tuple[int, str]


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


@dataclass
class Walker:
    """One walk over a run. ``family`` is the run id that records and locks on hosts lie under: an undo shares the one
    of the run it undoes. ``expected`` is what was found when the operator agreed; anything else is a surprise,
    which stops that host. ``patience_s`` bounds the wait for a command of an earlier driver."""

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

    def __post_init__(self) -> None:
        self.outcomes: dict[Key, Outcome] = self.run.outcomes()
        self.befores: dict[Key, Facts] = self.run.befores()
        self.failed: set[str] = set()
        self._halt = False

    # the walk

    def walk(self) -> None:
        """Take every stage in order, until the end, a stop rule, or a signal. Raises Fenced where the run was lost."""
        self._settle()
        for numbers in batch.stages(self.steps):
            if self._halt or self.stop or not self._may_enter(numbers):
                break
            self._stage(numbers)

    def _may_enter(self, numbers: Sequence[int]) -> bool:
        return not any(self.steps[n].must_all and self.failed.intersection(self.steps[n].on) for n in numbers)

    def _stage(self, numbers: Sequence[int]) -> None:
        steps = [self.steps[n] for n in numbers]
        hosts = [t for t in dict.fromkeys(t for s in steps for t in s.on) if t not in self.failed]
        strict = any(step.is_barrier for step in steps)
        limit = 0 if strict else batch.amount(self.batch.max_failures, len(hosts), "max failures")
        looks = all(s.change_on(t).looks_only for s in steps for t in s.on)
        canary = 0 if looks else min(self.batch.canary, len(hosts))
        width = len(hosts) if looks else batch.window(self.batch.size, len(hosts))
        for some, side in ((hosts[:canary], 1), (hosts[canary:], max(1, min(width, 100)))):
            self._window(numbers, some, side, limit)
        if len(self.failed) > limit:
            self._halt = True

    def _window(self, numbers: Sequence[int], hosts: Sequence[str], width: int, limit: int) -> None:
        waiting, running = deque(hosts), set[Future[None]]()
        with ThreadPoolExecutor(width) as pool:
            while waiting or running:
                while waiting and len(running) < width and self._may_start(limit):
                    running.add(pool.submit(self._host, waiting.popleft(), numbers))
                    if waiting and self.batch.sleep_s:
                        self.stop.event.wait(self.batch.sleep_s)
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._reap(future)

    def _may_start(self, limit: int) -> bool:
        return not self.stop and not self._halt and len(self.failed) <= limit

    def _reap(self, future: Future[None]) -> None:
        try:
            future.result()
        except BaseException:
            # A lost lease, or a bug: those in flight finish (the pool waits for them), nothing new starts.
            self._halt = True
            raise

    def _host(self, target: str, numbers: Sequence[int]) -> None:
        try:
            for number in numbers:
                if self.stop:
                    return
                if target in self.steps[number].on and not self._step(number, target):
                    self.failed.add(target)
                    return
        finally:
            self.targets.rest(target)

    # one step on one target

    def _step(self, number: int, target: str) -> bool:
        """Whether the target may go on to its next step."""
        change = self.steps[number].change_on(target)
        known = self.outcomes.get((number, target))
        if known and known.result is Result.DONE and not (change.looks_only and self._is_open(number)):
            return True
        try:
            with self.targets[target].reader(self.family) as reader:
                finding = change.check(reader)
        except (Unreachable, Lost) as error:
            return self._close(number, target, self._kept(known), f"unreachable: {error.why}")
        except RunbookError as error:
            return self._close(number, target, self._kept(known), str(error))
        if surprise := self._surprise(number, target, finding):
            return self._close(number, target, self._kept(known), surprise)
        if finding.status is Status.DONE:
            return self._close(number, target, Result.DONE, finding.note)
        return self._act(number, target, change, finding)

    @staticmethod
    def _kept(known: Outcome | None) -> Result:
        """A step that could not be looked at is as unknown, or as pending, as it was."""
        return Result.UNKNOWN if known and known.result is Result.UNKNOWN else Result.PENDING

    def _is_open(self, number: int) -> bool:
        """Whether no step after this one is done anywhere: then a gate that was passed is looked at again."""
        return not any(n > number and o.result is Result.DONE for (n, _), o in list(self.outcomes.items()))

    def _surprise(self, number: int, target: str, finding: Finding) -> str:
        if finding.status in (Status.BLOCKED, Status.UNREACHABLE):
            return finding.note
        if finding.status is Status.LATER:
            return f"an earlier step has not brought about what this one needs: {finding.note}"
        expected = self.expected.get((number, target))
        if expected is None or expected.status is Status.LATER or (number, target) in self.befores:
            return ""
        return "" if same(expected, finding) else f"no longer as planned ({expected.status}, now {finding.status})"

    def _act(self, number: int, target: str, change: AnyChange, finding: Finding) -> bool:
        before = self.befores.setdefault((number, target), finding.before)
        self._record("begin", number, target, before=dict(before))
        started = time.monotonic()
        commands: list[Facts] = []
        try:
            error = self._do(target, change, before, commands)
        except (Busy, Unreachable) as refused:
            return self._close(number, target, Result.PENDING, f"nothing was sent: {refused}")
        except Lost as lost:
            return self._close(number, target, Result.UNKNOWN, lost.why, commands, started)
        try:
            with self.targets[target].reader(self.family) as reader:
                seen = change.verify(reader, before)
        except RunbookError as lost:
            return self._close(number, target, Result.UNKNOWN, f"cannot look again: {lost}", commands, started)
        if seen.status is Status.DONE:
            note = "; ".join(filter(None, [seen.note, f"although {error}" if error else ""]))
            return self._close(number, target, Result.DONE, note, commands, started)
        result = Result.FAILED if error else Result.UNVERIFIED
        note = str(error) if error else f"done, but looking again shows: {seen.note or seen.status}"
        return self._close(number, target, result, note, commands, started)

    def _do(self, target: str, change: AnyChange, before: Facts, commands: list[Facts]) -> RunbookError | None:
        with self.targets[target].writer(self.family, self.lease.epoch, 0) as writer:
            writer.transcript = commands
            try:
                change.do(writer, before)
            except (Lost, Fenced):
                raise
            except RunbookError as error:
                return error
        return None

    def _close(
        self,
        number: int,
        target: str,
        result: Result,
        note: str,
        commands: Sequence[Facts] = (),
        started: float | None = None,
    ) -> bool:
        """Record what became of a step; whether it is done."""
        data: dict[str, Json] = {"result": str(result), "note": note}
        if commands:
            data["commands"] = [dict(command) for command in commands]
        if started is not None:
            data["seconds"] = round(time.monotonic() - started, 3)
        self.outcomes[number, target] = Outcome(number, target, result, note)
        self._record("outcome", number, target, **data)
        return result is Result.DONE

    def _record(self, kind: str, number: int, target: str, **data: Json) -> None:
        event = Event(kind, self.clock(), number, target, data)
        self.lease.record(event)
        self.observer(event)

    # what an earlier driver left

    def _settle(self) -> None:
        """Where a begin has no outcome: wait for its command, shut its driver out, and look what became of it."""
        unknown: dict[str, list[int]] = {}
        for (number, target), outcome in self.outcomes.items():
            if outcome.result is Result.UNKNOWN:
                unknown.setdefault(target, []).append(number)
        side_by_side(unknown, lambda target: self._settle_one(target, unknown[target]))

    def _settle_one(self, name: str, numbers: Sequence[int]) -> None:
        target = self.targets[name]
        try:
            with target.writer(self.family, self.lease.epoch, self.patience_s):
                pass
            with target.reader(self.family) as reader:
                for number in numbers:
                    change = self.steps[number].change_on(name)
                    if change.verify(reader, self.befores[number, name]).status is Status.DONE:
                        self._close(number, name, Result.DONE, "found done when looked at again")
        except Fenced:
            raise
        except RunbookError as error:
            self._close(numbers[0], name, Result.UNKNOWN, str(error))
            self.failed.add(name)
