"""All that steps can act on, hosts and systems, each opened when it is first used."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runbooks.model import Target

if TYPE_CHECKING:
    from runbooks.site import Site
    from runbooks.systems.host import HostTarget
    from runbooks.transport.shell import Shell


class Fleet:
    """All that steps can act on, and the ways to it (``machine:lab01``). A host is connected to when it is first used;
    beyond ``max_connections`` it is let go of as soon as it rests."""

    def __init__(self, site: Site) -> None:
        from runbooks.transport.route import SshSettings
        from runbooks.transport.ssh import SshTransport

        self._site = site
        self._inventory = site.inventory
        ssh = site.settings.ssh
        self.transport = SshTransport(
            SshSettings(
                ssh.config,
                ssh.user,
                ssh.sudo,
                ssh.connect_timeout_s,
                ssh.keepalive_s,
                client=ssh.client,
                key_exchange=ssh.key_exchange,
            )
        )
        self._targets: dict[str, Target] = {}
        self._connected: set[str] = set()
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Target:
        """The target of that name. Raises InventoryError, SettingsError."""
        with self._lock:
            if name not in self._targets:
                self._targets[name] = self._make(name)
            return self._targets[name]

    def _make(self, name: str) -> Target:
        if name == "@git":
            from runbooks.systems.git import GitTarget

            return GitTarget(self._site.repository)
        if name == "@ldap":
            from runbooks.systems.ldap import LdapTarget

            return LdapTarget(self._site.directory)
        if name == "@person":
            from runbooks.systems.person import PersonTarget

            return PersonTarget(self._site.operator, self._site.confirmed_at)
        if name.startswith("@"):
            return self._site.open_lists(name[1:], self._host)
        way, _, host = name.rpartition(":")
        if way == "machine":
            from runbooks.machine.target import MachineTarget

            return MachineTarget(host, self._host(host), self._site.open_driver)
        if way == "alerts":
            from runbooks.systems.alertmanager import AlertTarget

            self._inventory[host]
            return AlertTarget(host, self._site.alertmanager)
        return self._host(name)

    def _host(self, name: str) -> HostTarget:
        from runbooks.systems.host import HostTarget

        self._inventory[name]
        return HostTarget(
            name, lambda: self._connect(name), lambda account, keys: self._would_open(name, account, keys)
        )

    def _connect(self, name: str) -> Shell:
        from runbooks.transport.shell import Shell

        host = self._inventory[name]
        channel = self.transport.open(name, host.address, host.port, host.user, self._inventory.jump(name))
        with self._lock:
            self._connected.add(name)
        return Shell(name, channel, self._site.settings.ssh.command_timeout_s)

    def _would_open(self, name: str, account: str, keys: Sequence[str]) -> dict[str, bool | None]:
        host = self._inventory[name]
        jump = self._inventory.jump(name)
        return self.transport.would_open(name, host.address, host.port, jump, account, keys)

    def rest(self, name: str) -> None:
        """Have a target let go of its lock, and of its connection where more are open than may be."""
        with self._lock:
            target = self._targets.get(name)
            closes = name in self._connected and len(self._connected) > self._site.settings.ssh.max_connections
            if closes:
                self._connected.discard(name)
        if target is not None and closes:
            target.close()
        elif target is not None:
            target.rest()

    def key_exchanges(self) -> str:
        """How the connections so far were secured, for a person: ``curve25519-sha256 (12)``."""
        found = self.transport.key_exchanges.most_common()
        return ", ".join(f"{name} ({count})" for name, count in found)

    def close(self) -> None:
        """Let go of every connection."""
        for target in self._targets.values():
            target.close()
        self.transport.close()
