"""The registry as a value: look things up, edit into a new value, compare two."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from runbooks.errors import RegistryError
from runbooks.registry.document import compose
from runbooks.registry.meaning import Mapping, difference, meaning_of
from runbooks.registry.model import Group, LdapOnlyUser, User, Violation
from runbooks.registry.rename import Rename
from runbooks.registry.splice import splice
from runbooks.registry.tables import Tables
from runbooks.registry.textdiff import unified
from runbooks.registry.validate import introduced, violations

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

    def __post_init__(self) -> None:
        """Read the text at once, so that nobody holds a registry that cannot be read."""
        _ = self._meaning

    @classmethod
    def from_bytes(cls, data: bytes) -> Registry:
        """The registry in a file's bytes, UTF-8. Raises RegistryError, with the line, where they are something else."""
        try:
            return cls(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise RegistryError(f"line {line}: the registry is not UTF-8 ({error.reason}); repair it first") from error

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

    def group(self, name: str) -> Group | None:
        """The group under a name, its members flattened, or None."""
        return self._tables.group_values.get(name)

    def groups(self) -> tuple[Group, ...]:
        """Every group, in the file's order."""
        return tuple(self._tables.group_values.values())

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of the groups that list an account, nested and aliased lists included, in the file's order."""
        return tuple(group.name for group in self.groups() if name in group.members)

    def validate(self, today: date | None = None) -> list[Violation]:
        """The rules of the field that this registry breaks, by line; see ``runbooks.registry.validate``.

        With ``today``, present accounts that expire within seven days, or have, are listed too.
        """
        return violations(self._tables, today)

    def diff(self, other: Registry, path: str = PATH) -> str:
        """What leads from this registry to another, as a unified diff that ``git apply`` takes; empty for nothing."""
        return unified(self.text, other.text, path)

    def rename(self, old: str, new: str, task: str | None = None) -> Registry:
        """The registry with an account under a new name, and a stub that makes puppet purge the old one.

        ``task`` (T and digits) is written behind the stub's ``rename: true``. What else is renamed, and what is
        refused: see ``runbooks.registry.rename``. Raises RegistryError, naming account, line and what to do: an
        argument that doesn't fit, an entry that isn't edited safely, or a rename that would break a rule of the
        field that held before.
        """
        change = Rename(old, new, task)
        after = self._edited(splice(self.text, change.edits(self._tables)), change.intended(self._meaning), old)
        broken = introduced(self.validate(), after.validate(), old, new)
        if broken:
            raise RegistryError(f"rename of {old} to {new} would break a rule: {broken[0].message}; settle that first")
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
