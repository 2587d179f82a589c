"""An alias file's entries, as exim 4.96 really reads them.

A key is ended by a colon, by white space, or by the end of the line; lines that begin with white space continue the
data. Sources: exim specification, 9.3, ``lsearch``; lookups/lsearch.c of exim 4.96. Where they differ, the program
counts: the manual says that empty lines and comments inside an entry are passed over, but they end it, and what
continues it below them is lost without a word.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from runbooks.aliases.names import printable
from runbooks.aliases.targets import Target, targets_of
from runbooks.errors import RegistryError

SPACE = b" \t\n\v\f\r"
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_KEY = re.compile(rb"[^: \t\n\v\f\r]*")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.?)*)("?)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{0,2})|(.))", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True)
class Piece:
    """A piece of the data: where it begins in it, and where in the file."""

    offset: int
    place: int


@dataclass(frozen=True)
class Entry:
    """An alias. Lines count from 1, places are offsets into the file.

    ``name`` is the key in small letters: case does not matter. ``comments`` are the lines right above it. ``start`` is
    where its first line begins, ``end`` where the line behind its last begins; ``key_end`` is behind the key. ``lost``
    are the lines below that look like its own, and which exim does not read: an empty line or a comment ended it;
    ``lost_end`` is where the line behind all of them begins.
    """

    key: str
    line: int
    start: int
    end: int
    key_end: int
    colon: bool
    value: bytes
    pieces: tuple[Piece, ...]
    comments: tuple[str, ...]
    lost: tuple[int, ...]
    lost_end: int

    @cached_property
    def name(self) -> str:
        """The key in small letters: only ASCII's are compared without regard to case."""
        return self.key.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Where it leads; their offsets are into ``value``."""
        return targets_of(self.value)

    @property
    def meaning(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What two files are compared by."""
        return self.name, tuple(target.meaning for target in self.targets)

    def place(self, offset: int) -> int:
        """Where in the file a character of the data stands."""
        piece = self.pieces[bisect_right(self.pieces, offset, key=lambda one: one.offset) - 1]
        return piece.place + offset - piece.offset

    def span(self, target: Target) -> tuple[int, int]:
        """Where in the file a target begins and ends."""
        return self.place(target.start), self.place(target.end - 1) + 1

    def line_of(self, target: Target) -> int:
        """The number of the line where a target begins."""
        return self.line + bisect_right(self.pieces, target.start, key=lambda one: one.offset) - 1

    def shown(self) -> str:
        """Its targets, for people."""
        return printable(", ".join(target.text for target in self.targets)) or "nothing"


def entries_of(data: bytes) -> Iterator[Entry | int]:
    """The entries in their order, those that an earlier one hides included; and the numbers of lines that continue an
    entry where none has begun, which are lost. Raises RegistryError for a NUL, where exim joins two lines."""
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise RegistryError(f"line {line}: a NUL character, behind which exim misreads the file: remove it")
    entry, comments = None, list[str]()
    for number, match in enumerate(_LINE.finditer(data), start=1):
        raw, start = match.group(), match.start()
        kept = raw.rstrip(SPACE) if raw.endswith(b"\n") else raw
        if not kept or kept.startswith(b"#"):
            if entry:
                entry.ended = True
            if kept:
                comments.append(_text(kept))
            else:
                comments.clear()
            continue
        if kept[0] not in SPACE:
            if entry:
                yield entry.closed()
            entry = _Open(kept, number, start, match.end(), tuple(comments))
        elif entry:
            entry.take(kept, number, start, match.end())
        else:
            yield number
        comments.clear()
    if entry:
        yield entry.closed()


class _Open:
    """An entry of which more may come."""

    def __init__(self, line: bytes, number: int, start: int, end: int, comments: tuple[str, ...]) -> None:
        self.ended = False
        self.number, self.start, self.end, self.comments = number, start, end, comments
        if line.startswith(b'"') and (quoted := _QUOTED.match(line)):
            self.key, behind = _ESCAPE.sub(_unescaped, quoted[1]), quoted.end()
        else:
            plain = _KEY.match(line)
            self.key = plain.group() if plain else b""
            behind = len(self.key)
        rest = line[behind:].lstrip(SPACE)
        self.key_end, self.colon = start + behind, rest.startswith(b":")
        value = rest[1:].lstrip(SPACE) if self.colon else rest
        self.parts, self.length = [value], len(value)
        self.pieces = [Piece(0, start + len(line) - len(value))]
        self.lost, self.lost_end = list[int](), end

    def take(self, line: bytes, number: int, start: int, end: int) -> None:
        if self.ended:
            self.lost.append(number)
            self.lost_end = end
            return
        text = line.lstrip(SPACE)
        # One blank stands for all those before the text: the last of them.
        self.pieces.append(Piece(self.length, start + len(line) - len(text) - 1))
        self.parts += (b" ", text)
        self.length += 1 + len(text)
        self.end = self.lost_end = end

    def closed(self) -> Entry:
        value, pieces, lost = b"".join(self.parts), tuple(self.pieces), tuple(self.lost)
        return Entry(_text(self.key), self.number, self.start, self.end, self.key_end, self.colon, value, pieces,
                     self.comments, lost, self.lost_end)  # fmt: skip


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, letter = match.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 255])
    if hexadecimal is not None:
        return bytes([int(hexadecimal or b"0", 16)])
    return _LETTERS.get(letter, letter)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")
