"""A run as one self-contained page: nothing is fetched, and no script but the page's own can run."""

from __future__ import annotations

import base64
import hashlib
import html

from runbooks.model import Run, RunStatus
from runbooks.report.groups import Story
from runbooks.report.html_parts import css, esc, outcomes, step
from runbooks.report.html_style import SCRIPT, STYLE
from runbooks.report.ticket import still_missing
from runbooks.report.words import (
    GOOD,
    NOT_BEGUN,
    RESULT_WORDS,
    argument_words,
    clock,
    number,
    resume_command,
    span,
    stamp,
    stands,
    title,
)


def run_html(run: Run) -> str:
    """The page of a run: steps, hosts, times, commands and diffs; alike ones are told together, details are folded."""
    story = Story(run)
    steps = "".join(step(story, n) for n in range(len(run.plan.steps)))
    name = esc(f"{title(run.plan.procedure)}: run {run.id}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}</title>'
        f"<style>{STYLE}</style></head><body><main>{_head(story)}{_trouble(story)}{_post(run)}{_notes(run)}"
        f'<div class="h2"><h2>Steps</h2><button id="all" hidden>Open all</button></div>'
        f'<div class="steps">{steps}</div>{_key(story)}{_hosts(story)}'
        f'<footer class="mono">run {esc(run.id)} · plan {run.plan.id}</footer>'
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _head(story: Story) -> str:
    run, (hosts, through, bad) = story.run, story.run.tally()
    words = "".join(
        f"<span><i>{esc(name)}</i> {esc(value)}</span>" if value else f"<span>{esc(name)}</span>"
        for name, value in argument_words(run.plan.arguments)
    )
    trouble = f" <small>· {bad:,} in trouble</small>" if bad else ""
    facts = [
        *([("Hosts done", f"{through:,} of {hosts:,}{trouble}")] if hosts else []),
        ("Started", stamp(run.created)),
        ("Took", f"{span(story.ended - run.created)} <small>until {clock(story.ended)}</small>"),
        ("By", esc(run.operator)),
        ("Run", f'<span class="mono">{esc(run.id)}</span>'),
    ]
    if run.undoes:
        facts.append(("Takes back", f'<span class="mono">{esc(run.undoes)}</span>'))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    pill = f'<span class="pill {run.status}">{esc(stands(run.status).lower())}</span>'
    return (
        f'<header><div class="top"><h1>{esc(title(run.plan.procedure))}</h1>{pill}</div>'
        f'<div class="args mono">{words}</div><dl>{rows}</dl></header>'
    )


def _trouble(story: Story) -> str:
    trouble = story.trouble()
    if not trouble:
        return ""
    steps = story.run.plan.steps
    texts = []
    for n in sorted({n for n, _ in trouble}):
        groups = [group for number_, group in trouble if number_ == n]
        texts.append(f"<h3>Step {n + 1}: {esc(steps[n].name)}</h3>{outcomes(groups[:20])}")
        if len(groups) > 20:
            texts.append(f'<p class="note">… and {len(groups) - 20:,} others: see the step</p>')
    return f'<section class="box bad">{"".join(texts)}{_next(story)}</section>'


def _next(story: Story) -> str:
    run = story.run
    if run.status.finished:
        return ""
    lead = "When it is so, go on with" if run.status is RunStatus.WAITING else "Go on with"
    undo = f", or take it back with <code>inv undo {esc(run.id)}</code>" if story.can_be_undone else ""
    return f"<p>{lead} <code>{esc(resume_command(run))}</code>{undo}.</p>"


def _post(run: Run) -> str:
    post = html.escape(still_missing(run))
    return f'<section class="box"><h3>For the ticket</h3><pre>{post}</pre></section>' if post else ""


def _notes(run: Run) -> str:
    texts = "".join(f"<p>{esc(note)}</p>" for note in run.plan.notes)
    return f'<section class="box">{texts}</section>' if texts else ""


def _key(story: Story) -> str:
    words = {
        "ok": "ok: as it should be already",
        "unverified": "unverified: done, but looking again shows something else",
        "unknown": "unknown: begun, and nobody saw the end",
    }
    shown = [word for word in RESULT_WORDS if story.totals[word]]
    items = "".join(f'<span><i class="{css(word)}"></i>{words.get(word, word)}</span>' for word in shown)
    return f'<div class="key">{items}<span><b></b>when, in the whole run</span></div>'


def _hosts(story: Story) -> str:
    """Every host on a line: how far it came, from when to when."""
    plan = story.run.plan
    numbers: dict[str, list[int]] = {}
    for n, planned in enumerate(plan.steps):
        for target in planned.hosts:
            numbers.setdefault(target, []).append(n)
    rows = "".join(_host(story, target, ns) for target, ns in numbers.items())
    head = "<th>host<th>how it stands<th class=r>steps<th>from<th>to<th class=r>at work"
    return (
        f'<details class="hosts"><summary>{number(len(numbers), "target")}, one by one</summary>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _host(story: Story, target: str, numbers: list[int]) -> str:
    told = [(n, story.of(n, target)) for n in numbers]
    good = sum(t.word in GOOD for _, t in told)
    bad = next(((n, t) for n, t in told if t.word not in GOOD and t.word != NOT_BEGUN), None)
    stand = f"{bad[1].word} in step {bad[0] + 1}" if bad else "done" if good == len(told) else "not through"
    ends = [t.at for _, t in told if t.at is not None]
    starts = [story.begun[n, target] for n in numbers if (n, target) in story.begun] + ends
    times = f"<td>{clock(min(starts))}<td>{clock(max(ends))}" if ends else "<td><td>"
    word = css(bad[1].word) if bad else "done" if good == len(told) else "not"
    work = sum(t.seconds for _, t in told)
    return (
        f'<tr><td class="mono">{esc(target)}<td class="w-{word}">{stand}<td class=r>{good}/{len(told)}{times}'
        f"<td class=r>{span(work) if work else ''}"
    )


__all__ = ["run_html"]
