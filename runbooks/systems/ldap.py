"""``@ldap``: the directory of people and groups (RFC 4510 ff.). The certificate is always checked.

A write is sent once. Where its answer does not come, the directory is asked again; a server that only stood still may
carry it out later, so what is then not to be seen is unknown, and never said to have failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.model import Reader, Target, Writer
from runbooks.systems.ldap_connection import Server, close, connect, said, search, texts

LDAP = "@ldap"
_PERSON = ("uid", "uidNumber", "cn", "mail", "sshPublicKey")


@dataclass(frozen=True)
class Directory(Server):
    """The directory that says who may do what: a server, and where its groups lie."""

    groups: str = ""


@dataclass(frozen=True)
class Person:
    """An account in the directory: ``uid`` its number; None where it has none."""

    dn: str
    name: str
    uid: int | None = None
    cn: str = ""
    mail: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()


class LdapReader(Reader):
    """Looks into the directory; its connection is one that ldap3 lets write nothing."""

    def __init__(self, target: LdapTarget, run_id: str) -> None:
        self.run_id = run_id
        self.directory = target.directory
        self.__search = target.search

    def person(self, name: str) -> Person | None:
        """Somebody by the account's name. Raises Unreachable, Blocked where two have it."""
        found = self.people("uid", name)
        if len(found) > 1:
            raise Blocked(f"{LDAP}: {name} is there twice: {' and '.join(one.dn for one in found)}")
        return found[0] if found else None

    def dn_of(self, name: str) -> str:
        """Where somebody's entry is, or by custom was. Raises Unreachable, Blocked where two have the name."""
        from ldap3.utils.dn import escape_rdn

        person = self.person(name)
        return person.dn if person else f"uid={escape_rdn(name)},{self.directory.people}"

    def people(self, attribute: str, value: str) -> list[Person]:
        """Everybody with that value of an attribute. Raises Unreachable."""
        from ldap3.utils.conv import escape_filter_chars

        wanted = f"(&(objectClass=person)({attribute}={escape_filter_chars(value)}))"
        return [_person(entry) for entry in self.__search(self.directory.people, wanted, _PERSON)]

    def all_keys(self) -> Iterator[tuple[str, str]]:
        """Everybody's public keys: the account's name, and a key. Raises Unreachable."""
        wanted = "(&(objectClass=person)(sshPublicKey=*))"
        for person in map(_person, self.__search(self.directory.people, wanted, _PERSON)):
            yield from ((person.name, key) for key in person.ssh_keys)

    def members(self, group: str) -> tuple[str, ...] | None:
        """The members' DNs; None where there is no such group. Raises Unreachable, Blocked where they are not shown."""
        from ldap3.utils.conv import escape_filter_chars

        wanted = f"(&(objectClass=groupOfNames)(cn={escape_filter_chars(group)}))"
        found = self.__search(self.directory.groups, wanted, ("member",))
        members = tuple(found[0]["attributes"].get("member", ())) if found else None
        if members == ():
            raise Blocked(self._hidden(group))
        return members

    def groups_of(self, dn: str) -> tuple[str, ...]:
        """The names of the groups that list somebody, sorted. Raises Unreachable, Blocked where members of one are not
        shown."""
        from ldap3.utils.conv import escape_filter_chars

        if hidden := self._groups("objectClass=*") - self._groups("member=*"):
            raise Blocked(self._hidden(", ".join(sorted(hidden))))
        return tuple(sorted(self._groups(f"member={escape_filter_chars(dn)}")))

    def _groups(self, condition: str) -> set[str]:
        found = self.__search(self.directory.groups, f"(&(objectClass=groupOfNames)({condition}))", ("cn",))
        return {str(entry["attributes"]["cn"][0]) for entry in found}

    def _hidden(self, groups: str) -> str:
        # A groupOfNames has at least one member (RFC 4519): none are shown to who may not see them.
        return f"{LDAP}: {self.directory.bind_dn} is shown no member of {groups}: it has to be able to read them"


def _person(entry: Any) -> Person:
    values = {name: tuple(map(str, texts(entry["attributes"].get(name)))) for name in _PERSON}
    number = values["uidNumber"][0] if values["uidNumber"] else ""
    return Person(
        entry["dn"],
        values["uid"][0] if values["uid"] else "",
        int(number) if number.isdigit() else None,
        values["cn"][0] if values["cn"] else "",
        values["mail"],
        values["sshPublicKey"],
    )


class LdapWriter(Writer):
    """Changes who is in a group, and nothing else."""

    def __init__(self, target: LdapTarget, run_id: str, connection: Any) -> None:
        self.run_id = run_id
        self.transcript = []
        self.reader = target.reader(run_id)
        self._target = target
        self._connection = connection

    def add_member(self, group: str, dn: str) -> None:
        """Put somebody into a group. Raises CommandFailed where the server refuses, Lost."""
        import ldap3

        self._modify(group, dn, "add", ldap3.MODIFY_ADD, lambda members: is_among(dn, members))

    def remove_member(self, group: str, dn: str) -> None:
        """Take somebody out of a group. Raises CommandFailed where the server refuses, Lost."""
        import ldap3

        self._modify(group, dn, "delete", ldap3.MODIFY_DELETE, lambda members: not is_among(dn, members))

    def _modify(self, group: str, dn: str, verb: str, kind: str, holds: Callable[[Sequence[str]], bool]) -> None:
        from ldap3.core.exceptions import LDAPException, LDAPOperationResult

        place = group_dn(self._target.directory, group)
        entry = {"command": f"ldapmodify {place}: {verb} member: {dn}", "status": None, "seconds": 0.0, "output": ""}
        self.transcript.append(entry)
        try:
            self._connection.modify(place, {"member": [(kind, [dn])]})
            entry["status"] = 0
        except LDAPOperationResult as error:
            entry["status"], entry["output"] = int(error.result or 1), said(error)
            raise CommandFailed(f"{LDAP}: {verb} {dn} {group}: {said(error)}") from error
        except LDAPException as error:
            entry["output"] = said(error)
            self._look_again(group, holds, said(error))

    def _look_again(self, group: str, holds: Callable[[Sequence[str]], bool], why: str) -> None:
        """Where no answer came: it was carried out all the same, or is unknown. Raises Lost."""
        try:
            members = self.reader.members(group)
        except (Unreachable, Blocked) as error:
            raise Lost(LDAP, f"{why}; {error}") from error
        if members is None or not holds(members):
            raise Lost(LDAP, f"{why}; it is not there now, and may yet come")


def is_among(dn: str, members: Sequence[str]) -> bool:
    """Whether a list of members has somebody, however the name is written (RFC 4514: case and blanks don't matter)."""
    wanted = _plain(dn)
    return any(_plain(member) == wanted for member in members)


def _plain(dn: str) -> list[tuple[str, str]]:
    from ldap3.core.exceptions import LDAPInvalidDnError
    from ldap3.utils.dn import parse_dn

    try:
        return [(name.lower(), " ".join(value.lower().split())) for name, value, _ in parse_dn(dn)]
    except LDAPInvalidDnError:
        return [("", dn)]


def group_dn(directory: Directory, group: str) -> str:
    """Where a group lies."""
    from ldap3.utils.dn import escape_rdn

    return f"cn={escape_rdn(group)},{directory.groups}"


@dataclass
class LdapTarget(Target):
    """``@ldap``. Looks share one connection, made again where it broke; each write has its own."""

    directory: Directory
    name: str = field(default=LDAP, init=False)
    _connection: Any = field(default=None, init=False, repr=False)

    def reader(self, run_id: str = "") -> LdapReader:
        """A Reader; nothing is connected before it looks."""
        return LdapReader(self, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[LdapWriter]:  # noqa: ARG002
        """A Writer with a connection of its own: who gets none has sent nothing. No lock is needed: a member is put in
        or taken out, whoever else does the same. Raises Unreachable, Blocked."""
        connection = connect(self.directory, read_only=False)
        try:
            yield LdapWriter(self, run_id, connection)
        finally:
            close(connection)

    def search(self, base: str, wanted: str, attributes: Sequence[str]) -> list[Any]:
        """Entries below a base. Tried once more on a new connection, as an old one never heals. Raises Unreachable,
        Blocked where there is no base: nothing found would mean that nobody is there."""
        from ldap3.core.exceptions import LDAPException, LDAPNoSuchObjectResult

        for attempt in (1, 2):
            if self._connection is None:
                self._connection = connect(self.directory, read_only=True)
            try:
                return search(self._connection, base, wanted, attributes)
            except LDAPNoSuchObjectResult as error:
                who = self.directory.bind_dn
                raise Blocked(
                    f"{LDAP}: there is no {base}, or {who} is not shown it: look at ldap.* and at its rights"
                ) from error
            except LDAPException as error:
                self.close()
                if attempt == 2:
                    raise Unreachable(LDAP, f"{self.directory.url}: {said(error)}") from error
        raise AssertionError

    def settle(self, wait_s: float) -> None:
        """Nothing can be waited for: a write is carried out in no time, or whenever the server wakes up."""

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            close(self._connection)
            self._connection = None
