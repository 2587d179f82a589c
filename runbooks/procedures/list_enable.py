"""Enable a disabled mailing list (duty page, "Mailman mailing lists": disable or re-enable a mailing list).

It gets back the settings that the run which disabled it found: they are in the journal. Where there is no such run, it
gets those of a new list; they are shown, and the list's name has to be typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.lists.changes import Configured, Restored
from runbooks.model import Change, Run, RunStatus, Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.forms import addresses, check_task
from runbooks.procedures.mailing_lists import OfList, is_disabled, reader_of, resolve, settings_of, subjects
from runbooks.site import Site

_ADMINS = {"owner", "moderator"}


@dataclass(frozen=True)
class Case(OfList):
    """The list: the ids of the ``runs`` that have disabled it, the oldest first, the settings that they found (``was``)
    and those that they set (``ours``). Where there are no such runs, the ``settings`` that it gets. ``stays``: it was
    closed before the first of these runs already, and will be again."""

    runs: tuple[str, ...]
    was: Mapping[str, Any]
    ours: Mapping[str, Any]
    settings: Mapping[str, Any]
    stays: bool


def look(site: Site, *, list: str, owners: Sequence[str] = (), task: str = "") -> Case:
    """What the journal knows of the list. Raises UsageError, and Blocked where it is not disabled."""
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
    if not is_disabled(site, reader, settings):
        raise Blocked(f"{list} is not disabled: nothing was changed")
    admins = addresses(owners, "--owners")
    if not admins and not settings["owner"]:
        raise UsageError(
            f"this journal has no run that disabled {list}, so nobody knows here what it was before: give --owners, "
            "who is to be its admins; its other settings are shown before anything is done"
        )
    description = str(settings["description"]).removeprefix(site.settings.lists.disabled).lstrip()
    wanted = {**reader.reopened(settings), "description": description}
    wanted |= {"owner": sorted(admins)} if admins else {}
    return Case(name, domain, task, (), {}, {}, wanted, stays=False)


def disabling(site: Site, address: str) -> list[Run]:
    """The runs that have disabled a list since it was last enabled, the oldest first; undone ones are left out."""
    opened = [line for line in site.journal.past("list-enable", {"list": address}) if line.status is RunStatus.DONE]
    since = opened[0].created if opened else 0.0
    closed = site.journal.past("list-disable", {"list": address})
    lines = [line for line in reversed(closed) if line.status is not RunStatus.UNDONE and line.created > since]
    return [site.journal.run(line.id) for line in lines]


def records(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two mappings of settings: what they were before the first of the runs that changed them, and what the last one
    set. There is more than one run where a list was disabled, opened a little by hand, and disabled again."""
    was: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    for run in runs:
        for before in run.befores().values():
            was = {**before.get("was", {}), **was}
            ours |= before.get("ours", {})
    return was, ours


def steps(case: Case) -> Steps:
    """The description and the admins again, then mail: what comes in finds everything in place. Bans come back with the
    admins, who may be covered by one: were that lifted for them alone, whoever is killed right then could leave it so.
    """
    if not case.runs:
        yield _step(
            f"Let mail into {case.address} again, as into a new list", Configured(case.name, case.settings), case
        )
    admins = {*_ADMINS, "ban_list"} if _ADMINS & case.was.keys() else set()
    rest = set(case.was) - {*admins, "description"}
    for sentence, keys in (
        ("Give it its description back", {"description"}),
        ("Put its admins back, and its bans as before", admins),
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
    """The list's address has to be typed where nobody knows what its settings were."""
    return "" if case.runs else case.address


PROCEDURE = Procedure("list-enable", Case, look, steps, subjects, notes, typed=typed, resolve=resolve)
