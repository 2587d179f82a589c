"""Lists in a registry's text: an element at the end, or out of it, in the style that stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml
from yaml.nodes import CollectionNode, Node, ScalarNode, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry.document import LOADER, Document, children
from runbooks.registry.spelling import quote_of, spelled
from runbooks.registry.splice import Edit

WIDEST = 110
"""How many columns the field wraps its member lists at."""

CONTINUATION = 14
"""How many spaces the field's wrapped member lists continue with."""

_DASH = re.compile(r"( *)-( +)")
_ANCHOR = re.compile(r"&\S+")


def append(document: Document, items: SequenceNode, value: str, widest: int | None = WIDEST) -> list[Edit]:
    """The edits that put a text at the end of a list. A flow list is wrapped at ``widest`` columns; without, one that
    stands on one line stays there. Raises RegistryError, with the line, for a list that is not appended to."""
    own = _own(document, items)
    quote = quote_of(own[-1]) if own and isinstance(own[-1], ScalarNode) else ""
    written = spelled(value, quote, in_flow=bool(items.flow_style))
    if items.flow_style:
        return _append_to_flow(document, items, written, widest)
    return _append_to_block(document, items, written)


def remove(document: Document, items: SequenceNode, slot: int) -> list[Edit]:
    """The edits that take an element out of a list that has others, and the comment that is its alone. Raises
    RegistryError, with the line, where it can't be told apart."""
    return _remove_from_flow(document, items, slot) if items.flow_style else _remove_from_block(document, items, slot)


def empty(document: Document, key: ScalarNode, items: SequenceNode) -> list[Edit]:
    """The edits that leave ``[]`` of a field's list."""
    if items.flow_style:
        tokens = _tokens(document, items)
        return [Edit(tokens.open, tokens.close + 1, "[]")]
    head = document.behind_colon(key)
    if anchor := _ANCHOR.match(document.text, document.start(items)):
        head = anchor.end()
    # A block scalar ends on the line behind its own.
    last = len(document.text[: max(document.end(leaf) for leaf in document.own_leaves(items))].rstrip())
    stop = document.line_end(head)
    blank = not document.text[head:stop].strip()
    return [Edit(head, stop if blank else head, " []"), Edit(stop, document.line_end(last), "")]


def _own(document: Document, items: SequenceNode) -> list[Node]:
    """The elements that are written here, not behind an alias."""
    return [item for slot, item in children(items) if not document.is_alias(items, slot)]


# lists of lines


def _append_to_block(document: Document, items: SequenceNode, written: str) -> list[Edit]:
    own, last = _own(document, items), items.value[-1]
    aliased = document.is_alias(items, len(items.value) - 1)
    if not own or aliased or (isinstance(last, CollectionNode) and not last.flow_style) or _is_block_scalar(last):
        line = document.line(items)
        raise RegistryError(
            f"line {line}: this list is written in a way that is not appended to; add {written} by hand"
        )
    before, between = _dash(document, own[0])
    end = document.line_end(document.end(last))
    return [Edit(end, end, f"{document.line_break}{before}-{between}{written}")]


def _dash(document: Document, item: Node) -> tuple[str, str]:
    """The blanks before and behind the dash of a list's element."""
    start = document.start(item)
    found = _DASH.fullmatch(document.text[document.line_start(start) : start])
    if found is None:
        line = document.line(item)
        raise RegistryError(f"line {line}: the list's dash has company on its line; edit it by hand")
    return found[1], found[2]


def _is_block_scalar(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style in ("|", ">")


def _remove_from_block(document: Document, items: SequenceNode, slot: int) -> list[Edit]:
    item = items.value[slot]
    if document.is_alias(items, slot) or not isinstance(item, ScalarNode) or _is_block_scalar(item):
        line = document.line(items if document.is_alias(items, slot) else item)
        raise RegistryError(f"line {line}: an element is written in a way that is not edited; write it plainly")
    indent, _ = _dash(document, item)
    start = document.line_start(document.start(item))
    # Comments right above are the element's, but for the first one's: they may speak of the list.
    while slot and _line_before(document, start).startswith(f"{indent}#"):
        start = document.line_start(start - 1)
    return [Edit(document.line_end_before(start), document.line_end(document.end(item)), "")]


def _line_before(document: Document, start: int) -> str:
    return document.text[document.line_start(max(0, start - 1)) : max(0, start - 1)]


# lists in brackets


@dataclass(frozen=True)
class _Tokens:
    """Where a flow list's brackets stand, its commas, and its elements: from first to last character."""

    open: int
    close: int
    commas: list[int]
    spans: list[tuple[int, int]]


def _tokens(document: Document, items: SequenceNode) -> _Tokens:
    # Tokens of the list's own text: marks of aliases point elsewhere, those of tokens never do.
    start, end = document.start(items), document.end(items)
    depth, opened, commas = 0, start, list[int]()
    spans: list[tuple[int, int]] = []
    fresh = True
    for token in yaml.scan(document.text[start:end], Loader=LOADER):
        at, behind = start + token.start_mark.index, start + token.end_mark.index
        if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
            depth += 1
            if depth == 1:
                opened = at
                continue
        if isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
            depth -= 1
            if not depth:
                return _Tokens(opened, at, commas, spans)
        if depth == 1 and isinstance(token, yaml.FlowEntryToken):
            commas.append(at)
            fresh = True
        elif depth and behind > at:
            if fresh:
                spans.append((at, behind))
            spans[-1] = (spans[-1][0], behind)
            fresh = False
    raise RegistryError(f"line {document.line(items)}: the list's brackets are not found; edit it by hand")


def _append_to_flow(document: Document, items: SequenceNode, written: str, widest: int | None) -> list[Edit]:
    tokens = _tokens(document, items)
    if not tokens.spans:
        blank = document.text[tokens.open + 1 : tokens.close]
        return [Edit(tokens.open + 1, tokens.open + 1 if blank.strip() else tokens.close, written)]
    last = tokens.spans[-1][1]
    comma = len(tokens.commas) == len(tokens.spans)
    behind = document.text[tokens.commas[-1] + 1 if comma else last : tokens.close]
    if "#" in behind.split("\n", 1)[0]:
        end = document.line_end(last)
        indent = _continuation(document, tokens)
        new = Edit(end, end, f"{document.line_break}{indent}{written}{',' * comma}")
        return [new] if comma else [Edit(last, last, ","), new]
    return [Edit(last, last, _separated(document, tokens, written, widest))]


def _separated(document: Document, tokens: _Tokens, written: str, widest: int | None) -> str:
    """A comma, then the text on the same line where it fits there, else on a new one."""
    last = tokens.spans[-1][1]
    line_start, line_end = document.line_start(last), document.line_end(last)
    if widest is None:
        fits = line_start <= tokens.open
    elif _is_one_a_line(document, tokens):
        fits = False
    else:
        # A trailing comment that already passes the margin is not what the line is wrapped for.
        reach = line_end if line_end - line_start <= widest else min(tokens.close + 1, line_end)
        fits = reach - line_start + len(written) + 2 <= widest
    return f", {written}" if fits else f",{document.line_break}{_continuation(document, tokens)}{written}"


def _is_one_a_line(document: Document, tokens: _Tokens) -> bool:
    """Whether every element has a line of its own; one alone only where the brackets leave it to it."""
    lines = [document.line_start(start) for start, _ in tokens.spans]
    alone = len(lines) > 1 or document.line_start(tokens.close) > lines[-1]
    return alone and len(set(lines)) == len(lines) and lines[-1] > tokens.open


def _continuation(document: Document, tokens: _Tokens) -> str:
    """The spaces that the list's last wrapped line begins with, or the field's own."""
    line_start = document.line_start(tokens.spans[-1][1])
    while line_start > tokens.open:
        line = document.text[line_start : document.line_end(line_start)]
        spaces = re.match(" *", line)
        if spaces and line.strip(" ")[:1] not in ("", "#", "]"):
            return spaces.group()
        line_start = document.line_start(line_start - 1)
    return " " * CONTINUATION


def _remove_from_flow(document: Document, items: SequenceNode, slot: int) -> list[Edit]:
    tokens, text = _tokens(document, items), document.text
    if len(tokens.spans) != len(items.value):
        raise RegistryError(f"line {document.line(items)}: the list's elements are not told apart; edit it by hand")
    start, end = tokens.spans[slot]
    if len(tokens.spans) == 1:
        inside = text[tokens.open + 1 : tokens.close]
        blank = not text[tokens.open + 1 : start].strip() and not text[end : tokens.close].strip(" ,\r\n")
        return [Edit(tokens.open + 1, tokens.close, "")] if blank and inside else [Edit(start, end, "")]
    alone = not text[document.line_start(start) : start].strip()
    if slot < len(tokens.spans) - 1:
        return [_removed_before(document, tokens, slot, alone)]
    return _removed_last(document, tokens, alone)


def _removed_before(document: Document, tokens: _Tokens, slot: int, alone: bool) -> Edit:
    """An element goes that another one follows."""
    start, following = tokens.spans[slot][0], tokens.spans[slot + 1][0]
    behind = document.text[tokens.commas[slot] + 1 : following]
    if "\n" not in behind:
        return Edit(start, following, "")
    if alone:
        # Its line goes, with the comment on it.
        return Edit(document.line_end_before(start), document.line_end(tokens.commas[slot]), "")
    if slot and "\n" not in document.text[tokens.commas[slot - 1] : start]:
        return Edit(tokens.commas[slot - 1] + 1, tokens.commas[slot] + 1, "")
    return Edit(start, tokens.commas[slot] + 1 if "#" in behind else following, "")


def _removed_last(document: Document, tokens: _Tokens, alone: bool) -> list[Edit]:
    """The last element goes, and the comma before it where none stands behind it."""
    before, (start, end) = tokens.spans[-2][1], tokens.spans[-1]
    comma = tokens.commas[len(tokens.spans) - 2]
    if "#" not in document.text[before:start]:
        return [Edit(before, end, "")]
    closed = len(tokens.commas) == len(tokens.spans)
    stop = tokens.commas[-1] + 1 if closed else end
    rest = document.text[stop : document.line_end(stop)]
    # The bracket must not come to stand behind a comment.
    if alone and (not rest.strip() or rest.strip().startswith("#")):
        gone = Edit(document.line_end_before(start), document.line_end(stop), "")
    else:
        gone = Edit(start, stop, "")
    return [gone] if closed else [Edit(comma, comma + 1, ""), gone]
