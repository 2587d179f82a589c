"""Log-ins by Fabric (paramiko): for hosts behind a jump host or a ProxyCommand, and for whoever chooses it.

Every jump host is logged in to once, however many hosts are reached through it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from runbooks import fibres
from runbooks.errors import SettingsError
from runbooks.transport import kex
from runbooks.transport.authentication import Authentication
from runbooks.transport.hops import split_hop
from runbooks.transport.reasons import JumpFailed, reason
from runbooks.transport.route import Route, Routes, SshSettings
from runbooks.transport.sockets import connect, notice_silence, through_command

if TYPE_CHECKING:
    from fabric import Connection

Hops = tuple[str, ...]
REMEMBERED_S = 20.0
"""How long a jump host that could not be used is not tried again."""
_ROOM = 32 * 1024
"""What can be sent without waiting, as the other side has answered since."""


class FabricClient:
    """Logs in by routes, keeping one connection to each jump host."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self.settings = routes.settings
        self._gates: dict[Hops, _Gate] = {}
        self._turn = threading.Lock()
        # What paramiko's threads meet with comes back as an exception, too: it is told once, in our words.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())

    @cached_property
    def _config(self) -> Any:
        from fabric import Config

        path = self.settings.config
        return Config(runtime_ssh_path=str(path) if path else None)

    def log_in(self, route: Route) -> SshChannel:
        """A root shell at the end of a route. Raises what paramiko raises, OSError, HostKeyRefused, SettingsError."""
        connection = self.open(route)
        try:
            return SshChannel(connection, self.settings)
        except BaseException:
            connection.close()
            raise

    def _gateway(self, hops: Hops) -> Connection:
        """The open connection to the last of some hops, through the others."""
        with self._turn:
            gate = self._gates.setdefault(hops, _Gate())
        # One of those who need it opens it; the others wait, and share what came of it.
        with gate.turn:
            if gate.connection is not None and gate.connection.is_connected:
                return gate.connection
            if gate.failure and time.monotonic() < gate.failed_at + REMEMBERED_S:
                raise JumpFailed(gate.failure)
            try:
                user, host, port = split_hop(hops[-1])
                gate.connection = self.open(self._routes.find(host, port, user or None, hops[:-1]))
            except SettingsError:
                raise
            except Exception as error:
                # Which of several it was, is said already.
                gate.failure = str(error) if isinstance(error, JumpFailed) else f"jump host {hops[-1]}: {reason(error)}"
                gate.failed_at = time.monotonic()
                raise JumpFailed(gate.failure) from error
            return gate.connection

    def _socket(self, route: Route) -> Any:
        """What leads to a host's ssh port: a socket that is watched for silence, or a channel of a jump host."""
        if route.jump:
            from paramiko import ChannelException

            gate = self._gateway(route.jump)
            try:
                return gate.transport.open_channel("direct-tcpip", (route.host, route.port), ("", 0))
            except ChannelException as error:
                raise JumpFailed(f"jump host {route.jump[-1]} cannot reach it ({error.text})") from error
        if route.proxy_command:
            return through_command(route.proxy_command)
        sock = connect(route.host, route.port, self.settings.connect_timeout_s)
        notice_silence(sock, self.settings.keepalive_s)
        return sock

    def open(
        self, route: Route, authentication: Any = None, transport: Any = None, answer_s: float | None = None
    ) -> Connection:
        """A connection at the end of a route, logged in by its keys, or as ``authentication`` does it; ``transport`` is
        a kind of paramiko's with algorithms of its own. Each answer after the connection may take ``answer_s``, or as
        long as the connection. Raises as ``log_in`` does."""
        timeout_s = answer_s or self.settings.connect_timeout_s
        sock = self._socket(route)
        connection = _connection_class()(
            route.host,
            user=route.user,
            port=route.port,
            config=self._config,
            gateway=False,
            connect_timeout=timeout_s,
            connect_kwargs={
                "sock": sock,
                **dict.fromkeys(("banner_timeout", "auth_timeout", "channel_timeout"), timeout_s),
                "auth_strategy": authentication or Authentication(route),
                "transport_factory": lambda sock, **options: _transport(route, sock, options, transport),
            },
        )
        # Fabric would take any host key that it has not seen.
        connection.client.set_missing_host_key_policy(_Known(route))
        try:
            connection.open()
        except BaseException:
            # Fabric closes only what it has opened, and paramiko's thread would hold the socket for ever.
            connection.client.close()
            sock.close()
            raise
        connection.transport.set_keepalive(self.settings.keepalive_s)
        return connection

    def close(self) -> None:
        """Let go of the jump hosts."""
        for gate in self._gates.values():
            if gate.connection is not None:
                gate.connection.close()


@cache
def _connection_class() -> type[Connection]:
    from fabric import Connection

    class Apart(Connection):  # type: ignore[misc]
        """One that writes nothing into the config, which is everybody's: Fabric 3.2 would write this when it makes one,
        and for that moment the config is empty for whoever makes another."""

        inline_ssh_env = None

    return Apart


@dataclass
class _Gate:
    """A jump host: its connection, or why there is none."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    connection: Connection | None = None
    failure: str = ""
    failed_at: float = 0.0


class _Known:
    """Paramiko's hook for host keys, which then hold what our own known_hosts say."""

    def __init__(self, route: Route) -> None:
        self._route = route

    def missing_host_key(self, _client: object, _hostname: str, key: Any) -> None:
        """Raise HostKeyRefused unless the key is known."""
        self._route.known.check(self._route.known_as, (key.get_name(), key.get_base64()))


def _transport(route: Route, sock: Any, options: dict[str, Any], kind: Any) -> Any:
    """Paramiko's transport, asking for the key exchanges of the route, and for the host keys that are known."""
    from paramiko import Transport

    class Told(kind or Transport):  # type: ignore[misc]
        """Paramiko forgets which key exchange it was."""

        key_exchange = "unknown"

        def _parse_kex_init(self, message: Any) -> None:
            super()._parse_kex_init(message)
            self.key_exchange = next(k for k, kind in self._kex_info.items() if kind is type(self.kex_engine))

    transport = Told(sock, **options)
    chosen = transport.get_security_options()
    known = {kind for kind, _ in route.known.keys(route.known_as)}
    known |= {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known else set()
    chosen.key_types = sorted(chosen.key_types, key=lambda kind: kind not in known)
    if route.key_exchange:
        chosen.kex = _key_exchanges(route.key_exchange, chosen.kex, tuple(transport._kex_info))
    return transport


def _key_exchanges(asked: tuple[str, ...], own: tuple[str, ...], all_: tuple[str, ...]) -> tuple[str, ...]:
    """The list that ssh_config(5) makes of KexAlgorithms. Raises SettingsError for what paramiko does not have."""
    sign, said = kex.parted(asked, lambda name: _own_name(name) in all_, "paramiko")
    names = tuple(dict.fromkeys(map(_own_name, said)))
    rest = tuple(name for name in own if name not in names)
    if sign == "-":
        out = kex.left_out(said, own)
        if not (rest := tuple(name for name in own if name not in out)):
            raise kex.none_left(asked)
        return rest
    return {"+": (*own, *(name for name in names if name not in own)), "^": (*names, *rest)}.get(sign, names)


def _own_name(name: str) -> str:
    # One algorithm of two names (RFC 8731), of which paramiko has the older.
    return f"{name}@libssh.org" if name == "curve25519-sha256" else name


class _Bell:
    """Rings when anything has come on a channel, or it has ended.

    Paramiko's own ``Channel.fileno`` does not serve: it joins both streams without a lock, and when one is emptied
    while the other is filled, what has come is not told, and is waited for in vain (``paramiko.pipe.OrPipe``).
    """

    def __init__(self) -> None:
        self._number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        """Called by the buffer of a stream when it is filled, or closed."""
        os.eventfd_write(self._number, 1)

    def clear(self) -> None:
        """Called by the buffer of one stream when it is empty, which says nothing of the other."""

    def still(self) -> None:
        """Stop ringing."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._number)

    def wait(self, seconds: float) -> bool:
        """Whether it rang in that time."""
        return fibres.wait_for_input(self._number, seconds)

    def __del__(self) -> None:
        os.close(self._number)


class SshChannel:
    """``/bin/sh`` as root over one session of a Fabric connection. ``key_exchange`` is the one that was agreed on."""

    def __init__(self, connection: Connection, settings: SshSettings) -> None:
        self._connection = connection
        self.key_exchange = str(connection.transport.key_exchange)
        # Paramiko would wait for an hour, and for ever when it sends.
        self._channel: Any = connection.transport.open_session(timeout=settings.connect_timeout_s)
        self._channel.settimeout(settings.send_timeout_s)
        sudo = settings.sudo and connection.user != "root"
        # exec: whatever the log-in shell is, it only starts ours.
        self._channel.exec_command("exec sudo -n -- /bin/sh" if sudo else "exec /bin/sh")
        self._bell = _Bell()
        self._channel.in_buffer.set_event(self._bell)
        self._channel.in_stderr_buffer.set_event(self._bell)

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError."""
        if len(data) <= _ROOM:
            self._channel.sendall(data)
        else:
            fibres.aside(lambda: self._channel.sendall(data))

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:  # noqa: ARG002 - either will do
        """What has come on standard output and error. Raises TimeoutError, EOFError."""
        deadline = time.monotonic() + timeout_s
        while True:
            # First the bell, then a look: what comes in between rings again.
            self._bell.still()
            ended = self._channel.closed or self._channel.eof_received
            out = self._channel.recv(1 << 20) if self._channel.recv_ready() else b""
            err = self._channel.recv_stderr(1 << 20) if self._channel.recv_stderr_ready() else b""
            if out or err:
                return out, err
            if ended:
                raise EOFError
            if not self._bell.wait(deadline - time.monotonic()):
                raise TimeoutError

    def close(self) -> None:
        """End the session and its connection."""
        self._connection.close()
