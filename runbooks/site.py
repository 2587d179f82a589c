"""What a procedure is handed: the fleet, the registry and every other system, each opened when it is first used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks import driver
from runbooks.errors import RunbookError, SettingsError, UsageError
from runbooks.fleet import Fleet
from runbooks.inventory import Inventory
from runbooks.looking import ask_each
from runbooks.secret import Fresh, Secret, find, from_environment
from runbooks.settings import Settings

if TYPE_CHECKING:
    from runbooks.inventory.hardware import HardwareSource, LookedUp
    from runbooks.journal import Journal
    from runbooks.lists.model import ListTarget
    from runbooks.oob.model import Bmc, Driver
    from runbooks.oob.passwords import Passwords
    from runbooks.registry import AccountRegistry
    from runbooks.systems.accounts import Account
    from runbooks.systems.alertmanager_api import Alertmanager
    from runbooks.systems.corporate import Corporate
    from runbooks.systems.gerrit import Gerrit
    from runbooks.systems.git import Repository
    from runbooks.systems.host import HostTarget
    from runbooks.systems.ldap import Directory


LDAP_PASSWORD = "OPS_CLINIC_LDAP_PASSWORD"
CORPORATE_PASSWORD = "OPS_CLINIC_CORPORATE_PASSWORD"
GERRIT_PASSWORD = "OPS_CLINIC_GERRIT_PASSWORD"
MAILMAN_PASSWORD = "OPS_CLINIC_MAILMAN_PASSWORD"
"""The environment variables that passwords may be in."""


@dataclass
class Site:
    """The fleet that the settings name. ``operator`` is the person, not the account that logs in on hosts;
    ``confirmed_at`` is where it can be read that what a run waits for is so, if this person came to say that."""

    settings: Settings
    operator: str = field(default_factory=driver.operator)
    confirmed_at: str = ""

    @cached_property
    def inventory(self) -> Inventory:
        """The hosts. Raises InventoryError."""
        inventory = Inventory.load(self.settings.inventory)
        return replace(inventory, puppetdb=self.settings.puppetdb.as_cumin())

    @cached_property
    def journal(self) -> Journal:
        """Plans, runs, ownership. Raises SettingsError."""
        from runbooks.journal import Journal

        return Journal(self.settings.journal, expires_s=self.settings.lease.expires_s)

    @cached_property
    def targets(self) -> Fleet:
        """Hosts by name, and systems (``@git``)."""
        return Fleet(self)

    @cached_property
    def repository(self) -> Repository:
        """The puppet repository. Raises SettingsError where none is set."""
        from runbooks.systems.git import Repository

        chosen = self.settings.repository
        if not chosen.url:
            raise SettingsError("repository.url is not set: say in invoke.yaml where the puppet repository is")
        config = self.settings.ssh.config
        _refuse_missing(config, "ssh.config")
        ssh = ("ssh", "-o", "BatchMode=yes", *(("-F", str(config)) if config else ()))
        # One copy for each remote: a copy of another one would hold branches that this one never had.
        cache = chosen.cache / hashlib.sha256(chosen.url.encode()).hexdigest()[:16]
        return Repository(chosen.url, chosen.branch, cache, ssh, self.operator, self._gerrit())

    def _gerrit(self) -> Gerrit | None:
        from runbooks.systems.gerrit import Gerrit

        chosen = self.settings.gerrit
        if not chosen.url:
            return None
        for name in ("project", "user"):
            if not getattr(chosen, name):
                raise SettingsError(f"gerrit.{name} is not set: say in invoke.yaml which project it is, and who we are")
        password = find(GERRIT_PASSWORD, chosen.password_file, "gerrit.password_file")
        votes = dict(chosen.votes)
        return Gerrit(chosen.url, chosen.project, chosen.user, password, votes, chosen.ca, chosen.timeout_s)

    @cached_property
    def directory(self) -> Directory:
        """The LDAP directory. Raises SettingsError where none is set, or its password is nowhere."""
        from runbooks.systems.ldap import Directory

        chosen = self.settings.ldap
        for name in ("url", "bind_dn", "people", "groups"):
            if not getattr(chosen, name):
                raise SettingsError(f"ldap.{name} is not set: say in invoke.yaml where the directory is")
        password = find(LDAP_PASSWORD, chosen.password_file, "ldap.password_file")
        return Directory(**_server("ldap", chosen, password), groups=chosen.groups)

    @cached_property
    def corporate(self) -> Corporate:
        """The organisation's own directory. Raises SettingsError where one is set that cannot be used."""
        from runbooks.systems.corporate import Corporate

        chosen = self.settings.corporate
        if not chosen.people:
            raise SettingsError("corporate.people is not set: say in invoke.yaml where people lie in that directory")
        if not self.settings.ldap.domains:
            raise SettingsError("corporate needs ldap.domains: they say whose addresses are looked up there")
        wanted = bool(chosen.bind_dn)
        password = find(CORPORATE_PASSWORD, chosen.password_file, "corporate.password_file") if wanted else Secret("")
        corporate = Corporate(**_server("corporate", chosen, password), mail=chosen.mail, gone=chosen.gone)
        corporate.refuse_bad_filter()
        return corporate

    @cached_property
    def bmc_passwords(self) -> Passwords:
        """Where the passwords of BMCs come from."""
        from runbooks.oob.passwords import Passwords

        return Passwords(self.settings.oob.password_file, self.settings.oob.keyring)

    def open_driver(self, bmc: Bmc) -> Driver:
        """The driver for a BMC, with its password. Raises SettingsError, UsageError."""
        from runbooks.oob.drivers import driver_class

        own_file = self.inventory[bmc.host].bmc.get("password_file")
        password = self.bmc_passwords.of(bmc, own_file and Path(own_file))
        return driver_class(bmc.driver)(bmc, password, self.settings.oob.timeout_s)

    @cached_property
    def hardware_sources(self) -> Sequence[HardwareSource]:
        """Where hardware is looked up. Raises SettingsError, InventoryError."""
        from runbooks.sources import open_sources

        return open_sources(self.settings, self.inventory)

    def hardware(self, hosts: Sequence[str]) -> Mapping[str, LookedUp]:
        """What the sources know of hosts' hardware, contradictions included. Raises Unreachable where one of them
        cannot be asked, SettingsError, InventoryError."""
        from runbooks.sources import ask

        return ask(self.hardware_sources, [self.inventory[name].name for name in hosts])

    @cached_property
    def alertmanager(self) -> Alertmanager:
        """The Alertmanager. Raises SettingsError where none is set, or one that cannot be used."""
        from runbooks.systems.alertmanager_api import opened

        return opened(self.settings.alertmanager, self.operator)

    @cached_property
    def fresh(self) -> Fresh:
        """A new password, for whom this process gives one."""
        return Fresh()

    @cached_property
    def _mailman_password(self) -> Secret | None:
        return from_environment(MAILMAN_PASSWORD)

    def open_lists(self, domain: str, host: Callable[[str], HostTarget]) -> ListTarget:
        """The mailing lists of a domain; ``host`` opens a list server over ssh. Raises SettingsError."""
        from runbooks.lists.drivers import driver_class, open_lists

        chosen = next((one for one in self.settings.lists.domains if one.name == domain), None)
        if chosen is None:
            raise SettingsError(f"lists.domains: there is no {domain}: say in invoke.yaml where its lists are")
        password = Secret("")
        if driver_class(chosen.driver).takes_password:
            key = f"lists.domains.{domain}.password_file"
            password = self._mailman_password or find(MAILMAN_PASSWORD, chosen.password_file, key)
        return open_lists(chosen, password, lambda: host(str(chosen.host)), self.fresh)

    def registry(self) -> AccountRegistry:
        """The account registry as the repository's main branch has it now. Raises RegistryError, Unreachable."""
        from runbooks.registry import registry_of

        reader = self.targets["@git"].reader()
        files = reader.at(reader.main)  # type: ignore[attr-defined]
        path = self.settings.repository.registry
        return registry_of(path, files.read(path))

    def hosts_named(self, names: Iterable[str]) -> tuple[str, ...]:
        """The hosts of some queries, together. Raises InventoryError."""
        found = {host for query in names for host in self.inventory.query(query)}
        return tuple(name for name in self.inventory.hosts if name in found)

    def puppet_servers(self) -> tuple[str, ...]:
        """Where merged patches are deployed. Raises InventoryError."""
        return tuple(self.inventory.query(self.settings.puppet.servers))

    def puppet_record(self) -> dict[str, Any]:
        """Puppet's settings as ``systems.puppet.Puppet`` takes them, for a case."""
        chosen = self.settings.puppet
        return {
            "agent": list(chosen.agent),
            "disable": list(chosen.disable),
            "enable": list(chosen.enable),
            "state_dirs": list(chosen.state_dirs),
            "run_timeout_s": chosen.run_timeout_s,
            "wait_s": chosen.wait_s,
        }

    def refuse_protected(self, *names: str) -> None:
        """Refuse names that are none, and accounts that no runbook may touch. Raises UsageError."""
        from runbooks.registry import check_name

        for name in names:
            check_name(name)
        if len(set(names)) < len(names):
            raise UsageError(f"{names[0]!r} twice: the names have to differ")
        users = {self.settings.ssh.user} | {host.user for host in self.inventory.hosts.values() if host.user}
        for name in names:
            if name in users:
                raise UsageError(f"{name!r} is the account that this tool logs in with: use another one first")
            if name == self.operator:
                raise UsageError(f"{name!r} is you: let a colleague do it")

    def hosts_with_account(self, name: str, uid: int, except_for: Sequence[str] = ()) -> tuple[str, ...]:
        """All hosts whose own /etc/passwd has the name or the UID, and those that could not be asked: they may have it.

        Puppet servers that hold no such account are not among them. Every host of the inventory is asked, live.
        """
        from runbooks.systems import reads

        def has_it(accounts: Sequence[Account] | RunbookError) -> bool:
            if isinstance(accounts, RunbookError):
                return True
            return any(account.name == name or account.uid == uid for account in accounts)

        candidates = [host for host in self.inventory.hosts if host not in set(except_for)]
        found = ask_each(candidates, self.targets, lambda reader: reader.ask(reads.passwd()))
        return tuple(host for host, accounts in found.items() if has_it(accounts))

    @staticmethod
    def keys(lines: Iterable[str]) -> tuple[str, ...]:
        """Registry keys as ``type base64``, without options and comments."""
        from runbooks.registry.keys import parse_key

        parsed = []
        for line in lines:
            try:
                key = parse_key(line)
            except ValueError:
                continue
            parsed.append(f"{key.type} {key.blob}")
        return tuple(sorted(parsed))

    def close(self) -> None:
        """Let go of every connection."""
        if "targets" in self.__dict__:
            self.targets.close()
        if "journal" in self.__dict__:
            self.journal.close()


def _server(section: str, chosen: Any, password: Secret) -> dict[str, Any]:
    """What the settings of both directories have; ``chosen`` are those of a section. Raises SettingsError for a ``ca``
    that is not there."""
    _refuse_missing(chosen.ca, f"{section}.ca")
    names = ("url", "bind_dn", "people", "ca", "connect_timeout_s", "answer_timeout_s")
    return {name: getattr(chosen, name) for name in names} | {"password": password}


def _refuse_missing(file: Path | None, key: str) -> None:
    if file and not file.is_file():
        raise SettingsError(f"{key}: {file}: no such file")


def open_site(config: Any, root: Path) -> Site:
    """The site of an Invoke configuration; ``root`` is the project. Raises SettingsError, InventoryError."""
    from runbooks.settings import load

    return Site(load(config, root))
