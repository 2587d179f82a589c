"""Words written into a manifest in the way that stands there: quotes, blanks, lines of their own."""

from __future__ import annotations

import re

from runbooks.errors import RegistryError
from runbooks.registry.manifest.tokens import Source, Token

_BARE = re.compile(r"[a-z][a-z0-9_]*|[0-9]+")


def respelled(token: Token, value: str) -> str:
    """A value in the quotes of the token that it stands in place of."""
    if token.kind == "word" and (_BARE.fullmatch(value) or value == token.text):
        return value
    if token.kind == "string" and token.text[0] == "'":
        return "'" + re.sub(r"([\\'])", r"\\\1", value) + "'"
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'


def gap(source: Source, start: int, end: int) -> str:
    """The blanks between two offsets, comments left out."""
    text = source.text[start:end]
    if text.isspace() or not text:
        return text
    return source.line_break + text.rpartition("\n")[2] if "\n" in text else " "


def indent(source: Source, offset: int) -> str | None:
    """The blanks in front of what begins a line; None where something else stands there."""
    before = source.text[source.line_start(offset) : offset]
    return before if not before.strip() else None


def line_behind(source: Source, offset: int, what: str) -> int:
    """The end of a line behind which only a comment may follow. Raises RegistryError."""
    end, position = source.line_end(offset), offset
    for start, stop in source.comments:
        if offset <= start < end:
            if source.text[position:start].strip() or stop > end:
                raise crowded(source, offset, what)
            position = stop
    if source.text[position:end].strip():
        raise crowded(source, offset, what)
    return end


def crowded(source: Source, offset: int, what: str) -> RegistryError:
    """The refusal of what does not stand on lines of its own."""
    return RegistryError(f"line {source.line(offset)}: {what} shares its line with something else; edit it by hand")
