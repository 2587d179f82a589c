"""What procedures have in common that edit accounts in the registry: the patch, and its way to the puppet servers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from runbooks.errors import UsageError
from runbooks.model import Step
from runbooks.procedure import Steps
from runbooks.procedures.forms import check_address, check_task
from runbooks.registry import AccountRegistry
from runbooks.registry.edits import Edit
from runbooks.registry.patches import AccountPatch
from runbooks.site import Site
from runbooks.systems.proposals import Merge, Propose
from runbooks.systems.puppet import Deploy

GIT, LDAP, PERSON = ("@git",), ("@ldap",), ("@person",)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Patched:
    """The part of a case that says how the registry is edited; ``edits`` as ``Edit.record`` gives them."""

    registry: str
    branch: str
    checkout: str
    servers: tuple[str, ...]
    edits: tuple[Any, ...]
    task: str
    operator: str


def patched(site: Site, registry: AccountRegistry, edits: Sequence[Edit], task: str = "") -> dict[str, Any]:
    """The fields of Patched, once the edits are known to be possible. Raises RegistryError, UsageError."""
    check_task(task)
    for edit in edits:
        registry = edit.make(registry)
    return {
        "registry": site.settings.repository.registry,
        "branch": site.settings.repository.branch,
        "checkout": site.settings.puppet.server_checkout,
        "servers": site.puppet_servers() if edits else (),
        "edits": tuple(edit.record() for edit in edits),
        "task": task,
        "operator": site.operator,
    }


def day_of(text: str) -> date:
    """A day as YYYY-MM-DD. Raises UsageError."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date: YYYY-MM-DD") from error


def until(text: str) -> str:
    """A day that is still to come. Raises UsageError."""
    day = day_of(text)
    if day <= datetime.now(UTC).date():
        raise UsageError(f"{text} is over: access until then is none")
    return day.isoformat()


def said(realname: str, email: str, expires: str, contact: str) -> dict[str, str]:
    """What is said of the person, as the registry's edits take it. Raises UsageError."""
    if email:
        check_address(email, "--email")
    if long := [option for option, text in (("--realname", realname), ("--contact", contact)) if len(text) > 200]:
        raise UsageError(f"{long[0]} is too long: 200 characters at most")
    if bool(expires) != bool(contact):
        raise UsageError("--expires and --contact come together: give both, or neither")
    ends = until(expires) if expires else ""
    texts = {"realname": realname, "email": email, "expiry_date": ends, "expiry_contact": contact}
    return {name: text for name, text in texts.items() if text}


def told_at_the_end(case: Patched) -> str:
    """A note: whoever asked for access is told by the ticket."""
    return f"when it is done, say so on {case.task}: that tells whoever asked for it"


def patch_of(case: Patched, title: str, why: str = "") -> AccountPatch:
    """The patch that a case's edits make."""
    return AccountPatch(case.registry, tuple(Edit.of(record) for record in case.edits), title, why, case.task)


def patch_steps(case: Patched, patch: AccountPatch, what: str, first: Sequence[Step] = ()) -> Steps:
    """Proposed, merged and deployed; nothing where there is nothing to edit. ``what`` names the branch; ``first`` is
    done when it may be merged, and before it is."""
    if not case.edits:
        yield from first
        return
    branch = f"ops-clinic/{what}"
    yield Step(
        "Prepare the registry patch, unmerged but mergeable", Propose(patch, branch), GIT, undo="Withdraw the patch"
    )
    yield from first
    yield Step("Merge the registry patch", Merge(patch, branch), GIT, undo="Revert the registry patch")
    if case.servers:
        yield Step(
            "Deploy it to the puppet servers",
            Deploy(case.checkout, case.branch, patch),
            on=case.servers,
            must_all=True,
            carries=True,
            undo="Deploy the revert to the puppet servers",
        )


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The account: what a run owns that is about one."""
    return (f"user:{arguments['name']}",)
