"""Give somebody a shell account (duty page, "Creating new shell users", "Access requests")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, UsageError
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import Request, gates, key_confirmed, request_of
from runbooks.procedures.new_keys import read_key, refuse_used
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, said, subjects, told_at_the_end
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import Edit
from runbooks.site import Site

NOWHERE = "without a group no host makes the account: `inv join-group` comes next"


@dataclass(frozen=True)
class Case(Patched):
    """Who gets an account with which UID and key, and the ``request``, as ``gates.Request`` takes it."""

    name: str
    uid: int
    request: Mapping[str, Any]
    fingerprint: str


def look(
    site: Site,
    *,
    name: str,
    key: str,
    groups: tuple[str, ...] = (),
    realname: str = "",
    email: str = "",
    expires: str = "",
    contact: str = "",
    moved: str = "",
    task: str = "",
) -> Case:
    """The UID comes from the directory, and is never made up. Raises UsageError, RegistryError, Blocked."""
    return case_of(site, "add_user", name, key, groups, moved, task, said(realname, email, expires, contact))


def case_of(
    site: Site, method: str, name: str, key: str, groups: tuple[str, ...], moved: str, task: str, person: dict[str, str]
) -> Case:
    """The case of a new account, for somebody new or somebody with LDAP access."""
    site.refuse_protected(name)
    registry = site.registry()
    if method == "add_user":
        if registry.ldap_only(name):
            raise UsageError(f"{name} has LDAP access in the registry: `inv promote-user {name}` keeps what it says")
        if missing := [option for option in registry.needs if option not in person]:
            raise UsageError(f"{name} is new to the registry: give {' and '.join('--' + option for option in missing)}")
    line = read_key(key)
    entry = site.targets["@ldap"].reader().person(name)  # type: ignore[attr-defined]
    if entry is None or entry.uid is None:
        raise Blocked(f"{name} has no UID in LDAP: the account is made there first; nothing was changed")
    request = request_of(site, registry, name, groups, moved, task)
    refuse_used(site, registry, name, line)
    values = {**person, "uid": entry.uid, "groups": list(groups), "ssh_keys": [line]}
    common = patched(site, registry, [Edit(method, name, values)], task)
    return Case(**common, name=name, uid=entry.uid, request=request, fingerprint=fingerprint_of(line))


def steps(case: Case) -> Steps:
    """Approved, the key confirmed, then merged: puppet makes the account where the groups have one."""
    yield from gates(Request(**case.request))
    yield key_confirmed(case.name, case.fingerprint)
    patch = patch_of(case, f"admin: {case.name} gets a shell account", f"UID {case.uid}, as in LDAP.")
    yield from patch_steps(case, patch, f"create-{case.name}")


def notes(case: Case) -> tuple[str, ...]:
    """When it is there."""
    groups = ", ".join(case.request["approvals"])
    where = f"puppet makes {case.name} on hosts of {groups} at its next run there" if groups else NOWHERE
    return where, told_at_the_end(case)


PROCEDURE = Procedure("create-user", Case, look, steps, subjects, notes)
