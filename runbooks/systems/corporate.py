"""The organisation's own directory, which knows who works there. It is only ever searched."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from runbooks.errors import Blocked, SettingsError, Unreachable
from runbooks.systems.ldap_connection import Server, close, connect, said, search, texts

CORPORATE = "@corporate"
AT_ONCE = 100
"""How many addresses are asked about in one filter."""


@dataclass(frozen=True)
class Corporate(Server):
    """That directory. ``mail`` names the attributes that addresses are in; ``gone`` is a filter for people who have
    left (empty: whoever is there works there)."""

    name: str = CORPORATE
    mail: tuple[str, ...] = ("mail",)
    gone: str = ""

    def refuse_bad_filter(self) -> None:
        """Raises SettingsError where ``gone`` is no LDAP filter."""
        from ldap3.core.exceptions import LDAPException
        from ldap3.operation.search import parse_filter

        try:
            _ = self.gone and parse_filter(self.gone, None, False, False, None, False)
        except LDAPException as error:
            raise SettingsError(f"corporate.gone: {self.gone} is no LDAP filter: {said(error)}") from error


@dataclass(frozen=True)
class Staff:
    """Which of some addresses the directory has, in lower case: those of people who are there, and who have left."""

    there: frozenset[str]
    gone: frozenset[str]


def staff(corporate: Corporate, addresses: Collection[str]) -> Staff:
    """Look some addresses up. Raises Unreachable, and Blocked where the directory refuses us, or shows so little that
    its silence means nothing."""
    from ldap3.core.exceptions import LDAPException

    connection = connect(corporate, read_only=True)
    try:
        _refuse_blind(corporate, connection)
        there: set[str] = set()
        gone: set[str] = set()
        wanted = sorted({address.lower() for address in addresses})
        for at in range(0, len(wanted), AT_ONCE):
            here, left = _some(corporate, connection, wanted[at : at + AT_ONCE])
            there |= here
            gone |= left
    except LDAPException as error:
        raise Unreachable(CORPORATE, f"{corporate.url}: {said(error)}") from error
    finally:
        close(connection)
    return Staff(frozenset(there), frozenset(gone - there))


def _refuse_blind(corporate: Corporate, connection: Any) -> None:
    """Where it shows nobody's address, everybody would seem unknown."""
    from ldap3.core.exceptions import LDAPNoSuchObjectResult

    anybody = _any(f"({name}=*)" for name in corporate.mail)
    try:
        connection.search(corporate.people, anybody, attributes=["1.1"], paged_size=1)
        seen = any(entry["type"] == "searchResEntry" for entry in connection.response)
    except LDAPNoSuchObjectResult:
        seen = False
    if not seen:
        raise Blocked(
            f"{CORPORATE}: {corporate.url} shows nobody with {' or '.join(corporate.mail)} below {corporate.people}: "
            f"check corporate.people, corporate.mail, and what {corporate.bind_dn or 'nobody'} may read"
        )


def _some(corporate: Corporate, connection: Any, addresses: list[str]) -> tuple[set[str], set[str]]:
    """Of a few addresses, those of people who are there, and of people who have left."""
    from ldap3.utils.conv import escape_filter_chars

    asked = _any(f"({name}={escape_filter_chars(one)})" for name in corporate.mail for one in addresses)

    def found(wanted: str) -> dict[str, set[str]]:
        entries = search(connection, corporate.people, wanted, corporate.mail)
        return {entry["dn"]: set(_addresses(entry, corporate.mail)) & set(addresses) for entry in entries}

    people = found(asked)
    gone = found(f"(&{asked}{corporate.gone})") if corporate.gone else {}
    there = found(f"(&{asked}(!{corporate.gone}))") if corporate.gone else people
    if unclear := sorted(people.keys() - gone.keys() - there.keys()):
        # RFC 4511, 4.5.1.7: a filter on an attribute that the server does not know, or show, is neither true nor false.
        raise Blocked(f"{CORPORATE}: corporate.gone says neither yes nor no of {unclear[0]}: check it, and what we see")
    return set().union(*there.values()), set().union(*gone.values())


def _addresses(entry: Any, attributes: tuple[str, ...]) -> Iterator[str]:
    for name in attributes:
        yield from (str(text).lower() for text in texts(entry["attributes"].get(name)))


def _any(filters: Iterator[str]) -> str:
    return f"(|{''.join(filters)})"
