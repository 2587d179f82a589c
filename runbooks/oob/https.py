"""HTTPS to a BMC: one connection that is kept open, and on which nobody is believed without a proof.

Python's own client, not requests: it must be known whether anything was sent before it failed; no proxy, redirect or
``.netrc`` may come in; and the system's authorities count, not a copy of Mozilla's.

BMCs come with a certificate that they have signed themselves, for a name that is not theirs. So one certificate can be
pinned instead: then neither its name nor its dates matter.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import select
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from runbooks.errors import Lost, RunbookError, Unreachable
from runbooks.oob.model import Bmc

_MOST_BYTES = 16 << 20
#: What may be asked again, since it changes nothing.
_READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``headers`` do not mind capitals."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Https:
    """A BMC's web server. Redirects are answers like others. Raises Unreachable while nothing was sent, and where a
    read gets no answer; Lost where anything else was sent and its answer did not come."""

    def __init__(self, bmc: Bmc, place: tuple[str, int], timeout_s: float) -> None:
        self.bmc = bmc
        self.place = place
        self.timeout_s = timeout_s
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def where(self) -> str:
        """Its address and port."""
        address, port = self.place
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request, and wait for its answer."""
        connection = self._connected()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            said = response.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unanswered(method, error) from error
        if not response.isclosed():
            self.close()
        return Answer(response.status, response.headers, said)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPSConnection:
        # What comes unasked on an idle connection is its end.
        if self._connection is not None and (held := self._connection.sock) is not None and not _has_input(held):
            return self._connection
        self.close()
        address, port = self.place
        believed = bool(self.bmc.insecure or self.bmc.fingerprint)
        try:
            context = _context(self.bmc.ca, believed)
        except OSError as error:
            raise self._unreachable(f"{self.bmc.ca}: no file of certificates: {_words(error)}") from error
        try:
            made = http.client.HTTPSConnection(address, port, timeout=self.timeout_s, context=context)
            made.connect()
            self._check(made)
        except (OSError, UnicodeError, http.client.InvalidURL) as error:
            raise self._unreachable(f"{self.where}: {self._why(error)}") from error
        self._connection = made
        return made

    def _check(self, connection: http.client.HTTPSConnection) -> None:
        if self.bmc.insecure or not self.bmc.fingerprint:
            return
        certificate = connection.sock.getpeercert(binary_form=True) or b""
        if not _is_pinned(certificate, self.bmc.fingerprint):
            connection.close()
            raise self._unreachable(
                f"{self.where}: its certificate is not the pinned one: its SHA-256 is {_digest(certificate).hex()}: "
                "if it was renewed, pin that as its fingerprint; --insecure believes whoever answers"
            )

    def _why(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"its certificate proves nothing: {error.verify_message.rstrip('.')}; its SHA-256 is {self._shown()}: "
                "if that is right, pin it as its fingerprint, or name its authority as its ca; "
                "--insecure believes whoever answers"
            )
        if isinstance(error, ssl.SSLError):
            return f"no TLS that we speak: {(error.reason or str(error)).replace('_', ' ').lower()}"
        return f"no answer within {self.timeout_s:g} s" if isinstance(error, TimeoutError) else _words(error)

    def _shown(self) -> str:
        """The fingerprint of whoever answers, for a person to compare; nothing is sent to it."""
        with (
            suppress(OSError),
            socket.create_connection(self.place, timeout=self.timeout_s) as raw,
            _context("", True).wrap_socket(raw) as made,
        ):
            return _digest(made.getpeercert(binary_form=True) or b"").hex()
        return "not shown"

    def _unanswered(self, method: str, error: Exception) -> RunbookError:
        silent = isinstance(error, TimeoutError)
        why = f"no answer within {self.timeout_s:g} s" if silent else f"the connection broke: {_words(error)}"
        if method in _READS:
            return self._unreachable(f"{self.where}: {why}")
        return Lost(self.bmc.host, f"{self.where}: {why}")

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(self.bmc.host, why)


def plain(words: object) -> str:
    """What a server says on one line, without what a terminal would obey."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(words)).split())


def _words(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return plain(said)[:200]


def _has_input(connection: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


@functools.cache
def _context(ca: str, believed: bool) -> ssl.SSLContext:
    """One for all BMCs that are verified alike: the system's authorities take 20 ms to read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if believed:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca:
        context.load_verify_locations(ca)
        # Somebody's certificate in that file is enough, whoever has signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        context.load_default_certs()
    return context


def _digest(certificate: bytes) -> bytes:
    return hashlib.sha256(certificate).digest()


def _is_pinned(certificate: bytes, pinned: str) -> bool:
    """Pinned as openssl prints it, with colons or without, or as ssh would."""
    digest = _digest(certificate)
    if pinned.startswith("SHA256:"):
        return pinned.removeprefix("SHA256:").rstrip("=") == base64.b64encode(digest).decode().rstrip("=")
    return pinned.replace(":", "").casefold() == digest.hex()
