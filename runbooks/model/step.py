"""What a procedure is made of: steps, the hosts they act on, and how they go over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbooks.model.change import AnyChange


@dataclass(frozen=True, slots=True)
class Batch:
    """How a step goes over its hosts: ``size`` and ``max_failures`` are counts (``10``) or percentages (``20%``) of a
    stage's hosts, ``canary`` hosts go through the whole stage first, ``sleep_s`` seconds pass before each new host."""

    size: str = "10"
    sleep_s: float = 0.0
    canary: int = 1
    max_failures: str = "0"


def way(through: str, target: str) -> str:
    """How the fleet calls a way to a target."""
    return f"{through}:{target}" if through else target


@dataclass(frozen=True, slots=True)
class Step:
    """An imperative sentence, a Change, and where it acts: ``on`` lists hosts, or is one system's name (``@git``).

    ``must_all``: every host has to have it behind it before anything after it happens anywhere (a barrier that failures
    never pass). ``carries``: it carries the step before it out to its targets, so that when undone it follows that one
    again instead of preceding it (deploying a merge, and deploying its revert).
    ``patient``: a host that can't be reached is left pending, and stops nobody else: a resume comes back for it.
    ``undo`` is the sentence for taking it back. ``post`` is what the ticket should say as long as it is not done.
    ``changes`` gives single targets a Change of their own (an inverse holds what was before, host by host).
    """

    name: str
    change: AnyChange | None
    on: tuple[str, ...]
    must_all: bool = False
    carries: bool = False
    patient: bool = False
    undo: str = ""
    post: str = ""
    changes: Mapping[str, AnyChange] = field(default_factory=dict)

    def change_on(self, target: str) -> AnyChange:
        """The Change for one target."""
        change = self.changes.get(target, self.change)
        if change is None:
            raise LookupError(f"step {self.name!r} has no change for {target}")
        return change

    @property
    def through(self) -> str:
        """The way to its targets; all of its Changes take the same."""
        change = self.change or next(iter(self.changes.values()), None)
        return change.through if change else ""

    def way_to(self, target: str) -> str:
        """What the fleet has to be asked for."""
        return way(self.through, target)

    @property
    def kind(self) -> str:
        """``hosts``, ``system``, or ``manual`` for what a person does."""
        if "@person" in self.on:
            return "manual"
        return "system" if self.is_shared else "hosts"

    @property
    def is_shared(self) -> bool:
        """Whether it acts on a shared system rather than on hosts."""
        return bool(self.on) and self.on[0].startswith("@")

    @property
    def is_barrier(self) -> bool:
        """Whether all hosts wait for each other here."""
        return self.must_all or self.is_shared

    @property
    def no_inverse(self) -> str:
        """Why it cannot be undone, or nothing."""
        return self.change.no_inverse if self.change else ""


@dataclass(frozen=True, slots=True)
class HostSet:
    """Hosts in natural order, and the query that gave them."""

    names: tuple[str, ...]
    query: str = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
