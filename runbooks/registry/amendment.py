"""An edit of a registry said twice: as spans of its text, and as what becomes of its nodes' meaning.

The second is not made from the first: the edited text is read again, and has to mean what was said of the nodes. A node
that aliases lead to means what it means in all of those places, as its text does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, SequenceNode

from runbooks.registry.meaning import Intent, Meaning, Pair, text
from runbooks.registry.splice import Edit

BEFORE_ALL = -1
"""The slot in front of a collection's first."""


@dataclass(frozen=True)
class Amendment:
    """Edits of the text, and what they shall do. Two of one document are put together with ``+``."""

    edits: tuple[Edit, ...] = ()
    intent: Intent = field(default_factory=Intent)

    def __add__(self, other: Amendment) -> Amendment:
        return Amendment(self.edits + other.edits, self.intent + other.intent)


NOTHING = Amendment()


def together(amendments: Iterable[Amendment]) -> Amendment:
    """All of them as one."""
    return sum(amendments, NOTHING)


def put(node: Node, value: Meaning, *edits: Edit) -> Amendment:
    """The edits give a node, a key too, another value."""
    return Amendment(edits, Intent(put={id(node): value}))


def drop(parent: Node, slots: Iterable[int], edits: Iterable[Edit]) -> Amendment:
    """The edits take elements out of a list, or fields, by the slots of their values, out of a mapping."""
    return Amendment(tuple(edits), Intent(dropped=frozenset((id(parent), slot) for slot in slots)))


def add(parent: SequenceNode, values: Iterable[str], edits: Iterable[Edit]) -> Amendment:
    """The edits put texts at the end of a list."""
    slot = len(parent.value) - 1 if parent.value else BEFORE_ALL
    return Amendment(tuple(edits), Intent(elements={(id(parent), slot): tuple(map(text, values))}))


def insert(parent: MappingNode, slot: int, pairs: Mapping[str, Meaning], *edits: Edit) -> Amendment:
    """The edits put fields, or an entry, behind the pair whose value is in that slot."""
    new: tuple[Pair, ...] = tuple((text(name), value) for name, value in pairs.items())
    return Amendment(edits, Intent(pairs={(id(parent), slot): new}))
