"""The two kinds of account registry, and what procedures use of either."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Protocol, Self

from runbooks.registry.model import Group, LdapOnlyUser, User, Violation


class AccountRegistry(Protocol):
    """A registry of either kind; every edit returns a new one, and raises RegistryError for what it cannot say.

    ``needs`` is what has to be said of a new person, ``purges`` whether puppet deletes the account of somebody who is
    absent, ``knows_ldap_only`` whether people without a shell have entries.
    """

    needs: ClassVar[tuple[str, ...]]
    purges: ClassVar[bool]
    knows_ldap_only: ClassVar[bool]

    @property
    def text(self) -> str:
        """The file's text."""
        ...

    def user(self, name: str) -> User | None:
        """Somebody's shell account, present or absent."""
        ...

    def users(self) -> tuple[User, ...]:
        """Every shell account."""
        ...

    def ldap_only(self, name: str) -> LdapOnlyUser | None:
        """Somebody's entry without a shell."""
        ...

    def ldap_only_users(self) -> tuple[LdapOnlyUser, ...]:
        """Everybody without a shell."""
        ...

    def entry(self, name: str) -> User | LdapOnlyUser | None:
        """Somebody's entry of either sort."""
        ...

    def group(self, name: str) -> Group | None:
        """The group of that name."""
        ...

    def groups(self) -> tuple[Group, ...]:
        """Every group."""
        ...

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of somebody's groups."""
        ...

    def expiring(self, within_days: int, today: date | None = None) -> tuple[User | LdapOnlyUser, ...]:
        """Whose access ends within so many days, or has."""
        ...

    def validate(self, today: date | None = None) -> list[Violation]:
        """The rules that it breaks."""
        ...

    def remarks(self, method: str, name: str) -> str:
        """What an edit leaves to the operator; empty for nothing."""
        ...

    def rename(self, old: str, new: str, task: str | None = None) -> Self:
        """With an account under a new name."""
        ...

    def absent(self, name: str) -> Self:
        """With an account that ends."""
        ...

    def add_key(self, name: str, key: str) -> Self:
        """With one key more."""
        ...

    def remove_key(self, name: str, key: str) -> Self:
        """Without a key, as far as hosts are concerned."""
        ...

    def clear_keys(self, name: str) -> Self:
        """Without any key."""
        ...

    def join(self, name: str, groups: Sequence[str]) -> Self:
        """With an account in some groups."""
        ...

    def leave(self, name: str, groups: Sequence[str]) -> Self:
        """With an account out of some groups."""
        ...


def registry_of(path: str, data: bytes) -> AccountRegistry:
    """The registry in a file of the repository: Puppet classes where its name ends in ``.pp``, else the data file.

    Raises RegistryError, with the line.
    """
    if path.endswith(".pp"):
        from runbooks.registry.manifest import Manifest

        return Manifest.from_bytes(data)
    from runbooks.registry.registry import Registry

    return Registry.from_bytes(data)
