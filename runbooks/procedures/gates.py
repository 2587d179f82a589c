"""What has to be so before somebody gets access (duty page, "Access requests"), in the order of the page.

Each gate has the text that the ticket should say as long as it is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.model import Change, Facts, Finding, Step, Writer, blocked, done
from runbooks.procedure import Steps
from runbooks.procedures.patching import PERSON, day_of
from runbooks.registry import AccountRegistry, Group
from runbooks.site import Site
from runbooks.systems.person import Confirmed, PersonReader

WAIT_DAYS = 3
"""How long a request without sudo waits for a security review, once it is in the access-requests project."""
NOBODYS = ("absent", "absent_ldap")
"""Groups that the registry keeps for those who are gone."""


@dataclass(frozen=True)
class Request:
    """What is asked for: by group, who approves of it (``approvals``) and the sudo lines that it gives
    (``privileges``, None: the registry does not say); and the day on which the task was ``moved`` into the
    access-requests project. ``legal`` is who knows of NDAs."""

    name: str
    approvals: Mapping[str, Sequence[str]]
    privileges: Mapping[str, Sequence[str] | None]
    moved: str
    legal: str

    @property
    def sudo(self) -> dict[str, Sequence[str]]:
        """Those of its groups that give sudo."""
        return {group: lines for group, lines in self.privileges.items() if lines}


def request_of(
    site: Site, registry: AccountRegistry, name: str, groups: Sequence[str], moved: str, task: str
) -> dict[str, Any]:
    """The fields of the Request for groups of the registry. Raises Blocked for a group that takes nobody, UsageError
    for no ticket or day."""
    found = [_group(registry.group(group), group) for group in once(groups)]
    if not task:
        raise UsageError("give --task, the ticket on which access was asked for: approvals have to be on it")
    if not moved:
        raise UsageError("give --moved, the day on which the task was moved into the access-requests project")
    day = day_of(moved)
    if day > datetime.now(UTC).date():
        raise UsageError(f"{moved} is still to come: when was the task moved?")
    return asdict(request_of_groups(site, name, found, day.isoformat()))


def request_of_groups(site: Site, name: str, groups: Sequence[Group], moved: str) -> Request:
    """The Request for groups as the registry has them."""
    approvals = {group.name: list(group.approval) for group in groups}
    privileges = {group.name: None if group.privileges is None else list(group.privileges) for group in groups}
    return Request(name, approvals, privileges, moved, site.settings.access.legal)


def once(groups: Sequence[str]) -> Sequence[str]:
    """Names of groups, none of them twice. Raises UsageError."""
    if twice := [group for group in groups if list(groups).count(group) > 1]:
        raise UsageError(f"{twice[0]} is named twice: was another group meant?")
    return groups


def some(groups: Sequence[str]) -> Sequence[str]:
    """At least one group, none of them twice. Raises UsageError."""
    if not groups:
        raise UsageError("give --groups, names of the registry's groups, by commas")
    return once(groups)


def _group(group: Group | None, name: str) -> Group:
    """A group that people can be put into. Raises Blocked."""
    if group is None:
        raise Blocked(f"{name} is no group: check the name; nothing was changed")
    if group.deprecated:
        raise Blocked(f"{name} is deprecated: nobody is put into it any more; nothing was changed")
    if group.system or name in NOBODYS:
        whose = "a system's own" if group.system else "for those who are gone"
        raise Blocked(f"{name} (line {group.line}) is {whose}: nobody is put into it; nothing was changed")
    return group


@dataclass(frozen=True)
class Waited(Change[PersonReader, Writer]):
    """Some days have passed since another one: with three, what was moved on a Monday may go on Thursday."""

    since: str
    days: int

    looks_only = True

    @property
    def until(self) -> date:
        """The day from which on it is so."""
        return date.fromisoformat(self.since) + timedelta(days=self.days)

    def check(self, reader: PersonReader) -> Finding:
        """Done from that day on, in UTC."""
        until = self.until.isoformat()
        if reader.today() >= self.until:
            return done(f"moved on {self.since}, open since {until}", until=until)
        return blocked(f"{self.days} days have to pass for the security review, until {until}", until=until)

    def inverse(self, before: Facts) -> None:
        """Time is not taken back."""


def asked(what: str, question: str, post: str) -> Step:
    """A step in which a person says that something is so; ``post``: what the ticket should say until then."""
    return Step(f"Have it confirmed: {what}", Confirmed(question), on=PERSON, post=post)


def gates(request: Request) -> Steps:
    """The page's order; who approves of a group stands in the registry."""
    name = request.name
    yield asked(
        "the supervisor's approval",
        f"Has the direct supervisor of {name} approved on the ticket?",
        f"The direct supervisor of {name}: please approve of this request in a comment here.",
    )
    for group, people in request.approvals.items():
        yield _approval(name, group, people)
    yield asked(
        "the responsibilities document",
        f"Has {name} read, understood and signed the server access responsibilities?",
        f"{name}: please read the Acknowledgement of Server Access Responsibilities, sign it, and say so here.",
    )
    yield nda(name, request.legal)
    if not request.privileges or len(request.sudo) < len(request.privileges):
        wait = Waited(request.moved, WAIT_DAYS)
        post = (
            f"This request is in the {WAIT_DAYS} day waiting period for the security review, which ends on "
            f"{wait.until}. Please raise any security concern in a comment here."
        )
        yield Step(f"Wait {WAIT_DAYS} days for the security review", wait, on=PERSON, post=post)
    if request.sudo or None in request.privileges.values():
        yield _review(request)


def _approval(name: str, group: str, people: Sequence[str]) -> Step:
    """Who leads a project says who comes into its group; nobody does so for themselves."""
    others = " or ".join(person for person in people if person != name)
    who = others or "whoever leads its project (the registry names nobody else)"
    lead = others or f"Whoever leads the project of {group}"
    not_alone = f" ({name} may approve of others there, not of themselves)" if name in people else ""
    return asked(
        f"the approval for {group}",
        f"Has {who} approved of {name} in {group} on the ticket?{not_alone}",
        f"{lead}: please say in a comment here whether {name} may have access to {group}.{not_alone}",
    )


def nda(name: str, legal: str) -> Step:
    """Nobody gets access without one."""
    return asked(
        "the NDA",
        f"Has {legal} confirmed on the ticket that an NDA of {name} is on file?",
        f"{legal[:1].upper()}{legal[1:]}: please confirm in a comment here that an NDA of {name} is on file; there is "
        "no access without.",
    )


def _review(request: Request) -> Step:
    """The meeting's, which an operator asks for where the registry does not say what a group gives."""
    sudo, unsaid = request.sudo, [group for group, lines in request.privileges.items() if lines is None]
    groups = ", ".join([*sudo, *unsaid])
    lines = "; ".join(f"{group}: {line}" for group, some in sudo.items() for line in some) or f"perhaps, by {groups}"
    unless = "" if sudo else "Does none of the groups give sudo? Or else: "
    return asked(
        "the meeting's review",
        f"{unless}Has the operations meeting reviewed sudo for {request.name} ({groups}), as little as will do?",
        f"This request is for sudo ({lines}) and needs the review of the next operations meeting; it is on the agenda. "
        "Please raise any security concern in a comment here.",
    )


def key_confirmed(name: str, shown: str) -> Step:
    """The key came from its owner."""
    return asked(
        "the key",
        f"Did {name} hand in or confirm the key {shown} by another way than mail?",
        f"{name}: please confirm your ssh key {shown} by another way than mail, in a patch of your own for review or "
        "on your wiki user page, and link that here.",
    )
