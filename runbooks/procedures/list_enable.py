"""Give a disabled mailing list back (duty page, "Mailman mailing lists": disable or re-enable a mailing list).

What it was before is in the journal, with the run that disabled it; no constant stands in for it. Where there is no
such run, what the list is to be is told, and its name has to be typed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.lists.changes import Configured, Restored
from runbooks.model import Change, Run, RunStatus, Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.mailing_lists import OfList, addresses, check_task, reader_of, settings_of, subjects
from runbooks.site import Site


@dataclass(frozen=True)
class Case(OfList):
    """The list: by which run it was disabled, and what each of that one's steps found (``was``) and made of it
    (``ours``); or, where there is none, what it is to be (``settings``)."""

    run: str
    records: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]


def look(site: Site, *, list: str, owners: Sequence[str] = (), task: str = "") -> Case:
    """What the journal has of it. Raises UsageError, Blocked where it is not disabled."""
    check_task(task)
    name, _, domain = list.partition("@")
    reader = reader_of(site, list)
    settings = settings_of(reader, name)
    run = record_of(site, list)
    if run is not None:
        if owners:
            raise UsageError(f"--owners: the journal has who they were (run {run.id}): leave it out")
        return Case(name, domain, task, run.id, records(run), {})
    mark = site.settings.lists.disabled
    description = str(settings["description"])
    if not description.startswith(mark) and not reader.reopened(settings):
        raise Blocked(f"{list} is not disabled: nothing was changed")
    admins = addresses(owners, "--owners")
    if not admins and not settings["owner"]:
        raise UsageError(
            f"this journal has no run that disabled {list}, so nobody knows here what it was before: give --owners, "
            "who is to be its admins; its other settings are shown before anything is done"
        )
    wanted = {**reader.reopened(settings), "description": description.removeprefix(mark).lstrip()}
    return Case(name, domain, task, "", (), wanted | ({"owner": sorted(admins)} if admins else {}))


def record_of(site: Site, address: str) -> Run | None:
    """The run that disabled a list, unless that was taken back since."""
    closed = site.journal.latest("list-disable", {"list": address})
    opened = site.journal.latest("list-enable", {"list": address})
    if closed is None or closed.status is RunStatus.UNDONE:
        return None
    if opened is not None and opened.created >= closed.created and opened.status is RunStatus.DONE:
        return None
    return site.journal.run(closed.id)


def records(run: Run) -> tuple[Mapping[str, Any], ...]:
    """What a run found and made of a list's settings, the last step first."""
    found = [before for _, before in sorted(run.befores().items(), reverse=True)]
    return tuple({"was": dict(one["was"]), "ours": dict(one["ours"])} for one in found if "ours" in one)


def steps(case: Case) -> Steps:
    """The description and the admins again, then mail."""
    if not case.run:
        yield _step(
            f"Let mail into {case.address} again, as into a new list", Configured(case.name, case.settings), case
        )
    for record in case.records:
        change = Restored(case.name, record["was"], record["ours"])
        yield _step(_sentence(case, record["was"].keys()), change, case)


def _sentence(case: Case, settings: Collection[str]) -> str:
    if set(settings) <= {"owner", "moderator"}:
        return "Put its admins back"
    if set(settings) == {"description"}:
        return "Give it its description back"
    return f"Let mail into {case.address} as before"


def _step(sentence: str, change: Change[Any, Any], case: Case) -> Step:
    return Step(sentence, change, case.on, undo=f"Take back: {sentence}")


def notes(case: Case) -> tuple[str, ...]:
    """Where the settings come from."""
    if case.run:
        return (f"as it was before run {case.run} disabled it",)
    return (
        "this journal has no run that disabled it: nobody knows here what it was before, and the settings below are "
        "those of a new list; whether it is advertised, its archive and its members stay as they are",
    )


def typed(case: Case) -> str:
    """The list, where nobody knows what it was."""
    return "" if case.run else case.address


PROCEDURE = Procedure("list-enable", "Enable mailing list", Case, look, steps, subjects, notes, typed=typed)
