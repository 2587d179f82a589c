"""What has to be so before somebody gets access (duty page, "Access requests"), in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from runbooks.errors import Blocked, UsageError
from runbooks.model import Change, Facts, Finding, Step, Writer, blocked, done
from runbooks.procedure import Steps
from runbooks.procedures.patching import PERSON
from runbooks.registry import AccountRegistry
from runbooks.systems.person import Confirmed, PersonReader

WAIT_DAYS = 3
"""How long a request without sudo waits for a security review, once it is in the access-requests project."""


@dataclass(frozen=True)
class Request:
    """What is asked for: groups with who approves of each, whether one of them gives sudo (None: the registry does not
    say), and the day on which the task was moved into the access-requests project."""

    name: str
    approvals: Mapping[str, Sequence[str]]
    sudo: bool | None
    moved: str


def request_of(registry: AccountRegistry, name: str, groups: Sequence[str], moved: str) -> Request:
    """The request for groups of the registry. Raises Blocked for one that is none, UsageError for no day."""
    approvals, privileges = {}, list[Sequence[str] | None]()
    for group_name in groups:
        group = registry.group(group_name)
        if group is None:
            raise Blocked(f"{group_name} is no group: check the name; nothing was changed")
        if group.deprecated:
            raise Blocked(f"{group_name} is deprecated: nobody is put into it any more; nothing was changed")
        approvals[group_name] = list(group.approval)
        privileges.append(group.privileges)
    if not moved:
        raise UsageError("give --moved, the day on which the task was moved into the access-requests project")
    try:
        day = date.fromisoformat(moved)
    except ValueError as error:
        raise UsageError(f"{moved!r} is no date: YYYY-MM-DD") from error
    if day > datetime.now(UTC).date():
        raise UsageError(f"{moved} is still to come: when was the task moved?")
    sudo = any(privileges) or (None if None in privileges else False)
    return Request(name, approvals, sudo, day.isoformat())


@dataclass(frozen=True)
class Waited(Change[PersonReader, Writer]):
    """Some days have passed since another one."""

    since: str
    days: int

    looks_only = True

    def check(self, reader: PersonReader) -> Finding:
        """Done from the last of the days on."""
        until = date.fromisoformat(self.since) + timedelta(days=self.days)
        if reader.today() >= until:
            return done(f"since {self.since}", until=until.isoformat())
        return blocked(
            f"{self.days} days have to pass for the security review, until {until}. For the ticket: "
            f'"This request is in the {self.days} day waiting period, which ends on {until}."',
            until=until.isoformat(),
        )

    def inverse(self, before: Facts) -> None:
        """Time is not taken back."""


def asked(what: str, question: str) -> Step:
    """A step in which a person says that something is so."""
    return Step(f"Have it confirmed: {what}", Confirmed(question), on=PERSON)


def gates(request: Request) -> Steps:
    """The page's order; who approves of a group stands in the registry."""
    name = request.name
    yield asked("the supervisor's approval", f"Has the direct supervisor of {name} approved on the ticket?")
    for group, people in request.approvals.items():
        who = f"{' or '.join(people)}" if people else "the project's lead (the registry names nobody)"
        yield asked(f"the approval for {group}", f"Has {who} approved of {name} in {group} on the ticket?")
    yield asked("the NDA", f"Has the legal department confirmed on the ticket that {name} has signed an NDA?")
    yield asked("the responsibilities document", f"Has {name} read and signed the server access responsibilities?")
    if request.sudo is not False:
        unless = "" if request.sudo else "Does none of the groups give sudo? Or else: "
        yield asked(
            "the meeting's review",
            f"{unless}Has the operations meeting reviewed sudo for {name}, as little as will do?",
        )
    if not request.sudo:
        yield Step(f"Wait {WAIT_DAYS} days for the security review", Waited(request.moved, WAIT_DAYS), on=PERSON)


def key_confirmed(name: str, shown: str) -> Step:
    """The key came from its owner."""
    return asked("the key", f"Did {name} confirm the key {shown} by another way than mail?")
