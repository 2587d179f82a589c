"""Log-ins by Fabric (paramiko): for hosts behind a jump host or a ProxyCommand, and for whoever chooses it.

Every jump host is logged in to once, however many hosts are reached through it.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbooks.errors import SettingsError
from runbooks.transport.reasons import JumpFailed, reason
from runbooks.transport.route import Route, Routes, SshSettings, split_hop
from runbooks.transport.sockets import notice_silence

if TYPE_CHECKING:
    from fabric import Connection

Hops = tuple[str, ...]


class FabricClient:
    """Logs in by routes, keeping one connection to each jump host."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self.settings = routes.settings
        self._gates: dict[Hops, _Gate] = {}
        self._turn = threading.Lock()
        # What paramiko's threads meet with comes back as an exception, too: it is told once, in our words.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())

    def log_in(self, route: Route) -> SshChannel:
        """A root shell at the end of a route. Raises what paramiko raises, OSError, HostKeyRefused, SettingsError."""
        gateway: Any = self._gateway(route.jump) if route.jump else route.proxy_command or False
        connection = self._open(route, gateway)
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
            if gate.failure is not None and time.monotonic() < gate.failed_at + self.settings.connect_timeout_s:
                raise gate.failure
            try:
                user, host, port = split_hop(hops[-1])
                route = self._routes.find(host, port, user or None, hops[:-1])
                gate.connection = self._open(route, self._gateway(hops[:-1]) if hops[:-1] else route.proxy_command)
            except Exception as error:
                gate.failure, gate.failed_at = JumpFailed(f"jump host {hops[-1]}: {reason(error)}"), time.monotonic()
                raise gate.failure from error
            return gate.connection

    def _open(self, route: Route, gateway: Any) -> Connection:
        from fabric import Connection

        timeout_s = self.settings.connect_timeout_s
        connection = Connection(
            route.host,
            user=route.user,
            port=route.port,
            config=self._routes.config,
            gateway=gateway or False,
            connect_timeout=timeout_s,
            connect_kwargs={
                "banner_timeout": timeout_s,
                "auth_timeout": timeout_s,
                "channel_timeout": timeout_s,
                "key_filename": [str(path) for path in route.identities if path.is_file()],
                "allow_agent": route.uses_agent,
                "transport_factory": lambda sock, **options: _transport(route, sock, options),
            },
        )
        # Fabric would take any host key that it has not seen.
        connection.client.set_missing_host_key_policy(_Known(route))
        connection.open()
        connection.transport.set_keepalive(self.settings.keepalive_s)
        if isinstance(connection.transport.sock, socket.socket):
            notice_silence(connection.transport.sock, self.settings.keepalive_s)
        return connection

    def close(self) -> None:
        """Let go of the jump hosts."""
        for gate in self._gates.values():
            if gate.connection is not None:
                gate.connection.close()


@dataclass
class _Gate:
    """A jump host: its connection, or why there is none."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    connection: Connection | None = None
    failure: JumpFailed | None = None
    failed_at: float = 0.0


class _Known:
    """Paramiko's hook for host keys, which then hold what our own known_hosts say."""

    def __init__(self, route: Route) -> None:
        self._route = route

    def missing_host_key(self, _client: object, _hostname: str, key: Any) -> None:
        """Raise HostKeyRefused unless the key is known."""
        self._route.known.check(self._route.known_as, (key.get_name(), key.get_base64()))


def _transport(route: Route, sock: Any, options: dict[str, Any]) -> Any:
    """Paramiko's transport, asking for the key exchanges of the route, and for the host keys that are known."""
    from paramiko import Transport

    class Told(Transport):  # type: ignore[misc]
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
        chosen.kex = _key_exchanges(route.key_exchange, chosen.kex)
    return transport


def _key_exchanges(asked: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """The list that ssh_config(5) makes of KexAlgorithms: ``+`` appends, ``^`` prepends, ``-`` removes. Raises
    SettingsError for what paramiko does not have."""
    names = [name.lstrip("+-^") for name in asked]
    names = [f"{name}@libssh.org" if name == "curve25519-sha256" else name for name in names]
    for name in names:
        if name not in own:
            raise SettingsError(f"key exchange {name}: paramiko here does not have it: name others in ssh.key_exchange")
    rest = tuple(name for name in own if name not in names)
    how = asked[0][0]
    return {"+": (*own, *names), "^": (*names, *rest), "-": rest}.get(how, tuple(names))


class _Bell:
    """Rings when anything has come on a channel, or it has ended.

    Paramiko's own ``Channel.fileno`` does not serve: it joins both streams without a lock, and when one is emptied
    while the other is filled, what has come is not told, and is waited for in vain (``paramiko.pipe.OrPipe``).
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Called by the buffer of a stream when it is filled, or closed."""
        self._event.set()

    def clear(self) -> None:
        """Called by the buffer of one stream when it is empty, which says nothing of the other."""

    def still(self) -> None:
        """Stop ringing."""
        self._event.clear()

    def wait(self, seconds: float) -> bool:
        """Whether it rang in that time."""
        return self._event.wait(max(0.0, seconds))


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
        self._channel.sendall(data)

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
