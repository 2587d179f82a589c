"""What speaks against applying a plan, and what a walk has come to."""

from __future__ import annotations

from runbooks.errors import Blocked, Drift, Interrupted, Waiting
from runbooks.model import Plan, Result, Run, RunStatus, Status, differences
from runbooks.walker import Stop


def refuse_inapplicable(plan: Plan) -> None:
    """Raise Blocked where a finding stands in the way: the first, and how many more there are."""
    bad = [
        (step.name, target, finding)
        for step in plan.steps
        for target, finding in step.findings.items()
        if step.stands_in_the_way(finding)
    ]
    if bad:
        name, target, finding = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise Blocked(f"{name}: {target}: {finding.status}: {finding.note}{more}; nothing was changed")


def refuse_drift(old: Plan, new: Plan) -> None:
    """Raise Blocked where a target has become unreachable, Drift where anything else that matters has changed."""
    before = {step.name: step.findings for step in reversed(old.steps)}
    for step in new.steps:
        known = before.get(step.name, {})
        for target, finding in step.findings.items():
            was = known.get(target)
            if (
                finding.status is Status.UNREACHABLE
                and not step.patient
                and (was is None or was.status is not Status.UNREACHABLE)
            ):
                raise Blocked(f"{target} is newly unreachable: {finding.note}; nothing was changed")
    if old.id != new.id:
        lines = differences(old, new) or ["the arguments, or this tool's version, are no longer the same"]
        more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
        raise Drift(f"the world is no longer what the plan saw; nothing was changed: {' | '.join(lines[:3])}{more}")


def exit_status(run: Run, stop: Stop) -> int:
    """What the process returns after a walk: 0, 6 (a verification failed), 130 (a signal), 9 (a person), or 5."""
    if run.status is RunStatus.DONE:
        return 0
    if any(outcome.result is Result.UNVERIFIED for outcome in run.outcomes().values()):
        return 6
    if stop:
        return Interrupted.exit_status
    return Waiting.exit_status if run.status is RunStatus.WAITING else 5
