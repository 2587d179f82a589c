"""Log-ins by libssh (the ssh-python package): the quickest client by figures, for hosts that are reached directly.

A session belongs to one thread at a time, and sessions do not know of each other, as libssh asks for (libssh manual,
"Threads"). Every call lets other threads run. Keepalive is the kernel's: libssh sends none of its own accord.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

from runbooks import fibres
from runbooks.transport import kex
from runbooks.transport.known_hosts import HostKeyRefused
from runbooks.transport.reasons import Refused, no_key
from runbooks.transport.route import Route, SshSettings
from runbooks.transport.sockets import answer_at_once, connect, notice_silence

_PIECE = 32 * 1024
_SLICE_S = 0.5
_WINDOW = 2 * 1024 * 1024
"""More than libssh takes in before it is read (its window, for both streams together)."""
_HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def log_in(route: Route, settings: SshSettings) -> LibsshChannel:
    """A root shell at the end of a route without hops. Raises OSError, HostKeyRefused, SettingsError."""
    from ssh import options
    from ssh.exceptions import BaseSSHError

    session = connected(route, settings)
    try:
        _authenticate(session, route)
        channel = LibsshChannel(session, settings, route.user)
        session.options_set_int_val(options.TIMEOUT, max(1, round(settings.send_timeout_s)))
        return channel
    except BaseSSHError as error:
        end(session)
        raise OSError(said(error)) from error
    except Refused:
        end(session)
        raise


def connected(route: Route, settings: SshSettings) -> Any:
    """A session with the server at the end of a route without hops, known by its key; nobody has logged in. Raises
    OSError, HostKeyRefused, SettingsError."""
    from ssh.exceptions import BaseSSHError
    from ssh.session import Session

    exchanges = key_exchanges(route.key_exchange) if route.key_exchange else ""
    session = Session()
    try:
        _prepare(session, route, settings, exchanges)
        session.connect()
        shown = session.get_server_publickey().export_pubkey_base64().decode()
        route.known.check(route.known_as, (_type_of(shown), shown))
        return session
    except BaseSSHError as error:
        end(session)
        raise OSError(said(error)) from error
    except HostKeyRefused:
        end(session)
        raise


def _prepare(session: Any, route: Route, settings: SshSettings, exchanges: str) -> None:
    """Connect, and hand the connection over. What libssh would read in ssh_config is said here."""
    from ssh import options

    session.options_set(options.HOST, route.host)
    session.options_set(options.USER, route.user)
    session.options_set_int_val(options.PROCESS_CONFIG, 0)
    session.options_set_int_val(options.TIMEOUT, max(1, round(settings.connect_timeout_s)))
    session.options_set(options.HOSTKEYS, _host_keys(route))
    if exchanges:
        session.options_set(options.KEY_EXCHANGE, exchanges)
    sock = connect(route.host, route.port, settings.connect_timeout_s)
    notice_silence(sock, settings.keepalive_s)
    # From here on the descriptor is libssh's, which closes it: Python must not, as its number may be another's by then.
    session.options_set_int_val(options.FD, sock.detach())


def end(session: Any) -> None:
    """End a session and its connection, of which libssh, as it was handed to it, only lets go when it is freed."""
    number = session.get_fd()
    # A descriptor of our own: libssh may close its one on the way, and the number be another connection's by then.
    sock = socket.socket(fileno=os.dup(number)) if number >= 0 else None
    session.disconnect()
    if sock is not None:
        with sock, contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


@cache
def key_exchanges(asked: tuple[str, ...]) -> str:
    """What libssh is to be told of the key exchanges that are asked for. Raises SettingsError for one that it does not
    have, as it would pass over that without a word."""
    sign, names = kex.parted(asked, _takes, "libssh")
    if sign == "-":
        names = kex.left_out(names, kex.NAMES)
        if not names:
            return ""
    text = sign + ",".join(names)
    if not _takes(text, signed=True):
        raise kex.none_left(asked)
    return text


def _takes(text: str, signed: bool = False) -> bool:
    from ssh import options
    from ssh.exceptions import BaseSSHError
    from ssh.session import Session

    if not signed and text[:1] in ("", "+", "^", "-"):
        return False
    try:
        Session().options_set(options.KEY_EXCHANGE, text)
    except BaseSSHError:
        return False
    return True


def _host_keys(route: Route) -> str:
    """The types of host key to ask for, the known ones first."""
    known = sorted({kind for kind, _ in route.known.keys(route.known_as)} & set(_HOST_KEYS))
    names = dict.fromkeys([*known, *_HOST_KEYS])
    return ",".join("rsa-sha2-512,rsa-sha2-256" if name == "ssh-rsa" else name for name in names)


def _type_of(key: str) -> str:
    """A public key's type, as its own first field has it (RFC 4253, 6.6)."""
    import base64

    raw = base64.b64decode(key)
    return raw[4 : 4 + int.from_bytes(raw[:4], "big")].decode("ascii", "replace")


def _authenticate(session: Any, route: Route) -> None:
    """By the identity files, then by the agent. Raises Refused, BaseSSHError."""
    from ssh.exceptions import AuthenticationDenied, AuthenticationPartial, BaseSSHError, KeyImportError

    # Words, not the exception: that would keep this frame, and so the session and its connection.
    refused = ""
    locked = False
    for path in route.identities:
        try:
            for key in _keys(path, route.certificates):
                try:
                    session.userauth_publickey(key)
                    return
                except (AuthenticationDenied, AuthenticationPartial) as error:
                    refused = said(error)
        except KeyImportError:
            # Not there, or with a passphrase: then the agent may hold it.
            locked = locked or path.is_file()
    if os.environ.get("SSH_AUTH_SOCK") and (route.uses_agent or locked):
        try:
            session.userauth_agent(route.user)
            return
        except (AuthenticationDenied, AuthenticationPartial) as error:
            refused = said(error)
        except BaseSSHError as error:
            # Most likely there is no such agent any more; what was refused before says more.
            refused = refused or ("" if locked else said(error))
    raise Refused(refused or no_key(locked))


def _keys(path: Path, certificates: tuple[Path, ...]) -> list[Any]:
    """A private key with each certificate that was made for it, then alone. Raises KeyImportError."""
    from ssh.exceptions import BaseSSHError
    from ssh.key import copy_cert_to_privkey, import_cert_file, import_privkey_file

    keys = []
    for certificate in certificates:
        if certificate.is_file():
            key = import_privkey_file(str(path))
            with contextlib.suppress(BaseSSHError):
                copy_cert_to_privkey(import_cert_file(str(certificate)), key)
                keys.append(key)
    return [*keys, import_privkey_file(str(path))]


def said(error: Exception) -> str:
    """What libssh said of an error."""
    text = error.args[-1] if error.args else b""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text or type(error).__name__)


def _channel(session: Any, timeout_s: float) -> Any:
    """A channel, opened without libssh waiting for the answer: before that comes, sshd says which host keys it has, and
    wants that acknowledged first. Raises BaseSSHError, OSError."""
    from ssh.error_codes import SSH_AGAIN

    channel, number, deadline = session.channel_new(), session.get_fd(), time.monotonic() + timeout_s
    session.set_blocking(0)
    while channel.open_session() == SSH_AGAIN:
        answer_at_once(number)
        if time.monotonic() > deadline:
            raise OSError(f"no answer within {timeout_s:.0f} s")
        fibres.wait_for_input(number, deadline - time.monotonic())
    session.set_blocking(1)
    return channel


class LibsshChannel:
    """``/bin/sh`` as root over one session. ``key_exchange`` is the one that was agreed on."""

    def __init__(self, session: Any, settings: SshSettings, user: str) -> None:
        from ssh.exceptions import EOF, BaseSSHError

        self._session, self._number = session, session.get_fd()
        self._errors, self._eof = BaseSSHError, EOF
        self._send_timeout_s = settings.send_timeout_s
        # libssh has no name for group exchange, of which it offers no other kind by itself.
        self.key_exchange = (session.get_kex_algo() or b"diffie-hellman-group-exchange-sha256").decode()
        self._channel = _channel(session, settings.connect_timeout_s)
        # exec: whatever the log-in shell is, it only starts ours.
        self._channel.request_exec("exec sudo -n -- /bin/sh" if settings.sudo and user != "root" else "exec /bin/sh")

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError."""
        try:
            if len(data) <= _PIECE:
                # What is this small, or was answered since, there is room for; each further question costs time.
                self._channel.write(data)
            else:
                self._send_by_pieces(data)
        except self._errors as error:
            raise OSError(said(error)) from error

    def _send_by_pieces(self, data: bytes) -> None:
        """Never more than the other side has room for: libssh would wait for it without an end."""
        view, deadline = memoryview(data), time.monotonic() + self._send_timeout_s
        while view:
            room = min(self._channel.window_size() - _PIECE, _PIECE)
            if room > 0:
                self._channel.write(bytes(view[:room]))
                view = view[room:]
            elif time.monotonic() > deadline:
                raise OSError(f"it takes no input for {self._send_timeout_s:.0f} s")
            elif fibres.wait_for_input(self._number, 0.1):
                self._channel.poll_timeout(0)

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:
        """What has come on standard output and error, of which the one that is waited for is the first unless
        ``errors``. Raises TimeoutError, EOFError, OSError."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                # What fills the other stream may be what keeps this one from coming: all of it. And while that was
                # looked for, this one may have come: what libssh has taken in already wakes nobody.
                for stream, size in ((errors, _PIECE), (not errors, _WINDOW), (errors, _PIECE)):
                    data = self._channel.read_nonblocking(size, stream)[1]
                    if data:
                        return (b"", data) if stream else (data, b"")
                if self._channel.is_eof() or self._channel.is_closed():
                    raise EOFError
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                fibres.wait_for_input(self._number, min(left_s, _SLICE_S))
        except self._eof as error:
            raise EOFError from error
        except self._errors as error:
            raise OSError(said(error)) from error

    def close(self) -> None:
        """End the session and its connection."""
        end(self._session)
