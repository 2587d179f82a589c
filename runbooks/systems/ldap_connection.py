"""How a directory is connected to and searched (RFC 4510 ff.). Its certificate is always checked."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import Blocked, Unreachable
from runbooks.secret import Secret

PAGE = 500
"""How many entries a directory is asked for at a time: what OpenLDAP gives at once unless it is told otherwise."""


@dataclass(frozen=True)
class Server:
    """A directory, who we are in it (an empty ``bind_dn``: nobody), and where people lie. ``url`` is
    ldap://HOST[:PORT], which is secured by StartTLS, or ldaps://; ``ca`` a file of certificates (None: the system's);
    ``name`` is what messages call it."""

    url: str
    bind_dn: str
    password: Secret
    people: str
    ca: Path | None = None
    connect_timeout_s: float = 10
    answer_timeout_s: int = 30
    name: str = "@ldap"


def connect(server: Server, read_only: bool) -> Any:
    """A connection of our own, bound. Raises Unreachable where nobody answers, Blocked where we are refused."""
    import ldap3
    from ldap3.core.exceptions import LDAPException, LDAPOperationResult

    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(server.ca) if server.ca else None)
    there = ldap3.Server(server.url, tls=tls, get_info=ldap3.NONE, connect_timeout=server.connect_timeout_s)
    secured = ldap3.AUTO_BIND_NO_TLS if server.url.startswith("ldaps:") else ldap3.AUTO_BIND_TLS_BEFORE_BIND
    try:
        return ldap3.Connection(
            there,
            server.bind_dn or None,
            server.password.reveal() or None,
            auto_bind=secured,
            read_only=read_only,
            raise_exceptions=True,
            receive_timeout=server.answer_timeout_s,
            auto_referrals=False,
        )
    except LDAPOperationResult as error:
        raise Blocked(f"{server.name}: {server.url} refuses {server.bind_dn or 'nobody'}: {said(error)}") from error
    except LDAPException as error:
        raise Unreachable(server.name, f"{server.url}: {said(error)}") from error


def search(connection: Any, base: str, wanted: str, attributes: Sequence[str]) -> list[Any]:
    """Entries below a base. Raises ldap3's LDAPException."""
    found = connection.extend.standard.paged_search(
        base, wanted, attributes=list(attributes), paged_size=PAGE, generator=False
    )
    return [entry for entry in found if entry["type"] == "searchResEntry"]


def texts(value: Any) -> list[Any]:
    """An attribute's values, bytes as text."""
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in values]


def said(error: Exception) -> str:
    """What an error of ldap3 says, in one line."""
    words = [getattr(error, "description", ""), getattr(error, "message", "")]
    # Where ssl had its say, str() would give the arguments as a tuple.
    while error.args and isinstance(error.args[0], tuple):
        error = Exception(*error.args[0])
    plain = str(error.args[0] if len(error.args) == 1 else error).strip().split("\n")[0]
    return ": ".join(filter(None, map(str, words))) or plain or type(error).__name__


def close(connection: Any) -> None:
    """Let go of a connection, whatever became of it."""
    from ldap3.core.exceptions import LDAPException

    try:
        connection.unbind()
    except (LDAPException, OSError):
        return
