"""Fabric's connections: ssh_config, ProxyJump, agent and keys as Fabric's users know them, and strict host keys."""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.errors import SettingsError, Unreachable

if TYPE_CHECKING:
    from fabric import Config, Connection

_TRANSIENT = (ConnectionResetError, BrokenPipeError, EOFError)
_ATTEMPTS = 3


@dataclass(frozen=True)
class SshSettings:
    """How to log in: an ssh_config file (None: the user's own), the user, and whether that user has to call sudo."""

    config: Path | None = None
    user: str = "root"
    sudo: bool = False
    connect_timeout_s: float = 10.0
    keepalive_s: int = 15
    send_timeout_s: float = 60.0


class FabricTransport:
    """Opens shells over ssh. One Fabric configuration serves all connections."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self._config: Config | None = None
        # What paramiko's threads meet with comes back as an exception, too: it is told once, in our words.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())

    def open(self, name: str, address: str, port: int | None, user: str | None) -> SshChannel:
        """A root shell on a host. Raises Unreachable (with the reason) or SettingsError."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

        retrying = Retrying(
            retry=retry_if_exception_type(_TRANSIENT),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random(0.2, 1.0),
            reraise=True,
        )
        connection = self._connection(address, port, user)
        try:
            retrying(self._connect, connection)
            return SshChannel(connection, self.settings)
        except Exception as error:
            connection.close()
            raise Unreachable(name, _reason(error)) from error

    def _connection(self, address: str, port: int | None, user: str | None) -> Connection:
        from fabric import Connection
        from paramiko import RejectPolicy

        connection = Connection(
            address,
            user=user or self.settings.user,
            port=port,
            config=self._fabric_config(),
            connect_timeout=self.settings.connect_timeout_s,
            connect_kwargs={
                "banner_timeout": self.settings.connect_timeout_s,
                "auth_timeout": self.settings.connect_timeout_s,
            },
        )
        # Fabric would take any host key that it has not seen, of jump hosts, too.
        hop: Any = connection
        while not isinstance(hop, str | None):
            hop.client.set_missing_host_key_policy(RejectPolicy())
            hop = hop.gateway
        return connection

    def _fabric_config(self) -> Config:
        from fabric import Config

        if self._config is None:
            path = self.settings.config
            if path is not None and not path.is_file():
                raise SettingsError(f"ssh.config: {path}: no such file")
            self._config = Config(runtime_ssh_path=str(path) if path else None)
        return self._config

    def _connect(self, connection: Connection) -> None:
        hop: Any = connection
        while not isinstance(hop, str | None):
            _load_known_hosts(hop)
            hop = hop.gateway
        connection.open()
        connection.transport.set_keepalive(self.settings.keepalive_s)
        _give_up_when_unheard(connection.transport.sock, 2 * self.settings.keepalive_s)


def _give_up_when_unheard(sock: Any, seconds: float) -> None:
    """Have the kernel end a connection on which nothing that was sent has been acknowledged for so long: keepalives
    alone would be sent to a dead host for a quarter of an hour. Source: tcp(7), TCP_USER_TIMEOUT (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))


def _load_known_hosts(connection: Connection) -> None:
    """The known_hosts files that ssh_config names, which Fabric does not read."""
    found = connection.ssh_config
    for key in ("userknownhostsfile", "globalknownhostsfile"):
        for name in str(found.get(key, "")).split():
            if (path := Path(name).expanduser()).is_file():
                connection.client.load_host_keys(str(path))


def _reason(error: Exception) -> str:
    import paramiko

    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer (connect timed out)"
    if isinstance(error, paramiko.BadHostKeyException):
        return "the host key is not the known one: look why before anything else"
    if isinstance(error, paramiko.AuthenticationException):
        return f"log-in refused ({error})"
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return "its host key is not known: add it to known_hosts after checking it"
    if isinstance(error, paramiko.SSHException) and ("No existing session" in str(error) or "banner" in str(error)):
        return "no answer (something takes connections at its ssh port, and stays silent)"
    return str(error) or type(error).__name__


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
    """``/bin/sh`` as root over one session of a Fabric connection."""

    def __init__(self, connection: Connection, settings: SshSettings) -> None:
        self._connection = connection
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

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
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
