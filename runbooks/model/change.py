"""What is found, and the smallest thing that can be changed: Finding, Reader, Writer, Change, Target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

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
    hurried: Callable[[], bool] = staticmethod(lambda: False)
    """Whether the run is to end soon: what waits for something gives up then."""

    def hold_still(self, likely: Any = None) -> None:
        """Answer a question that was asked before from memory, from here on: many checks then share one picture of a
        target on which nothing is changed meanwhile. Nothing, where looking costs little. ``likely`` is what another
        one saw: the same will most likely be looked at here."""

    def seen(self) -> Any:
        """What it has seen, for the next Reader of the same target to ``recall``, if nothing is done there before."""

    def recall(self, seen: Any) -> None:
        """What another Reader has just seen need not be looked at again."""


class Writer:
    """What ``do`` is handed. ``transcript`` lists what was really sent, as an outcome's ``commands``: no secrets."""

    run_id: str = ""
    transcript: list[Facts]
    hurried: Callable[[], bool] = staticmethod(lambda: False)
    """As a Reader's: what is long, and can be taken up again, stops with CommandFailed then."""
    tell: Callable[[str], None] = staticmethod(lambda _how_far: None)
    """Says how far a long ``do`` has come (``40 of 3,000``), for whoever watches; it is kept nowhere."""

    def foresee(self, seen: Sequence[Any], commands: int) -> None:
        """After so many commands, what the Readers of another target have ``seen`` after as many will most likely be
        looked at here, too: it may be asked along with the last of them."""


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
    through: str = ""
    """The way to its target, where that is not the target's own connection: ``machine`` is a host's board, and its
    system if that answers. The fleet has it as ``machine:lab01``."""
    once: bool = False
    """Never begun a second time by a run that has not seen what became of the first: it stays unknown."""
    by_others: bool = False
    """Others may do it for the run (submit its change): that it is done when its turn comes is no surprise, and an undo
    takes it back all the same."""

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
    blocks: bool = True
    """Whether a thread is needed for it; where not, it waits as ``fibres`` has it, and so do the Changes on it."""

    @abstractmethod
    def reader(self, run_id: str = "") -> Reader:
        """A Reader; raises Unreachable."""

    @abstractmethod
    def writer(self, run_id: str, epoch: int, wait_s: float) -> AbstractContextManager[Writer]:
        """A Writer that holds the target's lock; raises Unreachable, Busy, Fenced.

        ``epoch`` is the driver's lease: a target that has seen a newer one for this run refuses. ``wait_s`` bounds the
        wait for the lock: little for a first attempt, more where an earlier driver's command may still run.
        """

    @abstractmethod
    def settle(self, wait_s: float) -> None:
        """Wait until no command of ours runs there any more, changing nothing; raises Unreachable, Busy."""

    def rest(self) -> None:  # noqa: B027 - most have nothing to do
        """Nothing more is asked or done for now: let go of what is held, though not of connections."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
