"""What to write on the ticket, while something is missing and at the end: text to copy, apart from everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from runbooks.model import Plan, PlannedStep, Result, Run, Status
from runbooks.report.groups import Story, folded
from runbooks.report.words import GOOD, NOT_BEGUN, arguments, clean, stamp, stands, title

MOST_ENDS = 12
SAID_APART = ("reason", "task")
"""Arguments that are no part of what was done: the one has a line of its own, the other is the ticket itself."""


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


def outcome(run: Run) -> str:
    """What a ticket should say of what a run has come to: what it was, who ran it and when (UTC), why if that was said,
    and what became of each host, a line for all that ended alike."""
    story, given = Story(run), run.plan.arguments
    about = arguments({name: value for name, value in given.items() if name not in SAID_APART})
    reason = given.get("reason")
    ends: dict[str, list[str]] = {}
    for target in dict.fromkeys(target for step in run.plan.steps for target in step.hosts):
        if end := _end(story, target):
            ends.setdefault(end, []).append(target)
    lines = [f"{folded(tuple(targets))}: {end}" for end, targets in ends.items()]
    if len(lines) > MOST_ENDS:
        left = sum(len(targets) for targets in list(ends.values())[MOST_ENDS:])
        lines[MOST_ENDS:] = [f"… and {left:,} more: inv show {run.id}"]
    return "\n".join(
        [
            f"{' '.join(filter(None, [title(run.plan.procedure), about]))}: {stands(run.status)}",
            f"run {run.id}, by {clean(run.operator)}, {stamp(run.created)} to {stamp(story.ended)}",
            *([f"reason: {clean(str(reason))}"] if reason else []),
            *lines,
        ]
    )


def _end(story: Story, target: str) -> str:
    """What became of a target: where it stopped, and why. A system is told of where something stopped in it."""
    steps = story.run.plan.steps
    words = {number: story.of(number, target) for number, step in enumerate(steps) if target in step.hosts}
    still = [number for number, told in words.items() if told.word not in GOOD]
    stopped = [number for number in still if words[number].word != NOT_BEGUN]
    if target.startswith("@") and not stopped:
        return ""
    if not still:
        return "all steps done"
    if {told.word for told in words.values()} == {NOT_BEGUN}:
        return NOT_BEGUN
    # Where nothing stopped here, the run did, elsewhere or by a signal.
    at = (stopped or still)[0]
    where = f"{clean(steps[at].name)}: {words[at].word}"
    note = f": {clean(words[at].note)}" if words[at].note else ""
    return f"{len(words) - len(still)} of {len(words)} steps done; {where}{note}"


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
