"""A plan being applied, as the journal holds it: Event, Outcome, Run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from runbooks.model.change import Facts, Json
from runbooks.model.plan import Plan


class Result(StrEnum):
    """What became of a step on one target."""

    DONE = "done"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    UNKNOWN = "unknown"
    PENDING = "pending"
    UNDONE = "undone"


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    INCOMPLETE = "incomplete"
    DONE = "done"
    UNDONE = "undone"
    ABANDONED = "abandoned"

    @property
    def finished(self) -> bool:
        """Whether the run owns nothing any more."""
        return self in (RunStatus.DONE, RunStatus.UNDONE, RunStatus.ABANDONED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of step number ``step`` (from 0) on ``target``."""

    step: int
    target: str
    result: Result
    note: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal; ``at`` is Unix time in seconds.

    ``kind`` is ``begin``, ``outcome``, or ``resumed``, the run's own; ``progress`` is shown only, and in no journal.
    ``data`` of a begin holds ``before``; of progress a ``note``; of an outcome ``result``, ``note``, ``seconds`` and
    ``commands``: what was sent, and what came back, as ``{"command", "status", "seconds", "output"}``.
    """

    kind: str
    at: float
    step: int | None = None
    target: str | None = None
    data: Facts = field(default_factory=dict)


class Tally(NamedTuple):
    """The hosts of a run, its systems left out: how many there are, how many have all their steps behind them, and how
    many met with trouble."""

    hosts: int
    done: int
    trouble: int


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as a list shows it: without what was found, and what became of each step. ``tally`` is None where nobody
    has counted. Times are Unix times in seconds."""

    id: str
    plan_id: str
    procedure: str
    arguments: Mapping[str, Json]
    status: RunStatus
    operator: str
    created: float
    finished: float | None = None
    undoes: str | None = None
    tally: Tally | None = None

    def to_json(self) -> dict[str, Json]:
        """The contract's names, and who, when and how many; steps and outcomes are for who asks for one run."""
        return {
            "id": self.id,
            "status": str(self.status),
            "operator": self.operator,
            "created": self.created,
            "finished": self.finished,
            "undoes": self.undoes,
            "tally": self.tally and self.tally._asdict(),
            "plan": {"id": self.plan_id, "procedure": self.procedure, "arguments": dict(self.arguments)},
        }


@dataclass(frozen=True, slots=True)
class Run:
    """A plan being applied, as the journal holds it. ``undoes`` is the run that this one takes back, if it does."""

    id: str
    plan: Plan
    status: RunStatus
    operator: str
    created: float
    finished: float | None = None
    undoes: str | None = None
    events: Sequence[Event] = ()

    def outcomes(self) -> dict[tuple[int, str], Outcome]:
        """The newest word on each step and target: an outcome, or UNKNOWN where a begin has none."""
        found: dict[tuple[int, str], Outcome] = {}
        for event in self.events:
            if event.step is None or event.target is None:
                continue
            key = (event.step, event.target)
            if event.kind == "begin":
                found[key] = Outcome(*key, Result.UNKNOWN, "begun, and no outcome recorded")
            elif event.kind == "outcome":
                found[key] = Outcome(*key, Result(event.data["result"]), event.data.get("note", ""))
        return found

    def befores(self) -> dict[tuple[int, str], Facts]:
        """What each begun step had before its FIRST begin: a later begin saw a state that was ours already.
        A step that is pending after its begin has begun nothing, unless something was sent: then or before."""
        found: dict[tuple[int, str], Facts] = {}
        acted: set[tuple[int, str]] = set()
        for event in self.events:
            if event.step is None or event.target is None:
                continue
            key = (event.step, event.target)
            if event.kind == "begin":
                found.setdefault(key, event.data.get("before", {}))
            elif event.data.get("result") != Result.PENDING or event.data.get("commands"):
                acted.add(key)
            elif key not in acted:
                found.pop(key, None)
        return found

    def tally(self, outcomes: Mapping[tuple[int, str], Outcome] | None = None) -> Tally:
        """How far its hosts have come, by the worst that is known of each: by its ``outcomes``, if they are at hand."""
        known = self.outcomes() if outcomes is None else outcomes
        worst: dict[str, int] = {}
        for number, step in enumerate(self.plan.steps):
            for target in step.hosts:
                outcome = known.get((number, target))
                now = 1 if outcome is None else 0 if outcome.result in (Result.DONE, Result.UNDONE) else 2
                worst[target] = max(worst.get(target, 0), now)
        states = [state for target, state in worst.items() if not target.startswith("@")]
        return Tally(len(states), states.count(0), states.count(2))

    def line(self) -> RunLine:
        """The run as a list shows it."""
        plan = self.plan
        return RunLine(
            self.id,
            plan.id,
            plan.procedure,
            plan.arguments,
            self.status,
            self.operator,
            self.created,
            self.finished,
            self.undoes,
            self.tally(),
        )

    def to_json(self) -> dict[str, Json]:
        """The contract's form; steps and targets without a word in the journal are pending."""
        known = self.outcomes()
        rows = []
        for number, step in enumerate(self.plan.steps):
            for target in step.hosts:
                outcome = known.get((number, target), Outcome(number, target, Result.PENDING))
                rows.append({"step": step.name, "host": target, "status": str(outcome.result), "note": outcome.note})
        return {"id": self.id, "status": str(self.status), "outcomes": rows}
