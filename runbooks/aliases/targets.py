"""Where an alias leads: exim's redirection list, item by item.

Source: exim specification, 22.4 and 22.6, and ``parse_forward_list`` in parse.c of exim 4.96. Names of people that are
no ASCII count as bytes there, and so do the positions here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from runbooks.aliases.addresses import BLANKS, behind, extract


class Kind(StrEnum):
    """What an item of the list is."""

    ADDRESS = "address"
    PIPE = "pipe"
    FILE = "file"
    INCLUDE = "include"
    FAIL = "fail"
    DEFER = "defer"
    BLACKHOLE = "blackhole"
    BAD = "bad"


WHOLE = frozenset({Kind.FAIL, Kind.DEFER, Kind.BLACKHOLE})
"""Such an item counts for the whole list, and the list ends with it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One item. ``text`` is how it stands there, without quotes around all of it (and what these
    escape in a pipe or file); ``address`` what exim takes for the
    address; ``error`` why it refuses it. ``start`` and ``end`` are offsets into the list. ``own``: a backslash before
    a local part stands for the domain that the mail came for; without it, the mail host adds its own."""

    kind: Kind
    text: str
    address: str
    start: int
    end: int
    error: str = ""
    own: bool = False

    @property
    def domain(self) -> str:
        """The address's domain in small letters; empty where it has none."""
        found = _DOMAIN.search(self.address)
        return found[1].lower() if found else ""

    def whole(self, domain: str, qualify: str) -> str:
        """The whole address, where an alias of ``domain`` leads there: to one without a domain exim adds ``qualify``,
        or the alias's own where it is told to by a backslash, or by an empty ``qualify``."""
        return self.address if self.domain else f"{self.address}@{domain if self.own or not qualify else qualify}"

    @property
    def meaning(self) -> tuple[str, str]:
        """What two items are compared by: case does not matter in addresses."""
        return self.kind, (self.address or self.text).lower()


_LABEL = "[A-Za-z0-9][A-Za-z0-9-]*"
_PLAIN = re.compile(rf"[ \t,]*([A-Za-z0-9_+.-]+(?:@{_LABEL}(?:\.{_LABEL})*)?)[ \t]*(?:,|\Z)")
_DOMAIN = re.compile(r"@([A-Za-z0-9.-]+|\[[^\[\]]*\])\Z")
_GAP = re.compile(f"[{BLANKS},]*")
_SPECIAL = {":defer:": Kind.DEFER, ":blackhole:": Kind.BLACKHOLE, ":fail:": Kind.FAIL}
_UNKNOWN = ":unknown:"
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
"""Quotes around a whole pipe or file are taken off with what they escape; a backslash at the end is gone, too."""


def targets_of(value: bytes) -> tuple[Target, ...]:
    """The items of a list, up to the one that counts for the whole. What exim passes over in silence is left out:
    ``:unknown:``, comments in place of addresses, and all behind a ``#`` where an item may begin."""
    return tuple(_items(value.decode("latin-1")))


def text_of(value: str) -> str:
    """Bytes as people read them, from one character a byte."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def _items(value: str) -> Iterator[Target]:
    at = 0
    while True:
        if plain := _PLAIN.match(value, at):
            yield Target(Kind.ADDRESS, plain[1], plain[1], plain.start(1), plain.end(1))
            at = plain.end()
            continue
        gap = _GAP.match(value, at)
        at = gap.end() if gap else at
        if at == len(value) or value[at] == "#":
            return
        end = _end(value, at)
        found = _item(value, at, at + len(value[at:end].rstrip(BLANKS)))
        at = end
        if found:
            yield found
            if found.kind in WHOLE:
                return


def _item(value: str, start: int, end: int) -> Target | None:
    item = value[start:end]
    quoted = item[0] == item[-1] == '"'
    if quoted:
        item = item[1:-1].strip(BLANKS)
    if _UNKNOWN.startswith(item):
        return None
    for word, kind in _SPECIAL.items():
        if item.startswith(word):
            rest = value[start:].rstrip(BLANKS)
            return Target(kind, text_of(rest), "", start, start + len(rest))
    if item.startswith(":include:"):
        return Target(Kind.INCLUDE, text_of(item), "", start, end)
    return _address(item, start, end, quoted)


def _address(item: str, start: int, end: int, quoted: bool) -> Target | None:
    found = extract(item.removeprefix("\\"))
    own = item[0] == "\\" and not found.error and not found.domain
    if not own:
        found = extract(item)
    if item[0] in "|/" and (found.error or not found.domain):
        text = _ESCAPED.sub(r"\1", item) if quoted else item
        return Target(Kind.PIPE if text[0] == "|" else Kind.FILE, text_of(text), "", start, end)
    if found.error == "empty address":
        return None
    if found.error:
        return Target(Kind.BAD, text_of(item), "", start, end, text_of(found.error))
    return Target(Kind.ADDRESS, text_of(item), text_of(found.address), start, end, own=own)


def _end(value: str, start: int) -> int:
    """Where an item ends: at a comma outside of quotes, comments, angle brackets and source routes."""
    at, routed = start, value[start] == "@"
    shut = int(routed)
    while at < len(value) and (value[at] != "," or shut > 0):
        char = value[at]
        if char == "\\" and at + 1 < len(value):
            at += 2
        elif char == '"':
            at = behind(value, at, "", '"')
        elif char == "(":
            at = behind(value, at, "(", ")")
        else:
            if char == "<":
                routed = value[at + 1 : at + 2] == "@"
                shut = 2 if routed else 1
            elif char == ">" or (routed and char == ":"):
                shut -= 1
            at += 1
    return at
