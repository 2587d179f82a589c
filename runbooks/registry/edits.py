"""The edits of accounts by name, as a procedure's case holds them: each can be carried out, and told from the registry
whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import RegistryError
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.kinds import AccountRegistry

Holds = Callable[..., bool]


@dataclass(frozen=True)
class Edit:
    """One edit: a method of registries that edits an account, the account, and what else the method takes."""

    method: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Sequence[Any]) -> Edit:
        """From method, name and arguments, as JSON has them."""
        method, name, arguments = record
        if method not in _HOLDS:
            raise RegistryError(f"{method}: no edit of an account")
        return cls(method, name, dict(arguments))

    def record(self) -> list[Any]:
        """As ``of`` takes it."""
        return [self.method, self.name, dict(self.arguments)]

    def make(self, registry: AccountRegistry) -> AccountRegistry:
        """The edited registry. Raises RegistryError, also where the edit holds already."""
        edited: AccountRegistry = getattr(registry, self.method)(self.name, **self.arguments)
        return edited

    def apply(self, registry: AccountRegistry) -> AccountRegistry:
        """The edited registry, the same one where the edit holds already. Raises RegistryError."""
        return registry if self.holds(registry) else self.make(registry)

    def holds(self, registry: AccountRegistry) -> bool:
        """Whether the registry says what the edit makes it say."""
        return _HOLDS[self.method](registry, self.name, **self.arguments)


def _absent(registry: AccountRegistry, name: str) -> bool:
    entries = [entry for entry in (registry.user(name), registry.ldap_only(name)) if entry]
    groups = set(registry.groups_of(name))
    return bool(entries) and not any(entry.present for entry in entries) and groups <= {"absent", "absent_ldap"}


def _has_key(registry: AccountRegistry, name: str, key: str) -> bool:
    user = registry.user(name)
    wanted = key if key.startswith("SHA256:") else fingerprint_of(key)
    return user is not None and wanted in fingerprints(user.ssh_keys + user.buster_ssh_keys)


def fingerprints(lines: Sequence[str]) -> list[str]:
    """Those of the keys that can be read."""
    found = []
    for line in lines:
        try:
            found.append(fingerprint_of(line))
        except RegistryError:
            continue
    return found


def _no_keys(registry: AccountRegistry, name: str) -> bool:
    user = registry.user(name)
    return user is not None and not (user.ssh_keys or user.buster_ssh_keys)


def _is_user(registry: AccountRegistry, name: str, *, uid: int, groups: Sequence[str] = (), **_: Any) -> bool:
    user = registry.user(name)
    return user is not None and user.present and user.uid == uid and _in_all(registry, name, groups)


def _promoted(registry: AccountRegistry, name: str, *, uid: int, groups: Sequence[str] = (), **_: Any) -> bool:
    return registry.ldap_only(name) is None and _is_user(registry, name, uid=uid, groups=groups)


def _is_ldap_only(registry: AccountRegistry, name: str, **_: Any) -> bool:
    person = registry.ldap_only(name)
    return person is not None and person.present


def _in_all(registry: AccountRegistry, name: str, groups: Sequence[str]) -> bool:
    return set(groups) <= set(registry.groups_of(name))


def _in_none(registry: AccountRegistry, name: str, groups: Sequence[str]) -> bool:
    return not set(groups) & set(registry.groups_of(name))


def _expires(registry: AccountRegistry, name: str, date: str | None, contact: str | None) -> bool:
    entry = registry.entry(name)
    return entry is not None and (entry.expiry_date, entry.expiry_contact) == (date, contact)


def _reached(registry: AccountRegistry, name: str, *, email: str | None = None, realname: str | None = None) -> bool:
    entry = registry.entry(name)
    return (
        entry is not None and entry.email == (email or entry.email) and entry.realname == (realname or entry.realname)
    )


_HOLDS: Mapping[str, Holds] = {
    "absent": _absent,
    "add_key": _has_key,
    "add_ldap_only": _is_ldap_only,
    "add_user": _is_user,
    "clear_keys": _no_keys,
    "join": _in_all,
    "leave": _in_none,
    "promote": _promoted,
    "remove_key": lambda registry, name, key: registry.user(name) is not None and not _has_key(registry, name, key),
    "set_contact": _reached,
    "set_expiry": _expires,
}
