"""How a BMC is logged in to over ssh: by user and password, and nothing else; through the jump hosts that ssh_config
names for it.

Its host key is the one that is pinned for it, or the one in known_hosts; ``insecure``: whichever it shows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from runbooks.errors import LoginRefused, SettingsError, Unreachable
from runbooks.oob.model import Bmc
from runbooks.secret import Secret
from runbooks.transport.known_hosts import HostKeyRefused, Key, KnownHosts, fingerprint
from runbooks.transport.reasons import reason
from runbooks.transport.route import Routes, SshSettings

if TYPE_CHECKING:
    from runbooks.transport.fabric import FabricClient


class _Refused(Exception):
    """User or password are wrong."""


def log_in(bmc: Bmc, place: tuple[str, int], password: Secret, connect_s: float, answer_s: float) -> Any:
    """A Fabric connection; each answer may take ``answer_s``. Raises Unreachable, LoginRefused (one of those),
    SettingsError."""
    from paramiko.ssh_exception import IncompatiblePeer

    from runbooks.oob.old_ssh import old_transport

    try:
        routes, client = _shared(connect_s)
        route = routes.find(*place, bmc.user)
        route = replace(route, known=_HostKeys(bmc, route.known))
        return client.open(route, _ByPassword(bmc.user, password), old_transport(), answer_s)
    except SettingsError:
        raise
    except _Refused as error:
        raise LoginRefused(bmc.host, f"{place[0]}: user {bmc.user} or its password is wrong") from error
    except IncompatiblePeer as error:
        why = f"its ssh is too old ({error}): take another driver, or update its firmware"
        raise Unreachable(bmc.host, f"{place[0]}: {why}") from error
    except Exception as error:
        raise Unreachable(bmc.host, f"{place[0]}: {reason(error)}") from error


@cache
def _shared(connect_s: float) -> tuple[Routes, FabricClient]:
    # For all BMCs: known_hosts is read once, and a jump host logged in to once.
    from runbooks.transport.fabric import FabricClient

    routes = Routes(SshSettings(connect_timeout_s=connect_s))
    return routes, FabricClient(routes)


class _HostKeys(KnownHosts):
    """Which host key a BMC may show."""

    def __init__(self, bmc: Bmc, known: KnownHosts) -> None:
        super().__init__(())
        self._bmc = bmc
        self._known = known

    def keys(self, name: str) -> frozenset[Key]:
        """As in known_hosts: paramiko asks for these kinds of key first."""
        return self._known.keys(name)

    def check(self, name: str, key: Key) -> None:
        """Raises HostKeyRefused."""
        if self._bmc.insecure:
            return
        if not self._bmc.fingerprint:
            self._check_known(name, key)
        elif hashlib.sha256(base64.b64decode(key[1])).digest() != _digest(self._bmc.fingerprint):
            raise HostKeyRefused(
                f"its host key is not the pinned one: look why before anything else (it shows {fingerprint(key)})"
            )

    def _check_known(self, name: str, key: Key) -> None:
        try:
            self._known.check(name, key)
        except HostKeyRefused as refused:
            raise HostKeyRefused(f"{refused}; or pin it in the inventory") from refused


def _digest(text: str) -> bytes:
    """The digest in ``SHA256:...`` (base64), or in hexadecimal digits; nothing where it is neither."""
    try:
        if text.startswith("SHA256:"):
            return base64.b64decode(text.removeprefix("SHA256:").rstrip("=") + "=", validate=True)
        return bytes.fromhex(text.replace(":", ""))
    except (binascii.Error, ValueError):
        return b""


class _ByPassword:
    """What paramiko calls to authenticate by (``auth_strategy``): it would look for keys of ours, too."""

    def __init__(self, user: str, password: Secret) -> None:
        self._user = user
        self._password = password

    def authenticate(self, transport: Any) -> None:
        """By the password, or asked for it (keyboard-interactive), as iDRAC 9 does. Raises _Refused, SSHException."""
        from paramiko import AuthenticationException, BadAuthenticationType, SSHException

        try:
            more = transport.auth_password(self._user, self._password.reveal())
        except BadAuthenticationType as error:
            # Paramiko raises this also where it was asked for the password, and that was wrong.
            if "keyboard-interactive" in error.allowed_types:
                raise _Refused from error
            raise SSHException(f"it takes no passwords, but {', '.join(error.allowed_types)}") from error
        except AuthenticationException as error:
            if not transport.is_active() or "timeout" in str(error).lower():
                raise SSHException("it hung up, or fell silent, when it was given the password") from error
            raise _Refused from error
        if more:
            raise SSHException(f"it asks for more than a password: {', '.join(more)}")
