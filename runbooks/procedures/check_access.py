"""Who has access, and should not: registry, directory and hosts, held against each other. Nothing is changed.

Sources: duty page, "LDAP group changes", "Removing access"; the rules of the account registry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date

from runbooks.errors import RunbookError
from runbooks.procedures.access_on_hosts import keys_of_the_past, on_hosts, unwanted
from runbooks.procedures.remark import Remark, together
from runbooks.registry import AccountRegistry, User
from runbooks.registry.edits import fingerprints
from runbooks.registry.model import LdapOnlyUser
from runbooks.site import Site
from runbooks.systems.corporate import CORPORATE, staff
from runbooks.systems.ldap import LDAP, LdapReader


def remarks(site: Site, within_days: int, today: date) -> list[Remark]:
    """All of them, by kind and subject; what cannot be looked at is one of its own. Raises RegistryError, Unreachable
    where there is no registry to hold anything against, and SettingsError."""
    # Passwords are read, and settings refused, before anything is asked.
    has_ldap, has_corporate = bool(site.settings.ldap.url), bool(site.settings.corporate.url)
    _ = has_ldap and site.directory, has_corporate and site.corporate
    registry = site.registry()
    found = [*_rules(registry), *_expiring(registry, within_days, today), *_shared_keys(registry)]
    if has_ldap:
        found += _looked(LDAP, lambda: _ldap(site, registry))
    if has_corporate:
        found += _looked(CORPORATE, lambda: _corporate(site, registry))
    try:
        past = keys_of_the_past(site)
    except RunbookError as error:
        past = {}
        found.append(_silent("@git", error))
    return together(found + on_hosts(site, registry, unwanted(site, registry, past)))


def _looked(where: str, look: Callable[[], Iterable[Remark]]) -> list[Remark]:
    """What a look finds, or that it could not be done: then nothing half."""
    try:
        return list(look())
    except RunbookError as error:
        return [_silent(where, error)]


def _silent(where: str, error: RunbookError) -> Remark:
    return Remark("not looked at", where, str(error).removeprefix(f"{where}: "))


def _rules(registry: AccountRegistry) -> Iterator[Remark]:
    for violation in registry.validate():
        yield Remark("rule", f"line {violation.line}", violation.message)


def _expiring(registry: AccountRegistry, within_days: int, today: date) -> Iterator[Remark]:
    for person in registry.expiring(within_days, today):
        verb = "expired" if str(person.expiry_date) < today.isoformat() else "expires"
        yield Remark("expiry", person.name, f"access {verb} on {person.expiry_date}: ask {person.expiry_contact}")


def _shared_keys(registry: AccountRegistry) -> Iterator[Remark]:
    holders: dict[str, list[str]] = defaultdict(list)
    for user in registry.users():
        for key in dict.fromkeys(fingerprints((*user.ssh_keys, *user.buster_ssh_keys))):
            holders[key].append(user.name)
    for key, names in holders.items():
        if len(names) > 1:
            yield Remark("shared key", ", ".join(names), f"{key} is the key of all of them")


def _ldap(site: Site, registry: AccountRegistry) -> Iterator[Remark]:
    reader = site.targets[LDAP].reader()
    assert isinstance(reader, LdapReader)
    yield from _groups(site, registry, reader)
    yield from _keys_in_ldap(registry, reader)


def _keys_in_ldap(registry: AccountRegistry, reader: LdapReader) -> Iterator[Remark]:
    """A key for servers that opens other doors, too."""
    there: dict[str, set[str]] = defaultdict(set)
    for owner, line in reader.all_keys():
        for key in fingerprints([line]):
            there[key].add(owner)
    for user in registry.users():
        for key in set(fingerprints((*user.ssh_keys, *user.buster_ssh_keys))) & there.keys():
            owners = ", ".join(sorted(there[key]))
            yield Remark("shared key", user.name, f"{key} is in LDAP, too ({owners}): servers need one of their own")


def _groups(site: Site, registry: AccountRegistry, reader: LdapReader) -> Iterator[Remark]:
    ldap = site.settings.ldap
    members = {}
    for group in dict.fromkeys((ldap.staff, ldap.others, *ldap.privileged)):
        dns = reader.members(group)
        if dns is None:
            yield Remark(
                "not looked at", group, f"LDAP has no such group below {ldap.groups}: check ldap in the settings"
            )
        members[group] = _names(dns or ())
    both = members[ldap.staff] & members[ldap.others]
    for name in both:
        yield Remark("groups", name, f"is in {ldap.staff} and in {ldap.others}: in one too many")
    for group, names in members.items():
        for name in names:
            entry = registry.entry(name)
            if entry is None and not registry.knows_ldap_only:
                continue
            if entry is None:
                yield Remark("unregistered", name, f"is in {group}, and not in the registry")
            elif not entry.present:
                yield Remark("left behind", name, f"is absent in the registry, and still in {group}")
            elif ldap.domains and entry.email and name not in both and group in (ldap.staff, ldap.others):
                right = ldap.staff if _is_staff(site, entry.email) else ldap.others
                if group != right:
                    yield Remark("groups", name, f"is in {group}; with {entry.email} it should be {right}")


def _is_staff(site: Site, email: str | None) -> bool:
    return (email or "").rpartition("@")[2].lower() in {domain.lower() for domain in site.settings.ldap.domains}


def _names(dns: Iterable[str]) -> set[str]:
    """The members that are accounts."""
    found = set()
    for dn in dns:
        name, _, value = dn.partition(",")[0].partition("=")
        if name.strip().lower() == "uid":
            found.add(value.strip())
    return found


def _corporate(site: Site, registry: AccountRegistry) -> Iterator[Remark]:
    """Addresses of the organisation that its own directory does not have."""
    everybody: list[User | LdapOnlyUser] = [*registry.users(), *registry.ldap_only_users()]
    ours = {one.name: str(one.email) for one in everybody if one.present and _is_staff(site, one.email)}
    known = staff(site.corporate, ours.values())
    for name, email in ours.items():
        if email.lower() not in known.there:
            what = "is of somebody who has left" if email.lower() in known.gone else "is nobody's there"
            yield Remark("unknown to the corporate directory", name, f"{email} {what}")
