"""The registry of the old style, ``admins.pp``, as a value: look things up, edit into a new value, compare two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NoReturn

from runbooks.errors import RegistryError
from runbooks.registry.manifest import changes, grouping
from runbooks.registry.manifest.reading import Change, Reading
from runbooks.registry.manifest.rules import violations
from runbooks.registry.manifest.tokens import Source
from runbooks.registry.model import Group, LdapOnlyUser, User, Violation
from runbooks.registry.splice import splice
from runbooks.registry.textdiff import unified
from runbooks.registry.validate import introduced
from runbooks.registry.who import decoded, one_line

PATH = "manifests/admins.pp"
"""Where the manifest stood in the puppet repository."""
WIKIDEV = 500
"""The group of an account whose class names none: it comes from the class of the group that includes it."""


@dataclass(frozen=True)
class Manifest:
    """The account registry as Puppet classes; every edit returns a new one, its text changed only where it says so.

    ``text`` is the file's, line breaks as they are in the file. Raises RegistryError, with the line, for a text that is
    no such registry. Somebody whose class is not surely understood is told by ``validate``, and not edited; all others
    are. What the old style cannot say is refused, never left out.
    """

    text: str = field(repr=False)

    needs: ClassVar[tuple[str, ...]] = ("realname",)
    purges: ClassVar[bool] = False
    knows_ldap_only: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Read the text at once, so that nobody holds a registry that cannot be read."""
        _ = self._reading.meaning

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The registry in a file's bytes, UTF-8. Raises RegistryError, with the line, where they are something else."""
        return cls(decoded(data))

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The registry in a file. Raises RegistryError as ``from_bytes`` does, OSError where it can't be read."""
        return cls.from_bytes(path.read_bytes())

    @cached_property
    def _reading(self) -> Reading:
        return Reading(Source(self.text))

    def user(self, name: str) -> User | None:
        """The account of that name, with access or without, or None."""
        return self._reading.users.get(name)

    def users(self) -> tuple[User, ...]:
        """Every account, in the file's order. ``ssh_keys`` are those that are present, as type, base64 and title."""
        return tuple(self._reading.users.values())

    def ldap_only(self, name: str) -> LdapOnlyUser | None:  # noqa: ARG002 - part of the interface
        """None: the old registry knows nobody without a shell."""
        return None

    def ldap_only_users(self) -> tuple[LdapOnlyUser, ...]:
        """Nobody."""
        return ()

    def entry(self, name: str) -> User | LdapOnlyUser | None:
        """Somebody's account, or None."""
        return self.user(name)

    def group(self, name: str) -> Group | None:
        """The group under a name (class ``admins::NAME``), its members those who have access, or None."""
        return self._reading.groups.get(name)

    def groups(self) -> tuple[Group, ...]:
        """Every group, in the file's order."""
        return tuple(self._reading.groups.values())

    def groups_of(self, name: str) -> tuple[str, ...]:
        """The names of the groups that somebody has access by, in the file's order."""
        return tuple(group.name for group in self.groups() if name in group.members)

    def validate(self, today: date | None = None) -> list[Violation]:  # noqa: ARG002 - part of the interface
        """The rules that it breaks, by line; see ``runbooks.registry.manifest.rules``."""
        return violations(self._reading)

    def expiring(self, within_days: int, today: date | None = None) -> tuple[User | LdapOnlyUser, ...]:  # noqa: ARG002
        """Nobody: the old registry has no expiry."""
        return ()

    def diff(self, other: Manifest, path: str = PATH) -> str:
        """What leads from this registry to another, as a unified diff that ``git apply`` takes; empty for nothing."""
        return unified(self.text, other.text, path)

    def remarks(self, method: str, name: str) -> str:
        """What an edit leaves to the operator; empty for nothing."""
        account = self._reading.accounts.get(name)
        if method == "leave":
            return f"puppet takes nothing of {name} from the hosts of a group that is left: keys and account stay there"
        if method == "absent" and account is not None and self._skipped(name):
            return (
                f"puppet passes over the keys of {name} once $enabled is false: a host that is not reached keeps them"
            )
        return ""

    def _skipped(self, name: str) -> bool:
        """Whether keys stand behind a condition that asks for ``$enabled``."""
        tokens = self._reading.source.tokens
        blocks = [block for key in self._reading.accounts[name].keys for block in key.resource.blocks]
        return any(token.text == "$enabled" for block in blocks for token in tokens[block.first : block.opens])

    # one account: each returns the edited registry, and raises RegistryError, naming account, line and what to do

    def add_user(
        self,
        name: str,
        *,
        uid: int,
        realname: str,
        email: str | None = None,
        gid: int = WIKIDEV,
        groups: Sequence[str] = (),
        ssh_keys: Sequence[str] = (),
        expiry_date: str | date | None = None,
        expiry_contact: str | None = None,
        krb: str | None = None,
    ) -> Manifest:
        """With a new class behind the last one that it can be made like, included in its groups."""
        given = {"e-mail": email, "expiry": expiry_date or expiry_contact, "Kerberos principal": krb}
        for what, value in given.items():
            if value is not None:
                _refuse(name, what)
        values = {"username": name, "realname": one_line("realname", realname), "uid": str(uid)}
        values |= {} if gid == WIKIDEV else {"gid": str(gid)}
        return self._changed(changes.add_user(self._reading, name, values, groups, ssh_keys), name)

    def join(self, name: str, groups: Sequence[str]) -> Manifest:
        """With an account included behind the others of some groups."""
        return self._changed(grouping.join(self._reading, name, groups), name)

    def leave(self, name: str, groups: Sequence[str]) -> Manifest:
        """With an account not included in some groups any more."""
        return self._changed(grouping.leave(self._reading, name, groups), name)

    def add_key(self, name: str, key: str) -> Manifest:
        """With one key more, or one that was absent present again."""
        return self._changed(changes.add_key(self._reading, name, key), name)

    def remove_key(self, name: str, key: str) -> Manifest:
        """With a key, given by its text or its fingerprint, absent. It stays in the file: that has puppet remove it."""
        return self._changed(changes.remove_key(self._reading, name, key), name)

    def clear_keys(self, name: str) -> Manifest:
        """With every key of an account absent."""
        return self._changed(changes.clear_keys(self._reading, name), name)

    def absent(self, name: str) -> Manifest:
        """With an account disabled and its keys absent. It stays included: that has puppet remove the keys."""
        return self._changed(changes.absent(self._reading, name), name)

    # what the old style has no words for

    def add_ldap_only(self, name: str, **_: object) -> NoReturn:
        """Refused. Raises RegistryError."""
        _refuse(name, "people without a shell")

    def promote(self, name: str, **_: object) -> NoReturn:
        """Refused. Raises RegistryError."""
        _refuse(name, "people without a shell", f"`inv create-user {name}` makes an account")

    def set_expiry(self, name: str, date: str | date | None, contact: str | None) -> NoReturn:  # noqa: ARG002
        """Refused. Raises RegistryError."""
        _refuse(name, "expiry")

    def set_contact(self, name: str, *, email: str | None = None, realname: str | None = None) -> NoReturn:  # noqa: ARG002
        """Refused. Raises RegistryError."""
        _refuse(name, "contact")

    def rename(self, old: str, new: str, task: str | None = None) -> NoReturn:  # noqa: ARG002 - part of the interface
        """Refused: nothing would purge the old account. Raises RegistryError."""
        _refuse(old, "stub that purges a renamed account")

    def _changed(self, change: Change, subject: str) -> Manifest:
        """The edited registry, read again and held against what it shall mean, and against the rules."""
        try:
            after = Manifest(splice(self.text, change.edits))
        except RegistryError as error:
            raise RegistryError(f"the edit of {subject} would break the file ({error}); edit it by hand") from error
        if elsewhere := change.meaning.difference(after._reading.meaning):
            raise RegistryError(f"the edit of {subject} would not mean what it should at {elsewhere}; edit it by hand")
        if broken := introduced(self.validate(), after.validate()):
            raise RegistryError(f"the edit of {subject} would break a rule: {broken[0].message}; settle that first")
        return after


def _refuse(name: str, what: str, instead: str = "nothing was changed") -> NoReturn:
    raise RegistryError(f"{name}: the old registry (admins.pp) has no {what}: {instead}")
