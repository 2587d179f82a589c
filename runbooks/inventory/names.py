"""Names as they enter: host names, addresses, users; their natural order, and the close match for a mistyped one."""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Collection

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_DIGITS = re.compile(r"(\d+)")
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_ONLY_NUMBERS = re.compile(r"[0-9.]+")

NaturalKey = list[tuple[int, str]]


def host_problem(name: str) -> str | None:
    """Say what keeps ``name`` from being a host name (RFC 1123, in lower case as Puppet has it), or None."""
    if len(name) > 253:
        return "is longer than 253 characters"
    if name != name.lower():
        return f"has capital letters: write {name.lower()}"
    if not name.isascii() and (written := in_ascii(name)):
        return f"has letters beyond ASCII: write {written}"
    if not _HOST.fullmatch(name):
        return "is no host name (letters, digits, '-' inside a label, '.' between labels)"
    return None


def in_ascii(domain: str) -> str:
    """The form of an international domain that mail and the DNS have (``xn--``); empty where there is none, or where
    the older standard (IDNA 2003, which is Python's) and the newer one have another: of ß, say."""
    try:
        found = domain.lower().encode("idna").decode()
        is_the_same = found.encode().decode("idna") == unicodedata.normalize("NFC", domain.lower())
    except UnicodeError:
        return ""
    return found if is_the_same and _HOST.fullmatch(found) else ""


def address_problem(address: str) -> str | None:
    """Say what keeps ``address`` from being an IP address or a host name, or None."""
    if _IPV4.fullmatch(address):
        return None  # ten times as quick as ipaddress: there may be 10,000
    try:
        ipaddress.ip_address(address)
    except ValueError:
        # 300.1.1.1 has the characters of a host name, but is a mistyped address.
        if _ONLY_NUMBERS.fullmatch(address) or host_problem(address.lower()):
            return "is neither an IP address nor a host name"
    return None


def user_problem(user: str) -> str | None:
    """Say what keeps ``user`` from being a login name, or None."""
    return None if _USER.fullmatch(user) else "is no login name (small letters, digits, '_', '-'; at most 32)"


def natural(name: str) -> NaturalKey:
    """Return a sort key under which lab2 comes before lab10, and lab1 before lab01."""
    parts = _DIGITS.split(name)
    key: NaturalKey = [(-1, parts[0])]
    for digits, text in zip(parts[1::2], parts[2::2], strict=True):
        key.append((int(digits), ""))
        key.append((len(digits), text))
    return key


def suggest(word: str, known: Collection[str]) -> str:
    """Return `` (did you mean X or Y?)`` when something known is close to ``word``, else an empty string."""
    close = difflib.get_close_matches(word, known, n=2)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def listed(words: Collection[str], limit: int = 10) -> str:
    """Return the words in natural order with commas, cut after ``limit`` with a count of the rest."""
    ordered = sorted(words, key=natural)
    rest = len(ordered) - limit
    return ", ".join(ordered[:limit]) + (f" and {rest} more" if rest > 0 else "")


def short(text: str, limit: int = 80) -> str:
    """Return ``text`` on one line, cut in the middle of nowhere after ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
