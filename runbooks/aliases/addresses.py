"""Mail addresses as exim reads them where it expects one: RFC 2822 with what it allows besides and what it forbids.

Source: exim 4.96, ``parse_extract_address`` in parse.c, with the settings' defaults (no UTF-8 in domains, no trailing
dots, no excess angle brackets).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

BLANKS = " \t\n\v\f\r"
"""What C's isspace takes in the C locale, and nothing else."""

_END = "\0"
_LITERAL = re.compile(r"\[[!-Z^-~]*\]")
_SPECIAL = set('()<>@,;:\\".[] \x7f') | {chr(code) for code in range(33)}
_DOMAIN = set(string.ascii_letters + string.digits + "-")


@dataclass(frozen=True, slots=True)
class Address:
    """What exim makes of a text: the ``address`` alone, without phrase and comments; or the ``error`` with which it
    refuses it."""

    local_part: str = ""
    domain: str = ""
    error: str = ""

    @property
    def address(self) -> str:
        """As it is written; one without a domain is a local part."""
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part


def extract(text: str) -> Address:
    """The address in a text, one character a byte; NUL must not be in it."""
    try:
        return _Scan(text).mailbox()
    except _Malformed as error:
        return Address(error=str(error))


class _Malformed(Exception):
    """Why it is no address, in exim's words."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.at = text + _END, 0

    @property
    def next(self) -> str:
        return self.text[self.at]

    def mailbox(self) -> Address:
        self._skip()
        found = self._local_part(may_be_empty=True)
        if self.next not in "@<":
            if self.next in f"{_END};":
                if not found:
                    raise _Malformed("empty address")
                return self._whole(Address(found))
            self._phrase()
        if self.next == "<":
            return self._whole(self._in_brackets())
        if found:
            self.at += 1
            return self._whole(Address(found, self._domain(literals=True)))
        self._route()
        return self._whole(self._address(_END, routed=True))

    def _whole(self, found: Address) -> Address:
        if self.next != _END:
            raise self._misplaced()
        return found

    def _misplaced(self) -> _Malformed:
        rest, before = self.text[self.at : -1], self.text[: self.at]
        return _Malformed(f"malformed address: {rest[:32]} may not follow {before}")

    def _phrase(self) -> None:
        while self.next != "<":
            try:
                self._local_part()
            except _Malformed as error:
                raise _Malformed(f'{error} (expected word or "<")') from error

    def _in_brackets(self) -> Address:
        self.at += 1
        self._skip()
        routed = self.next == "@"
        if routed:
            self._route()
        found = self._address(">", routed)
        if self.next != ">":
            if self.next == _END:
                raise _Malformed("'>' missing at end of address")
            raise self._misplaced()
        self.at += 1
        self._skip()
        return found

    def _address(self, end: str, routed: bool = False) -> Address:
        found = self._local_part()
        if self.next == end:
            if routed:
                raise _Malformed("domain missing in source-routed address")
            return Address(found)
        if self.next != "@":
            raise _Malformed(f'"@" or "." expected after "{found}"')
        self.at += 1
        return Address(found, self._domain())

    def _route(self) -> None:
        """Source routes are read and ignored."""
        commas = False
        while self.next == "@":
            self.at += 1
            self._domain()
            if self.next != ",":
                break
            self.at += 1
            commas = True
            self._skip()
        if self.next != ":":
            raise _Malformed("colon expected after route list" if commas else "no local part")
        self.at += 1
        self._skip()

    def _local_part(self, may_be_empty: bool = False) -> str:
        found = ""
        while True:
            self._skip()
            word = self._quoted() if self.next == '"' else self._atom()
            self._skip()
            if not word and self.next != ".":
                if not found and not may_be_empty:
                    raise _Malformed("missing or malformed local part")
                return found
            found += word
            if self.next != ".":
                return found
            while self.next == ".":
                found += "."
                self.at += 1

    def _quoted(self) -> str:
        start = self.at
        self.at += 1
        while self.next not in f'"{_END}':
            self.at += 2 if self.next == "\\" and self.text[self.at + 1] != _END else 1
        if self.next == _END:
            raise _Malformed("unmatched doublequote in local part")
        self.at += 1
        return self.text[start : self.at]

    def _atom(self) -> str:
        start = self.at
        while self.next == "\\" or self.next not in _SPECIAL:
            self.at += 2 if self.next == "\\" and self.text[self.at + 1] != _END else 1
        return self.text[start : self.at]

    def _domain(self, literals: bool = False) -> str:
        self._skip()
        if self.next == "[":
            return self._literal(literals)
        found = ""
        while True:
            start = self.at
            while self.next in _DOMAIN and (self.at > start or self.next != "-"):
                self.at += 1
            found += self.text[start : self.at]
            empty = self.at == start
            self._skip()
            if empty:
                raise _Malformed("domain missing or malformed")
            if self.next != ".":
                return found
            found += "."
            self.at += 1
            self._skip()

    def _literal(self, allowed: bool) -> str:
        """An address of a host, or what is taken for one. By an oversight those that are not allowed are refused only
        between angle brackets."""
        found = _LITERAL.match(self.text, self.at)
        if not allowed or not found:
            raise _Malformed("malformed domain literal" if allowed else "domain literals not allowed")
        self.at = found.end()
        self._skip()
        return found.group()

    def _skip(self) -> None:
        """Past blanks and comments."""
        while True:
            while self.next in BLANKS:
                self.at += 1
            if self.next != "(":
                return
            self.at = min(behind(self.text, self.at, "(", ")"), len(self.text) - 1)


def behind(text: str, start: int, opens: str, closes: str) -> int:
    """The offset behind the quoted string (``opens`` nothing) or the comment, which nest, that begins at ``start``."""
    at, level = start + 1, 1
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] not in ("", _END):
            at += 1
        elif text[at] == opens:
            level += 1
        elif text[at] == closes:
            level -= 1
            if not level:
                return at + 1
        at += 1
    return at
