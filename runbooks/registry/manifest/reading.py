"""A manifest, read: its accounts and groups as the registry's values, and what it says, to hold an edit against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from runbooks.errors import RegistryError
from runbooks.registry.account_keys import fingerprint
from runbooks.registry.manifest.people import Account, GroupClass, KeyEntry, accounts_of, groups_of
from runbooks.registry.manifest.statements import Class, classes
from runbooks.registry.manifest.tokens import Source
from runbooks.registry.model import Group, User
from runbooks.registry.splice import Edit


@dataclass(frozen=True)
class Said:
    """What a manifest says of an account; ``keys`` are title, text and whether it is present."""

    uid: int | None
    gid: int | None
    realname: str | None
    enabled: bool
    keys: tuple[tuple[str, str, bool], ...]
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """What a manifest says: its classes, its accounts, and whom each group includes itself."""

    classes: tuple[str, ...]
    accounts: Mapping[str, Said]
    groups: Mapping[str, tuple[str, ...]]

    def difference(self, other: Meaning) -> str:
        """Where another one says something else; empty where nowhere."""
        for what in ("accounts", "groups"):
            mine, others = getattr(self, what), getattr(other, what)
            for name in dict.fromkeys((*mine, *others)):
                if mine.get(name) != others.get(name):
                    return f"{what}.{name}"
        return "" if sorted(self.classes) == sorted(other.classes) else "its classes"


@dataclass(frozen=True)
class Change:
    """Edits of the text, and what the manifest then means."""

    edits: tuple[Edit, ...]
    meaning: Meaning


@dataclass(frozen=True)
class Reading:
    """A manifest taken apart. Raises RegistryError, with the line, for a text that is no registry of the old style."""

    source: Source = field(repr=False)

    def __post_init__(self) -> None:
        """Read it at once."""
        if not any(one.name == "accounts" or one.name.startswith("accounts::") for one in self.classes):
            raise RegistryError("line 1: there is no class accounts: this is no registry of the old style (admins.pp)")

    @cached_property
    def classes(self) -> list[Class]:
        """Every class there is."""
        return list(classes(self.source))

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """Every account by its name."""
        return accounts_of(self.source, self.classes)

    @cached_property
    def group_classes(self) -> dict[str, GroupClass]:
        """Every group's class by the group's name."""
        return groups_of(self.source, self.classes)

    @cached_property
    def users(self) -> dict[str, User]:
        """The registry's values of the accounts."""
        return {name: account.user for name, account in self.accounts.items()}

    @cached_property
    def groups(self) -> dict[str, Group]:
        """The registry's values of the groups. Which of them give sudo is not said there."""
        return {
            name: Group(name, self.line(found.owner.first), self._members(name), privileges=None)
            for name, found in self.group_classes.items()
        }

    @cached_property
    def meaning(self) -> Meaning:
        """What it says."""
        groups = {name: tuple(one.member for one in found.accounts) for name, found in self.group_classes.items()}
        said = {name: _said(account) for name, account in self.accounts.items()}
        return Meaning(tuple(one.name for one in self.classes), said, groups)

    def line(self, index: int) -> int:
        """The line of a token."""
        return self.source.line(self.source.tokens[index].start)

    def account(self, name: str) -> Account:
        """Somebody's class, if it can be edited. Raises RegistryError."""
        found = self.accounts.get(name)
        if found is None:
            raise RegistryError(f"{name} is not in accounts: check the name")
        _refuse_faults(name, found)
        return found

    def enabled_account(self, name: str) -> Account:
        """Somebody's class, if it can be edited and is not disabled. Raises RegistryError."""
        found = self.account(name)
        if not found.enabled:
            raise RegistryError(f"{name} (line {found.user.line}) is disabled")
        return found

    def group_class(self, group: str) -> GroupClass:
        """A group's class, if it can be edited. Raises RegistryError."""
        found = self.group_classes.get(group)
        if found is None:
            raise RegistryError(f"{group} is no group (class admins::{group}): check the name")
        _refuse_faults(group, found)
        return found

    def _members(self, group: str) -> tuple[str, ...]:
        """The accounts that a group includes, through others too, if they have access."""
        names, todo, done = dict[str, None](), [group], set[str]()
        while todo:
            one = todo.pop()
            if one in done or one not in self.group_classes:
                continue
            done.add(one)
            names.update(dict.fromkeys(member.member for member in self.group_classes[one].accounts))
            todo += self.group_classes[one].groups
        return tuple(name for name in names if name not in self.users or self.users[name].present)


def is_key(key: KeyEntry, wanted: str) -> bool:
    """Whether an entry is the wanted key, by its text or fingerprint."""
    try:
        return fingerprint(key.text) == (wanted if wanted.startswith("SHA256:") else fingerprint(wanted))
    except ValueError:
        return key.text == wanted


def said_with(meaning: Meaning, name: str, said: Said) -> Meaning:
    """The meaning with something else said of an account."""
    return replace(meaning, accounts={**meaning.accounts, name: said})


def _refuse_faults(name: str, found: Account | GroupClass) -> None:
    """Raises RegistryError for a class that is not understood whole."""
    for fault in found.faults:
        raise RegistryError(f"{name} (line {fault.line}): {fault.why}; edit it by hand")


def _said(account: Account) -> Said:
    user = account.user
    keys = tuple((key.title, key.text, key.present) for key in account.keys)
    unsure = tuple(fault.why for fault in account.faults)
    return Said(user.uid, user.gid, user.realname, account.enabled, keys, unsure)
