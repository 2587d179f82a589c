"""Where an entry stands in a registry's text, with what belongs to it, and how its fields are indented."""

from __future__ import annotations

from yaml.nodes import MappingNode, Node, ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.document import Document, children
from runbooks.registry.tables import Entry


def behind_entry(document: Document, entry: Entry) -> int:
    """The offset of the end of an entry's last line, where a following entry can be inserted.

    Comments that stand deeper than the entry's key belong to the entry; those at the key's own depth to the next.
    """
    end = document.line_end(_content_end(document, entry))
    bound = _bound(document, entry)
    depth = document.column(document.start(entry.key))
    # Behind the last leaf only an alias or a closing bracket can follow, so every "#" here begins a comment.
    for line_end, line in _lines(document.text, end, bound):
        content = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        if content and (not content.startswith("#") or indent > depth):
            end = line_end
        elif content:
            break
    return end


def _content_end(document: Document, entry: Entry) -> int:
    leaves = [entry.key] if document.is_alias(entry.table, entry.slot + 1) else [entry.key, *_leaves(document, entry)]
    last = max(leaves, key=document.end)
    end = document.end(last)
    if isinstance(last, ScalarNode) and last.style in ("|", ">"):
        # A block scalar ends behind its last line break; further blank lines count only when it keeps them (|+).
        kept = document.text[document.start(last) :].split("\n", 1)[0].split("#")[0].rstrip().endswith("+")
        text = document.text[:end]
        end = len(text.removesuffix("\n").removesuffix("\r") if kept else text.rstrip())
    return end


def _leaves(document: Document, entry: Entry) -> list[Node]:
    return list(document.own_leaves(entry.value))


def _bound(document: Document, entry: Entry) -> int:
    following = [(slot, node) for slot, node in children(entry.table) if slot == entry.slot + 2]
    for slot, node in following:
        if document.is_alias(entry.table, slot):
            line = document.line(entry.key)
            raise RegistryError(f"line {line}: an alias stands as the key behind {entry.name}; write the name out")
        return document.line_start(document.start(node))
    return document.end(entry.table)


def _lines(text: str, end: int, bound: int) -> list[tuple[int, str]]:
    """The lines that begin behind ``end`` and before ``bound``, each with the offset of its end."""
    lines = []
    start = text.find("\n", end, bound) + 1
    while 0 < start < bound:
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        line = text[start:stop].removesuffix("\r")
        lines.append((start + len(line), line))
        start = stop + 1
    return lines


def field_indent(document: Document, entry: Entry) -> str:
    """The spaces before an entry's fields; where it has no lines of its own, those of its neighbours."""
    depth = document.column(document.start(entry.key))
    for value in (entry.value, *(value for _, value in entry.table.value)):
        if isinstance(value, MappingNode) and not value.flow_style and value.value:
            indent = document.column(document.start(value.value[0][0]))
            if indent > depth:
                return " " * indent
    return " " * (depth + 2)
