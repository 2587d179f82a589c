"""The registry's entries as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """An entry of ``users``: a shell account, present or absent.

    ``line`` is where it stands (from 1); ``login`` its explicit ``name`` field; ``rename`` marks the stub that a
    rename left; None or an empty tuple stands for a field that isn't there, or isn't of the field's type.
    """

    name: str
    line: int
    ensure: str | None = None
    uid: int | None = None
    gid: int | None = None
    login: str | None = None
    realname: str | None = None
    email: str | None = None
    ssh_keys: tuple[str, ...] = ()
    buster_ssh_keys: tuple[str, ...] = ()
    krb: str | None = None
    shell: str | None = None
    home_dir: str | None = None
    comment: str | None = None
    expiry_date: str | None = None
    expiry_contact: str | None = None
    system: bool = False
    rename: bool = False

    @property
    def present(self) -> bool:
        """Whether the account shall exist."""
        return self.ensure == "present"


@dataclass(frozen=True)
class LdapOnlyUser:
    """An entry of ``ldap_only_users``: someone with LDAP groups but no shell account."""

    name: str
    line: int
    ensure: str | None = None
    realname: str | None = None
    email: str | None = None
    comment: str | None = None
    expiry_date: str | None = None
    expiry_contact: str | None = None

    @property
    def present(self) -> bool:
        """Whether the person shall have LDAP access."""
        return self.ensure == "present"


@dataclass(frozen=True)
class Group:
    """An entry of ``groups``; ``members`` are flattened: nested lists and aliases read as the names in them.
    ``privileges`` is None where the registry does not say who has sudo."""

    name: str
    line: int
    members: tuple[str, ...] = ()
    gid: int | None = None
    description: str | None = None
    posix_name: str | None = None
    privileges: tuple[str, ...] | None = ()
    approval: tuple[str, ...] = ()
    system: bool = False
    system_members: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True)
class Violation:
    """A rule of the field that the registry breaks: the line (from 1), the rule's short name, one sentence."""

    line: int
    rule: str
    message: str
