"""A plan as the duty page would have it: numbered sentences, where, how it stands, and what exactly would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from rich.text import Text

from runbooks.model import Plan, PlannedStep, Status
from runbooks.report.canvas import STYLES, Canvas, column, padded
from runbooks.report.groups import IN_THE_WAY, Group, by_preview, folded, of_findings, told
from runbooks.report.words import STATUS_WORDS, arguments, clean, counted, hosts_of, is_system, number, title

INDENT = 6
MOST_LINES, MOST_GROUPS = 44, 12


def print_plan(plan: Plan, *, file: TextIO, color: bool | None = None, title_line: str = "", hint: bool = True) -> None:
    """Print what a plan would do, and where. ``title_line`` stands below the title; ``hint`` names `inv apply`, for
    which the plan has to be kept somewhere."""
    canvas = Canvas(file, color)
    draw_plan(canvas, plan, title_line, hint)
    canvas.show()


def draw_plan(canvas: Canvas, plan: Plan, title_line: str = "", hint: bool = True) -> None:
    """Put a plan on a canvas."""
    plan_id = plan.id[:12]  # computed from all the plan, so once
    _draw_head(canvas, plan, plan_id, title_line)
    columns = _Columns(canvas, plan)
    for index, step in enumerate(plan.steps, 1):
        canvas.line()
        columns.draw(index, step)
        _draw_findings(canvas, step)
    canvas.line()
    for note in plan.notes:
        canvas.line(("! ", "bold yellow"), (clean(note), "yellow"))
    if plan.notes:
        canvas.line()
    _draw_verdict(canvas, plan, plan_id if hint else "")


def _draw_head(canvas: Canvas, plan: Plan, plan_id: str, title_line: str) -> None:
    hosts = hosts_of(plan)
    canvas.line((title(plan.procedure), "bold"), "  ", arguments(plan.arguments))
    many = [f"plan {plan_id}", *([number(len(hosts), "host")] if hosts else []), number(len(plan.steps), "step")]
    canvas.line((" · ".join(many), "dim"))
    if title_line:
        canvas.line((clean(title_line), "dim"))
    if hosts:
        canvas.line((f"hosts: {shortened(folded(hosts), canvas.width * 4)}", "dim"), hang=7)


class _Columns:
    """The columns of the numbered sentences: as wide as they have to be, and never wider than the terminal."""

    def __init__(self, canvas: Canvas, plan: Plan) -> None:
        self.canvas = canvas
        self.places = {id(step): _place(step) for step in plan.steps}
        self.state = column((_standing(step) for step in plan.steps), 24)
        self.where = column(self.places.values(), max(12, canvas.width // 4))
        room = canvas.width - 4 - self.where - self.state - 4
        self.name = column((clean(step.name) for step in plan.steps), max(room, 16))

    def draw(self, index: int, step: PlannedStep) -> None:
        """One numbered sentence. A name that is too long for its column goes on below, before anything else."""
        name = clean(step.name)
        style = "bold"
        place = self.places[id(step)]
        if len(place) > self.where:
            place = number(len(step.hosts), "host")
        if len(name) > self.name:
            self.canvas.line((f"{index:>2}  ", "dim"), (name, style), hang=4)
            lead: tuple[str, str] = (" " * (4 + self.name), "")
        else:
            lead = (padded(name, self.name), style)
            lead = (f"{index:>2}  {lead[0]}", style)
        self.canvas.line(lead, "  ", (padded(place, self.where), "blue"), "  ", _colored_standing(step))


def _place(step: PlannedStep) -> str:
    if step.kind == "manual":
        return "a person"
    where = folded(step.hosts)
    return where if is_system(step) or len(step.hosts) == 1 else f"{where} ({len(step.hosts):,})"


def _standing(step: PlannedStep) -> str:
    return told(step.findings) if step.findings else ("asks" if step.kind == "manual" else "nobody")


def _colored_standing(step: PlannedStep) -> Text:
    parts = _standing(step).split(", ")
    words = [(part, STYLES.get(part.lstrip("0123456789, "), "")) for part in parts]
    return Text(", ").join(Text(part, style) for part, style in words)


def _draw_findings(canvas: Canvas, step: PlannedStep) -> None:
    groups = of_findings(step.findings)
    if {group.word for group in groups} == {"ok"} and len(groups) > 1:
        # The sentence says "ok" already: only remarks are worth a line.
        groups = [group for group in groups if group.note or group.preview]
    alone = len(groups) == 1 and len(groups[0].targets) == len(step.findings)
    # Where hosts differ in remarks alone, what would be done is told once, below them.
    previews = by_preview(groups)
    is_shared = len(previews) == 1 and sum(bool(group.preview) for group in groups) > 1
    for group in groups[:MOST_GROUPS]:
        _draw_group(canvas, group, alone and group.word not in ("blocked", "unreachable"), not is_shared)
    if rest := groups[MOST_GROUPS:]:
        targets = [target for group in rest for target in group.targets]
        where = shortened(folded(tuple(targets)), canvas.width)
        canvas.line((f"… and {len(rest):,} other findings on {where} ({len(targets):,})", "dim"), indent=INDENT)
    if is_shared:
        draw_preview(canvas, previews[0].preview, INDENT)
    if step.no_inverse:
        canvas.line(("cannot be undone: ", "yellow"), (clean(step.no_inverse), "yellow"), indent=INDENT)


def _draw_group(canvas: Canvas, group: Group, alone: bool, with_preview: bool) -> None:
    style = STYLES[group.word]
    bad = group.word in ("blocked", "unreachable")
    if not alone:
        where = shortened(group.where, canvas.width)
        count = f" ({len(group.targets):,})" if len(group.targets) > 1 else ""
        says = f": {clean(group.note)}" if group.note else ""
        canvas.line(
            (where, "blue"), (count, "blue"), ": ", (group.word, style), (says, "red" if bad else "dim"), indent=INDENT
        )
    elif group.note:
        canvas.line((clean(group.note), "dim"), indent=INDENT)
    if with_preview:
        draw_preview(canvas, group.preview, INDENT if alone else INDENT + 2)


def draw_preview(canvas: Canvas, preview: Sequence[str], indent: int) -> None:
    """Commands and unified diffs, coloured; a long one is cut in the middle."""
    in_diff = False
    for line in cut(preview, MOST_LINES):
        in_diff = in_diff or line.startswith(("--- ", "@@ "))
        in_diff = in_diff and not line.startswith("$ ")
        canvas.line(preview_line(clean(line), in_diff), indent=indent, hang=4)


def cut(preview: Sequence[str], most: int) -> Sequence[str]:
    """At most so many lines; where some are left out, a line says how many."""
    if len(preview) <= most:
        return preview
    head, tail = most * 3 // 4, most // 4 - 1
    left_out = len(preview) - head - tail
    return [*preview[:head], f"… {left_out:,} lines left out …", *preview[len(preview) - tail :]]


def preview_line(line: str, in_diff: bool) -> Text:
    """One line of a preview with its colours."""
    if line.startswith("$ "):
        command, mark, remark = line[2:].partition("    # ")
        return Text.assemble(("$ ", "dim"), command, (mark + remark, "dim italic"))
    if in_diff:
        return Text(line, diff_style(line))
    return Text(line, "dim" if line.startswith("…") else "")


def diff_style(line: str) -> str:
    """The colour of a line of a unified diff."""
    if line.startswith(("--- ", "+++ ")):
        return "bold"
    if line.startswith("@@"):
        return "cyan"
    return {"+": "green", "-": "red", "…": "dim"}.get(line[:1], "")


def shortened(text: str, most: int) -> str:
    """A long list of folded hosts, cut after a comma."""
    return text if len(text) <= most else text[: most - 2].rpartition(",")[0] + ",…"


def _draw_verdict(canvas: Canvas, plan: Plan, plan_id: str) -> None:
    counts = Counter(f.status for step in plan.steps for f in step.findings.values())
    words = counted((STATUS_WORDS[s], counts[s]) for s in (Status.TODO, Status.LATER, Status.DONE))
    found = [(step, target, finding) for step in plan.steps for target, finding in step.findings.items()]
    bad = [(target, finding.status) for step, target, finding in found if step.stands_in_the_way(finding)]
    silent = [t for step, t, finding in found if step.patient and finding.status is Status.UNREACHABLE]
    canvas.line(("Nothing was changed. ", "bold"), words + "." if words else "There is nothing to do.")
    if silent:
        who = shortened(folded(tuple(dict.fromkeys(silent))), canvas.width)
        canvas.line((f"Left pending, for inv resume to come back for: {who}.", "yellow"))
    if bad:
        bad_counts = Counter(status for _, status in bad)
        what = counted((STATUS_WORDS[s], bad_counts[s]) for s in IN_THE_WAY)
        where = shortened(folded(tuple(dict.fromkeys(target for target, _ in bad))), canvas.width)
        canvas.line((f"This plan cannot be applied: {what} on {where}.", "bold red"))
    elif plan_id and plan.procedure != "undo" and (counts[Status.TODO] or counts[Status.LATER]):
        canvas.line("Apply exactly this plan with: ", (f"inv apply {plan_id}", "bold"))
