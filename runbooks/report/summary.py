"""What became of a run: a summary to paste in a ticket, and the run in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from runbooks.model import Result, Run, RunStatus
from runbooks.report.canvas import STYLES, UNBROKEN, Canvas, column, padded
from runbooks.report.groups import Group, Story, folded
from runbooks.report.plan import cut, draw_preview, shortened
from runbooks.report.runs import RUN_STYLES
from runbooks.report.words import (
    GOOD,
    NOT_BEGUN,
    RESULT_WORDS,
    arguments,
    clean,
    clock,
    counted,
    is_system,
    lines,
    number,
    resume_command,
    resume_meaning,
    span,
    stamp,
    stands,
    title,
)

MOST_GROUPS, MOST_OUTPUT, MOST_TRANSCRIPTS = 12, 40, 8
PASTED = 100


def print_summary(run: Run, *, file: TextIO) -> None:
    """Print what a run did, what is left, and what to do next: text for a ticket, at most 100 columns wide."""
    canvas = Canvas(file)
    canvas.width = min(canvas.width, PASTED)
    story = Story(run)
    canvas.line()
    _draw_head(canvas, story)
    canvas.line()
    _draw_steps(canvas, story)
    _draw_trouble(canvas, story)
    for note in run.plan.notes:
        canvas.line(("! ", "bold yellow"), clean(note))
    _draw_next(canvas, story)
    canvas.show()


def _draw_head(canvas: Canvas, story: Story) -> None:
    run, totals = story.run, story.totals
    canvas.line((title(run.plan.procedure), "bold"), "  ", arguments(run.plan.arguments))
    until = f" to {clock(story.ended)}, {span(story.ended - run.created)}"
    canvas.line(
        f"run {run.id}, by {clean(run.operator)}: ",
        (stands(run.status), RUN_STYLES[run.status]),
        f", {stamp(run.created)}{until}",
    )
    if run.undoes:
        canvas.line(f"takes back run {clean(run.undoes)}")
    hosts, through, bad = run.tally()
    told = f"{through:,} of {number(hosts, 'host')} done"
    told += f", {bad:,} in trouble" if bad else ""
    steps = counted((word, totals[word]) for word in RESULT_WORDS)
    canvas.line(f"{told}; steps on hosts: {steps}" if hosts else f"steps: {steps}")


def _draw_steps(canvas: Canvas, story: Story) -> None:
    steps = story.run.plan.steps
    width = column((clean(step.name) for step in steps), max(24, canvas.width - 28))
    for n, step in enumerate(steps):
        counts = story.counts(n)
        took = f"{span(window[1] - window[0])}" if (window := story.window(n)) else ""
        several = len(step.hosts) > 1 and len(counts) + len(step.hosts) > 2 and set(counts) != {NOT_BEGUN}
        words = Canvas.join(
            (f"{counts[w]:,}{UNBROKEN}{w}" if several else w, STYLES[w]) for w in RESULT_WORDS if counts[w]
        )
        name = padded(clean(step.name), width)
        canvas.line((f"{n + 1:>2}  ", "dim"), name, (f" {took:>8}  ", "dim"), words, hang=width + 15)


def _draw_trouble(canvas: Canvas, story: Story) -> None:
    trouble = story.trouble()
    if not trouble:
        canvas.line()
        return
    canvas.line()
    waits = all(group.word == str(Result.PENDING) for _, group in trouble)
    heading = "It waits:" if waits and story.run.status is RunStatus.WAITING else "Not as it should be:"
    canvas.line((heading, "bold"))
    named = -1
    for n, group in trouble[:MOST_GROUPS]:
        if n != named:
            canvas.line(f"step {n + 1}, {clean(story.run.plan.steps[n].name)}", indent=2)
        named = n
        _draw_outcome(canvas, group, 4)
    if rest := trouble[MOST_GROUPS:]:
        targets = {target for _, group in rest for target in group.targets}
        where = shortened(folded(tuple(sorted(targets))), canvas.width)
        canvas.line(f"… and {len(rest):,} more on {where}", indent=2)
    canvas.line()


def _draw_outcome(canvas: Canvas, group: Group, indent: int) -> None:
    count = f" ({len(group.targets):,})" if len(group.targets) > 1 else ""
    note = f": {clean(group.note)}" if group.note else ""
    where = shortened(group.where, canvas.width * 2)
    canvas.line((where + count, "blue"), ": ", (group.word, STYLES[group.word]), note, indent=indent)


def _draw_next(canvas: Canvas, story: Story) -> None:
    run = story.run
    commands = []
    if not run.status.finished:
        commands.append((resume_command(run), resume_meaning(run)))
    if story.can_be_undone:
        commands.append((f"inv undo {run.id}", "takes back what was begun"))
    if story.trouble():
        commands.append((f"inv show {run.id} --outputs", "shows what was sent, and what came back"))
    if not run.status.finished:
        commands.append((f"inv abandon {run.id}", "gives it up; what was done stays"))
    if not commands:
        return
    canvas.line(("Next:" if not run.status.finished else "If need be:", "bold"))
    width = column((command for command, _ in commands), canvas.width)
    for command, what in commands:
        canvas.line(padded(command, width), "  ", (what, "dim"), indent=2)


def print_run(run: Run, *, file: TextIO, outputs: bool = False) -> None:
    """Print a run step by step; ``outputs`` adds the commands that were sent and what came back."""
    canvas = Canvas(file)
    story = Story(run)
    _draw_head(canvas, story)
    for n, step in enumerate(run.plan.steps):
        if n == 0 or set(story.counts(n)) != {NOT_BEGUN} or set(story.counts(n - 1)) != {NOT_BEGUN}:
            canvas.line()
        _draw_told_step(canvas, story, n)
        if set(story.counts(n)) == {NOT_BEGUN}:
            continue
        for group in story.groups(n)[:MOST_GROUPS]:
            _draw_outcome(canvas, group, 6)
        if rest := story.groups(n)[MOST_GROUPS:]:
            canvas.line((f"… and {len(rest):,} others on {sum(len(g.targets) for g in rest):,}", "dim"), indent=6)
        if outputs:
            _draw_outputs(canvas, story, n)
        elif is_system(step):
            for finding in step.findings.values():
                draw_preview(canvas, finding.preview, 8)
    canvas.line()
    for note in run.plan.notes:
        canvas.line(("! ", "bold yellow"), clean(note))
    _draw_next(canvas, story)
    canvas.show()


def _draw_told_step(canvas: Canvas, story: Story, n: int) -> None:
    window, times = story.window(n), "  not begun"
    if window:
        times = f"  {clock(window[0])}, {span(window[1] - window[0])}"
        slow = story.took(n)
        if len(slow) > 2:
            times += f" (each {span(slow[-1][0])} to {span(slow[0][0])}, slowest {clean(slow[0][1])})"
    canvas.line((f"{n + 1:>2}  ", "dim"), (clean(story.run.plan.steps[n].name), "bold"), (times, "dim"), hang=4)


def _draw_outputs(canvas: Canvas, story: Story, n: int) -> None:
    transcripts = sorted(story.transcripts(n), key=lambda pair: story.of(n, pair[0][0]).word in GOOD)
    for targets, transcript in transcripts[:MOST_TRANSCRIPTS]:
        canvas.line("sent to ", (shortened(folded(tuple(targets)), canvas.width), "blue"), ":", indent=6)
        for command, status, output in transcript:
            ended = "" if status == 0 else "  (no exit status)" if status is None else f"  (exit {status})"
            canvas.line(("$ ", "dim"), clean(command), (ended, "red"), indent=8, hang=4)
            for line in cut(lines(output), MOST_OUTPUT) if output.strip() else ():
                canvas.line((line, "dim"), indent=10)
    if rest := transcripts[MOST_TRANSCRIPTS:]:
        canvas.line(
            (f"… and {number(len(rest), 'other output')} on {_targets(rest):,}: --json, --html", "dim"), indent=8
        )


def _targets(transcripts: Sequence[tuple[tuple[str, ...], object]]) -> int:
    return Counter(target for targets, _ in transcripts for target in targets).total()
