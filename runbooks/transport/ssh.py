"""Shells over ssh: libssh logs in where it can, Fabric where a jump host or a ProxyCommand is on the way, and with
certificates that libssh cannot use.

``ssh.client: fabric`` has Fabric do all of it. What a log-in fails with is said in one line, the same for both.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runbooks.errors import SettingsError, Unreachable
from runbooks.transport.reasons import reason
from runbooks.transport.route import Route, Routes, SshSettings
from runbooks.transport.streams import Channel

if TYPE_CHECKING:
    from runbooks.transport.fabric import FabricClient

_TRANSIENT = (ConnectionResetError, BrokenPipeError, EOFError)
_ATTEMPTS = 3


class SshChannel(Channel, Protocol):
    """A channel over ssh, and the key exchange that was agreed on."""

    key_exchange: str


class SshTransport:
    """Opens shells. ``key_exchanges`` counts what was agreed on; safe for many threads."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self.key_exchanges: Counter[str] = Counter()
        self._routes = Routes(settings)
        self._turn = threading.Lock()
        self._fabric: FabricClient | None = None

    def open(
        self, name: str, address: str, port: int | None, user: str | None, jump: Sequence[str] | None = None
    ) -> SshChannel:
        """A root shell on a host; ``jump``, unless None, names the hosts to go through (``[user@]host[:port]``).
        Raises Unreachable (with the reason) or SettingsError."""
        try:
            route = self._routes.find(address, port, user, jump)
            channel = self._log_in(route)
        except SettingsError:
            raise
        except Exception as error:
            raise Unreachable(name, reason(error)) from error
        with self._turn:
            self.key_exchanges[channel.key_exchange] += 1
        return channel

    def would_open(
        self,
        name: str,
        address: str,
        port: int | None,
        jump: Sequence[str] | None,
        account: str,
        keys: Sequence[str],
    ) -> dict[str, bool | None]:
        """Which public keys (``type base64``) a host would let an account in by, as ``transport.doors`` asks; None for
        one that cannot be asked about, as behind a jump host. Raises Unreachable, SettingsError."""
        try:
            route = self._routes.find(address, port, account, jump)
            if route.jump or route.proxy_command:
                return dict.fromkeys(keys)
            from runbooks.transport.doors import would_open

            return would_open(route, self.settings, account, keys)
        except SettingsError:
            raise
        except Exception as error:
            raise Unreachable(name, reason(error)) from error

    def _log_in(self, route: Route) -> SshChannel:
        try:
            return self._attempt(route)
        except _TRANSIENT:
            # Imported only here: it takes as long as several log-ins.
            from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

            retrying = Retrying(
                retry=retry_if_exception_type(_TRANSIENT),
                stop=stop_after_attempt(_ATTEMPTS - 1),
                wait=wait_random(0.2, 1.0),
                reraise=True,
            )
            found: SshChannel = retrying(self._attempt, route)
            return found

    def _attempt(self, route: Route) -> SshChannel:
        if self.settings.client == "fabric" or route.jump or route.proxy_command or _beyond_libssh(route.certificates):
            return self._fabric_client().log_in(route)
        from runbooks.transport.libssh import log_in

        return log_in(route, self.settings)

    def _fabric_client(self) -> FabricClient:
        from runbooks.transport.fabric import FabricClient

        with self._turn:
            if self._fabric is None:
                self._fabric = FabricClient(self._routes)
            return self._fabric

    def close(self) -> None:
        """Let go of the jump hosts."""
        if self._fabric is not None:
            self._fabric.close()


@cache
def _beyond_libssh(certificates: tuple[Path, ...]) -> bool:
    """Whether a certificate is of a kind that libssh (0.11) does not join with its key."""
    return any(path.is_file() and path.read_bytes().startswith(b"ssh-ed25519-cert") for path in certificates)
