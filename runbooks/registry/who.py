"""Finding an account's entry, and what may be written into it; a file's bytes as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from yaml.nodes import MappingNode, ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.tables import Entry, Tables

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
"""What ends a line, turns its direction (and so hides what it says), or stands in no text at all."""


def entry_of(tables: Tables, name: str, *wanted: str) -> Entry:
    """The account's entry, the present one if there are two. Raises RegistryError."""
    wanted_tables = wanted or ("users", "ldap_only_users")
    one_line("an account", name)
    found = [entry for table in wanted_tables if (entry := tables.entries(table).get(name))]
    if not found:
        refuse_misread(tables, name, *wanted_tables)
        raise RegistryError(f"{name} is not in {' or '.join(wanted) or 'the registry'}: check the name")
    return next((entry for entry in found if _is_present(entry)), found[0])


def refuse_misread(tables: Tables, name: str, *wanted: str) -> None:
    """Raise RegistryError where a name stands without the quotes that YAML needs to read it as text."""
    for table in wanted:
        node = tables.node(table)
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if key.value == name and name not in tables.entries(table):
                line = tables.document.line(key)
                raise RegistryError(
                    f"{table}.{name} (line {line}) is a name that YAML reads as no text; quote it first"
                )


def present(tables: Tables, name: str, *wanted: str) -> Entry:
    """The account's present entry. Raises RegistryError."""
    entry = entry_of(tables, name, *wanted)
    if not _is_present(entry):
        raise RegistryError(f"{name} (line {tables.document.line(entry.key)}) is absent")
    return entry


def _is_present(entry: Entry) -> bool:
    ensure = entry.get("ensure")
    return isinstance(ensure, ScalarNode) and ensure.value == "present"


def one_line(what: str, value: object) -> str:
    """A text that can stand on a line and be seen there. Raises RegistryError."""
    if not isinstance(value, str) or not value.strip() or _UNSEEN.search(value):
        raise RegistryError(f"{what}: {value!r} is not one line of text")
    return value


def decoded(data: bytes) -> str:
    """A registry's text from a file's bytes. Raises RegistryError, with the line, where they are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RegistryError(f"line {line}: the registry is not UTF-8 ({error.reason}); repair it first") from error


def texts(what: str, values: object) -> tuple[str, ...]:
    """Some texts, in any collection but a text. Raises RegistryError."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise RegistryError(f"{what}: {values!r} is no list")
    found = tuple(values)
    if wrong := [value for value in found if not isinstance(value, str)]:
        raise RegistryError(f"{what}: {wrong[0]!r} is no text")
    return found


def day(what: str, value: object) -> date:
    """A date, given as one or as its text, YYYY-MM-DD. Raises RegistryError."""
    if isinstance(value, datetime):
        return value.date()
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date):
        raise RegistryError(f"{what}: {value!r} is no date: YYYY-MM-DD")
    return found
