"""The field's rules that the registry's own text can be held against.

Rules, by the short names that violations carry: ``schema`` (unknown and missing fields, types, ranges), ``uid``,
``gid``, ``absent``, ``absent-ldap``, ``members``, ``ssh-keys``, ``expiry``, ``deprecated``, ``sudo``,
``two-tables``, ``reserved-name``. Rules about LDAP groups need LDAP and are not here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from runbooks.registry.keys import parse_key
from runbooks.registry.model import LdapOnlyUser, User, Violation
from runbooks.registry.names import RESERVED
from runbooks.registry.schema import schema_violations
from runbooks.registry.tables import Entry, Tables, names_in, scalars_in, texts_in

SYSTEM_UIDS = range(900, 951)
HIGHEST_UID = 49999
EXPIRES_SOON = timedelta(days=7)
_BANNED = re.compile(r"(?:^|[\s/!,])(vi|strace|tcpdump)(?=[\s,:*]|$)|\b(systemctl\s+\*)")


def violations(tables: Tables, today: date | None = None) -> list[Violation]:
    """Every broken rule, ordered by line, then rule; ``today`` adds accounts that expire within seven days."""
    found = list(schema_violations(tables))
    for rule in RULES:
        found += rule(tables)
    if today is not None:
        found += _expiring(tables, today)
    return sorted(found, key=lambda violation: (violation.line, violation.rule, violation.message))


def introduced(
    before: list[Violation], after: list[Violation], old: str | None = None, new: str = ""
) -> list[Violation]:
    """The violations that an edit brought. Where it renamed, those of before count whichever of the two names they
    speak of."""
    word = re.compile(rf"(?<![\w-]){re.escape(old)}(?![\w-])") if old else None

    def told(violation: Violation) -> tuple[str, str]:
        return violation.rule, word.sub(new, violation.message) if word else violation.message

    left = Counter(map(told, before))
    fresh = []
    for violation in after:
        left[told(violation)] -= 1
        if left[told(violation)] < 0:
            fresh.append(violation)
    return fresh


def _line(tables: Tables, entry: Entry, *fields: str) -> int:
    """The line of the first of these fields that the entry has, or of the entry."""
    node = next((node for node in map(entry.get, fields) if node is not None), entry.key)
    own = tables.document.line(node)
    return own if own >= tables.document.line(entry.key) else tables.document.line(entry.key)


def _users(tables: Tables) -> Iterator[tuple[Entry, User]]:
    return ((tables.users[name], user) for name, user in tables.user_values.items())


def _people(tables: Tables) -> Iterator[tuple[str, Entry, User | LdapOnlyUser]]:
    yield from (("users", entry, user) for entry, user in _users(tables))
    for name, person in tables.ldap_only_values.items():
        yield "ldap_only_users", tables.ldap_only_users[name], person


def _uids(tables: Tables) -> Iterator[Violation]:
    holders: dict[int, list[str]] = defaultdict(list)
    for entry, user in _users(tables):
        if user.uid is None:
            continue
        line = _line(tables, entry, "uid")
        if not user.rename:
            holders[user.uid].append(user.name)
            if len(holders[user.uid]) > 1:
                others = ", ".join(holders[user.uid][:-1])
                yield Violation(line, "uid", f"users.{user.name}: uid {user.uid} is also {others}'s")
        if user.system != (user.uid in SYSTEM_UIDS):
            kind = "a system account is" if user.system else "only a system account is"
            yield Violation(line, "uid", f"users.{user.name}: uid {user.uid}, but {kind} in 900-950")
        if user.uid > HIGHEST_UID:
            yield Violation(line, "uid", f"users.{user.name}: uid {user.uid} is above {HIGHEST_UID}")


def _gids(tables: Tables) -> Iterator[Violation]:
    holders: dict[int, str] = {}
    for entry in tables.groups.values():
        gid = tables.group_values[entry.name].gid
        if gid is not None and holders.setdefault(gid, entry.name) != entry.name:
            line = _line(tables, entry, "gid")
            yield Violation(line, "gid", f"groups.{entry.name}: gid {gid} is also {holders[gid]}'s")


def _absent(tables: Tables) -> Iterator[Violation]:
    users = {user.name: entry for entry, user in _users(tables) if user.ensure == "absent"}
    yield from _listed_exactly(tables, "absent", "users", users)
    people = tables.ldap_only_values.values()
    ldap_only = {person.name: tables.ldap_only_users[person.name] for person in people if person.ensure == "absent"}
    yield from _listed_exactly(tables, "absent_ldap", "ldap_only_users", ldap_only)
    for name in sorted(_listed(tables, "absent").keys() & _listed(tables, "absent_ldap").keys()):
        line = _listed(tables, "absent_ldap")[name]
        yield Violation(line, "absent-ldap", f"{name} is in both groups.absent and groups.absent_ldap")


def _listed(tables: Tables, group: str) -> dict[str, int]:
    entry = tables.groups.get(group)
    return {item.value: tables.document.line(item) for item in texts_in(entry.get("members"))} if entry else {}


def _listed_exactly(tables: Tables, group: str, table: str, absent: dict[str, Entry]) -> Iterator[Violation]:
    listed, rule = _listed(tables, group), group.replace("_", "-")
    for name, entry in absent.items():
        if name not in listed:
            line = _line(tables, entry, "ensure")
            yield Violation(line, rule, f"{table}.{name} is absent, but not in groups.{group}")
    for name, line in listed.items():
        if name not in absent:
            yield Violation(line, rule, f"groups.{group}: {name} is no absent entry of {table}")


def _members(tables: Tables) -> Iterator[Violation]:
    present = {user.name for _, user in _users(tables) if user.present}
    for entry in tables.groups.values():
        if entry.name in ("absent", "absent_ldap"):
            continue
        for item in texts_in(entry.get("members")):
            if item.value not in present:
                what = "is not present" if item.value in tables.users else "is not in users"
                line = tables.document.line(item)
                yield Violation(line, "members", f"groups.{entry.name}: {item.value} {what}")


def _ssh_keys(tables: Tables) -> Iterator[Violation]:
    for entry, user in _users(tables):
        if user.present and not user.system and entry.get("ssh_keys") is None:
            yield Violation(_line(tables, entry), "ssh-keys", f"users.{user.name} has no ssh_keys; [] stands for none")
        for field in ("ssh_keys", "buster_ssh_keys"):
            for number, item in enumerate(scalars_in(entry.get(field)), start=1):
                try:
                    parse_key(item.value)
                except ValueError as error:
                    line = tables.document.line(item)
                    yield Violation(line, "ssh-keys", f"users.{user.name}.{field}, key {number}: {error}")


def _expiry(tables: Tables) -> Iterator[Violation]:
    for table, entry, person in _people(tables):
        both = {name for name in ("expiry_date", "expiry_contact") if entry.get(name) is not None}
        line = _line(tables, entry, *sorted(both, reverse=True))
        if len(both) == 1:
            message = f"{table}.{person.name} has {both.pop()} alone; expiry_date and expiry_contact come together"
            yield Violation(line, "expiry", message)
        if person.present and "-ctr@" in (person.email or "") and entry.get("expiry_date") is None:
            line = _line(tables, entry, "email")
            yield Violation(line, "expiry", f"{table}.{person.name}: a contractor's address needs an expiry_date")


def _expiring(tables: Tables, today: date) -> Iterator[Violation]:
    for table, entry, person in _people(tables):
        try:
            expires = date.fromisoformat(person.expiry_date or "")
        except ValueError:
            continue
        if person.present and expires <= today + EXPIRES_SOON:
            verb = "expired" if expires < today else "expires"
            line = _line(tables, entry, "expiry_date")
            yield Violation(line, "expiry", f"{table}.{person.name} {verb} on {expires}")


def _groups(tables: Tables) -> Iterator[Violation]:
    for entry in tables.groups.values():
        group = tables.group_values[entry.name]
        if group.deprecated and names_in(entry.get("members")):
            line = _line(tables, entry, "members")
            yield Violation(line, "deprecated", f"groups.{group.name} is deprecated, but has members")
        for item in scalars_in(entry.get("privileges")):
            banned = _BANNED.search(item.value)
            if banned:
                what = banned.group(1) or banned.group(2)
                line = tables.document.line(item)
                yield Violation(line, "sudo", f"groups.{group.name}: {what!r} in a sudo line gives away a root shell")


def _names(tables: Tables) -> Iterator[Violation]:
    for entry, user in _users(tables):
        line = _line(tables, entry)
        other = tables.ldap_only_users.get(user.name)
        if other and user.present and tables.ldap_only_values[user.name].present:
            message = f"{user.name} is present in both users and ldap_only_users"
            yield Violation(_line(tables, other), "two-tables", message)
        if user.name in RESERVED and not user.system:
            yield Violation(line, "reserved-name", f"users.{user.name} has the name of a system account")


RULES: tuple[Callable[[Tables], Iterator[Violation]], ...] = (
    _uids,
    _gids,
    _absent,
    _members,
    _ssh_keys,
    _expiry,
    _groups,
    _names,
)
