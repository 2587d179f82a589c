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

_NOT_TEXT = frozenset(("yes", "no", "true", "false", "on", "off", "null", "y", "n"))
"""Words that a YAML 1.1 reader (puppet's is one) takes for a boolean or nothing unless they are quoted."""


def check_name(name: str) -> None:
    """Refuse what cannot be the name of an account.

    Raises UsageError: no name of the field (lower-case letters, digits, dashes, a letter first, at most 32
    characters), or the name of a system account.
    """
    if not RULE.fullmatch(name):
        raise UsageError(
            f"{name!r} is no account name: lower-case letters, digits and dashes, a letter first; choose another"
        )
    if len(name) > LONGEST:
        raise UsageError(f"{name!r} has {len(name)} characters: an account name has at most {LONGEST}; shorten it")
    if name in RESERVED:
        raise UsageError(f"{name!r} is the name of a system account: choose another")


def spelled(name: str, quote: str = "") -> str:
    """A valid name as it is written in YAML, in ``quote`` where that is given or the bare word would be no text."""
    if not quote and name in _NOT_TEXT:
        quote = "'"
    return f"{quote}{name}{quote}"
