"""How a host is reached: what ssh_config says about it, put together with the settings.

The files are read as Fabric reads them: HostName, User, Port, IdentityFile, ProxyJump, ProxyCommand; and besides these
the known_hosts files, HostKeyAlias, IdentitiesOnly, CertificateFile, KexAlgorithms.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runbooks.transport import ssh_config
from runbooks.transport.hops import split_hop
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
    """Finds routes. The files are read once, when first needed."""

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self._config: Any = None
        self._known: dict[tuple[str, ...], KnownHosts] = {}
        self._turn = threading.Lock()
        # The same for most hosts of a fleet, and asked for each.
        self._paths, self._own_identities = cache(_paths), cache(_own_identities)
        self._known_hosts_files = cache(_known_hosts_files)

    @property
    def config(self) -> Any:
        """What ssh_config says. Raises SettingsError."""
        with self._turn:
            if self._config is None:
                self._config = ssh_config.read(self.settings.config)
            return self._config

    def find(self, address: str, port: int | None, user: str | None, jump: Sequence[str] | None = None) -> Route:
        """The route to an address; ``jump``, unless None, goes over ssh_config's ProxyJump. Raises SettingsError."""
        said = self.config.lookup(address)
        host, number = str(said.get("hostname", address)), port or int(said.get("port", 22))
        name = str(said.get("hostkeyalias") or (host if number == 22 else f"[{host}]:{number}"))
        login = user or str(said.get("user") or self.settings.user)
        identities = self._paths(tuple(said.get("identityfile") or self._own_identities()))
        return Route(
            host,
            number,
            login,
            self._known_hosts(said),
            name,
            identities,
            self._paths(tuple(_listed(said.get("certificatefile")) or [f"{path}-cert.pub" for path in identities])),
            str(said.get("identitiesonly", "no")).lower() not in ("yes", "true"),
            self.settings.key_exchange or tuple(filter(None, str(said.get("kexalgorithms", "")).split(","))),
            tuple(jump) if jump is not None else self._whole(_jump(said)),
            self._command(address, host, number, login) if "proxycommand" in said and not jump else "",
        )

    def _known_hosts(self, said: Any) -> KnownHosts:
        files = self._known_hosts_files(said.get("userknownhostsfile"), said.get("globalknownhostsfile"))
        with self._turn:
            if files not in self._known:
                self._known[files] = known_hosts(files)
            return self._known[files]

    def _whole(self, hops: tuple[str, ...], seen: tuple[str, ...] = ()) -> tuple[str, ...]:
        """All hops, where the first one has a ProxyJump itself. One that comes round again ends it."""
        if not hops or hops[0] in seen:
            return hops
        before = _jump(self.config.lookup(split_hop(hops[0])[1]))
        return hops if hops[0] in before else (*self._whole(before, (*seen, hops[0])), *hops)

    def _command(self, address: str, host: str, port: int, user: str) -> str:
        # As it is written: paramiko would put ssh_config's port and user into it, and not those that we log in with.
        text = str(self.config._lookup(address).get("proxycommand") or "none")
        signs = {"%h": host, "%n": address, "%p": str(port), "%r": user, "%%": "%"}
        return "" if text.lower() == "none" else re.sub("%.", lambda sign: signs.get(sign[0], sign[0]), text)


def _paths(names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)


def _own_identities() -> tuple[str, ...]:
    return tuple(name for name in _IDENTITIES if Path(name).expanduser().is_file())


def _known_hosts_files(user: str | None, everyone: str | None) -> tuple[str, ...]:
    names = list(_KNOWN_HOSTS[:2]) if user is None else shlex.split(user)
    names += _KNOWN_HOSTS[2:] if everyone is None else shlex.split(everyone)
    return tuple(str(path) for path in _paths(tuple(name for name in names if name.lower() != "none")))


def _listed(value: str | Sequence[str] | None) -> Sequence[str]:
    return [value] if isinstance(value, str) else value or []


def _jump(said: Any) -> tuple[str, ...]:
    text = str(said.get("proxyjump") or "none")
    return () if text.lower() == "none" else tuple(hop.strip() for hop in text.split(","))
