"""Renaming an account: the edits of the text, and the same change on plain data to hold them against.

What is renamed: the entry's key; its ``name`` field where that is the old name; every element of a group's
``members``, ``system_members`` and ``approval`` that is exactly the name; an ``expiry_contact`` that is. Free text
(realname, comment, e-mail addresses, descriptions) and comments stay. What pins the old name in a way that only a
person can decide (``home_dir``, a sudo line that runs as the account) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runbooks.errors import RegistryError, UsageError
from runbooks.registry.document import BOOL, Document, is_text
from runbooks.registry.lists import append
from runbooks.registry.meaning import Mapping, Meaning, Scalar, text
from runbooks.registry.names import RESERVED, check_name
from runbooks.registry.places import behind_entry, field_indent
from runbooks.registry.splice import Edit, content_span, respell
from runbooks.registry.tables import Entry, Tables, integer, scalars_in
from runbooks.registry.who import one_line

PEOPLE_LISTS = ("members", "system_members", "approval")
"""The lists of a group whose elements are accounts, or name a person by the account."""

_TRUE = Scalar(BOOL, "true")
_TASK = re.compile(r"T[1-9][0-9]*")
_RUN_AS = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Rename:
    """A rename that passed every check: names, and the task that asks for it (None: no comment is written)."""

    old: str
    new: str
    task: str | None = None

    def edits(self, tables: Tables) -> list[Edit]:
        """The edits of the text that carry the rename out.

        Raises RegistryError, naming the account and the line, where the rename must not or cannot be written.
        """
        self._check(tables)
        document, entry = tables.document, tables.users[self.old]
        nodes = {id(node): node for node in _mentions(tables, self.old)}
        edits = [respell(document, node, self.new) for node in (entry.key, *nodes.values())]
        end = behind_entry(document, entry)
        edits.append(Edit(end, end, self._stub(document, entry)))
        absent = tables.groups["absent"].get("members")
        if isinstance(absent, SequenceNode):
            edits += append(document, absent, self.old)
        return edits

    def _stub(self, document: Document, entry: Entry) -> str:
        start, end = content_span(document, entry.key)
        indent = field_indent(document, entry)
        comment = f"  # {self.task}" if self.task else ""
        numbers = [f"{indent}{name}: {node.value}" for name, node in _numbers(entry)]
        key = f"{' ' * document.column(document.start(entry.key))}{document.text[start:end]}:"
        lines = (key, f"{indent}ensure: absent", *numbers, f"{indent}rename: true{comment}")
        return "".join(document.line_break + line for line in lines)

    def intended(self, before: Mapping) -> Mapping:
        """What the registry shall mean after the rename, worked out on plain data, apart from any text."""
        after: Mapping = dict(before)
        for table in ("users", "ldap_only_users"):
            entries = before.get(text(table))
            if isinstance(entries, dict):
                after[text(table)] = {key: self._with_contact(entry) for key, entry in entries.items()}
        users, groups = after.get(text("users")), before.get(text("groups"))
        if isinstance(users, dict):
            after[text("users")] = self._renamed_users(users)
        if isinstance(groups, dict):
            after[text("groups")] = {key: self._renamed_group(key, group) for key, group in groups.items()}
        return after

    def _replaced(self, value: Meaning) -> Meaning:
        if isinstance(value, list):
            return [self._replaced(item) for item in value]
        return text(self.new) if value == text(self.old) else value

    def _with_contact(self, entry: Meaning) -> Meaning:
        contact = text("expiry_contact")
        if isinstance(entry, dict) and entry.get(contact) == text(self.old):
            return {**entry, contact: text(self.new)}
        return entry

    def _renamed_users(self, users: Mapping) -> Mapping:
        after: Mapping = {}
        for key, entry in users.items():
            if key != text(self.old) or not isinstance(entry, dict):
                after[key] = entry
                continue
            login = {text("name"): text(self.new)} if entry.get(text("name")) == text(self.old) else {}
            after[text(self.new)] = {**entry, **login}
            numbers = {name: entry[name] for name in (text("uid"), text("gid")) if name in entry}
            after[key] = {text("ensure"): text("absent"), **numbers, text("rename"): _TRUE}
        return after

    def _renamed_group(self, key: Scalar, group: Meaning) -> Meaning:
        if not isinstance(group, dict):
            return group
        after = dict(group)
        for name in map(text, PEOPLE_LISTS):
            if isinstance(group.get(name), list):
                after[name] = self._replaced(group[name])
        members = after.get(text("members"))
        if key == text("absent") and isinstance(members, list):
            after[text("members")] = [*members, text(self.old)]
        return after

    def _check(self, tables: Tables) -> None:
        self._check_arguments()
        _check_old(tables, self.old)
        _check_entry(tables, self.old)
        _check_uid(tables, self.old)
        _check_new(tables, self.new, self.old)
        _check_absent_group(tables, self.old)
        _check_sudo(tables, self.old)

    def _check_arguments(self) -> None:
        try:
            one_line("an account", self.old)
            check_name(self.new)
        except UsageError as error:
            raise RegistryError(f"rename of {self.old}: {error}") from error
        if self.old == self.new:
            raise RegistryError(f"{self.old} already has that name; give another as the new name")
        if self.old in RESERVED:
            raise RegistryError(f"{self.old} is the name of a system account, which is not renamed")
        if self.task is not None and not _TASK.fullmatch(str(self.task)):
            raise RegistryError(f"{self.task!r} is no task: expected T and digits, as T123")


def _check_uid(tables: Tables, old: str) -> None:
    """Whose home and processes a UID stands for has to be clear."""
    uid = tables.user_values[old].uid
    others = [user.name for user in tables.user_values.values() if user.uid == uid and not user.rename]
    others.remove(old)
    if uid is not None and others:
        raise RegistryError(
            f"{old}: uid {uid} is also {', '.join(others)}'s; find out whose it is, and settle that first"
        )


def _numbers(entry: Entry) -> list[tuple[str, ScalarNode]]:
    found = ((name, entry.get(name)) for name in ("uid", "gid"))
    return [(name, node) for name, node in found if isinstance(node, ScalarNode)]


def _mentions(tables: Tables, old: str) -> Iterator[ScalarNode]:
    login = tables.users[old].get("name")
    if isinstance(login, ScalarNode) and is_text(login, old):
        yield login
    for entry in (*tables.users.values(), *tables.ldap_only_users.values()):
        contact = entry.get("expiry_contact")
        if isinstance(contact, ScalarNode) and is_text(contact, old):
            yield contact
    for group in tables.groups.values():
        for name in PEOPLE_LISTS:
            yield from (item for item in scalars_in(group.get(name)) if is_text(item, old))


def _check_old(tables: Tables, old: str) -> None:
    ldap_only = tables.ldap_only_users.get(old)
    if old not in tables.users:
        if ldap_only:
            line = tables.document.line(ldap_only.key)
            raise RegistryError(f"{old} is only in ldap_only_users (line {line}): no shell account to rename")
        raise RegistryError(f"{old} is not in users: check the name")
    if ldap_only:
        line = tables.document.line(ldap_only.key)
        raise RegistryError(f"{old} is in ldap_only_users too (line {line}): settle which entry counts, then rename")


def _check_entry(tables: Tables, old: str) -> None:
    document, entry = tables.document, tables.users[old]
    line, table = document.line(entry.key), entry.table
    user = tables.user_values[old]

    def refuse(why: str) -> RegistryError:
        return RegistryError(f"users.{old} (line {line}) {why}")

    if table.flow_style or tables.is_alias("users"):
        raise refuse("stands in a table in braces or behind an alias; write users out as lines, then rename")
    if document.is_alias(table, entry.slot) or document.is_alias(table, entry.slot + 1):
        raise refuse("is an alias of something else; write the entry out, then rename")
    if not isinstance(entry.value, MappingNode):
        raise refuse("has no fields; give it ensure and uid, then rename")
    prefix = document.text[document.line_start(document.start(entry.key)) : document.start(entry.key)]
    if prefix.strip(" \ufeff"):
        raise refuse(f"doesn't begin its line ({prefix.strip()!r} stands before it); write it plainly, then rename")
    if user.ensure != "present":
        raise refuse(f"has ensure: {user.ensure}; only a present account is renamed")
    if user.system or (user.uid is not None and 900 <= user.uid <= 950):
        raise refuse("is a system account, which other parts of puppet name too; rename it by hand")
    _check_numbers(document, entry, old)
    _check_home(document, entry, old)


def _check_numbers(document: Document, entry: Entry, old: str) -> None:
    for name in ("uid", "gid"):
        node = entry.get(name)
        if node is None and name == "gid":
            continue
        if node is None:
            raise RegistryError(f"users.{old} (line {document.line(entry.key)}) has no uid; add it, then rename")
        if integer(node) is None:
            line = document.line(node)
            raise RegistryError(f"users.{old}.{name} (line {line}) is no number; correct it, then rename")


def _check_home(document: Document, entry: Entry, old: str) -> None:
    home = entry.get("home_dir")
    if isinstance(home, ScalarNode) and old in home.value.split("/"):
        raise RegistryError(
            f"users.{old}.home_dir (line {document.line(home)}) pins the home to {home.value!r}: "
            "decide where the home shall be and change or remove the field, then rename"
        )


def _check_new(tables: Tables, new: str, old: str) -> None:
    for table, entries in (("users", tables.users), ("ldap_only_users", tables.ldap_only_users)):
        if new in entries:
            line = tables.document.line(entries[new].key)
            raise RegistryError(f"{new} is already in {table} (line {line}): choose another name for {old}")
    for group in tables.groups.values():
        for name in ("members", "system_members"):
            for item in scalars_in(group.get(name)):
                if is_text(item, new):
                    line = tables.document.line(item)
                    where = f"groups.{group.name}.{name} (line {line})"
                    raise RegistryError(f"{new} is already listed in {where}: choose another name for {old}")


def _check_absent_group(tables: Tables, old: str) -> None:
    document, group = tables.document, tables.groups.get("absent")
    if group is None:
        raise RegistryError(f"groups.absent is missing: {old} must be listed there after the rename; add the group")
    members, line = group.get("members"), document.line(group.key)
    if not isinstance(members, SequenceNode):
        raise RegistryError(f"groups.absent (line {line}) has no list of members; add one, then rename")
    if _behind_alias(tables, group, members):
        raise RegistryError(f"groups.absent (line {line}) shares its members with another place; write them out first")
    for name in ("absent", "absent_ldap"):
        listed = tables.groups[name].get("members") if name in tables.groups else None
        for item in scalars_in(listed):
            if is_text(item, old):
                line = document.line(item)
                raise RegistryError(f"{old} is listed in groups.{name} (line {line}) though present; settle that first")


def _behind_alias(tables: Tables, group: Entry, members: Node) -> bool:
    document = tables.document
    return tables.is_alias("groups") or bool({id(members), id(group.value), id(group.table)} & document.shared)


def _check_sudo(tables: Tables, old: str) -> None:
    for group in tables.groups.values():
        for item in scalars_in(group.get("privileges")):
            named = {name.strip() for found in _RUN_AS.findall(item.value) for name in re.split("[,:]", found)}
            if old in named:
                line = tables.document.line(item)
                raise RegistryError(
                    f"groups.{group.name}.privileges (line {line}) lets people run commands as {old}: "
                    "change that sudo line first, then rename"
                )
