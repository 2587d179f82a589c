"""The registry as a value: look things up, edit into a new value, compare two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from runbooks.errors import RegistryError
from runbooks.registry import account_keys, accounts, membership
from runbooks.registry.accounts import Person, Shell
from runbooks.registry.amendment import Amendment
from runbooks.registry.document import compose
from runbooks.registry.meaning import Mapping, difference, meaning_of
from runbooks.registry.model import Group, LdapOnlyUser, User, Violation
from runbooks.registry.rename import Rename
from runbooks.registry.splice import splice
from runbooks.registry.tables import Tables
from runbooks.registry.textdiff import unified
from runbooks.registry.validate import introduced, violations
from runbooks.registry.who import day, decoded, one_line, present, texts

PATH = "modules/admin/data/data.yaml"
"""Where the registry stands in the puppet repository."""


@dataclass(frozen=True)
class Registry:
    """The account registry; every edit returns a new one, its text changed only where the edit says so.

    ``text`` is the file's, line breaks as they are in the file (open it with ``newline=""``, or use ``read``).
    Raises RegistryError, with the line, for a text that is no registry; one that merely breaks rules can be read,
    and ``validate`` lists them.
    """

    text: str = field(repr=False)

    needs: ClassVar[tuple[str, ...]] = ("realname", "email")
    purges: ClassVar[bool] = True
    knows_ldap_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Read the text at once, so that nobody holds a registry that cannot be read."""
        _ = self._meaning

    @classmethod
    def from_bytes(cls, data: bytes) -> Registry:
        """The registry in a file's bytes, UTF-8. Raises RegistryError, with the line, where they are something else."""
        return cls(decoded(data))

    @classmethod
    def read(cls, path: Path) -> Registry:
        """The registry in a file. Raises RegistryError as ``from_bytes`` does, OSError where it can't be read."""
        return cls.from_bytes(path.read_bytes())

    @cached_property
    def _tables(self) -> Tables:
        return Tables(compose(self.text))

    @cached_property
    def _meaning(self) -> Mapping:
        return meaning_of(self._tables.document)

    @cached_property
    def _broken(self) -> tuple[Violation, ...]:
        return tuple(violations(self._tables))

    def user(self, name: str) -> User | None:
        """The entry of ``users`` under a name, present or absent, or None."""
        return self._tables.user_values.get(name)

    def users(self) -> tuple[User, ...]:
        """Every entry of ``users``, in the file's order."""
        return tuple(self._tables.user_values.values())

    def ldap_only(self, name: str) -> LdapOnlyUser | None:
        """The entry of ``ldap_only_users`` under a name, or None."""
        return self._tables.ldap_only_values.get(name)

    def ldap_only_users(self) -> tuple[LdapOnlyUser, ...]:
        """Every entry of ``ldap_only_users``, in the file's order."""
        return tuple(self._tables.ldap_only_values.values())

    def entry(self, name: str) -> User | LdapOnlyUser | None:
        """Somebody's entry in either table, the present one if there are two, or None."""
        found = [entry for entry in (self.user(name), self.ldap_only(name)) if entry is not None]
        return next((entry for entry in found if entry.present), found[0] if found else None)

    def group(self, name: str) -> Group | None:
        """The group under a name, its members flattened, or None."""
        return self._tables.group_values.get(name)

    def groups(self) -> tuple[Group, ...]:
        """Every group, in the file's order."""
        return tuple(self._tables.group_values.values())

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of the groups that list an account, nested and aliased lists included, in the file's order."""
        return tuple(group.name for group in self.groups() if name in group.members)

    def validate(self, today: str | date | None = None) -> list[Violation]:
        """The rules of the field that this registry breaks, by line; see ``runbooks.registry.validate``.

        With ``today``, present accounts that expire within seven days, or have, are listed too.
        """
        return [*self._broken] if today is None else violations(self._tables, day("today", today))

    def expiring(self, within_days: int, today: str | date | None = None) -> tuple[User | LdapOnlyUser, ...]:
        """Who is present, of either table, and expires within so many days, or has; the earliest first. ``today`` is
        the day in UTC unless it is given."""
        last = day("today", today or datetime.now(UTC)) + timedelta(days=within_days)
        people: list[User | LdapOnlyUser] = [*self.users(), *self.ldap_only_users()]
        people = [person for person in people if person.present]
        dated = [(person.expiry_date, person) for person in people if person.expiry_date]
        return tuple(person for when, person in sorted(dated, key=lambda pair: pair[0]) if when <= last.isoformat())

    def diff(self, other: Registry, path: str = PATH) -> str:
        """What leads from this registry to another, as a unified diff that ``git apply`` takes; empty for nothing."""
        return unified(self.text, other.text, path)

    def remarks(self, method: str, name: str) -> str:  # noqa: ARG002 - part of the interface
        """What an edit leaves to the operator: nothing."""
        return ""

    def rename(self, old: str, new: str, task: str | None = None) -> Registry:
        """The registry with an account under a new name, and a stub that makes puppet purge the old one.

        ``task`` (T and digits) is written behind the stub's ``rename: true``. What else is renamed, and what is
        refused: see ``runbooks.registry.rename``. Raises RegistryError, naming account, line and what to do: an
        argument that doesn't fit, an entry that isn't edited safely, or a rename that would break a rule of the
        field that held before.
        """
        change = Rename(old, new, task)
        after = self._edited(splice(self.text, change.edits(self._tables)), change.intended(self._meaning), old)
        return self._sound(after, old, (old, new))

    # one account: each returns the edited registry, and raises RegistryError, naming account, line and what to do

    def add_ldap_only(
        self,
        name: str,
        *,
        realname: str,
        email: str,
        expiry_date: str | date | None = None,
        expiry_contact: str | None = None,
    ) -> Registry:
        """With a new entry in ``ldap_only_users``, behind the last."""
        person = Person(realname, email, expiry_date, expiry_contact)
        return self._amended(accounts.add_ldap_only, name, person)

    def add_user(
        self,
        name: str,
        *,
        uid: int,
        realname: str,
        email: str,
        gid: int = 500,
        groups: Sequence[str] = (),
        ssh_keys: Sequence[str] = (),
        expiry_date: str | date | None = None,
        expiry_contact: str | None = None,
        krb: str | None = None,
    ) -> Registry:
        """With a new entry in ``users``, behind the last, and the name in its groups."""
        person = Person(realname, email, expiry_date, expiry_contact)
        shell = Shell(uid, gid, texts("groups", groups), texts("ssh_keys", ssh_keys), krb)
        return self._amended(accounts.add_user, name, person, shell)

    def promote(
        self,
        name: str,
        *,
        uid: int,
        groups: Sequence[str] = (),
        ssh_keys: Sequence[str] = (),
        realname: str | None = None,
        email: str | None = None,
        expiry_date: str | date | None = None,
        expiry_contact: str | None = None,
        krb: str | None = None,
    ) -> Registry:
        """With somebody's entry moved from ``ldap_only_users`` to ``users``; what it says is kept, unless given."""
        person = Person(realname, email, expiry_date, expiry_contact)
        shell = Shell(uid, 500, texts("groups", groups), texts("ssh_keys", ssh_keys), krb)
        return self._amended(accounts.promote, name, person, shell)

    def join(self, name: str, groups: Sequence[str]) -> Registry:
        """With an account at the end of the members of some groups."""
        present(self._tables, name, "users")
        return self._amended(membership.join, name, groups)

    def leave(self, name: str, groups: Sequence[str]) -> Registry:
        """With an account out of the members of some groups."""
        return self._amended(membership.leave, name, groups)

    def add_key(self, name: str, key: str) -> Registry:
        """With one key more, in the list style that stands there."""
        return self._amended(account_keys.add_key, name, key)

    def remove_key(self, name: str, key: str) -> Registry:
        """Without a key, given by its text (comment and options don't matter) or its fingerprint, ``SHA256:…``."""
        return self._amended(account_keys.remove_key, name, key)

    def clear_keys(self, name: str) -> Registry:
        """Without any key of an account."""
        return self._amended(account_keys.clear_keys, name)

    def set_expiry(self, name: str, date: str | date | None, contact: str | None) -> Registry:
        """With the day on which access ends, and who is asked about it; without both for None and None."""
        return self._amended(accounts.set_expiry, name, date, contact)

    def set_contact(self, name: str, *, email: str | None = None, realname: str | None = None) -> Registry:
        """With another address or name of the person."""
        return self._amended(accounts.set_contact, name, email, realname)

    def absent(self, name: str) -> Registry:
        """With an account that ends: absent, in the group ``absent`` (LDAP-only: ``absent_ldap``) and no other, without
        keys, address and expiry. The entry stays: it is what has puppet purge the account."""
        return self._amended(accounts.absent, name)

    def _amended(self, amend: Callable[..., Amendment], name: str, *arguments: object) -> Registry:
        """The registry amended for an account, held against what it shall mean and against the field's rules."""
        one_line("an account", name)
        try:
            amendment = amend(self._tables, name, *arguments)
        except RegistryError as error:
            raise error if name in str(error) else RegistryError(f"{name}: {error}") from error
        intended = meaning_of(self._tables.document, amendment.intent)
        return self._sound(self._edited(splice(self.text, amendment.edits), intended, name), name)

    def _sound(self, after: Registry, subject: str, names: tuple[str | None, str] = (None, "")) -> Registry:
        """The edited registry, if it breaks no rule that held before. Where it renamed, ``names`` are old and new."""
        if broken := introduced(self.validate(), after.validate(), *names):
            what = f"{broken[0].message} (line {broken[0].line} as edited)"
            raise RegistryError(f"the edit of {subject} would break a rule: {what}; settle that first")
        return after

    def _edited(self, text: str, intended: Mapping, subject: str) -> Registry:
        """The edited registry, read again and held against what it shall mean: never a wrong file."""
        try:
            after = Registry(text)
        except RegistryError as error:
            raise RegistryError(f"the edit of {subject} would break the file ({error}); edit it by hand") from error
        elsewhere = difference(intended, after._meaning)
        if elsewhere:
            raise RegistryError(f"the edit of {subject} would not mean what it should at {elsewhere}; edit it by hand")
        return after
