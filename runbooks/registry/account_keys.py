"""The keys of an account in the registry: one more, one out, all out."""

from __future__ import annotations

import base64
import hashlib

from yaml.nodes import ScalarNode, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry import amendment, entries, lists
from runbooks.registry.amendment import Amendment
from runbooks.registry.keys import parse_key
from runbooks.registry.places import field_indent
from runbooks.registry.tables import Entry, Tables
from runbooks.registry.who import entry_of, one_line, present

KEY_LISTS = ("ssh_keys", "buster_ssh_keys")


def fingerprint(line: str) -> str:
    """A key's fingerprint, as ``ssh-keygen -l`` prints it: ``SHA256:…``. Raises ValueError for no key."""
    digest = hashlib.sha256(base64.b64decode(parse_key(line).blob)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def add_key(tables: Tables, name: str, key: str) -> Amendment:
    """A key at the end of the account's. Raises RegistryError."""
    entry = present(tables, name, "users")
    key = usable(tables, name, key)
    items = _key_list(tables, entry, "ssh_keys")
    if items is None:
        indent = field_indent(tables.document, entry)
        fields = [entries.lines("ssh_keys", [key], indent, entries.dash_of(tables, indent))]
        return entries.add_fields(tables, entry, fields)
    return amendment.add(items, [key], lists.append(tables.document, items, key, widest=None))


def remove_key(tables: Tables, name: str, key: str) -> Amendment:
    """A key, by its text or fingerprint, out of the account's lists. Raises RegistryError."""
    entry, key = entry_of(tables, name, "users"), _line(key)
    done, line = amendment.NOTHING, tables.document.line(entry.key)
    for field in KEY_LISTS:
        items = _key_list(tables, entry, field)
        slots = [slot for slot, text in enumerate(_texts(items)) if _is(text, key)]
        if items is None or not slots:
            continue
        if len(slots) == len(items.value):
            done += emptied(tables, entry, field)
        elif len(slots) == 1:
            done += amendment.drop(items, slots, lists.remove(tables.document, items, slots[0]))
        else:
            raise RegistryError(f"{name}.{field} (line {line}) has the key twice; take one of them out by hand")
    if done == amendment.NOTHING:
        raise RegistryError(f"{name} (line {line}) has no key {_shown(key)}")
    return done


def clear_keys(tables: Tables, name: str) -> Amendment:
    """No keys any more. Raises RegistryError."""
    entry = entry_of(tables, name, "users")
    if not any(_texts(_key_list(tables, entry, field)) for field in KEY_LISTS):
        raise RegistryError(f"{name} (line {tables.document.line(entry.key)}) has no keys")
    return emptied(tables, entry)


def emptied(tables: Tables, entry: Entry, *fields: str) -> Amendment:
    """No keys in some of the lists, or in all."""
    done = amendment.NOTHING
    for _, key, value in entry.fields():
        if key.value in (fields or KEY_LISTS) and isinstance(value, SequenceNode) and value.value:
            items = _key_list(tables, entry, key.value)
            assert items is not None
            done += amendment.put(items, [], *lists.empty(tables.document, key, items))
    return done


def _key_list(tables: Tables, entry: Entry, field: str) -> SequenceNode | None:
    """The node of a field's own list. Raises RegistryError where it is none, or shared."""
    entries.refuse_shared(tables, entry)
    for slot, key, value in entry.fields():
        if key.value == field:
            if not isinstance(value, SequenceNode):
                raise RegistryError(
                    f"{entry.name}.{field} (line {tables.document.line(key)}) is no list; correct it first"
                )
            if tables.document.is_alias(entry.value, slot) or id(value) in tables.document.shared:
                line = tables.document.line(key)
                raise RegistryError(
                    f"{entry.name}.{field} (line {line}) is shared through an alias; write it out first"
                )
            return value
    return None


def _texts(items: SequenceNode | None) -> list[str]:
    return [item.value if isinstance(item, ScalarNode) else "" for item in (items.value if items else ())]


def _is(line: str, wanted: str) -> bool:
    """Whether a key in the registry is the wanted one: by its bytes, or where those can't be read, its text."""
    try:
        return fingerprint(line) == (wanted if wanted.startswith("SHA256:") else fingerprint(wanted))
    except ValueError:
        return line.strip() == wanted


def _line(key: object) -> str:
    """A key as a line; of the blanks and the line break around it nobody means anything. Raises RegistryError."""
    return one_line("the key", key.strip() if isinstance(key, str) else key)


def _shown(key: str) -> str:
    try:
        return fingerprint(key)
    except ValueError:
        return repr(key.strip()[:60])


def fingerprint_of(key: str) -> str:
    """A key's fingerprint. Raises RegistryError for no key."""
    try:
        return fingerprint(key)
    except ValueError as error:
        raise RegistryError(f"the key {key.strip()[:40]!r}: {error}") from error


def usable(tables: Tables, name: str, key: str) -> str:
    """A key that may be added, on one line."""
    key = _line(key)
    wanted = fingerprint_of(key)
    for user in tables.user_values.values():
        if any(_is(line, wanted) for line in (*user.ssh_keys, *user.buster_ssh_keys)):
            whose = "has the key already" if user.name == name else f"cannot have {user.name}'s key"
            raise RegistryError(f"{name} {whose}: {wanted} (line {user.line})")
    return key
