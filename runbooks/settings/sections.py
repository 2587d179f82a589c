"""The sections of the settings, each with its defaults. ``invoke.yaml`` explains each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROLES = (
    "abuse", "noc", "security", "postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp",
    "info", "marketing", "sales", "support", "root", "nobody", "ops", "ops-*", "sre", "sre-*", "admin", "admins",
    "admin-*", "sysadmin", "sysadmins", "mailer-daemon", "noreply", "no-reply", "help", "helpdesk", "contact",
    "office", "press", "legal", "billing", "donate", "donations", "jobs", "careers", "privacy", "dns", "dns-*",
    "alerts", "alerts-*", "monitoring", "nagios", "icinga", "cron", "backup", "backups", "it", "hr", "pr", "*-team",
    "team-*", "*-admin", "*-admins", "*-alerts", "*-request", "*-owner", "*-group",
)  # fmt: skip
"""Names that are a role's by RFC 2142, or by custom."""
_PUPPET_STATE = ("/opt/puppetlabs/puppet/cache/state", "/var/cache/puppet/state", "/var/lib/puppet/state")


@dataclass(frozen=True, slots=True)
class Ssh:
    """How hosts are reached. ``sudo`` is on when the user isn't root and nothing else is said; without a
    ``key_exchange``, ssh_config or else the client chooses."""

    config: Path | None = None
    user: str = "root"
    sudo: bool = False
    connect_timeout_s: int = 10
    command_timeout_s: int = 300
    max_connections: int = 500
    keepalive_s: int = 15
    client: str = "libssh"
    key_exchange: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repository:
    """The puppet repository that holds the account registry. ``url`` may hold a password: ``repr`` leaves it out."""

    url: str | None = field(default=None, repr=False)
    branch: str = "production"
    registry: str = "modules/admin/data/data.yaml"
    cache: Path = Path("/var/cache/ops-clinic/repository")


@dataclass(frozen=True, slots=True)
class Puppet:
    """Puppet on the hosts and on its servers; commands are lists of words."""

    agent: tuple[str, ...] = ("puppet", "agent", "--test", "--detailed-exitcodes", "--color=false")
    disable: tuple[str, ...] = ("puppet", "agent", "--disable")
    enable: tuple[str, ...] = ("puppet", "agent", "--enable")
    state_dirs: tuple[str, ...] = _PUPPET_STATE
    servers: str = "A:puppetserver"
    server_checkout: str = "/etc/puppet/code/environments/production"
    run_timeout_s: int = 1800
    wait_s: int = 300


@dataclass(frozen=True, slots=True)
class Private:
    """The private repository, which is edited where it lies: in ``checkout`` on the one ``host`` (a query), as root.
    ``root_keys`` is the file in it from which puppet takes root's keys; without it there is none."""

    host: str | None = None
    checkout: str | None = None
    root_keys: str | None = None


@dataclass(frozen=True, slots=True)
class Ldap:
    """The directory; without a ``url`` there is none. The password is in OPS_CLINIC_LDAP_PASSWORD, or in a file of mode
    600. ``staff`` and ``others`` are the groups for people with and without an address of the organisation, which has
    one of ``domains``; nobody is in both. Those two, and the ``privileged`` ones, take nobody whom
    the registry has no entry of."""

    url: str | None = None
    ca: Path | None = None
    bind_dn: str = ""
    password_file: Path | None = None
    people: str = ""
    groups: str = ""
    staff: str = "wmf"
    others: str = "nda"
    domains: tuple[str, ...] = ()
    privileged: tuple[str, ...] = ()
    connect_timeout_s: int = 10
    answer_timeout_s: int = 30

    def not_with(self, group: str) -> str:
        """The group that has nobody of this one; empty where any may."""
        return {self.staff: self.others, self.others: self.staff}.get(group, "")


@dataclass(frozen=True, slots=True)
class Corporate:
    """The organisation's own directory of who works there; without a ``url`` there is none. ``bind_dn`` is empty where
    anybody may look; else the password is in OPS_CLINIC_CORPORATE_PASSWORD, or in a file of mode 600. ``mail`` are the
    attributes that addresses are in, ``gone`` a filter for people who have left."""

    url: str | None = None
    ca: Path | None = None
    bind_dn: str = ""
    password_file: Path | None = None
    people: str = ""
    mail: tuple[str, ...] = ("mail",)
    gone: str = ""
    connect_timeout_s: int = 10
    answer_timeout_s: int = 30


@dataclass(frozen=True, slots=True)
class Review:
    """The Gerrit in front of the repository; without a ``url`` there is none, and proposals are branches. The password
    is in OPS_CLINIC_GERRIT_PASSWORD, or in a file of mode 600. ``votes`` are given by ourselves before we submit."""

    url: str | None = None
    project: str = ""
    user: str = ""
    password_file: Path | None = None
    votes: tuple[tuple[str, int], ...] = ()
    ca: Path | None = None
    timeout_s: int = 60


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """The Prometheus Alertmanager in which hosts are silenced around work on them; without a ``url`` there is none.
    ``label`` is the one that alerts have their host in. Where it asks who we are: a password, in
    OPS_CLINIC_ALERTMANAGER_PASSWORD, or a token, in OPS_CLINIC_ALERTMANAGER_TOKEN; or either in a file of mode 600."""

    url: str | None = None
    ca: Path | None = None
    label: str = "instance"
    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    timeout_s: int = 10


@dataclass(frozen=True, slots=True)
class Access:
    """Who gets access, and what stays of those who lose it. ``legal`` confirms NDAs, and is asked by that name on the
    ticket; ``data_groups`` are the groups for data (globs); homes go into the directory ``archive`` of their hosts
    before an account is removed (None: they are left where they are)."""

    legal: str = "the legal department"
    data_groups: tuple[str, ...] = ("analytics-*", "statistics-*", "researchers")
    archive: str | None = None


@dataclass(frozen=True, slots=True)
class Oob:
    """How BMCs are logged in to, unless a host's own ``bmc:`` says otherwise. The password is in
    OPS_CLINIC_BMC_PASSWORD, in a file of mode 600, or in the operator's keyring under the service ``keyring``.
    ``critical`` are roles whose machines' names are always typed."""

    user: str = "root"
    password_file: Path | None = None
    keyring: str | None = None
    ca: Path | None = None
    critical: tuple[str, ...] = ()
    timeout_s: int = 10
    power_s: int = 60
    shutdown_s: int = 300
    boot_s: int = 900


@dataclass(frozen=True, slots=True)
class Reboot:
    """How a system is told to start anew: the command, and how long that may take."""

    command: tuple[str, ...] = ("systemctl", "reboot")
    boot_s: int = 1200


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where a machine's hardware is looked up: of each field, the first of ``sources`` that tells it counts."""

    sources: tuple[str, ...] = ("yaml",)


@dataclass(frozen=True, slots=True)
class Netbox:
    """The Netbox that hardware is looked up in. The token is in OPS_CLINIC_NETBOX_TOKEN, or in a file of mode 600.
    ``bmc`` is where the address of a BMC is looked for, in order: a device's ``oob_ip``, the address of its interface
    that is for management only (``mgmt_address``), or that address's name (``mgmt_name``)."""

    url: str | None = None
    ca: Path | None = None
    token_file: Path | None = None
    timeout_s: int = 10
    bmc: tuple[str, ...] = ("oob_ip",)


@dataclass(frozen=True, slots=True)
class RackTables:
    """The database of the RackTables that hardware is looked up in. The password is in OPS_CLINIC_RACKTABLES_PASSWORD,
    or in a file of mode 600. With a ``ca`` it is reached by TLS or not at all; ``bmc`` are the names that interfaces of
    BMCs have there."""

    host: str | None = None
    port: int = 3306
    database: str = "racktables"
    user: str | None = None
    password_file: Path | None = None
    ca: Path | None = None
    timeout_s: int = 10
    bmc: tuple[str, ...] = ("bmc", "cimc", "idrac", "ilo", "ilom", "ipmi", "mgmt", "oob", "xcc")


@dataclass(frozen=True, slots=True)
class ListDomain:
    """A domain of mailing lists. ``mailman3`` is spoken to at ``url`` as ``user``, with the password in
    OPS_CLINIC_MAILMAN_PASSWORD or in a file of mode 600; ``mailman2`` by the commands in ``bin`` on ``host``.
    ``web`` are the words of the management command of the Django that has the web log-ins, on ``host``, too."""

    name: str
    driver: str = "mailman3"
    url: str | None = None
    user: str = "restadmin"
    password_file: Path | None = None
    ca: Path | None = None
    timeout_s: int = 30
    host: str | None = None
    bin: str = "/usr/lib/mailman/bin"
    web: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lists:
    """The mailing lists, by domain; a list is named without its domain where there is one only. ``name_pattern`` is
    what a new list's name has to fit, ``disabled`` what a disabled one's description begins with."""

    domains: tuple[ListDomain, ...] = ()
    name_pattern: str = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    disabled: str = "[disabled]"


@dataclass(frozen=True, slots=True)
class Aliases:
    """Mail aliases: a file a domain in ``directory`` of the private repository, and what ``manifests`` there make of
    it; without a ``directory`` there are none. ``mail_hosts`` (a query) have them in ``host_directory``; ``command`` is
    exim's, with options if it needs any. ``policy``: ``role`` refuses aliases of single people, ``any`` takes all;
    ``roles`` (globs) are always taken, ``personal`` (patterns) never; ``handled_by`` is who sees to those."""

    directory: str | None = None
    manifests: str | None = None
    mail_hosts: str = "A:mx"
    host_directory: str = "/etc/exim4/aliases"
    command: tuple[str, ...] = ("exim4",)
    policy: str = "role"
    roles: tuple[str, ...] = ROLES
    personal: tuple[str, ...] = (r"[a-z]+(-[a-z]+)?\.[a-z]+(-[a-z]+)?",)
    handled_by: str = "OIT"


@dataclass(frozen=True, slots=True)
class PuppetDB:
    """PuppetDB for ``P{...}``, under Cumin's own names; without a host there is none."""

    host: str | None = None
    port: int = 443
    scheme: str = "https"
    timeout: int = 30
    ssl_verify: bool | str = True
    ssl_client_cert: Path | None = None
    ssl_client_key: Path | None = None

    def as_cumin(self) -> Mapping[str, Any]:
        """Return what Cumin's configuration has under ``puppetdb``; empty without a host."""
        if not self.host:
            return {}
        verify = self.ssl_verify
        files = {"ssl_client_cert": self.ssl_client_cert, "ssl_client_key": self.ssl_client_key}
        return {
            "host": self.host, "port": self.port, "scheme": self.scheme, "timeout": self.timeout, "ssl_verify": verify,
            **{key: str(path) for key, path in files.items() if path},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lease:
    """A driver's hold on its run: kept up every ``heartbeat_s``, lost after ``expires_s`` of silence."""

    expires_s: int = 60
    heartbeat_s: int = 10
