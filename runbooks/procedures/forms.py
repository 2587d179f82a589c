"""The forms of what operators give, whatever the procedure: tickets and mail addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runbooks.errors import UsageError
from runbooks.inventory.names import in_ascii, short

# An apostrophe stands inside of names (O'Brien); in front it is a quote that came along.
_ADDRESS = re.compile(r"(?!')[^\s@<>\",;:]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
_TASK = re.compile(r"T[1-9][0-9]*")


def check_task(task: str) -> None:
    """Raise UsageError for what is no ticket's name; none at all is fine."""
    if task and not _TASK.fullmatch(task):
        raise UsageError(f"{task!r} is no task: T and digits, as T123")


def check_address(text: str, option: str = "") -> None:
    """Raise UsageError, which names the ``option`` that it was given with, for what is no mail address."""
    if not _ADDRESS.fullmatch(text):
        raise UsageError(f"{option} {short(text)!r} is no mail address: write it as {_well_formed(text)}".lstrip())


def _well_formed(text: str) -> str:
    """The same address with its domain in ASCII; an example where it is not that which is wrong."""
    local, _, domain = text.rpartition("@")
    address = f"{local}@{in_ascii(domain)}"
    return address if not domain.isascii() and _ADDRESS.fullmatch(address) else "name@example.org"


def addresses(texts: Sequence[str], option: str) -> tuple[str, ...]:
    """Mail addresses, in small letters, none twice. Raises UsageError."""
    found: list[str] = []
    for text in texts:
        check_address(text, option)
        if (address := text.lower()) in found:
            raise UsageError(f"{option}: {address} is named twice")
        found.append(address)
    return tuple(found)
