"""What a registry says, apart from how it is written: plain data that two texts can be compared by."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode

from runbooks.errors import RegistryError
from runbooks.registry.document import STR, Document

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


def meaning_of(document: Document) -> Mapping:
    """A document's meaning, aliases expanded, the order of entries kept.

    Raises RegistryError where the aliases expand without end.
    """
    left = iter(range(MOST_VALUES))

    def expand(node: Node) -> Meaning:
        if next(left, None) is None:
            raise RegistryError(f"line {document.line(node)}: the aliases expand to too many values; write them out")
        if isinstance(node, ScalarNode):
            return Scalar(node.tag, node.value)
        if isinstance(node, MappingNode):
            return {Scalar(key.tag, key.value): expand(value) for key, value in node.value}
        return [expand(item) for item in node.value]

    return {Scalar(key.tag, key.value): expand(value) for key, value in document.root.value}


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
