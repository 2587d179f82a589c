"""What may be written into an alias file: names, targets, remarks. What stands there already may be anything."""

from __future__ import annotations

import re

from runbooks.errors import UsageError
from runbooks.inventory.names import host_problem

LONGEST = 64
"""How many characters a local part has at most: RFC 5321, 4.5.3.1.1."""

_NAME = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*")
_LOCAL_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+=&'-]*[A-Za-z0-9_=+&'-])?")


def check_alias(name: str) -> None:
    """Refuse what cannot be the name of a new alias. Raises UsageError."""
    if "@" in name:
        raise UsageError(f"{name!r} is an address: an alias is named without its domain")
    if name != name.lower():
        raise UsageError(f"{name!r} has capital letters: aliases are written in small ones: {name.lower()}")
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"{name!r} is no name for an alias: small letters and digits, between them '.', '_', '+', '-'; "
            f"at most {LONGEST}"
        )


def check_target(target: str) -> None:
    """Refuse what no new target may be: only addresses and local parts are written, no pipes, files or ``:words:``.
    Raises UsageError."""
    local, at, domain = target.partition("@")
    if not _LOCAL_PART.fullmatch(local) or ".." in local or len(local) > LONGEST:
        raise UsageError(f"{target!r} is no mail address and no local part: write it as name@example.org")
    if at and (problem := host_problem(domain.lower())):
        raise UsageError(f"{target!r}: the domain {domain!r} {problem}")
    if at and "." not in domain:
        raise UsageError(f"{target!r}: the domain {domain!r} has no dot: write it in full")


def check_remark(remark: str) -> None:
    """Refuse what is no line of text. Raises UsageError."""
    if not remark.isprintable():
        raise UsageError(f"{remark!r} is no remark: one line of text without control characters")


def printable(text: str) -> str:
    """What stands in a file, for people: what cannot be printed is escaped."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
