"""The words of the design as frozen values: no I/O here, and nothing is imported but the standard library."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from runbooks import __version__

Json = Any
"""What ``json.dumps`` takes: None, bool, int, float, str, and lists and string-keyed mappings of these."""

Facts = Mapping[str, Json]
NOTHING: Facts = {}


class Status(StrEnum):
    """What ``check`` found."""

    DONE = "done"
    TODO = "todo"
    LATER = "later"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"


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
class Finding:
    """What ``check`` saw on one target.

    ``facts`` are what the decision rests on: they enter the plan's id, and other facts at apply time are drift.
    ``note`` and ``preview`` (lines: ``$ command`` or a unified diff) are for people and do not. ``before`` is what the
    inverse needs; it is journalled before the change.
    """

    status: Status
    note: str = ""
    preview: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)
    before: Facts = field(default_factory=dict)


def done(note: str = "", **facts: Json) -> Finding:
    """Nothing to do: the world is as the step promises."""
    return Finding(Status.DONE, note, facts=facts)


def todo(*preview: str, note: str = "", before: Facts = NOTHING, facts: Facts = NOTHING) -> Finding:
    """The step has work; ``preview`` shows it."""
    return Finding(Status.TODO, note, preview, dict(facts), dict(before))


def later(*preview: str, note: str = "") -> Finding:
    """Only an earlier step of this plan makes it possible to say."""
    return Finding(Status.LATER, note, preview)


def blocked(why: str, **facts: Json) -> Finding:
    """Something stands in the way; ``why`` says what the operator can do."""
    return Finding(Status.BLOCKED, why, facts=facts)


def unreachable(why: str) -> Finding:
    """The target could not be looked at."""
    return Finding(Status.UNREACHABLE, why)


class Reader:
    """What ``check`` and ``verify`` are handed: it can look, and has no way to change anything.

    ``run_id`` is the run on whose behalf it looks, empty while planning: records that stay on a host lie under it.
    """

    run_id: str = ""


class Writer:
    """What ``do`` is handed. ``transcript`` lists what was really sent, as an outcome's ``commands``: no secrets."""

    run_id: str = ""
    transcript: list[Facts]


R = TypeVar("R", bound=Reader)
W = TypeVar("W", bound=Writer)


class Change(ABC, Generic[R, W]):
    """The smallest thing that can be looked at, done, and looked at again.

    ``check`` is deterministic and recognises a half-done state, because ``do`` may die half-way. Whether ``do`` worked
    is decided by ``verify``, never by an exit status.
    """

    no_inverse: str = ""
    """Why this cannot be undone; printed in the plan. Empty where it can, or where there is nothing to undo."""
    looks_only: bool = False
    """A gate: it has no ``do``, and is looked at again on every resume until a later step has begun."""

    @abstractmethod
    def check(self, reader: R) -> Finding:
        """Look, and say what there is to do."""

    def do(self, writer: W, before: Facts) -> None:
        """Do it; ``before`` is what ``check`` recorded, as the journal holds it."""
        raise NotImplementedError(f"{type(self).__name__} only looks")

    def verify(self, reader: R, before: Facts) -> Finding:  # noqa: ARG002 - part of the interface
        """Look again after ``do``; only ``done`` counts as success."""
        return self.check(reader)

    def inverse(self, before: Facts) -> Change[R, W] | None:  # noqa: ARG002 - part of the interface
        """The Change that takes this one back, given what was ``before``; None where there is nothing to take back."""
        return None


AnyChange = Change[Any, Any]


class Target(ABC):
    """A host or a system (``@git``): what a step acts on, and what lends out Readers and Writers for it."""

    name: str

    @abstractmethod
    def reader(self, run_id: str = "") -> AbstractContextManager[Reader]:
        """A Reader; raises Unreachable."""

    @abstractmethod
    def writer(self, run_id: str, epoch: int, wait_s: float) -> AbstractContextManager[Writer]:
        """A Writer that holds the target's lock; raises Unreachable, Busy, Fenced.

        ``epoch`` is the driver's lease: a target that has seen a newer one for this run refuses. ``wait_s`` bounds the
        wait for the lock: 0 for a first attempt, more where an earlier driver's command may still run.
        """

    @abstractmethod
    def settle(self, wait_s: float) -> None:
        """Wait until no command of ours runs there any more, changing nothing; raises Unreachable, Busy."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How a step goes over its hosts: ``size`` and ``max_failures`` are counts (``10``) or percentages (``20%``) of a
    stage's hosts, ``canary`` hosts go through the whole stage first, ``sleep_s`` seconds pass before each new host."""

    size: str = "10"
    sleep_s: float = 0.0
    canary: int = 1
    max_failures: str = "0"


@dataclass(frozen=True, slots=True)
class Step:
    """An imperative sentence, a Change, and where it acts: ``on`` lists hosts, or is one system's name (``@git``).

    ``must_all``: every host has to have it behind it before anything after it happens anywhere (a barrier that failures
    never pass). ``carries``: it carries the step before it out to its targets, so that when undone it follows that one
    again instead of preceding it (deploying a merge, and deploying its revert).
    ``undo`` is the sentence for taking it back.
    ``changes`` gives single targets a Change of their own (an inverse holds what was before, host by host).
    """

    name: str
    change: AnyChange | None
    on: tuple[str, ...]
    must_all: bool = False
    carries: bool = False
    undo: str = ""
    changes: Mapping[str, AnyChange] = field(default_factory=dict)

    def change_on(self, target: str) -> AnyChange:
        """The Change for one target."""
        change = self.changes.get(target, self.change)
        if change is None:
            raise LookupError(f"step {self.name!r} has no change for {target}")
        return change

    @property
    def is_shared(self) -> bool:
        """Whether it acts on a shared system rather than on hosts."""
        return any(target.startswith("@") for target in self.on)

    @property
    def is_barrier(self) -> bool:
        """Whether all hosts wait for each other here."""
        return self.must_all or self.is_shared

    @property
    def no_inverse(self) -> str:
        """Why it cannot be undone, or nothing."""
        return self.change.no_inverse if self.change else ""


@dataclass(frozen=True, slots=True)
class Manual:
    """A step that a person does; it stands in the order, waits, and is journalled with who confirmed it."""

    name: str
    question: str


@dataclass(frozen=True, slots=True)
class HostSet:
    """Hosts in natural order, and the query that gave them."""

    names: tuple[str, ...]
    query: str = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as the plan holds it: what was found on each target. ``kind`` is ``hosts``, ``system`` or ``manual``."""

    name: str
    kind: str
    hosts: tuple[str, ...]
    findings: Mapping[str, Finding]
    must_all: bool = False
    no_inverse: str = ""

    def to_json(self) -> dict[str, Json]:
        """The contract's form."""
        return {
            "name": self.name,
            "kind": self.kind,
            "hosts": list(self.hosts),
            "findings": {
                target: {"status": str(f.status), "note": f.note, "preview": list(f.preview), "facts": dict(f.facts)}
                for target, f in self.findings.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A procedure, its arguments, and what was found, frozen.

    ``case`` is what the procedure saw when it looked, and all that its steps are made from. ``notes`` are lines for the
    operator: warnings, hosts left out and what to do with them.
    """

    procedure: str
    arguments: Mapping[str, Json]
    steps: tuple[PlannedStep, ...]
    case: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """SHA-256 over version, procedure, arguments, steps, statuses and facts; never previews or notes."""
        return hashlib.sha256(canonical(self._identity()).encode()).hexdigest()

    def _identity(self) -> Json:
        steps = [
            [s.name, s.kind, list(s.hosts), {t: _comparable(f) for t, f in s.findings.items()}] for s in self.steps
        ]
        return [__version__, self.procedure, dict(self.arguments), steps]

    def to_json(self) -> dict[str, Json]:
        """The contract's form."""
        return {
            "id": self.id,
            "procedure": self.procedure,
            "arguments": dict(self.arguments),
            "steps": [step.to_json() for step in self.steps],
        }

    def to_record(self) -> dict[str, Json]:
        """What the journal or ``--save`` keeps: the contract's form, the case and the notes."""
        extra = [{"must_all": s.must_all, "no_inverse": s.no_inverse} for s in self.steps]
        return self.to_json() | {"case": dict(self.case), "notes": list(self.notes), "details": extra}

    @classmethod
    def from_record(cls, record: Mapping[str, Json]) -> Plan:
        """The plan that ``to_record`` gave. Raises KeyError, TypeError or ValueError on anything else."""
        steps = tuple(
            PlannedStep(
                s["name"],
                s["kind"],
                tuple(s["hosts"]),
                {
                    t: Finding(Status(f["status"]), f["note"], tuple(f["preview"]), f["facts"])
                    for t, f in s["findings"].items()
                },
                bool(d["must_all"]),
                d["no_inverse"],
            )
            for s, d in zip(record["steps"], record["details"], strict=True)
        )
        return cls(record["procedure"], record["arguments"], steps, record["case"], tuple(record["notes"]))

    def count(self, status: Status) -> int:
        """How many findings have this status."""
        return sum(f.status == status for step in self.steps for f in step.findings.values())


def _comparable(finding: Finding) -> Json:
    """``later`` is compared only as ``later``: what it rests on is not there yet."""
    return [str(finding.status), {} if finding.status is Status.LATER else dict(finding.facts)]


def same(one: Finding, other: Finding) -> bool:
    """Whether two findings are the same as far as the plan's id goes."""
    return bool(_comparable(one) == _comparable(other))


def differences(old: Plan, new: Plan) -> list[str]:
    """What changed between two plans of the same procedure, one line each: step, target, then and now."""
    lines = []
    if [(s.name, s.hosts) for s in old.steps] != [(s.name, s.hosts) for s in new.steps]:
        lines.append(_other_steps(old, new))
    news = {(s.name, t): f for s in new.steps for t, f in s.findings.items()}
    for step in old.steps:
        for target, was in step.findings.items():
            now = news.get((step.name, target))
            if now and _comparable(was) != _comparable(now):
                lines.append(f"{step.name}: {target}: {_difference(was, now)}")
    return lines


def _other_steps(old: Plan, new: Plan) -> str:
    before = {h for s in old.steps for h in s.hosts}
    after = {h for s in new.steps for h in s.hosts}
    if gone := sorted(before - after):
        return f"no longer part of it: {', '.join(gone)}"
    if come := sorted(after - before):
        return f"newly part of it: {', '.join(come)}"
    return "the steps are no longer the same"


def _difference(was: Finding, now: Finding) -> str:
    if was.status != now.status:
        return f"was {was.status}, is {now.status}" + (f" ({now.note})" if now.note else "")
    keys = [k for k in sorted({*was.facts, *now.facts}) if was.facts.get(k) != now.facts.get(k)]
    return "; ".join(f"{k} was {was.facts.get(k)!r}, is {now.facts.get(k)!r}" for k in keys)


def canonical(value: Json) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=list)


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

    ``kind`` is ``begin``, ``outcome``, or a run's own: ``started``, ``resumed``, ``stopped``, ``finished``. ``data`` of
    a begin holds ``before``; of an outcome ``result``, ``note``, ``seconds`` and ``commands``: what was sent, and what
    came back, as ``{"command", "status", "seconds", "output"}``.
    """

    kind: str
    at: float
    step: int | None = None
    target: str | None = None
    data: Facts = field(default_factory=dict)


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
        """What each begun step had before its FIRST begin: a later begin saw a state that was ours already."""
        found: dict[tuple[int, str], Facts] = {}
        for event in self.events:
            if event.kind == "begin" and event.step is not None and event.target is not None:
                found.setdefault((event.step, event.target), event.data.get("before", {}))
        return found

    def to_json(self) -> dict[str, Json]:
        """The contract's form; steps and targets without a word in the journal are pending."""
        known = self.outcomes()
        rows = []
        for number, step in enumerate(self.plan.steps):
            for target in step.hosts:
                outcome = known.get((number, target), Outcome(number, target, Result.PENDING))
                rows.append({"step": step.name, "host": target, "status": str(outcome.result), "note": outcome.note})
        return {"id": self.id, "status": str(self.status), "outcomes": rows}
