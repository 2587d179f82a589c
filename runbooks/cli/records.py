"""Plans and runs read back: from a file or the journal, and the drafts that they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.errors import UsageError

if TYPE_CHECKING:
    from runbooks.engine import Draft
    from runbooks.model import Plan, Run
    from runbooks.site import Site

LONGEST_PLACE = 500


def read_plan(site: Site, reference: str) -> Plan:
    """A plan by its id, or from a file that ``--save`` wrote. Raises UsageError."""
    from runbooks.model import Plan

    path = Path(reference)
    if not path.is_file():
        return site.journal.plan(reference)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        plan = Plan.from_record(record)
        if record["id"] != plan.id:
            raise UsageError(f"{path}: its id is not that of its contents: it was edited, or another version wrote it")
        return plan
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UsageError(f"{path}: not a plan that --save wrote: {error}") from error


def pick(site: Site, reference: str) -> Run:
    """The run meant: the named one, or the only unfinished one. Raises UsageError."""
    if reference:
        return site.journal.run(reference)
    unfinished = site.journal.unfinished()
    if len(unfinished) != 1:
        names = ", ".join(run.id for run in unfinished)
        raise UsageError(f"which run? --run one of {names}" if names else "there is no unfinished run")
    return site.journal.run(unfinished[0].id)


def draft_of(site: Site, run: Run, change: Mapping[str, Any] | None = None) -> Draft:
    """The draft that a run was made from, from its journal; an undo may ``change`` parts of the case. Raises UsageError
    where this version makes other steps."""
    from dataclasses import replace

    from runbooks.engine import UNDO, Draft, undo_steps
    from runbooks.procedure import find

    if run.plan.procedure == UNDO:
        original = site.journal.run(str(run.undoes))
        first = draft_of(site, original, {key: v for key, v in run.plan.arguments.items() if key != "run"})
        steps = tuple(undo_steps(original, first.steps))
        draft = Draft(UNDO, run.plan.arguments, {}, steps, first.subjects, undoes=original.id)
    else:
        draft = find(run.plan.procedure).again({**run.plan.case, **(change or {})}, run.plan.arguments)
    if [(s.name, s.on) for s in draft.steps] != [(s.name, s.hosts) for s in run.plan.steps]:
        raise UsageError(f"run {run.id} was made by another version of this tool, whose steps were others")
    return replace(draft, notes=run.plan.notes)


def place(confirmed: str | bool | None) -> str:
    """Where it can be read that something is so, as --confirmed says it (True: it says nothing); empty where nothing is
    confirmed. Raises UsageError."""
    if confirmed is None:
        return ""
    text = confirmed.strip() if isinstance(confirmed, str) else ""
    if not text or not text.isprintable() or len(text) > LONGEST_PLACE:
        raise UsageError("say where it can be read, in one line: --confirmed T123#456, or a link")
    return text


def question_of(run: Run, draft: Draft) -> str:
    """The question that a run waits for an answer to. Raises UsageError where it does not."""
    from runbooks.model import Result
    from runbooks.systems.person import PERSON, Confirmed

    outcomes = run.outcomes()
    for number, step in enumerate(draft.steps):
        outcome, change = outcomes.get((number, PERSON)), step.change
        if isinstance(change, Confirmed) and outcome is not None and outcome.result is Result.PENDING:
            return change.question
    raise UsageError(f"run {run.id} does not ask for anything to be confirmed: `inv resume --run {run.id}`")


def remaining_plan(run: Run, draft: Draft, findings: Mapping[tuple[int, str], Any]) -> Plan:
    """What a resumed run would meet, as a plan to show: what is done stays done."""
    from dataclasses import replace

    from runbooks.looking import planned
    from runbooks.model import Finding, Status

    seen = dict(findings)
    for number, step in enumerate(draft.steps):
        for target in step.on:
            seen.setdefault((number, target), Finding(Status.DONE))
    return replace(run.plan, steps=planned(draft.steps, seen))
