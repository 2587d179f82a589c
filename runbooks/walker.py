"""Walks a run's steps over their targets: stages with a canary, a sliding window of hosts, and a stop rule.

For each step on each target: check, ``begin`` (durable), do, verify, ``outcome`` (durable). The second look decides.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from runbooks import batch
from runbooks.errors import Busy, Fenced, JournalLost, Lost, RunbookError, Unreachable, Unwritable, Waiting
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
from runbooks.window import Window

Observer = Callable[[Event], None]
Key = tuple[int, str]
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


@dataclass
class Walker:
    """One walk over a run. ``family`` is the run id that records and locks on hosts lie under: an undo shares the one
    of the run it undoes. ``expected`` is what was found when the operator agreed; anything else is a surprise,
    which stops that host. ``patience_s`` bounds the wait for a command of an earlier driver; on ``shut_out`` one may
    still run although this run has begun nothing there. ``events`` are all that the run has come to."""

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
        self.events: list[Event] = list(self.run.events)
        self.outcomes: dict[Key, Outcome] = self.run.outcomes()
        self.befores: dict[Key, Facts] = self.run.befores()
        self.failed: set[str] = set()
        self.waits = False
        self._halt = False
        self._unwritten: dict[str, list[Event]] = {}

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
        everyone: dict[str, list[int]] = {}
        for number in numbers:
            for target in self.steps[number].on:
                everyone.setdefault(target, []).append(number)
        hosts = [t for t, ns in everyone.items() if t not in self.failed and not all(self._is_done(n, t) for n in ns)]
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
            lambda host: self._host(host, everyone[host]), may_start, lambda: self._pause(pause_s), self._end_soon
        )
        for some, side in ((hosts[:canary], 1), (hosts[canary:], max(1, min(width, 100)))):
            window.slide(some, side)
        if not may_start():
            self._halt = True

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.stop.event.wait(seconds)

    def _end_soon(self) -> None:
        self._halt = True

    def _is_done(self, number: int, target: str) -> bool:
        """Whether nothing is left to do. A gate is looked at again until something behind it was begun on that target:
        a merge that was begun and did not happen leaves every host's gate to be passed again."""
        known = self.outcomes.get((number, target))
        if known is None or known.result is not Result.DONE:
            return False
        if not self.steps[number].change_on(target).looks_only:
            return True
        return any(self._has_happened(later, target) for later in range(number + 1, len(self.steps)))

    def _has_happened(self, number: int, target: str) -> bool:
        known = self.outcomes.get((number, target))
        happened = (number, target) in self.befores or (known is not None and known.result is Result.DONE)
        return happened and not self.steps[number].change_on(target).looks_only

    def _host(self, target: str, numbers: Sequence[int]) -> None:
        """Take one target through a stage, until one of its steps fails, or the walk is to end."""
        try:
            for number in numbers:
                if self.stop or self._halt:
                    return
                if not self._step(number, target):
                    self.failed.add(target)
                    return
        except BaseException:
            # A lost lease, or a bug: what the others have under way is finished and recorded, nothing new is begun.
            self._halt = True
            raise
        finally:
            self.targets.rest(target)
            self._write(target)

    # one step on one target

    def _step(self, number: int, target: str) -> bool:
        """Whether the target may go on to its next step."""
        change = self.steps[number].change_on(target)
        if self._is_done(number, target):
            return True
        kept = self._kept(number, target)
        try:
            with self.targets[target].reader(self.family) as reader:
                finding = change.check(reader)
        except (Unreachable, Lost) as error:
            return self._close(number, target, kept, f"unreachable: {error.why}")
        except RunbookError as error:
            return self._close(number, target, kept, str(error))
        if surprise := self._surprise(number, target, finding):
            return self._close(number, target, kept, surprise)
        if finding.status is Status.DONE:
            return self._close(number, target, Result.DONE, finding.note)
        return self._act(number, target, change, finding)

    def _kept(self, number: int, target: str) -> Result:
        """What a step stays that nothing could be done about: as unknown, failed or pending as it was."""
        known = self.outcomes.get((number, target))
        return Result.PENDING if known is None or known.result is Result.DONE else known.result

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
        kept = self._kept(number, target)
        # As the journal holds it: what works now works when it is read back, too.
        before = self.befores.setdefault((number, target), json.loads(json.dumps(dict(finding.before))))
        self._tell("begin", number, target, before=before)
        self._write(target)
        started = time.monotonic()
        commands: list[Facts] = []
        try:
            error = self._do(target, change, before, commands)
        except Lost as lost:
            return self._close(number, target, Result.UNKNOWN, lost.why, commands, started)
        except Fenced:
            raise
        except Waiting as waiting:
            self.waits = True
            return self._close(number, target, Result.PENDING, f"waiting for a person: {waiting}")
        except RunbookError as refused:
            return self._close(number, target, kept, f"nothing was sent: {refused}")
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
        """The error that the change ended with, if it did. Raises Lost; anything else is raised before it began."""
        with self.targets[target].writer(self.family, self.lease.epoch, BRIEFLY_S) as writer:
            writer.transcript = commands
            try:
                change.do(writer, before)
            except (Lost, Fenced, Waiting, Busy, Unwritable):
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
        """Tell what became of a step; whether it is done. It is written together with what this target begins next, or
        at the target's end: until then nothing is done there that would have to be known."""
        data: dict[str, Json] = {"result": str(result), "note": note}
        if commands:
            data["commands"] = [dict(command) for command in commands]
        if started is not None:
            data["seconds"] = round(time.monotonic() - started, 3)
        self.outcomes[number, target] = Outcome(number, target, result, note)
        self._tell("outcome", number, target, **data)
        return result is Result.DONE

    def _tell(self, kind: str, number: int, target: str, **data: Json) -> None:
        self._unwritten.setdefault(target, []).append(Event(kind, self.clock(), number, target, data))

    def _write(self, target: str) -> None:
        """Make durable what was told of a target, and only then show it."""
        events = self._unwritten.pop(target, [])
        if events:
            self.lease.record(*events)
        self.events += events
        for event in events:
            # A terminal that is gone ends no run: the journal knows, and who reads it will see.
            with contextlib.suppress(OSError):
                self.observer(event)

    # what an earlier driver left

    def _settle(self) -> None:
        """Where a begin has no outcome: wait for its command, shut its driver out, and look what became of it."""
        unknown: dict[str, list[int]] = {name: [] for name in self.shut_out}
        for (number, target), outcome in self.outcomes.items():
            if outcome.result is Result.UNKNOWN:
                unknown.setdefault(target, []).append(number)
        side_by_side(unknown, lambda target: self._settle_one(target, unknown[target]))

    def _settle_one(self, name: str, numbers: Sequence[int]) -> None:
        if self.stop:
            return
        try:
            target = self.targets[name]
            with target.writer(self.family, self.lease.epoch, self.patience_s):
                pass
            with target.reader(self.family) as reader:
                for number in numbers:
                    change = self.steps[number].change_on(name)
                    if change.verify(reader, self.befores[number, name]).status is Status.DONE:
                        self._close(number, name, Result.DONE, "found done when looked at again")
        except (Fenced, JournalLost):
            raise
        except RunbookError as error:
            for number in numbers or [n for n, step in enumerate(self.steps) if name in step.on][:1]:
                if not self._is_done(number, name):
                    self._close(number, name, self._kept(number, name), str(error))
            self.failed.add(name)
        finally:
            self._write(name)
