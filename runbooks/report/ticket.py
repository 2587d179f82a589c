"""What to write on the ticket while something is missing: text to copy, apart from everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from runbooks.model import Plan, PlannedStep, Result, Run, Status
from runbooks.report.words import clean


def missing(plan: Plan) -> str:
    """What a ticket should say of all that a plan finds missing, a paragraph each; empty where nothing is."""
    return _joined(step.post for step in plan.steps if any(_is_open(step, target) for target in step.hosts))


def still_missing(run: Run) -> str:
    """What a ticket should say of all that an unfinished run has not come past."""
    if run.status.finished:
        return ""
    outcomes = run.outcomes()

    def is_open(number: int, step: PlannedStep, target: str) -> bool:
        outcome = outcomes.get((number, target))
        return outcome.result is not Result.DONE if outcome else _is_open(step, target)

    steps = enumerate(run.plan.steps)
    return _joined(step.post for n, step in steps if any(is_open(n, step, target) for target in step.hosts))


def _is_open(step: PlannedStep, target: str) -> bool:
    """Whether a plan did not find it so."""
    finding = step.findings.get(target)
    return finding is None or finding.status is not Status.DONE


def _joined(posts: Iterable[str]) -> str:
    return "\n\n".join(clean(post) for post in posts if post)


def print_post(post: str, task: str, *, file: TextIO) -> None:
    """Print such a text, its lines whole."""
    from runbooks.report.canvas import encodable

    print(encodable(f"\nFor the ticket{' ' + clean(task) if task else ''}:\n\n{post}\n", file), file=file)
