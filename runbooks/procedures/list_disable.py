"""Disable a mailing list (duty page, "Mailman mailing lists": disable a list). Its members and archive stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.lists.changes import Configured, HeldOut
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.forms import check_task
from runbooks.procedures.mailing_lists import OfList, reader_of, resolve, settings_of, subjects
from runbooks.site import Site


@dataclass(frozen=True)
class Case(OfList):
    """The list: the settings that stop its mail (``closed``), the ``description`` that it gets, the ``admins`` that it
    has now, and whether held mail is thrown away (``discard``)."""

    closed: Mapping[str, Any]
    description: str
    admins: tuple[str, ...]
    discard: bool


def look(site: Site, *, list: str, discard_held: bool = False, task: str = "") -> Case:
    """What the list is now, and what has to be set to close it. Raises UsageError where there is no such list."""
    check_task(task)
    name, _, domain = list.partition("@")
    reader = reader_of(site, list)
    settings = settings_of(reader, name)
    mark, text = site.settings.lists.disabled, str(settings["description"])
    marked = text if text.startswith(mark) else f"{mark} {text}".rstrip()
    admins = tuple(sorted({*settings["owner"], *settings["moderator"]}))
    return Case(name, domain, task, reader.closed(settings), marked, admins, discard_held)


def steps(case: Case) -> Steps:
    """Mail is stopped first, so that nothing more is held. Held mail is thrown away while the list still has admins: a
    run that stops there has left the rest of it to somebody."""
    yield Step(
        f"Keep all mail out of {case.address}",
        Configured(case.name, case.closed),
        case.on,
        undo=f"Let mail into {case.address} as before",
    )
    yield Step("Throw away the mail that is held for it", HeldOut(case.name, case.discard), case.on)
    yield Step(
        "Take its admins off",
        Configured(case.name, {"owner": [], "moderator": []}),
        case.on,
        undo="Put its admins back",
    )
    yield Step(
        "Say in its description that it is disabled",
        Configured(case.name, {"description": case.description}),
        case.on,
        undo="Give it its description back",
    )


def notes(case: Case) -> tuple[str, ...]:
    """Who has to be told, and how the list comes back."""
    told = f"its admins, {', '.join(case.admins)}, are told by nobody: say it on the ticket"
    back = f"members and archive stay; `inv list-enable {case.address}` gives the list back as it was"
    return (*((told,) if case.admins else ()), back)


PROCEDURE = Procedure("list-disable", Case, look, steps, subjects, notes, resolve=resolve)
