"""Which account names may be written into the registry."""

from __future__ import annotations

import re

from runbooks.errors import UsageError

LONGEST = 32
"""The longest name that useradd takes (utmp keeps 32 bytes)."""

RULE = re.compile(r"[a-z][a-z0-9-]*")
"""The field's user-name rule: lower case, digits and dashes, a letter first."""

_DEBIAN = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats _apt nobody
adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl plugdev staff
users nogroup
"""
_SERVICES = """
messagebus sshd ntp ntpsec openntpd bind postfix exim debian-exim mysql postgres redis memcache elasticsearch nagios
icinga prometheus grafana puppet puppetdb haproxy rsync statd dnsmasq polkitd systemd-network systemd-resolve
systemd-timesync systemd-coredump systemd-journal tcpdump uuidd unbound nslcd nscd openldap krbtgt kadmin admin halt
shutdown ftp toor
"""
RESERVED = frozenset(_DEBIAN.split()) | frozenset(_SERVICES.split())
"""Names of system accounts and groups: Debian's base-passwd (passwd.master, group.master), and the services' own."""


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an account.

    Raises UsageError: no name of the field (lower-case letters, digits, dashes, a letter first, at most 32
    characters), or the name of a system account.
    """
    if not isinstance(name, str) or not RULE.fullmatch(name):
        raise UsageError(
            f"{name!r} is no account name: lower-case letters, digits and dashes, a letter first; choose another"
        )
    if len(name) > LONGEST:
        raise UsageError(f"{name!r} has {len(name)} characters: an account name has at most {LONGEST}; shorten it")
    if name in RESERVED:
        raise UsageError(f"{name!r} is the name of a system account: choose another")
