"""Who is in which group: a name at the end of a list of members, or out of it, where it is really written.

Lists nest, and aliases use one in several groups. A name that comes to a group through such a list is edited where the
list is written, and only where every group that this touches is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yaml.nodes import Node, SequenceNode

from runbooks.errors import RegistryError
from runbooks.registry import amendment, lists
from runbooks.registry.amendment import Amendment
from runbooks.registry.document import children, is_text
from runbooks.registry.splice import Edit
from runbooks.registry.tables import Entry, Tables
from runbooks.registry.who import one_line, texts

LISTS = ("members", "system_members")
"""The lists of a group that accounts are in."""


def join(tables: Tables, name: str, groups: Sequence[str]) -> Amendment:
    """The name at the end of the groups' members. Raises RegistryError: no such group, in it already, or another group
    would get the member, too."""
    wanted = list(dict.fromkeys(texts("groups", groups)))
    for group in wanted:
        if name in tables.group_values[_known(tables, group)].members:
            raise RegistryError(f"{name} is in {group} already (line {tables.group_values[group].line})")
    done, gained = amendment.NOTHING, set[str]()
    # A list that others use gives them the member, too, so it comes first.
    for group in sorted(wanted, key=lambda group: -len(_users_of(tables, _members(tables, group)))):
        if group in gained:
            continue
        node = _members(tables, group)
        _refuse_elsewhere(tables, node)
        reached = _users_of(tables, node)
        if more := [
            other for other in reached if other not in wanted and name not in tables.group_values[other].members
        ]:
            raise _shared(tables, node, name, "join", group, more)
        gained.update(reached)
        done += amendment.add(node, [name], lists.append(tables.document, node, name))
    return done


def leave(tables: Tables, name: str, groups: Sequence[str], fields: Sequence[str] = LISTS[:1]) -> Amendment:
    """The name out of the groups' lists. Raises RegistryError: no such group, not in it, or another group would lose
    the member, too."""
    done, seen = amendment.NOTHING, set[tuple[int, int]]()
    groups = list(dict.fromkeys(texts("groups", groups)))
    for group in groups:
        places = [place for field in fields for place in _places(tables.groups[_known(tables, group)].get(field), name)]
        if not places:
            raise RegistryError(f"{name} is not in {group} (line {tables.group_values[group].line})")
        for node, slot in places:
            if (id(node), slot) in seen:
                continue
            if any(parent == id(node) for parent, _ in seen):
                line = tables.document.line(node)
                raise RegistryError(f"line {line}: {name} stands twice in one list; take one of them out by hand")
            seen.add((id(node), slot))
            _refuse_elsewhere(tables, node)
            others = [other for other in _users_of(tables, node) if other not in groups]
            if more := [other for other in others if _only_there(tables, other, name, node)]:
                raise _shared(tables, node, name, "leave", group, more)
            done += amendment.drop(node, [slot], _removal(tables, tables.groups[group], node, slot))
    return done


def groups_with(tables: Tables, name: str) -> list[str]:
    """The groups that list a name, among their members or those that packages make."""
    found = tables.group_values.values()
    return [group.name for group in found if name in group.members or name in group.system_members]


def _only_there(tables: Tables, group: str, name: str, node: SequenceNode) -> bool:
    """Whether a group has a name through one list alone."""
    places = [place for field in LISTS for place in _places(tables.groups[group].get(field), name)]
    return all(parent is node for parent, _ in places)


def _removal(tables: Tables, group: Entry, node: SequenceNode, slot: int) -> list[Edit]:
    if len(node.value) > 1 or node.flow_style:
        return lists.remove(tables.document, node, slot)
    for _, key, value in group.fields():
        if value is node:
            return lists.empty(tables.document, key, node)
    raise RegistryError(f"line {tables.document.line(node)}: the list would be left empty; edit it by hand")


def _known(tables: Tables, group: str) -> str:
    if one_line("a group", group) not in tables.groups:
        raise RegistryError(f"{group} is no group: check the name")
    return group


def _members(tables: Tables, group: str) -> SequenceNode:
    node = tables.groups[group].get("members")
    if not isinstance(node, SequenceNode):
        raise RegistryError(f"{group} (line {tables.group_values[group].line}) has no list of members; add one first")
    return node


def _places(node: Node | None, name: str) -> Iterator[tuple[SequenceNode, int]]:
    """Every place in a list, and the lists in it, where a name stands."""
    if isinstance(node, SequenceNode):
        for slot, item in children(node):
            if is_text(item, name):
                yield node, slot
            else:
                yield from _places(item, name)


def _refuse_elsewhere(tables: Tables, node: SequenceNode) -> None:
    """Raise RegistryError for a list that is used outside of the groups' lists of people, too."""
    document = tables.document
    if id(node) not in document.shared:
        return
    ours = {id(entry.value) for entry in tables.groups.values()}
    for entry in tables.groups.values():
        for field in (*LISTS, "approval"):
            ours.update(map(id, _lists_in(entry.get(field))))
    if any(id(parent) not in ours for parent in _parents(document.root, node)):
        line = document.line(node)
        raise RegistryError(f"the list in line {line} is used elsewhere, too, through an alias; write it out first")


def _lists_in(node: Node | None) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield node
        for item in node.value:
            yield from _lists_in(item)


def _parents(top: Node, node: Node) -> Iterator[Node]:
    """The collections that a node is in."""
    for _, child in children(top):
        if child is node:
            yield top
        yield from _parents(child, node)


def _users_of(tables: Tables, node: SequenceNode) -> list[str]:
    """The groups whose lists this list is, or is in."""
    fields = (*LISTS, "approval")
    return [e.name for e in tables.groups.values() if any(_is_in(node, e.get(field)) for field in fields)]


def _is_in(node: Node, other: Node | None) -> bool:
    if other is node:
        return True
    return isinstance(other, SequenceNode) and any(_is_in(node, item) for item in other.value)


def _shared(tables: Tables, node: Node, name: str, verb: str, group: str, more: Sequence[str]) -> RegistryError:
    line, others = tables.document.line(node), ", ".join(more)
    return RegistryError(
        f"to {verb} {group}, {name} would have to {verb} {others}, too, which use{'s' * (len(more) == 1)} the list in "
        f"line {line}: name {'that one' if len(more) == 1 else 'those'} as well, or write the list out"
    )
