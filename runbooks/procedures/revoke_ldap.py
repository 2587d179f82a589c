"""Take somebody out of a group of the directory (duty page, "LDAP group changes")."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import UsageError
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.patching import LDAP, subjects
from runbooks.site import Site
from runbooks.systems.ldap import LdapReader, is_among
from runbooks.systems.ldap_groups import OutOfGroup


@dataclass(frozen=True)
class Case:
    """Who goes out of which group, and which one excludes it."""

    name: str
    group: str
    not_with: str


def look(site: Site, *, name: str, group: str) -> Case:
    """Whether there is somebody of that name, or was. Raises UsageError, Unreachable, Blocked."""
    site.refuse_protected(name)
    if not group:
        raise UsageError("give --group, a group of the directory")
    reader = site.targets["@ldap"].reader()
    assert isinstance(reader, LdapReader)
    if reader.person(name) is None and not is_among(reader.dn_of(name), reader.members(group) or ()):
        raise UsageError(f"{name} is not in LDAP, nor among the members of {group}: check the name")
    return Case(name, group, site.settings.ldap.not_with(group))


def steps(case: Case) -> Steps:
    """One."""
    yield Step(
        f"Take {case.name} out of {case.group}",
        OutOfGroup(case.group, case.name, case.not_with),
        on=LDAP,
        undo=f"Put {case.name} into {case.group}",
    )


PROCEDURE = Procedure("revoke-ldap", Case, look, steps, subjects)
