"""The three tables of a registry: entries by name, with their nodes and as frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry.document import BOOL, INT, NULL, STR, Document, children
from runbooks.registry.model import Group, LdapOnlyUser, User

TABLES = ("groups", "users", "ldap_only_users")


@dataclass(frozen=True, eq=False)
class Entry:
    """A named entry: its table's node, its slot there (of the key), its key and value nodes."""

    name: str
    table: MappingNode = field(repr=False)
    slot: int
    key: ScalarNode = field(repr=False)
    value: Node = field(repr=False)

    def fields(self) -> Iterator[tuple[int, ScalarNode, Node]]:
        """The value's slot, key and value of each field; none where the entry is no mapping."""
        if isinstance(self.value, MappingNode):
            for number, (key, value) in enumerate(self.value.value):
                yield 2 * number + 1, key, value

    def get(self, name: str) -> Node | None:
        """A field's node, or None."""
        return self._named.get(name)

    @cached_property
    def _named(self) -> dict[str, Node]:
        return {key.value: value for _, key, value in self.fields() if key.tag == STR}


class Tables:
    """The tables of one document, each part read when first asked for."""

    def __init__(self, document: Document) -> None:
        """Raises RegistryError, with the line, where a table is no mapping."""
        self.document = document
        self._nodes = {key.value: (slot, key, value) for slot, key, value in _pairs(document.root) if key.tag == STR}
        for name in TABLES:
            node = self.node(name)
            if node is not None and not isinstance(node, MappingNode) and node.tag != NULL:
                raise RegistryError(f"line {document.line(node)}: {name} is no mapping of names; write one")

    def node(self, table: str) -> Node | None:
        """The node of a table, which is no mapping where nothing stands behind its name; None where there is none."""
        return self._nodes[table][2] if table in self._nodes else None

    def key(self, table: str) -> ScalarNode:
        """The node of the name of a table that the registry has."""
        return self._nodes[table][1]

    def is_alias(self, table: str) -> bool:
        """Whether an alias stands where a table should."""
        return self.document.is_alias(self.document.root, self._nodes[table][0])

    def entries(self, table: str) -> dict[str, Entry]:
        """The entries of one of ``TABLES``, by name, in their order."""
        return {"users": self.users, "groups": self.groups, "ldap_only_users": self.ldap_only_users}[table]

    def _entries(self, table: str) -> dict[str, Entry]:
        node = self.node(table)
        if not isinstance(node, MappingNode):
            return {}
        named = ((slot - 1, key, value) for slot, key, value in _pairs(node) if key.tag == STR)
        return {key.value: Entry(key.value, node, slot, key, value) for slot, key, value in named}

    @cached_property
    def users(self) -> dict[str, Entry]:
        """The entries of ``users`` by name, in their order."""
        return self._entries("users")

    @cached_property
    def groups(self) -> dict[str, Entry]:
        """The entries of ``groups`` by name, in their order."""
        return self._entries("groups")

    @cached_property
    def ldap_only_users(self) -> dict[str, Entry]:
        """The entries of ``ldap_only_users`` by name, in their order."""
        return self._entries("ldap_only_users")

    @cached_property
    def user_values(self) -> dict[str, User]:
        """Every entry of ``users`` as a value, by name."""
        return {name: self._user(entry) for name, entry in self.users.items()}

    @cached_property
    def ldap_only_values(self) -> dict[str, LdapOnlyUser]:
        """Every entry of ``ldap_only_users`` as a value, by name."""
        return {name: self._ldap_only_user(entry) for name, entry in self.ldap_only_users.items()}

    @cached_property
    def group_values(self) -> dict[str, Group]:
        """Every group as a value, by name."""
        return {name: self._group(entry) for name, entry in self.groups.items()}

    def _user(self, entry: Entry) -> User:
        return User(
            name=entry.name,
            line=self.document.line(entry.key),
            ensure=_text(entry.get("ensure")),
            uid=integer(entry.get("uid")),
            gid=integer(entry.get("gid")),
            login=_text(entry.get("name")),
            realname=_text(entry.get("realname")),
            email=_text(entry.get("email")),
            ssh_keys=names_in(entry.get("ssh_keys")),
            buster_ssh_keys=names_in(entry.get("buster_ssh_keys")),
            krb=_text(entry.get("krb")),
            shell=_text(entry.get("shell")),
            home_dir=_text(entry.get("home_dir")),
            comment=_text(entry.get("comment")),
            expiry_date=_text(entry.get("expiry_date")),
            expiry_contact=_text(entry.get("expiry_contact")),
            system=_true(entry.get("system")),
            rename=_true(entry.get("rename")),
        )

    def _ldap_only_user(self, entry: Entry) -> LdapOnlyUser:
        return LdapOnlyUser(
            name=entry.name,
            line=self.document.line(entry.key),
            ensure=_text(entry.get("ensure")),
            realname=_text(entry.get("realname")),
            email=_text(entry.get("email")),
            comment=_text(entry.get("comment")),
            expiry_date=_text(entry.get("expiry_date")),
            expiry_contact=_text(entry.get("expiry_contact")),
        )

    def _group(self, entry: Entry) -> Group:
        return Group(
            name=entry.name,
            line=self.document.line(entry.key),
            members=names_in(entry.get("members")),
            gid=integer(entry.get("gid")),
            description=_text(entry.get("description")),
            posix_name=_text(entry.get("posix_name")),
            privileges=names_in(entry.get("privileges")),
            approval=names_in(entry.get("approval")),
            system=_true(entry.get("system")),
            system_members=names_in(entry.get("system_members")),
            deprecated=_true(entry.get("deprecated")),
        )


def scalars_in(node: Node | None) -> Iterator[ScalarNode]:
    """The values in a list, nested lists and aliases included; nothing where the node is no list."""
    if isinstance(node, SequenceNode):
        for _, item in children(node):
            if isinstance(item, ScalarNode):
                yield item
            else:
                yield from scalars_in(item)


def texts_in(node: Node | None) -> Iterator[ScalarNode]:
    """Like ``scalars_in``, without what YAML reads as a number, a boolean or nothing."""
    return (item for item in scalars_in(node) if item.tag == STR)


def names_in(node: Node | None) -> tuple[str, ...]:
    """The texts in a list as a flat tuple; what isn't text is left out."""
    return tuple(item.value for item in texts_in(node))


def integer(node: Node | None) -> int | None:
    """The number that a node holds, or None."""
    if isinstance(node, ScalarNode) and node.tag == INT:
        try:
            return int(SafeConstructor().construct_yaml_int(node))
        except ValueError:
            return None
    return None


def _pairs(node: MappingNode) -> Iterator[tuple[int, ScalarNode, Node]]:
    for number, (key, value) in enumerate(node.value):
        yield 2 * number + 1, key, value


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, ScalarNode) and node.tag == STR else None


def _true(node: Node | None) -> bool:
    return isinstance(node, ScalarNode) and node.tag == BOOL and node.value.lower() in ("true", "yes", "on")
