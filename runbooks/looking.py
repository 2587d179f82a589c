"""Looking at every step on every target, side by side, without being able to change anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from runbooks.errors import Lost, RunbookError, Unreachable
from runbooks.model import Finding, PlannedStep, Step, Target, blocked, unreachable
from runbooks.window import Window

T = TypeVar("T")
Findings = dict[tuple[int, str], Finding]
Habits = dict[tuple[int, ...], Any]
"""What a Reader has seen for these steps, on one of the targets that have them."""
WIDTH = 50
"""How many targets are looked at side by side."""


class Targets(Protocol):
    """All that a procedure's steps can act on, by name; opened when first used."""

    def __getitem__(self, name: str) -> Target:
        """The target of that name. Raises InventoryError."""
        ...

    def rest(self, name: str) -> None:
        """Say that a target is not needed for now, so that its connection may be closed."""
        ...


def side_by_side(names: Iterable[str], targets: Targets, work: Callable[[str], object], width: int = WIDTH) -> None:
    """Call ``work`` for each target, and raise the first error that one of them raised."""
    Window(work, blocks=lambda name: targets[name].blocks).slide(names, width)


def by_target(steps: Sequence[Step], numbers: Iterable[int]) -> dict[str, list[int]]:
    """Some steps' numbers, by the targets that they are for."""
    found: dict[str, list[int]] = {}
    for number in numbers:
        for target in steps[number].on:
            found.setdefault(target, []).append(number)
    return found


def by_way(
    steps: Sequence[Step], numbers: Iterable[int], only: Callable[[int, str], bool] = lambda _step, _target: True
) -> dict[str, list[int]]:
    """Some steps' numbers, by the ways to the targets that they are for, as the fleet calls them."""
    found: dict[str, list[int]] = {}
    for number in numbers:
        for target in steps[number].on:
            if only(number, target):
                found.setdefault(steps[number].way_to(target), []).append(number)
    return found


def ask_each(hosts: Sequence[str], targets: Targets, ask: Callable[[Any], T]) -> dict[str, T | RunbookError]:
    """What each of some hosts says, by its Reader, asked side by side; of one that cannot say, the error that says why.
    In the order of ``hosts``."""
    found: dict[str, T | RunbookError] = {}

    def work(host: str) -> None:
        try:
            found[host] = ask(targets[host].reader())
        except RunbookError as error:
            found[host] = error
        finally:
            targets.rest(host)

    side_by_side(hosts, targets, work)
    return {host: found[host] for host in hosts}


def look(
    steps: Sequence[Step],
    targets: Targets,
    *,
    run_id: str = "",
    only: Callable[[int, str], bool] = lambda _step, _target: True,
    seen: Callable[[str], None] = lambda _target: None,
    habits: Habits | None = None,
) -> Findings:
    """What ``check`` finds for each step on each of its targets; a target is connected to once. ``seen`` is told of
    each target when it has been looked at. ``habits`` are those of earlier looks, and of this one."""
    known = {} if habits is None else habits
    findings: Findings = {}
    numbers = by_way(steps, range(len(steps)), only)

    def work(way: str) -> None:
        target = targets[way]
        for number, finding in _look_at(target, [(n, steps[n]) for n in numbers[way]], run_id, known):
            findings[number, target.name] = finding
        targets.rest(way)
        seen(way)

    side_by_side(numbers, targets, work)
    return findings


def _look_at(
    target: Target, steps: Sequence[tuple[int, Step]], run_id: str, habits: Habits
) -> Iterable[tuple[int, Finding]]:
    found: dict[int, Finding] = {}
    numbers = tuple(number for number, _ in steps)
    try:
        reader = target.reader(run_id)
        reader.hold_still(habits.get(numbers))
        for number, step in steps:
            try:
                found[number] = step.change_on(target.name).check(reader)
            except (Unreachable, Lost):
                raise
            except RunbookError as error:
                found[number] = blocked(str(error))
        habits[numbers] = reader.seen()
    except (Unreachable, Lost) as error:
        for number, _ in steps:
            found.setdefault(number, unreachable(error.why))
    return found.items()


def planned(steps: Sequence[Step], findings: Mapping[tuple[int, str], Finding]) -> tuple[PlannedStep, ...]:
    """Steps and findings as a plan holds them."""
    return tuple(
        PlannedStep(
            step.name,
            step.kind,
            step.on,
            {target: findings[number, target] for target in step.on if (number, target) in findings},
            step.must_all,
            step.no_inverse,
            step.patient,
            step.post,
            step.through,
        )
        for number, step in enumerate(steps)
    )
