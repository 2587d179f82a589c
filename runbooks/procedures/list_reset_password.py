"""Give whoever runs a mailing list a new password (duty page, "Mailman mailing lists": password reset)."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import Blocked, UsageError
from runbooks.lists.changes import PasswordSet, WebPasswordSet
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.forms import check_task
from runbooks.procedures.mailing_lists import OfList, note_of_password, reader_of, resolve, settings_of, subjects
from runbooks.site import Site


@dataclass(frozen=True)
class Case(OfList):
    """Whose password is set: ``account`` is an owner's address, or the list's own where the list has the password.
    ``web`` is the command that sets the same for the web log-in, empty where there is none; ``note`` says what the
    password opens, ``handed`` where it will be."""

    account: str
    web: str
    note: str
    handed: str


def look(site: Site, *, list: str, owner: str = "", task: str = "", password_file: str = "") -> Case:
    """Whose password it is. Raises UsageError where several people could be meant, and Blocked where nobody is."""
    check_task(task)
    name, _, domain = list.partition("@")
    reader = reader_of(site, list)
    settings_of(reader, name)
    accounts = reader.accounts(name)
    if not accounts:
        raise Blocked(f"{list} has no owner whose password it could be: give it one first; nothing was changed")
    wanted = owner.lower() or (accounts[0] if len(accounts) == 1 else "")
    if wanted not in accounts and reader.has_own_password:
        raise UsageError(f"--owner: {list} has one password of its own, whoever runs it: leave it out")
    if wanted not in accounts:
        who = f"{owner} is no owner of {list}" if owner else f"{list} has {len(accounts)} owners"
        raise UsageError(f"{who}: give --owner, one of {', '.join(accounts)}")
    site.fresh.is_wanted = True
    return Case(name, domain, task, wanted, reader.web, reader.password_note, note_of_password(password_file))


def steps(case: Case) -> Steps:
    """Set it on the list server, then for the web log-in."""
    yield Step(f"Give {case.account} a new password", PasswordSet(case.name, case.account), case.on)
    if case.web:
        yield Step(f"Give {case.account}'s web log-in the same", WebPasswordSet(case.account), case.on)


def notes(case: Case) -> tuple[str, ...]:
    """What the password opens, and where it will be."""
    return tuple(filter(None, (case.note, case.handed)))


PROCEDURE = Procedure("list-reset-password", Case, look, steps, subjects, notes, resolve=resolve)
