"""Where a careful person would put a new line or a new name: behind an entry, at the end of a list."""

from __future__ import annotations

import re

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry.document import LOADER, Document, children
from runbooks.registry.names import spelled
from runbooks.registry.splice import Edit, quote_of
from runbooks.registry.tables import Entry

WIDEST = 110
"""How many columns the field wraps its member lists at."""

CONTINUATION = 14
"""How many spaces the field's wrapped member lists continue with."""


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


def append_name(document: Document, members: SequenceNode, name: str) -> list[Edit]:
    """The edits that put a name at the end of a member list, in the style that stands there.

    Raises RegistryError, with the line, for a block list whose dash isn't found.
    """
    scalars = [item for slot, item in children(members) if not document.is_alias(members, slot)]
    quote = quote_of(scalars[-1]) if scalars and isinstance(scalars[-1], ScalarNode) else ""
    if members.flow_style:
        return _append_to_flow(document, members, spelled(name, quote))
    return _append_to_block(document, members, spelled(name, quote))


def _append_to_block(document: Document, members: SequenceNode, name: str) -> list[Edit]:
    items = [item for slot, item in children(members) if not document.is_alias(members, slot)]
    dash = document.text.rfind("-", document.start(members), document.start(items[0]) + 1) if items else -1
    last = members.value[-1]
    aliased = document.is_alias(members, len(members.value) - 1)
    if dash < 0 or aliased or (isinstance(last, CollectionNode) and not last.flow_style) or _is_block_scalar(last):
        line = document.line(members)
        raise RegistryError(f"line {line}: this list is written in a way that is not appended to; add {name} by hand")
    start = document.line_start(dash)
    before, between = document.text[start:dash], document.text[dash + 1 : document.start(items[0])]
    if before.strip(" ") or between.strip(" "):
        line = document.line(members)
        raise RegistryError(f"line {line}: the list's first dash has company on its line; add {name} by hand")
    end = document.line_end(document.end(last))
    return [Edit(end, end, f"{document.line_break}{before}-{between}{name}")]


def _is_block_scalar(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style in ("|", ">")


def _append_to_flow(document: Document, members: SequenceNode, name: str) -> list[Edit]:
    start, close = document.start(members), document.end(members) - 1
    # The tokens of the list's own text: marks of aliases point elsewhere, those of tokens never do.
    tokens = list(yaml.scan(document.text[start : close + 1], Loader=LOADER))
    spans = [(token, start + token.start_mark.index, start + token.end_mark.index) for token in tokens[:-2]]
    spans = [span for span in spans if not isinstance(span[0], yaml.StreamStartToken)]
    comma = isinstance(spans[-1][0], yaml.FlowEntryToken)
    last = spans[-1][2]
    if isinstance(spans[-1][0], yaml.FlowSequenceStartToken) and not members.value:
        empty = document.text[last:close]
        return [Edit(last, last if empty.strip() else close, name)]
    behind = document.text[last:close].split("\n", 1)[0]
    if "#" in behind:
        return _append_behind_comment(document, members, name, (last, comma))
    if comma:
        last = spans[-2][2]
    return [Edit(last, last, _separated(document, members, name, last))]


def _append_behind_comment(document: Document, members: SequenceNode, name: str, end: tuple[int, bool]) -> list[Edit]:
    last, comma = end
    line_end = document.line_end(last)
    indent = _continuation(document, members, last)
    new = Edit(line_end, line_end, f"{document.line_break}{indent}{name}{',' * comma}")
    return [new] if comma else [Edit(last, last, ","), new]


def _separated(document: Document, members: SequenceNode, name: str, last: int) -> str:
    """A comma, then the name on the same line where it fits there, else on a new one."""
    line_start, line_end = document.line_start(last), document.line_end(last)
    # A trailing comment that already passes the margin is not what the line is wrapped for.
    reach = line_end if line_end - line_start <= WIDEST else min(document.end(members), line_end)
    if reach - line_start + len(name) + 2 <= WIDEST:
        return f", {name}"
    return f",{document.line_break}{_continuation(document, members, last)}{name}"


def _continuation(document: Document, members: SequenceNode, last: int) -> str:
    """The spaces that the list's last wrapped line begins with, or the field's own."""
    line_start = document.line_start(last)
    while line_start > document.start(members):
        line = document.text[line_start : document.line_end(line_start)]
        spaces = re.match(" *", line)
        if spaces and line.strip(" ")[:1] not in ("", "#", "]"):
            return spaces.group()
        line_start = document.line_start(line_start - 1)
    return " " * CONTINUATION
