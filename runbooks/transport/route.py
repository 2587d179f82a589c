"""How a host is reached: what ssh_config says about it, put together with the settings.

The files are read by Fabric, so they mean what its users know: HostName, User, Port, IdentityFile, ProxyJump,
ProxyCommand; and besides these the known_hosts files, HostKeyAlias, IdentitiesOnly, CertificateFile, KexAlgorithms.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import SettingsError
from runbooks.transport.known_hosts import KnownHosts, known_hosts

CLIENTS = ("libssh", "fabric")
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How to log in. ``config`` is an ssh_config file (None: the user's own and the system's); ``sudo``: whether a user
    that isn't root has to call it; ``client`` one of CLIENTS; ``key_exchange`` lists algorithms in order of preference
    (none: those of ssh_config, or the client's own)."""

    config: Path | None = None
    user: str = "root"
    sudo: bool = False
    connect_timeout_s: float = 10.0
    keepalive_s: int = 15
    send_timeout_s: float = 60.0
    client: str = "libssh"
    key_exchange: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One host's. ``known_as`` is its name in known_hosts; ``jump`` the hosts to go through, the first one nearest to
    us; ``uses_agent`` whether keys of an agent may be tried, too."""

    host: str
    port: int
    user: str
    known: KnownHosts
    known_as: str
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...]
    uses_agent: bool
    key_exchange: tuple[str, ...]
    jump: tuple[str, ...]
    proxy_command: str


class Routes:
    """Finds routes. Fabric's configuration is read once, when first needed."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self._config: Any = None
        self._turn = threading.Lock()

    @property
    def config(self) -> Any:
        """Fabric's configuration. Raises SettingsError."""
        with self._turn:
            if self._config is None:
                from fabric import Config

                path = self.settings.config
                if path is not None and not path.is_file():
                    raise SettingsError(f"ssh.config: {path}: no such file")
                self._config = Config(runtime_ssh_path=str(path) if path else None)
            return self._config

    def find(self, address: str, port: int | None, user: str | None, jump: Sequence[str] | None = None) -> Route:
        """The route to an address; ``jump``, unless None, goes over ssh_config's ProxyJump. Raises SettingsError."""
        said = self.config.base_ssh_config.lookup(address)
        host, number = str(said.get("hostname", address)), port or int(said.get("port", 22))
        name = str(said.get("hostkeyalias") or (host if number == 22 else f"[{host}]:{number}"))
        identities = _paths(said.get("identityfile") or [p for p in _IDENTITIES if Path(p).expanduser().is_file()])
        return Route(
            host,
            number,
            user or str(said.get("user") or self.settings.user),
            known_hosts(_known_hosts_files(said)),
            name,
            identities,
            _paths(said.get("certificatefile") or [f"{path}-cert.pub" for path in identities]),
            str(said.get("identitiesonly", "no")).lower() != "yes",
            self.settings.key_exchange or tuple(filter(None, str(said.get("kexalgorithms", "")).split(","))),
            tuple(jump) if jump is not None else _jump(said),
            "" if jump else _command(said),
        )


def split_hop(hop: str) -> tuple[str, str, int | None]:
    """The user (or nothing), host and port (or None) of ``[user@]host[:port]``; an IPv6 address with a port stands in
    brackets."""
    user, _, place = hop.rpartition("@")
    host, colon, port = place.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return user, host.strip("[]"), int(port)
    return user, place.strip("[]"), None


def _paths(names: str | Sequence[str | Path]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in ([names] if isinstance(names, str) else names))


def _known_hosts_files(said: Any) -> tuple[str, ...]:
    if "userknownhostsfile" in said or "globalknownhostsfile" in said:
        files = f"{said.get('userknownhostsfile', ' '.join(_KNOWN_HOSTS[:2]))} " + str(
            said.get("globalknownhostsfile", " ".join(_KNOWN_HOSTS[2:]))
        )
        return tuple(str(path) for path in _paths(files.split()))
    return tuple(str(path) for path in _paths(_KNOWN_HOSTS))


def _jump(said: Any) -> tuple[str, ...]:
    text = str(said.get("proxyjump") or "none")
    return () if text.lower() == "none" else tuple(hop.strip() for hop in text.split(","))


def _command(said: Any) -> str:
    text = str(said.get("proxycommand") or "none")
    return "" if text.lower() == "none" else text
