"""Whether two sources say the same of a machine, although they write it differently.

What identifies a machine or its BMC is compared narrowly: only case, and separators that one side leaves out altogether
(``WMF-1234``, ``wmf1234``), are nothing there. ``1-23`` and ``12-3`` are two.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Mapping

Resolve = Callable[[str], Collection[str]]
"""The addresses of a name; none where it has none, or nobody can tell."""

_WORD = re.compile(r"[^\W_]+")
_LEGAL = {"inc", "incorporated", "corp", "corporation", "co", "company", "ltd", "limited", "llc", "gmbh", "ag", "sa"}
#: One name for each vendor whose machines have a driver; blanks and legal forms are left out on both sides.
_VENDORS: Mapping[str, str] = {
    "dell": "dell",
    "dellemc": "dell",
    "delltechnologies": "dell",
    "hp": "hpe",
    "hpe": "hpe",
    "hewlettpackard": "hpe",
    "hewlettpackardenterprise": "hpe",
    "supermicro": "supermicro",
    "supermicrocomputer": "supermicro",
    "cisco": "cisco",
    "ciscosystems": "cisco",
    "oracle": "oracle",
    "sun": "oracle",
    "sunmicrosystems": "oracle",
    "lenovo": "lenovo",
}
# Product lines, which some write in front of a model and others don't.
_LINES = {"poweredge", "proliant", "primergy", "thinksystem", "superserver", "ucs", "fire"}
_GENERATION = re.compile(r"gen(?:eration)?(\d+)")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def vendor_key(text: str) -> str:
    """One word for a vendor, however it is written: ``dell``, ``hpe``, ``supermicro`` …, or what is left of another
    name in small letters (``acme``)."""
    words = _words(text)
    while len(words) > 1 and words[-1] in _LEGAL:
        words.pop()
    joined = "".join(words)
    return _VENDORS.get(joined, joined)


def split_vendor(text: str) -> tuple[str, str]:
    """A vendor that is known at the beginning of ``text``, and the rest: ``Dell EMC``, ``PowerEdge R450``."""
    words = text.split()
    for length in range(min(4, len(words)), 0, -1):
        if vendor_key(" ".join(words[:length])) in _VENDORS.values():
            return " ".join(words[:length]), " ".join(words[length:])
    return "", text


def _model(text: str) -> str:
    rest = split_vendor(text)[1] or text
    words = _words(rest.replace("+", " plus "))
    named = [word for word in words if word not in _LINES] or words
    return _GENERATION.sub(r"g\1", "".join(named))


def _same_words(one: str, other: str) -> bool:
    first, second = _words(one), _words(other)
    unbroken = len(first) == 1 or len(second) == 1
    return first == second or (unbroken and "".join(first) == "".join(second))


def _same_rack(one: str, other: str) -> bool:
    return _same_words(*(re.sub(r"(?i)^\s*rack\b\W*(?=\w)", "", text) for text in (one, other)))


def bare_address(text: str) -> str:
    """An address without the length of its network, as short as it can be written; a name in small letters."""
    try:
        return str(ipaddress.ip_interface(text.strip()).ip)
    except ValueError:
        return text.strip().rstrip(".").lower()


def is_address(text: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def same_name(one: str, other: str) -> bool:
    """Whether two host names are one: alike, or the one is the other's beginning, up to a dot."""
    first, second = sorted((bare_address(one), bare_address(other)), key=len)
    return first == second or second.startswith(f"{first}.")


def same_bmc(one: str, other: str, resolve: Resolve) -> bool:
    """Whether two addresses or names of a BMC lead to the same one. A name and an address, or two names that differ,
    are looked up; where that tells nothing they are not the same: nobody knows."""
    first, second = bare_address(one), bare_address(other)
    names = [text for text in (first, second) if not is_address(text)]
    if first == second or not names:
        return first == second
    if len(names) == 2 and same_name(first, second):
        return True
    found = [{bare_address(each) for each in (resolve(text) if text in names else [text])} for text in (first, second)]
    return bool(found[0] & found[1])


def addresses_of(name: str) -> Collection[str]:
    """What the resolver of this machine says of a name."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return sorted({str(entry[4][0]) for entry in found})


def same(field: str, one: str, other: str, resolve: Resolve = addresses_of) -> bool:
    """Whether two values of a field of ``Hardware`` (any but its roles) say the same."""
    if field == "bmc":
        return same_bmc(one, other, resolve)
    if field == "vendor":
        return vendor_key(one) == vendor_key(other)
    if field == "model":
        return _model(one) == _model(other)
    return _same_rack(one, other) if field == "rack" else _same_words(one, other)
