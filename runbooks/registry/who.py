"""Finding an account's entry, and what may be written into it; a file's bytes as text."""

from __future__ import annotations

from yaml.nodes import ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.tables import Entry, Tables


def entry_of(tables: Tables, name: str, *wanted: str) -> Entry:
    """The account's entry, the present one if there are two. Raises RegistryError."""
    found = [entry for table in wanted or ("users", "ldap_only_users") if (entry := tables.entries(table).get(name))]
    if not found:
        raise RegistryError(f"{name} is not in {' or '.join(wanted) or 'the registry'}: check the name")
    return next((entry for entry in found if _is_present(entry)), found[0])


def present(tables: Tables, name: str, *wanted: str) -> Entry:
    """The account's present entry. Raises RegistryError."""
    entry = entry_of(tables, name, *wanted)
    if not _is_present(entry):
        raise RegistryError(f"{name} (line {tables.document.line(entry.key)}) is absent")
    return entry


def _is_present(entry: Entry) -> bool:
    ensure = entry.get("ensure")
    return isinstance(ensure, ScalarNode) and ensure.value == "present"


def one_line(what: str, value: str) -> str:
    """A text that can stand on a line, blanks around it left out. Raises RegistryError."""
    value = value.strip()
    if not value or not value.isprintable():
        raise RegistryError(f"{what}: {value!r} is not one line of text")
    return value


def decoded(data: bytes) -> str:
    """A registry's text from a file's bytes. Raises RegistryError, with the line, where they are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RegistryError(f"line {line}: the registry is not UTF-8 ({error.reason}); repair it first") from error
