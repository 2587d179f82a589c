"""The registry's schema: which fields an entry has, of which types; unknown ones are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runbooks.registry.document import BOOL, STR, Document
from runbooks.registry.model import Violation
from runbooks.registry.tables import TABLES, Entry, Tables, integer

LOWEST_ID, HIGHEST_ID = 500, 65535
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Problem = str | None
Check = Callable[[Node], Problem]


def _is_text(node: Node) -> Problem:
    return None if isinstance(node, ScalarNode) and node.tag == STR else "is no text"


def _is_bool(node: Node) -> Problem:
    return None if isinstance(node, ScalarNode) and node.tag == BOOL else "is neither true nor false"


def _is_id(node: Node) -> Problem:
    number = integer(node)
    if number is None:
        return "is no number"
    return None if LOWEST_ID <= number <= HIGHEST_ID else f"is {number}, outside {LOWEST_ID}-{HIGHEST_ID}"


def _is_state(node: Node) -> Problem:
    good = isinstance(node, ScalarNode) and node.tag == STR and node.value in ("present", "absent")
    return None if good else "is neither present nor absent"


def _is_date(node: Node) -> Problem:
    if not isinstance(node, ScalarNode) or node.tag != STR:
        return 'is no quoted date ("YYYY-MM-DD")'
    try:
        date.fromisoformat(node.value)
    except ValueError:
        return f"is no date: {node.value}"
    return None if _DATE.fullmatch(node.value) else f"is not written as YYYY-MM-DD: {node.value}"


def _is_texts(node: Node) -> Problem:
    if not isinstance(node, SequenceNode):
        return "is no list"
    return None if all(_is_text(item) is None for item in node.value) else "holds something that is no text"


def _is_names(node: Node) -> Problem:
    if not isinstance(node, SequenceNode):
        return "is no list"
    problems = (_is_names(item) if isinstance(item, SequenceNode) else _is_text(item) for item in node.value)
    return "holds something that is no name" if any(problems) else None


LDAP_ONLY_FIELDS: Mapping[str, Check] = {
    "ensure": _is_state,
    "realname": _is_text,
    "email": _is_text,
    "expiry_date": _is_date,
    "expiry_contact": _is_text,
    "comment": _is_text,
}
USER_FIELDS: Mapping[str, Check] = {
    **LDAP_ONLY_FIELDS,
    "uid": _is_id,
    "gid": _is_id,
    "name": _is_text,
    "ssh_keys": _is_texts,
    "buster_ssh_keys": _is_texts,
    "krb": _is_state,
    "shell": _is_text,
    "home_dir": _is_text,
    "system": _is_bool,
    "rename": _is_bool,
}
GROUP_FIELDS: Mapping[str, Check] = {
    "members": _is_names,
    "gid": _is_id,
    "description": _is_text,
    "posix_name": _is_text,
    "privileges": _is_texts,
    "approval": _is_texts,
    "system": _is_bool,
    "system_members": _is_names,
    "deprecated": _is_bool,
}
_FIELDS = {
    "groups": (GROUP_FIELDS, ("members",)),
    "users": (USER_FIELDS, ("ensure", "uid")),
    "ldap_only_users": (LDAP_ONLY_FIELDS, ("ensure",)),
}


def schema_violations(tables: Tables) -> Iterator[Violation]:
    """What in the registry doesn't fit its schema: unknown, missing and mistyped fields, names that are no text."""
    document = tables.document
    for key, _ in document.root.value:
        if key.value not in TABLES:
            yield Violation(document.line(key), "schema", f"{key.value}: unknown table")
    for table in TABLES:
        node = tables.node(table)
        if node is None:
            yield Violation(1, "schema", f"{table} is missing")
        elif isinstance(node, MappingNode):
            yield from _table_violations(tables, table, node)
        else:
            yield Violation(
                document.line(tables.key(table)), "schema", f"{table} is nothing; {{}} stands for no entries"
            )


def _table_violations(tables: Tables, table: str, node: MappingNode) -> Iterator[Violation]:
    for key, _ in node.value:
        if key.tag != STR:
            message = f"{table}.{key.value}: a name that YAML reads as no text; quote it"
            yield Violation(tables.document.line(key), "schema", message)
    for entry in getattr(tables, table).values():
        yield from _entry_violations(tables.document, table, entry)


def _entry_violations(document: Document, table: str, entry: Entry) -> Iterator[Violation]:
    line, where = document.line(entry.key), f"{table}.{entry.name}"
    checks, required = _FIELDS[table]
    if not isinstance(entry.value, MappingNode):
        yield Violation(line, "schema", f"{where} has no fields")
        return
    for name in required:
        if entry.get(name) is None:
            yield Violation(line, "schema", f"{where}.{name} is missing")
    for _, key, value in entry.fields():
        check = checks.get(key.value) if key.tag == STR else None
        problem = check(value) if check else "is an unknown field"
        if problem:
            yield Violation(document.line(key), "schema", f"{where}.{key.value} {problem}")
