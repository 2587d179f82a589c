"""Which groups for data there are, and what each needs (duty page, "Analytics groups"). Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runbooks.procedures.gates import gates, request_of_groups
from runbooks.registry import AccountRegistry, Group, check_name
from runbooks.site import Site
from runbooks.systems.ldap import LdapReader


@dataclass(frozen=True)
class DataGroup:
    """A group that people can be put into, who approves of it, and what stands before it (``needs``, in order). What
    nobody has written down is told by those who are in it: how many have ``kerberos``, and how many are in one of the
    directory's groups (``ldap``; None: there is no directory). ``is_member``: whoever was asked for is in it."""

    name: str
    description: str
    members: int
    approval: tuple[str, ...]
    sudo: tuple[str, ...] | None
    kerberos: int
    ldap: int | None
    needs: tuple[str, ...]
    is_member: bool


def data_groups(site: Site, name: str = "") -> list[DataGroup]:
    """Those of the registry that the settings mean; ``name`` is who wants to be in them. Raises UsageError,
    RegistryError, Unreachable."""
    if name:
        check_name(name)
    registry, known = site.registry(), _in_ldap(site)
    return [_told(site, registry, group, known, name) for group in registry.groups() if _is_one(site, group)]


def _is_one(site: Site, group: Group) -> bool:
    patterns = site.settings.access.data_groups
    return not (group.deprecated or group.system) and any(fnmatchcase(group.name, one) for one in patterns)


def _told(site: Site, registry: AccountRegistry, group: Group, known: set[str] | None, name: str) -> DataGroup:
    people = set(group.members)
    users = [user for user in map(registry.user, people) if user is not None]
    request = request_of_groups(site, name or "somebody", [group], "2000-01-01")
    return DataGroup(
        group.name,
        group.description or "",
        len(people),
        group.approval,
        group.privileges,
        sum(user.krb == "present" for user in users),
        None if known is None else len(people & known),
        tuple(_short(step.name) for step in gates(request)),
        name in people,
    )


def _short(sentence: str) -> str:
    return sentence.removeprefix("Have it confirmed: ")


def _in_ldap(site: Site) -> set[str] | None:
    """The accounts in the directory's two groups; None without a directory."""
    ldap = site.settings.ldap
    if not ldap.url:
        return None
    reader = site.targets["@ldap"].reader()
    assert isinstance(reader, LdapReader)
    return {name for group in (ldap.staff, ldap.others) for name in _names(reader.members(group) or ())}


def _names(members: tuple[str, ...]) -> Iterator[str]:
    for dn in members:
        kind, _, value = dn.partition(",")[0].partition("=")
        if kind.strip().lower() == "uid":
            yield value.strip()
