"""Editing a document's text by replacing spans of it, nothing else touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from yaml.nodes import ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.document import Document
from runbooks.registry.spelling import quote_of, spelled

_PROPERTIES = re.compile(r"(?:(?:&[^\s,\[\]{}]+|!\S*)[ \t]+)*")


@dataclass(frozen=True, order=True)
class Edit:
    """Put ``text`` in place of the characters from offset ``start`` up to ``end``; equal offsets insert."""

    start: int
    end: int
    text: str


def splice(text: str, edits: Iterable[Edit]) -> str:
    """The text with every edit made; two edits at one offset keep the order of their ends and texts.

    Raises RegistryError where two edits overlap: a bug of the caller, never written.
    """
    parts: list[str] = []
    position = 0
    for edit in sorted(set(edits)):
        if edit.start < position:
            raise RegistryError(f"two edits overlap at character {edit.start}: nothing was changed; report this bug")
        parts += (text[position : edit.start], edit.text)
        position = edit.end
    return "".join((*parts, text[position:]))


def content_span(document: Document, node: ScalarNode) -> tuple[int, int]:
    """The offsets of a scalar's own text, quotes included, without its anchor and tag.

    Raises RegistryError, with the line, where the text is not simply the value: a block scalar, a comment between.
    """
    start, end = document.start(node), document.end(node)
    properties = _PROPERTIES.match(document.text, start, end)
    start = properties.end() if properties else start
    raw = document.text[start:end]
    quote = node.style or ""
    plain = quote == "" and raw == node.value
    quoted = quote in ("'", '"') and len(raw) > 1 and raw[0] == raw[-1] == quote
    if not (plain or quoted):
        line = document.line(node)
        value = node.value.strip()
        raise RegistryError(f"line {line}: {value!r} is written in a way that is not edited; write it plainly")
    return start, end


def respell(document: Document, node: ScalarNode, name: str) -> Edit:
    """The edit that writes another name in place of a scalar, in the quotes that stand there."""
    start, end = content_span(document, node)
    return Edit(start, end, spelled(name, quote_of(node), in_flow=True))
