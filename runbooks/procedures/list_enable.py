"""Give a disabled mailing list back (duty page, "Mailman mailing lists": disable or re-enable a mailing list).

What it was before is in the journal, with the run that disabled it; no constant stands in for it. Where there is no
such run, what the list is to be is told, and its name has to be typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.lists.changes import Configured, Restored
from runbooks.model import Change, Run, RunStatus, Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.mailing_lists import OfList, addresses, check_task, reader_of, settings_of, subjects
from runbooks.site import Site

_ADMINS = {"owner", "moderator"}


@dataclass(frozen=True)
class Case(OfList):
    """The list: which runs have disabled it, the oldest first, what they found (``was``) and made of it (``ours``); or,
    where there are none, what it is to be (``settings``). ``stays``: it was closed before the first of them, too."""

    runs: tuple[str, ...]
    was: Mapping[str, Any]
    ours: Mapping[str, Any]
    settings: Mapping[str, Any]
    stays: bool


def look(site: Site, *, list: str, owners: Sequence[str] = (), task: str = "") -> Case:
    """What the journal has of it. Raises UsageError, Blocked where it is not disabled."""
    check_task(task)
    name, _, domain = list.partition("@")
    reader = reader_of(site, list)
    settings = settings_of(reader, name)
    if runs := disabling(site, list):
        if owners:
            raise UsageError(f"--owners: the journal has who they were (run {runs[0].id}): leave it out")
        was, ours = records(runs)
        stays = not reader.closed({**settings, **was})
        return Case(name, domain, task, tuple(run.id for run in runs), was, ours, {}, stays)
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
    wanted |= {"owner": sorted(admins)} if admins else {}
    return Case(name, domain, task, (), {}, {}, wanted, stays=False)


def disabling(site: Site, address: str) -> list[Run]:
    """The runs that have disabled a list since it was last enabled, the oldest first; none that was taken back."""
    opened = [line for line in site.journal.past("list-enable", {"list": address}) if line.status is RunStatus.DONE]
    since = opened[0].created if opened else 0.0
    closed = site.journal.past("list-disable", {"list": address})
    lines = [line for line in reversed(closed) if line.status is not RunStatus.UNDONE and line.created > since]
    return [site.journal.run(line.id) for line in lines]


def records(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the first of some runs to change a setting found, and what the last made of it: a list that was not quite
    closed any more may have been disabled again."""
    was: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    for run in runs:
        for before in run.befores().values():
            was = {**before.get("was", {}), **was}
            ours |= before.get("ours", {})
    return was, ours


def steps(case: Case) -> Steps:
    """The description and the admins again, then mail."""
    if not case.runs:
        yield _step(
            f"Let mail into {case.address} again, as into a new list", Configured(case.name, case.settings), case
        )
    rest = set(case.was) - {*_ADMINS, "description"}
    for sentence, keys in (
        ("Give it its description back", {"description"}),
        ("Put its admins back", _ADMINS),
        (f"Let mail into {case.address} as before", rest),
    ):
        was = {key: value for key, value in case.was.items() if key in keys}
        if was:
            yield _step(sentence, Restored(case.name, was, {key: case.ours[key] for key in was}), case)


def _step(sentence: str, change: Change[Any, Any], case: Case) -> Step:
    return Step(sentence, change, case.on, undo=f"Take back: {sentence}")


def notes(case: Case) -> tuple[str, ...]:
    """Where the settings come from."""
    if case.runs:
        stays = (
            f"before run {case.runs[0]} it was closed already, and so it stays: what it was before is not known here"
        )
        return (f"as it was before run {case.runs[0]} disabled it", *((stays,) if case.stays else ()))
    return (
        "this journal has no run that disabled it: nobody knows here what it was before, and its settings become "
        "those of a new list; whether it is advertised, its archive and its members stay as they are",
    )


def typed(case: Case) -> str:
    """The list, where nobody knows what it was."""
    return "" if case.runs else case.address


PROCEDURE = Procedure("list-enable", "Enable mailing list", Case, look, steps, subjects, notes, typed=typed)
