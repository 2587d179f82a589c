"""Plan, apply, resume, undo: a procedure's draft becomes a plan, a plan a run, and a run an end.

There is one path. Planning checks everything; applying checks everything again, refuses where anything differs, and
then walks. An undo is a draft like any other, made of the inverses of what a run has begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from runbooks import batch
from runbooks.driver import Driver
from runbooks.errors import Blocked, Fenced, Incomplete, Interrupted, JournalLost, Unreachable
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.looking import Findings, Habits, Targets, look, planned, side_by_side
from runbooks.model import (
    AnyChange,
    Batch,
    Event,
    Facts,
    Finding,
    Json,
    Plan,
    Result,
    Run,
    RunStatus,
    Status,
    Step,
    later,
    way,
)
from runbooks.record import Observer
from runbooks.verdicts import refuse_drift, refuse_inapplicable
from runbooks.walker import Stop, Walker

UNDO = "undo"
"""The procedure's name in the plan of an undo."""


@dataclass(frozen=True)
class Draft:
    """What a procedure proposes, before the steps have been looked at. ``case`` is what it saw, and all that the steps
    are made from; ``subjects`` are what a run of it owns (``user:alice``); ``typed`` is a name that has to be typed
    before anything is done."""

    procedure: str
    arguments: Mapping[str, Json]
    case: Mapping[str, Json]
    steps: tuple[Step, ...]
    subjects: tuple[str, ...]
    notes: tuple[str, ...] = ()
    undoes: str | None = None
    batch_size: str = ""
    typed: str = ""


@dataclass(frozen=True)
class Engine:
    """The walker's surroundings: where things are recorded, what can be acted on, and by whom."""

    journal: Journal
    targets: Targets
    operator: str
    observer: Observer = field(default=lambda _event: None)
    stop: Stop = field(default_factory=Stop)
    heartbeat_s: float = 10.0
    patience_s: float = 600.0
    seen: Callable[[str], None] = field(default=lambda _target: None)
    _habits: Habits = field(default_factory=dict, init=False)

    def plan(self, draft: Draft) -> Plan:
        """Look at every step on every target. Changes nothing, here or there."""
        if draft.undoes:
            self.journal.refuse_driven(draft.undoes)
            self._wait_for_commands(self.journal.run(draft.undoes))
        findings = look(draft.steps, self.targets, run_id=draft.undoes or "", seen=self.seen, habits=self._habits)
        return _plan(draft, findings)

    def apply(self, plan: Plan, draft: Draft, policy: Batch) -> Run:
        """Own the subjects, look at everything again, and walk. Raises Drift, Blocked, Owned or Interrupted with
        nothing changed; whatever happens after the first ``begin`` is told by the run that is returned."""
        refuse_inapplicable(plan)
        batch.window(policy.size, 1)
        batch.amount(policy.max_failures, 1, "max failures")
        lease = self.journal.create(
            plan, draft.subjects, Driver.this(), self.operator, _options(policy), undoes=draft.undoes
        )
        with self._beating(lease):
            try:
                findings = self._look_again(plan, draft, lease)
            except BaseException:
                self.journal.discard(lease)
                raise
            return self._walk(lease, self.journal.run(lease.run_id, plan), draft.steps, findings, policy)

    def _look_again(self, plan: Plan, draft: Draft, lease: Lease) -> Findings:
        family = draft.undoes or lease.run_id
        if draft.undoes:
            self._shut_out(draft.undoes, lease)
        findings = look(draft.steps, self.targets, run_id=family, seen=self.seen, habits=self._habits)
        refuse_drift(plan, _plan(draft, findings))
        if self.stop:
            raise Interrupted(f"{self.stop.why}: stopped before anything was changed")
        return findings

    def remaining(self, run: Run, steps: Sequence[Step]) -> Findings:
        """What a resumed run would meet: each step not yet done, looked at again."""
        self.journal.refuse_driven(run.id)
        self._wait_for_commands(run)
        outcomes = run.outcomes()

        def is_open(number: int, target: str) -> bool:
            outcome = outcomes.get((number, target))
            return outcome is None or outcome.result is not Result.DONE

        findings = look(
            steps, self.targets, run_id=run.undoes or run.id, only=is_open, seen=self.seen, habits=self._habits
        )
        return _in_their_turn(findings, steps)

    def resume(self, run: Run, steps: Sequence[Step]) -> Run:
        """Take an unfinished run over and walk on. Raises Owned where its driver lives.

        What was planned is no measure any more: each step is judged by what it finds when its turn comes.
        """
        policy = _policy(self.journal.options(run.id))
        lease = self.journal.take_over(run.id, Driver.this())
        with self._beating(lease):
            lease.record(Event("resumed", self.journal.clock(), data={"operator": self.operator}))
            # Somebody else may have driven it since it was looked at.
            return self._walk(lease, self.journal.run(run.id, run.plan), steps, {}, policy)

    def undo(self, run: Run, original: Draft, arguments: Mapping[str, Json]) -> Draft:
        """The draft that takes back what a run has begun; ``original`` is that run's own draft. Raises Blocked where
        there is nothing to take back."""
        backwards = tuple(undo_steps(run, original.steps))
        if not backwards:
            ends = "" if run.status.finished else f"; `inv abandon {run.id}` ends it"
            raise Blocked(f"run {run.id} has begun nothing that could be taken back{ends}")
        notes = tuple(f"not taken back: {s.name}: {s.no_inverse}" for s in run.plan.steps if s.no_inverse)
        return Draft(UNDO, {"run": run.id, **arguments}, {}, backwards, original.subjects, notes, undoes=run.id)

    # one walk

    def _walk(
        self,
        lease: Lease,
        run: Run,
        steps: Sequence[Step],
        expected: Mapping[tuple[int, str], Finding],
        policy: Batch,
    ) -> Run:
        walker = Walker(
            run,
            run.undoes or run.id,
            lease,
            steps,
            self.targets,
            policy,
            expected,
            self.observer,
            self.stop,
            self.patience_s,
            shut_out=_unknown_ways(self.journal.run(run.undoes)) if run.undoes else (),
        )
        try:
            walker.walk()
        except Fenced:
            raise
        except BaseException:
            lease.finish(RunStatus.INCOMPLETE)
            raise
        run = replace(run, events=walker.record.events)
        return lease.finish(_status(walker, steps), run, run.tally(walker.record.outcomes))

    @contextmanager
    def _beating(self, lease: Lease) -> Iterator[None]:
        """Say that we live, as long as we do; stop where the run was taken from us. Raises Incomplete where the journal
        was lost: nothing more can be recorded, and so nothing more is done."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.heartbeat_s):
                try:
                    lease.beat()
                except Fenced as fenced:
                    self.stop.ask(str(fenced))
                    return
                except Exception:
                    # What the walk itself writes fails, too, and says why; here the next beat may do.
                    continue

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        except JournalLost as lost:
            raise Incomplete(
                f"run {lease.run_id}: the journal {lost.where} was lost: {lost.why}: nothing was done that is not "
                f"recorded; once it can be used, `inv resume --run {lease.run_id}` goes on"
            ) from lost
        finally:
            over.set()
            thread.join()

    def _wait_for_commands(self, run: Run) -> None:
        """Where a command of an earlier driver may still run, wait for its end."""

        def settle(way: str) -> None:
            try:
                self.targets[way].settle(self.patience_s)
            except Unreachable:
                return

        undone = [self.journal.run(run.undoes)] if run.undoes else []
        ways = {way for some in [run, *undone] for way in _unknown_ways(some)}
        side_by_side(ways, self.targets, settle)

    def _shut_out(self, run_id: str, lease: Lease) -> None:
        """Take the locks where the undone run's outcome is unknown, so that its old driver can do nothing any more."""

        def take(way: str) -> None:
            with self.targets[way].writer(run_id, lease.epoch, self.patience_s):
                pass

        side_by_side(_unknown_ways(self.journal.run(run_id)), self.targets, take)


def _unknown_ways(run: Run) -> list[str]:
    """Where it is unknown what became of a step: as the fleet calls the ways there."""
    unknown = [outcome for outcome in run.outcomes().values() if outcome.result is Result.UNKNOWN]
    return sorted({way(run.plan.steps[o.step].through, o.target) for o in unknown})


def _status(walker: Walker, steps: Sequence[Step]) -> RunStatus:
    keys = [(number, target) for number, step in enumerate(steps) for target in step.on]
    outcomes = [walker.record.outcomes.get(key) for key in keys]
    if all(outcome is not None and outcome.result is Result.DONE for outcome in outcomes):
        return RunStatus.DONE
    return RunStatus.WAITING if walker.waits else RunStatus.INCOMPLETE


def _in_their_turn(findings: Findings, steps: Sequence[Step]) -> Findings:
    """A gate that does not hold yet may still come to, while a step before it has work on the same target."""
    first: dict[str, int] = {}
    for (number, target), finding in findings.items():
        if finding.status is not Status.DONE:
            first[target] = min(number, first.get(target, number))

    def turned(number: int, target: str, finding: Finding) -> Finding:
        waits = finding.status is Status.BLOCKED and first[target] < number
        return later(note=finding.note) if waits and steps[number].change_on(target).looks_only else finding

    return {(number, target): turned(number, target, finding) for (number, target), finding in findings.items()}


def _plan(draft: Draft, findings: Findings) -> Plan:
    return Plan(draft.procedure, draft.arguments, planned(draft.steps, findings), draft.case, draft.notes)


def _options(policy: Batch) -> dict[str, str | float | int]:
    return {
        "size": policy.size,
        "sleep_s": policy.sleep_s,
        "canary": policy.canary,
        "max_failures": policy.max_failures,
    }


def _policy(options: Mapping[str, Json]) -> Batch:
    return Batch(options["size"], options["sleep_s"], options["canary"], options["max_failures"])


def undo_steps(run: Run, steps: Sequence[Step]) -> Iterator[Step]:
    """The inverses of what a run has begun, or others have done for it, and of the gates that it has passed, in the
    order of taking back."""
    befores, outcomes = run.befores(), run.outcomes()
    for number in batch.undo_order(steps):
        step = steps[number]
        changes: dict[str, AnyChange] = {}
        for target in step.on:
            change = step.change_on(target)
            before: Facts | None = befores.get((number, target))
            if before is None and (change.looks_only or change.by_others) and (number, target) in outcomes:
                before = {}
            if before is not None and (inverse := change.inverse(before)) is not None:
                changes[target] = inverse
        if changes:
            yield Step(
                step.undo or f"Take back: {step.name}", None, tuple(changes), must_all=step.must_all, changes=changes
            )
