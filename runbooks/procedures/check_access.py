"""Who has access, and should not: registry, directory and hosts, held against each other. Nothing is changed.

Sources: duty page, "LDAP group changes", "Removing access"; the rules of the account registry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from runbooks.errors import RunbookError
from runbooks.looking import side_by_side
from runbooks.registry import Registry
from runbooks.registry.edits import fingerprints
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.ldap import LdapReader, Person


@dataclass(frozen=True, order=True)
class Remark:
    """What is not as it should be: its ``kind``, whom or what it is about, and a sentence for a person."""

    kind: str
    subject: str
    message: str


def remarks(
    site: Site, within_days: int, today: date, told: Callable[[str], None] = lambda _host: None
) -> list[Remark]:
    """All of them, by kind and subject. ``told`` is called with each host that was looked at. Raises RegistryError,
    Unreachable."""
    registry = site.registry()
    found = [*_rules(registry), *_expiring(registry, within_days, today), *_shared_keys(registry)]
    if site.settings.ldap.url:
        reader = site.targets["@ldap"].reader()
        assert isinstance(reader, LdapReader)
        found += _groups(site, registry, reader)
        found += _keys_in_ldap(registry, reader)
    return sorted(found + _hosts(site, registry, told))


def _rules(registry: Registry) -> Iterator[Remark]:
    for violation in registry.validate():
        yield Remark("rule", f"line {violation.line}", violation.message)


def _expiring(registry: Registry, within_days: int, today: date) -> Iterator[Remark]:
    for person in registry.expiring(within_days, today):
        verb = "expired" if str(person.expiry_date) < today.isoformat() else "expires"
        yield Remark("expiry", person.name, f"access {verb} on {person.expiry_date}: ask {person.expiry_contact}")


def _shared_keys(registry: Registry) -> Iterator[Remark]:
    holders: dict[str, list[str]] = defaultdict(list)
    for user in registry.users():
        for key in dict.fromkeys(fingerprints((*user.ssh_keys, *user.buster_ssh_keys))):
            holders[key].append(user.name)
    for key, names in holders.items():
        if len(names) > 1:
            yield Remark("shared key", ", ".join(names), f"{key} is the key of {len(names)}: each needs an own one")


def _keys_in_ldap(registry: Registry, reader: LdapReader) -> Iterator[Remark]:
    """A key for servers that opens other doors, too."""
    there: dict[str, str] = {}
    for owner, line in reader.all_keys():
        there.update(dict.fromkeys(fingerprints([line]), owner))
    for user in registry.users():
        for key in set(fingerprints((*user.ssh_keys, *user.buster_ssh_keys))) & set(there):
            yield Remark(
                "shared key", user.name, f"{key} is {there[key]}'s in LDAP, too: servers need one of their own"
            )


def _groups(site: Site, registry: Registry, reader: LdapReader) -> list[Remark]:
    ldap = site.settings.ldap
    members = {group: _people(reader, group) for group in dict.fromkeys((ldap.staff, ldap.others, *ldap.privileged))}
    both = {person.name for person in members[ldap.staff]} & {person.name for person in members[ldap.others]}
    found = [Remark("groups", name, f"is in {ldap.staff} and in {ldap.others}: in one too many") for name in both]
    domains = {domain.lower() for domain in ldap.domains}
    for group, people in members.items():
        for person in people:
            entry = registry.entry(person.name)
            if entry is None:
                found.append(Remark("unregistered", person.name, f"is in {group}, and not in the registry"))
                continue
            if not entry.present:
                found.append(Remark("left behind", person.name, f"is absent in the registry, and still in {group}"))
            ours = (entry.email or "").rpartition("@")[2].lower() in domains
            if domains and entry.email and group in (ldap.staff, ldap.others) and ours != (group == ldap.staff):
                right = ldap.staff if ours else ldap.others
                found.append(Remark("groups", person.name, f"is in {group}; with {entry.email} it should be {right}"))
    return found


def _people(reader: LdapReader, group: str) -> list[Person]:
    """The members that are accounts; a group that is not there has none."""
    found = []
    for dn in reader.members(group) or ():
        name, _, value = dn.partition(",")[0].partition("=")
        if name.strip().lower() == "uid":
            found.append(Person(dn, value.strip()))
    return found


def _hosts(site: Site, registry: Registry, told: Callable[[str], None]) -> list[Remark]:
    """Accounts and keys of people who are absent."""
    absent = {user.name for user in registry.users() if not user.present and not user.rename}
    found: list[Remark] = []

    def look(host: str) -> None:
        try:
            found.extend(_left_on(site, host, absent))
        except RunbookError as error:
            found.append(Remark("not looked at", host, str(error)))
        finally:
            site.targets.rest(host)
            told(host)

    side_by_side(site.inventory.hosts, site.targets, look)
    return found


def _left_on(site: Site, host: str, absent: Iterable[str]) -> Iterator[Remark]:
    reader = site.targets[host].reader()
    accounts, files = reader.ask_all([reads.passwd(), reads.key_file_names()])  # type: ignore[attr-defined]
    there = {account.name for account in accounts} & set(absent)
    for name in sorted(there):
        yield Remark("left behind", name, f"is absent in the registry, and has an account on {host}")
    if suspects := sorted((files | there) & set(absent)):
        for file in reader.ask(reads.key_files(*suspects)):  # type: ignore[attr-defined]
            if any("AAAA" in line and not line.lstrip().startswith("#") for line in file.lines):
                why = f"is absent in the registry, and has a key on {host}: {file.path}"
                yield Remark("left behind", file.account, why)
