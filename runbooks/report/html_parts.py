"""The pieces of the page: every text from outside goes through ``esc``."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from runbooks.model import PlannedStep
from runbooks.report.groups import Group, Story, Transcript, by_preview, folded, of_findings
from runbooks.report.words import GOOD, NOT_BEGUN, RESULT_WORDS, clean, clock, counted, lines, number, span

MOST_CELLS = 64
MOST_GROUPS, MOST_TRANSCRIPTS, MOST_LINES = 200, 200, 400


def esc(text: str) -> str:
    """Anybody's text, harmless in an element and in an attribute."""
    return html.escape(clean(text))


def css(word: str) -> str:
    """The class of a word: its first one."""
    return word.split(" ")[0]


def bar(story: Story, n: int) -> str:
    """A step's targets as cells, one each; where there are many, as shares of a bar."""
    hosts = story.run.plan.steps[n].hosts
    if len(hosts) <= MOST_CELLS:
        cells = (f'<i class="{css(t.word)}" title="{esc(h)}: {t.word}"></i>' for h in hosts for t in [story.of(n, h)])
        return f'<span class="bar">{"".join(cells)}</span>'
    counts = story.counts(n)
    shares = (
        f'<i class="{css(word)}" style="flex-grow:{counts[word]}" title="{counts[word]:,} {word}"></i>'
        for word in RESULT_WORDS
        if counts[word]
    )
    return f'<span class="bar" style="gap:0">{"".join(shares)}</span>'


def timeline(story: Story, n: int) -> str:
    """When in the run a step was done: a thin line below its bar."""
    window, whole = story.window(n), max(story.ended - story.run.created, 0.001)
    if window is None:
        return ""
    left = min(100.0, max(0.0, (window[0] - story.run.created) / whole * 100))
    width = min(100.0 - left, (window[1] - window[0]) / whole * 100)
    return f'<span class="line"><i style="left:{left:.2f}%;width:{width:.2f}%"></i></span>'


def step(story: Story, n: int) -> str:
    """One step: a line that opens into what was planned, what became of it, and what was sent."""
    planned = story.run.plan.steps[n]
    counts, window = story.counts(n), story.window(n)
    took = span(window[1] - window[0]) if window else ""
    where = folded(planned.hosts)
    where = number(len(planned.hosts), "host") if len(where) > 60 else where
    is_bad = any(counts[word] for word in RESULT_WORDS if word not in GOOD and word != NOT_BEGUN)
    how = counted((word, counts[word]) for word in RESULT_WORDS) if len(planned.hosts) > 1 else next(iter(counts), "")
    return (
        f'<details class="step"{" open" if is_bad else ""}><summary><span class="n">{n + 1}</span>'
        f'<span class="name">{esc(planned.name)}<small class="mono">{esc(where)}</small></span>'
        f'<span class="state">{bar(story, n)}{timeline(story, n)}<span class="how">{how}</span></span>'
        f'<span class="took">{took}</span></summary><div class="in">{_inside(story, n, planned)}</div></details>'
    )


def _inside(story: Story, n: int, planned: PlannedStep) -> str:
    parts = []
    if story.window(n):
        parts += ["<h4>What became of it</h4>", outcomes(story.groups(n)), _times(story, n)]
    if previews := _previews(planned):
        parts += ["<h4>As planned</h4>", previews]
    if sent := story.transcripts(n):
        parts += ["<h4>What was sent, and what came back</h4>", _transcripts(story, n, sent)]
    if planned.no_inverse:
        parts.append(f'<p class="note">Cannot be undone: {esc(planned.no_inverse)}</p>')
    return "".join(parts) or '<p class="note">Not begun.</p>'


def outcomes(groups: Sequence[Group]) -> str:
    """What became of targets, alike ones together."""
    return "".join(map(_group, groups[:MOST_GROUPS])) + _rest(groups[MOST_GROUPS:])


def _group(group: Group) -> str:
    count = f' <span class="count">({len(group.targets):,})</span>' if len(group.targets) > 1 else ""
    note = f'<div class="note">{esc(group.note)}</div>' if group.note else ""
    return (
        f'<div class="group"><span class="word w-{css(group.word)}">{group.word}</span>'
        f'<div><span class="where mono">{html.escape(group.where)}</span>{count}{note}</div></div>'
    )


def _rest(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    targets = [target for group in groups for target in group.targets]
    return f'<p class="note">… and {len(groups):,} others on {esc(folded(tuple(targets)))} ({len(targets):,})</p>'


def _times(story: Story, n: int) -> str:
    took = story.took(n)
    begun, ended = story.window(n) or (0.0, 0.0)
    told = f"{clock(begun)} to {clock(ended)}"
    if len(took) > 2:
        median = took[len(took) // 2][0]
        slow = ", ".join(f"{esc(target)} {span(seconds)}" for seconds, target in took[:3])
        told += f"; a host took {span(took[-1][0])} to {span(took[0][0])}, half of them {span(median)} or less"
        told += f"; slowest {slow}"
    elif took:
        told += "; " + ", ".join(f"{esc(target)} took {span(seconds)}" for seconds, target in took)
    return f'<p class="note">{told}</p>'


def _previews(planned: PlannedStep) -> str:
    groups = by_preview(of_findings(planned.findings))
    texts = []
    for group in groups[:MOST_GROUPS]:
        if len(group.targets) < len(planned.hosts):
            texts.append(f'<div class="mono where">{html.escape(group.where)}</div>')
        texts.append(preview(group.preview))
    return "".join(texts) + _rest(groups[MOST_GROUPS:])


def preview(text: Iterable[str]) -> str:
    """Commands and unified diffs, coloured."""
    rows, in_diff = [], False
    for line in text:
        in_diff = not line.startswith("$ ") and (in_diff or line.startswith(("--- ", "@@ ")))
        rows.append(_diff_line(line) if in_diff else _command_line(line) + "\n")
    return f"<pre>{''.join(rows)}</pre>"


def _command_line(line: str) -> str:
    if not line.startswith("$ "):
        return esc(line)
    command, mark, remark = line[2:].partition("    # ")
    return f'<span class="p">$ </span>{esc(command)}<span class="c">{esc(mark + remark)}</span>'


def _diff_line(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return f'<span class="x"><b>{esc(line)}</b></span>'
    if line.startswith("@@"):
        return f'<span class="x h">{esc(line)}</span>'
    kind = {"+": "a", "-": "d"}.get(line[:1], "x")
    return f'<span class="{kind}">{esc(line) or " "}</span>'


def _transcripts(story: Story, n: int, sent: Sequence[tuple[tuple[str, ...], Transcript]]) -> str:
    ordered = sorted(sent, key=lambda pair: story.of(n, pair[0][0]).word in GOOD)
    texts = [_transcript(targets, commands) for targets, commands in ordered[:MOST_TRANSCRIPTS]]
    if rest := ordered[MOST_TRANSCRIPTS:]:
        targets = [target for some, _ in rest for target in some]
        texts.append(f'<p class="note">… and {len(rest):,} others on {esc(folded(tuple(targets)))}</p>')
    return "".join(texts)


def _transcript(targets: Sequence[str], commands: Transcript) -> str:
    rows = []
    for command, status, output in commands:
        ended = (
            ""
            if status == 0
            else f'<span class="e">  {"no exit status" if status is None else f"exit {status}"}</span>'
        )
        rows.append(f'<span class="p">$ </span><b>{esc(command)}</b>{ended}\n')
        text = lines(output) if output.strip() else []
        if len(text) > MOST_LINES:
            rows.append(f"… the first {len(text) - MOST_LINES:,} lines are left out\n")
        rows += [f"{html.escape(line)}\n" for line in text[-MOST_LINES:]]
    count = f' <span class="count">({len(targets):,})</span>' if len(targets) > 1 else ""
    first = f' <span class="count">· {number(len(commands), "command")}</span>'
    where = f'<span class="mono where">{esc(folded(tuple(targets)))}</span>'
    return f'<details class="sent"><summary>{where}{count}{first}</summary><pre>{"".join(rows)}</pre></details>'
