"""Entries and their fields in a registry's text: a new one, another value, one out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry import amendment
from runbooks.registry.amendment import Amendment
from runbooks.registry.document import INT, Document
from runbooks.registry.meaning import Meaning, Scalar, meaning_of_node, text
from runbooks.registry.places import behind_entry, field_indent
from runbooks.registry.spelling import quote_of, spelled
from runbooks.registry.splice import Edit, content_span
from runbooks.registry.tables import TABLES, Entry, Tables

_BEHIND = {
    "realname": ("name", "gid", "uid", "ensure"),
    "email": ("realname", "name", "gid", "uid", "ensure"),
    "expiry_date": ("email", "realname"),
    "expiry_contact": ("expiry_date", "email", "realname"),
}
"""Which fields a new one is written behind: the first of them that is there, else the last one of all."""


NO_QUOTES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Field:
    """A field to be written: its name, what it means, and its lines, which begin with the field's own indent."""

    name: str
    meaning: Meaning
    lines: tuple[str, ...]


def words(name: str, value: str, indent: str, quote: str = "") -> Field:
    """A field that holds a line of text."""
    return Field(name, text(value), (f"{indent}{name}: {spelled(value, quote, in_flow=False)}",))


def number(name: str, value: int, indent: str) -> Field:
    """A field that holds a number. Raises RegistryError for anything else, which Python takes at run time."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RegistryError(f"{name}: {value!r} is no number")
    return Field(name, Scalar(INT, str(value)), (f"{indent}{name}: {value}",))


def lines(name: str, values: Sequence[str], indent: str, dash: str) -> Field:
    """A field that holds a list, an element a line behind its ``dash`` with the blanks around it; ``[]`` for none."""
    if not values:
        return Field(name, [], (f"{indent}{name}: []",))
    rows = (f"{dash}{spelled(value, in_flow=False)}" for value in values)
    return Field(name, [text(value) for value in values], (f"{indent}{name}:", *rows))


def dash_of(tables: Tables, indent: str) -> str:
    """How the elements of a list of keys begin, as in the last one of lines, or else two blanks further in."""
    document = tables.document
    for entry in reversed(tables.users.values()):
        keys = entry.get("ssh_keys")
        if isinstance(keys, SequenceNode) and not keys.flow_style and keys.value and id(keys) not in document.shared:
            start = document.start(keys.value[0])
            before = document.text[document.line_start(start) : start]
            if re.fullmatch(" *- +", before):
                return before
    return f"{indent}  - "


# entries


def add_entry(
    tables: Tables, table: str, name: str, fields: Sequence[Field], comments: Sequence[str] = ()
) -> Amendment:
    """A new entry behind a table's last, ``comments`` (whole lines) ahead of it. Raises RegistryError."""
    document, node = tables.document, tables.node(table)
    if node is None:
        raise RegistryError(
            f"there is no table {table} to write {name} in; write {table}: {{}} at the file's end first"
        )
    pattern = _pattern(tables, table)
    depth = " " * document.column(document.start(pattern.key)) if pattern else "  "
    rows = [*comments, f"{depth}{spelled(name)}:", *(row for field in fields for row in field.lines)]
    new, written = "".join(document.line_break + row for row in rows), {text(f.name): f.meaning for f in fields}
    last = next(reversed(tables.entries(table).values()), None)
    if last is None:
        edits = _opened(tables, table, node)
        end = document.line_end(edits.end)
        return amendment.put(node, {text(name): written}, edits, Edit(end, end, new))
    if not isinstance(node, MappingNode) or node.flow_style or tables.is_alias(table):
        line = document.line(last.key)
        raise RegistryError(f"{table} (line {line}) has its entries in braces or behind an alias; write it out first")
    end = behind_entry(document, last)
    return amendment.insert(node, last.slot + 1, {name: written}, Edit(end, end, new))


def _pattern(tables: Tables, table: str) -> Entry | None:
    """The entry that a new one of a table is indented like: the table's last, or that of another."""
    found = (next(reversed(tables.entries(one).values()), None) for one in (table, *TABLES))
    return next((entry for entry in found if entry and not entry.table.flow_style), None)


def _opened(tables: Tables, table: str, node: Node) -> Edit:
    """What makes room behind the name of a table without entries. Raises RegistryError."""
    document, key = tables.document, tables.key(table)
    head = document.behind_colon(key)
    written = document.text[head : document.end(node)]
    if tables.is_alias(table) or id(node) in document.shared or written.strip() not in ("", "{}", "null", "~"):
        line = document.line(key)
        raise RegistryError(f"{table} (line {line}) is empty in a way that is not edited; write {table}: {{}} first")
    return Edit(head, max(head, document.end(node)) if written.strip() else head, "")


def new_indent(tables: Tables, table: str) -> str:
    """The blanks before the fields of a table's new entry."""
    pattern = _pattern(tables, table)
    return field_indent(tables.document, pattern) if pattern else " " * 4


def remove_entry(tables: Tables, entry: Entry) -> Amendment:
    """An entry goes, with the comments above it that name it. Raises RegistryError."""
    document = tables.document
    refuse_woven(tables, entry)
    start = document.line_start(document.start(entry.key)) - sum(len(row) for row in _own_comments(document, entry))
    edits = [Edit(document.line_end_before(start), behind_entry(document, entry), "")]
    if len(entry.table.value) == 1:
        edits.append(_closed(tables, entry))
    return amendment.drop(entry.table, [entry.slot + 1], edits)


def _closed(tables: Tables, entry: Entry) -> Edit:
    """The braces that a table keeps without its only entry. Raises RegistryError."""
    document = tables.document
    key = next(key for key, value in document.root.value if value is entry.table)
    head = document.behind_colon(key)
    if document.text[head : document.line_end(head)].split("#")[0].strip():
        line = document.line(entry.key)
        raise RegistryError(f"line {line}: {entry.name} is the only entry of its table; take it out by hand")
    return Edit(head, head, " {}")


def comments_of(document: Document, entry: Entry) -> list[str]:
    """The comment lines right above an entry that name it, without line breaks."""
    return [row.rstrip("\r\n") for row in _own_comments(document, entry)]


def _own_comments(document: Document, entry: Entry) -> list[str]:
    found: list[str] = []
    start = document.line_start(document.start(entry.key))
    while start:
        above = document.line_start(start - 1)
        row = document.text[above:start]
        if not row.lstrip(" ").startswith("#"):
            break
        found.insert(0, row)
        start = above
    name = re.compile(rf"(?<![\w-]){re.escape(entry.name)}(?![\w-])")
    first = next((place for place, row in enumerate(found) if name.search(row)), len(found))
    return found[first:]


def refuse_shared(tables: Tables, entry: Entry) -> None:
    """Raise RegistryError for an entry that another one is an alias of, or that is one itself."""
    document, line = tables.document, tables.document.line(entry.key)
    if id(entry.value) in document.shared:
        raise RegistryError(f"{entry.name} (line {line}) is used again through an alias; write both out first")


def refuse_woven(tables: Tables, entry: Entry) -> None:
    """Raise RegistryError for an entry whose fields don't stand on lines of their own, or are shared by an alias."""
    document, line = tables.document, tables.document.line(entry.key)
    aliased = document.is_alias(entry.table, entry.slot) or document.is_alias(entry.table, entry.slot + 1)
    if aliased or not isinstance(entry.value, MappingNode) or entry.value.flow_style or entry.table.flow_style:
        raise RegistryError(f"{entry.name} (line {line}) is not written on lines of its own; write it out first")
    refuse_shared(tables, entry)
    start = document.start(entry.key)
    before = document.text[document.line_start(start) : start]
    if before.strip(" \ufeff"):
        raise RegistryError(f"{entry.name} (line {line}) doesn't begin its line; write it plainly first")


# fields


def kept(document: Document, entry: Entry, but: Sequence[str], indent: str) -> list[Field]:
    """An entry's fields as they are written, comments too, but for some."""
    found = []
    for slot, key, value in entry.fields():
        if key.value in but:
            continue
        start, end = _span(document, entry, slot, key, value)
        rows = re.split(r"\r?\n", document.text[document.line_start(start) : end])
        margin = document.column(start)
        rows = [indent + row[margin:] if not row[:margin].strip() else row for row in rows]
        found.append(Field(key.value, meaning_of_node(document, value), tuple(rows)))
    return found


def set_words(
    tables: Tables, entry: Entry, values: Mapping[str, str], quotes: Mapping[str, str] = NO_QUOTES
) -> Amendment:
    """Fields with these texts: another value where there is one, in its quotes; else a new line. ``quotes`` are for
    fields that are always quoted. Raises RegistryError."""
    document, done, new = tables.document, amendment.NOTHING, dict[str, str]()
    for name, value in values.items():
        node = entry.get(name)
        if node is None:
            new[name] = value
            continue
        done += _set(tables, entry, name, node, value, quotes.get(name, ""))
    if not new:
        return done
    indent = field_indent(document, entry)
    fields = [words(name, value, indent, quotes.get(name, "")) for name, value in new.items()]
    return done + add_fields(tables, entry, fields)


def _set(tables: Tables, entry: Entry, name: str, node: Node, value: str, quotes: str) -> Amendment:
    document = tables.document
    refuse_shared(tables, entry)
    slot = next(slot for slot, key, _ in entry.fields() if key.value == name)
    if not isinstance(node, ScalarNode) or document.is_alias(entry.value, slot) or id(node) in document.shared:
        line = document.line(entry.key)
        raise RegistryError(f"{entry.name}.{name} (line {line}) is no plain value of its own; write it out first")
    start, end = content_span(document, node)
    in_flow = isinstance(entry.value, MappingNode) and entry.value.flow_style
    return amendment.put(node, text(value), Edit(start, end, spelled(value, quote_of(node) or quotes, in_flow=in_flow)))


def add_fields(tables: Tables, entry: Entry, fields: Sequence[Field]) -> Amendment:
    """New fields, behind those that they usually follow. Raises RegistryError."""
    refuse_woven(tables, entry)
    assert isinstance(entry.value, MappingNode)
    document = tables.document
    places = {key.value: (slot, key, value) for slot, key, value in entry.fields()}
    behind = next((places[name] for name in _BEHIND.get(fields[0].name, ()) if name in places), [*places.values()][-1])
    _, end = _span(document, entry, *behind)
    edit = Edit(end, end, "".join(document.line_break + row for field in fields for row in field.lines))
    return amendment.insert(entry.value, behind[0], {field.name: field.meaning for field in fields}, edit)


def drop_fields(tables: Tables, entry: Entry, names: Sequence[str]) -> Amendment:
    """Fields go, with their lines. Raises RegistryError."""
    document, edits, slots = tables.document, list[Edit](), list[int]()
    for slot, key, value in entry.fields():
        if key.value in names:
            refuse_woven(tables, entry)
            start, end = _span(document, entry, slot, key, value)
            edits.append(Edit(document.line_end_before(start), end, ""))
            slots.append(slot)
    return amendment.drop(entry.value, slots, edits)


def _span(document: Document, entry: Entry, slot: int, key: ScalarNode, value: Node) -> tuple[int, int]:
    """From the beginning of a field's key to the end of its last line."""
    line = document.line(key)
    if document.is_alias(entry.value, slot):
        return document.start(key), document.line_end(document.end(key))
    if id(value) in document.shared:
        raise RegistryError(
            f"{entry.name}.{key.value} (line {line}) is used again through an alias; write it out first"
        )
    last = max((document.end(leaf) for leaf in document.own_leaves(value)), default=document.end(key))
    if isinstance(value, ScalarNode) and value.style in ("|", ">"):
        last = len(document.text[:last].rstrip())
    return document.start(key), document.line_end(max(last, document.end(key)))
