"""Who is in a group of the directory, and out of it."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.model import Change, Facts, Finding, Json, blocked, done, todo
from runbooks.systems.ldap import LdapReader, LdapWriter, Person, group_dn, is_among


def _somebody(reader: LdapReader, name: str, uid: int | None) -> Person | str:
    """Who has the account's name, or why that is not clear."""
    person = reader.person(name)
    if person is None:
        return f"{name} is not in LDAP: nobody to put into a group; check the name"
    if uid is not None and person.uid != uid:
        return f"{name} has UID {person.uid} in LDAP and {uid} in the registry: find out who that is first"
    return person


@dataclass(frozen=True)
class InGroup(Change[LdapReader, LdapWriter]):
    """Somebody is a member. ``not_with`` names a group that must not have the same member; ``uid`` is the number that
    the registry has (None: it has none)."""

    group: str
    name: str
    uid: int | None = None
    not_with: str = ""

    def check(self, reader: LdapReader) -> Finding:
        """Done where the group has the member."""
        person = _somebody(reader, self.name, self.uid)
        if isinstance(person, str):
            return blocked(person)
        members = reader.members(self.group)
        if members is None:
            return blocked(f"LDAP has no group {self.group}: check the name")
        if self.not_with and is_among(person.dn, reader.members(self.not_with) or ()):
            return blocked(
                f"{self.name} is in {self.not_with}, which excludes {self.group}: take that membership first"
            )
        facts: dict[str, Json] = {"dn": person.dn, "uid": person.uid}
        if is_among(person.dn, members):
            return done(**facts)
        place = group_dn(reader.directory, self.group)
        return todo(f"$ ldapmodify {place}", f"+member: {person.dn}", before={"dn": person.dn}, facts=facts)

    def do(self, writer: LdapWriter, before: Facts) -> None:
        """Put the member in. Raises CommandFailed, Lost."""
        writer.add_member(self.group, str(before["dn"]))

    def inverse(self, before: Facts) -> OutOfGroup:  # noqa: ARG002
        """Out again."""
        return OutOfGroup(self.group, self.name)


@dataclass(frozen=True)
class OutOfGroup(Change[LdapReader, LdapWriter]):
    """Somebody is no member, though the account itself may be gone already. ``not_with`` names a group that excludes
    this one: who has come into that is not put back."""

    group: str
    name: str
    not_with: str = ""

    def check(self, reader: LdapReader) -> Finding:
        """Done where the group has no such member; blocked where it would be left without any, which LDAP forbids."""
        # By the account's entry, or where that is gone, by the name that it had.
        wanted, members = reader.dn_of(self.name), reader.members(self.group)
        if members is None:
            return blocked(f"LDAP has no group {self.group}: check the name")
        dn = next((member for member in members if is_among(wanted, [member])), "")
        if not dn:
            return done()
        if len(members) == 1:
            return blocked(
                f"{self.name} is the only member of {self.group}, and LDAP takes no empty group: add another"
            )
        place = group_dn(reader.directory, self.group)
        return todo(f"$ ldapmodify {place}", f"-member: {dn}", before={"dn": dn}, facts={"dn": dn})

    def do(self, writer: LdapWriter, before: Facts) -> None:
        """Take the member out. Raises CommandFailed, Lost."""
        writer.remove_member(self.group, str(before["dn"]))

    def inverse(self, before: Facts) -> InGroup | None:
        """In again, where it was."""
        return InGroup(self.group, self.name, not_with=self.not_with) if before.get("dn") else None
