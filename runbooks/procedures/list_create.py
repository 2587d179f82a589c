"""Make a mailing list (duty page, "Mailman mailing lists": create a list)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.lists.changes import Configured, Created
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.forms import addresses, check_task
from runbooks.procedures.mailing_lists import (
    SUBADDRESSES,
    OfList,
    near,
    note_of_password,
    reader_of,
    resolve,
    subjects,
)
from runbooks.site import Site

ADMINS = 2
"""How many a new list needs: when one leaves, it still has somebody."""


@dataclass(frozen=True)
class Case(OfList):
    """The new list: its ``owners``, whether it is ``private``, and the ``settings`` that it gets. ``like`` says which
    lists are called nearly so; ``handed`` where its password will be, empty where lists have none."""

    owners: tuple[str, ...]
    private: bool
    settings: Mapping[str, Any]
    like: str
    handed: str


def look(
    site: Site,
    *,
    list: str,
    owners: Sequence[str],
    description: str,
    task: str,
    private: bool = False,
    password_file: str = "",
) -> Case:
    """Whether the request says all that a list needs, and the name is free. Raises UsageError, Blocked."""
    name, _, domain = list.partition("@")
    pattern = site.settings.lists.name_pattern
    if not re.fullmatch(pattern, name):
        raise UsageError(
            f"{name} does not fit the scheme of names here: choose another (lists.name_pattern: {pattern})"
        )
    if name.endswith(SUBADDRESSES):
        ends = ", ".join(SUBADDRESSES)
        raise UsageError(f"{name} is an address of another list: choose a name that does not end with {ends}")
    admins = addresses(owners, "--owners")
    if len(admins) < ADMINS:
        raise UsageError(f"give --owners, the addresses of at least {ADMINS} admins, by commas")
    if loops := [one for one in admins if one == list or (one.startswith(f"{name}-") and one.endswith(f"@{domain}"))]:
        raise UsageError(f"--owners: {loops[0]} is the list itself: its admins are people")
    if not task:
        raise UsageError("give --task, the ticket on which the list was asked for")
    check_task(task)
    reader = reader_of(site, list)
    names = reader.names()
    if name in names:
        raise Blocked(f"there is a list {list} already: choose another name; nothing was changed")
    if password_file and not reader.has_own_password:
        raise UsageError(f"--password-file: lists of {domain} have no password of their own: leave it out")
    site.fresh.is_wanted = reader.has_own_password
    handed = note_of_password(password_file) if reader.has_own_password else ""
    settings = {**reader.fresh(private), "description": described(description, site), "owner": sorted(admins)}
    return Case(name, domain, task, admins, private, settings, near(name, names), handed)


def described(text: str, site: Site) -> str:
    """A description, checked: one line, and not what a disabled list's begins with. Raises UsageError."""
    line = text.strip()
    if not line or not line.isprintable() or len(line) > 200:
        raise UsageError("give --description: what the list is for, one line of at most 200 characters")
    if line.lower().startswith(site.settings.lists.disabled.lower()):
        raise UsageError(
            f"--description: {site.settings.lists.disabled} is what disabled lists begin with: leave it out"
        )
    return line


def steps(case: Case) -> Steps:
    """Make the list, then give it its settings."""
    kind = "private" if case.private else "public"
    yield Step(
        f"Make the list {case.address}",
        Created(case.name, case.owners, case.private),
        case.on,
        undo=f"Take the list {case.address} away again",
    )
    yield Step(
        f"Set it up as a {kind} list, with its admins and description",
        Configured(case.name, case.settings, fresh=True),
        case.on,
    )


def notes(case: Case) -> tuple[str, ...]:
    """Lists that it could be mistaken for, and where its password will be."""
    like = f"there are lists called nearly so{case.like}" if case.like else ""
    return tuple(filter(None, (like, case.handed)))


PROCEDURE = Procedure("list-create", Case, look, steps, subjects, notes, resolve=resolve)
