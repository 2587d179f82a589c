"""Put somebody into one of the directory's groups for staff and for others (duty page, "LDAP group changes")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbooks.errors import Blocked, UsageError
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import nda
from runbooks.procedures.patching import LDAP, Patched, patch_of, patch_steps, patched, said, subjects
from runbooks.registry import LdapOnlyUser, User
from runbooks.registry.edits import Edit
from runbooks.site import Site
from runbooks.systems.ldap_groups import InGroup


@dataclass(frozen=True)
class Case(Patched):
    """Who comes into which group. ``uid`` is the number in the registry (None: no shell), ``not_with`` the group that
    excludes this one, ``legal`` who confirms the NDA that it needs (empty: it needs none of its own)."""

    name: str
    group: str
    not_with: str
    uid: int | None
    legal: str


def look(
    site: Site,
    *,
    name: str,
    group: str,
    realname: str = "",
    email: str = "",
    expires: str = "",
    contact: str = "",
    task: str = "",
) -> Case:
    """Whether the registry knows somebody, and what it has to be told. Raises UsageError, RegistryError, Blocked."""
    site.refuse_protected(name)
    ldap = site.settings.ldap
    if group not in (ldap.staff, ldap.others):
        raise UsageError(f"{group!r}: the group is {ldap.staff} or {ldap.others}")
    registry = site.registry()
    user, entry = registry.user(name), registry.entry(name)
    if entry is not None and not entry.present:
        raise Blocked(f"{name} is absent in the registry (line {entry.line}): access was taken; nothing was changed")
    person = said(realname, email, expires, contact)
    if entry is not None:
        _refuse_other_words(entry, person)
    edits = [] if entry is not None else [_entry(name, person)]
    _refuse_address(group, email or (entry.email if entry else "") or "", ldap.staff, ldap.domains)
    common = patched(site, registry, edits, task)
    return Case(**common, name=name, group=group, not_with=ldap.not_with(group),
                uid=user.uid if user and user.present else None,
                legal=site.settings.access.legal if group == ldap.others else "")  # fmt: skip


def _entry(name: str, person: Mapping[str, str]) -> Edit:
    """The entry of somebody whom the registry does not know. Raises UsageError."""
    if missing := [f"--{option}" for option in ("realname", "email") if option not in person]:
        raise UsageError(f"{name} is not in the registry yet: give {' and '.join(missing)}")
    return Edit("add_ldap_only", name, person)


def _refuse_other_words(entry: User | LdapOnlyUser, person: Mapping[str, str]) -> None:
    """Who is in the registry is not edited: nothing may be said that it does not say. Raises UsageError."""
    for field, value in person.items():
        known = getattr(entry, field)
        if known != value and (known or field.startswith("expiry")):
            what = f"{field} {known!r}" if known else f"no {field}"
            how = "`inv extend-access` changes that" if field.startswith("expiry") else "change that there first"
            raise UsageError(f"{entry.name} is in the registry (line {entry.line}) with {what}, not {value!r}: {how}")


def _refuse_address(group: str, address: str, staff: str, domains: tuple[str, ...]) -> None:
    """Staff by an address of the organisation's, nobody else."""
    if not domains:
        return
    if not address and group == staff:
        raise Blocked(
            f"no address is known, and {staff} is for {' or '.join(domains)}: give --email; nothing was changed"
        )
    ours = address.rpartition("@")[2].lower() in {domain.lower() for domain in domains}
    if group == staff and not ours:
        raise Blocked(f"{address} is no address of {' or '.join(domains)}: {staff} is for staff; nothing was changed")
    if group != staff and ours:
        raise Blocked(f"{address} is an address of the organisation: staff belongs into {staff}; nothing was changed")


def steps(case: Case) -> Steps:
    """The page's order: the registry knows somebody before the directory lets them in."""
    if case.legal:
        yield nda(case.name, case.legal)
    patch = patch_of(case, f"admin: {case.name} gets LDAP access ({case.group})")
    yield from patch_steps(case, patch, f"grant-ldap-{case.name}-{case.group}")
    yield Step(
        f"Put {case.name} into {case.group}",
        InGroup(case.group, case.name, case.uid, case.not_with),
        on=LDAP,
        undo=f"Take {case.name} out of {case.group}",
    )


def notes(case: Case) -> tuple[str, ...]:
    """What is left out."""
    return () if case.edits else (f"{case.name} is in the registry already: it is not edited",)


PROCEDURE = Procedure("grant-ldap", Case, look, steps, subjects, notes)
