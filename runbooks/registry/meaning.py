"""What a registry says, apart from how it is written: plain data that two texts can be compared by."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as PlainMapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple, TypeAlias, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.document import STR, Document

T = TypeVar("T")
MOST_VALUES = 200_000
"""Where the expanding of aliases ends: a registry has about twenty thousand values."""


class Scalar(NamedTuple):
    """A value with its YAML type: ``2`` and ``"2"`` differ, ``bob`` and ``'bob'`` don't."""

    tag: str
    value: str


Mapping: TypeAlias = "dict[Scalar, Meaning]"
Meaning: TypeAlias = "Scalar | list[Meaning] | Mapping"


def text(value: str) -> Scalar:
    """A value that is text."""
    return Scalar(STR, value)


Slot: TypeAlias = "tuple[int, int]"
"""A place in a collection: the id of its node, and the number of the element (of a mapping's pair: of its value)."""
Pair: TypeAlias = "tuple[Scalar, Meaning]"


@dataclass(frozen=True)
class Intent:
    """What shall become of a document's meaning: nodes that get another value, elements and pairs that go, elements and
    pairs that come behind others."""

    put: PlainMapping[int, Meaning] = field(default_factory=dict)
    dropped: frozenset[Slot] = frozenset()
    elements: PlainMapping[Slot, tuple[Meaning, ...]] = field(default_factory=dict)
    pairs: PlainMapping[Slot, tuple[Pair, ...]] = field(default_factory=dict)

    def __add__(self, other: Intent) -> Intent:
        return Intent(
            {**self.put, **other.put},
            self.dropped | other.dropped,
            _merged(self.elements, other.elements),
            _merged(self.pairs, other.pairs),
        )


def _merged(
    one: PlainMapping[Slot, tuple[T, ...]], other: PlainMapping[Slot, tuple[T, ...]]
) -> dict[Slot, tuple[T, ...]]:
    return {slot: one.get(slot, ()) + other.get(slot, ()) for slot in {**one, **other}}


def meaning_of(document: Document, intent: Intent | None = None) -> Mapping:
    """A document's meaning, aliases expanded, the order of entries kept; with an ``intent``, what it shall be.

    Raises RegistryError where the aliases expand without end.
    """
    return _Expansion(document, intent or Intent()).mapping(document.root)


def meaning_of_node(document: Document, node: Node) -> Meaning:
    """What a part of a document means, aliases expanded."""
    return _Expansion(document, Intent()).value(node)


class _Expansion:
    def __init__(self, document: Document, intent: Intent) -> None:
        self.document, self.intent = document, intent
        self._left = iter(range(MOST_VALUES))

    def value(self, node: Node) -> Meaning:
        if next(self._left, None) is None:
            line = self.document.line(node)
            raise RegistryError(f"line {line}: the aliases expand to too many values; write them out")
        if id(node) in self.intent.put:
            return self.intent.put[id(node)]
        if isinstance(node, ScalarNode):
            return Scalar(node.tag, node.value)
        return self.mapping(node) if isinstance(node, MappingNode) else self.elements(node)

    def key(self, node: ScalarNode) -> Scalar:
        found = self.intent.put.get(id(node))
        return found if isinstance(found, Scalar) else Scalar(node.tag, node.value)

    def mapping(self, node: MappingNode) -> Mapping:
        intent, place = self.intent, id(node)
        found: Mapping = dict(intent.pairs.get((place, -1), ()))
        for number, (key, value) in enumerate(node.value):
            slot = (place, 2 * number + 1)
            if slot not in intent.dropped:
                found[self.key(key)] = self.value(value)
            found.update(intent.pairs.get(slot, ()))
        return found

    def elements(self, node: Node) -> list[Meaning]:
        intent, place = self.intent, id(node)
        found = list(intent.elements.get((place, -1), ()))
        for number, item in enumerate(node.value):
            if (place, number) not in intent.dropped:
                found.append(self.value(item))
            found += intent.elements.get((place, number), ())
        return found


def difference(left: Meaning, right: Meaning, path: str = "") -> str | None:
    """Where two meanings first differ, as ``users.bob.uid``, or None where they are the same; order counts."""
    if isinstance(left, Scalar) or isinstance(right, Scalar) or type(left) is not type(right):
        return None if left == right else path or "the top"
    if isinstance(left, dict) and isinstance(right, dict):
        return _difference_of_mappings(left, right, path)
    pairs = zip_longest(left, right)
    return _first(
        f"{path}[{number}]" if one is None or other is None else difference(one, other, f"{path}[{number}]")
        for number, (one, other) in enumerate(pairs)
    )


def _difference_of_mappings(left: Mapping, right: Mapping, path: str) -> str | None:
    for (key, one), (other_key, other) in zip(left.items(), right.items(), strict=False):
        where = f"{path}.{key.value}".lstrip(".")
        if key != other_key:
            return where
        found = difference(one, other, where)
        if found:
            return found
    if len(left) == len(right):
        return None
    longer = left if len(left) > len(right) else right
    surplus = [*longer][min(len(left), len(right))]
    return f"{path}.{surplus.value}".lstrip(".")


def _first(found: Iterable[str | None]) -> str | None:
    return next((path for path in found if path), None)
