"""The text of a registry, its node graph, and where in the text each node stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader

from runbooks.errors import RegistryError

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser where there is one: ten times as fast, and its marks agree (tests compare the two)."""

TAG = "tag:yaml.org,2002:"
STR, INT, BOOL, NULL = TAG + "str", TAG + "int", TAG + "bool", TAG + "null"
_KNOWN_TAGS = frozenset(TAG + kind for kind in ("str", "int", "bool", "null", "float", "timestamp", "map", "seq"))
_BOM = "\ufeff"
_LONE_RETURN = re.compile(r"\r(?!\n)")


def is_text(node: Node, value: str) -> bool:
    """Whether a node is the text ``value``, read as text and not as a number or boolean."""
    return isinstance(node, ScalarNode) and node.tag == STR and node.value == value


@dataclass(frozen=True, eq=False)
class Document:
    """A registry's text with its composed root.

    Offsets count characters of ``text``, lines from 1 as an editor does. ``aliases`` holds the slots (id of the
    parent, index in it; a mapping's key is 2i, its value 2i + 1) where an alias stands: their node's marks point at
    the anchor. ``shared`` holds the ids of the nodes that an alias names.
    """

    text: str = field(repr=False)
    root: MappingNode = field(repr=False)
    aliases: frozenset[tuple[int, int]] = field(repr=False)
    shared: frozenset[int] = field(repr=False)

    def start(self, node: Node) -> int:
        """The offset of a node's first character, its anchor and tag included."""
        return int(node.start_mark.index) + self.text.startswith(_BOM)

    def end(self, node: Node) -> int:
        """The offset behind a node; a block collection's reaches to the next token, past blanks and comments."""
        return int(node.end_mark.index) + self.text.startswith(_BOM)

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    def line_at(self, offset: int) -> int:
        """The number of the line, from 1, that holds an offset."""
        return bisect_right(self._breaks, offset - 1) + 1

    def line(self, node: Node) -> int:
        """The number of the line, from 1, where a node begins (an alias: where its anchor does)."""
        return self.line_at(self.start(node))

    def line_start(self, offset: int) -> int:
        """The offset of the first character of the line that holds ``offset``."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """The offset of the line break (or the end of the text) of the line that holds ``offset``."""
        end = self.text.find("\n", offset)
        if end < 0:
            return len(self.text)
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def line_end_before(self, offset: int) -> int:
        """The end of the line before the one that holds ``offset``."""
        return self.line_end(self.line_start(max(0, self.line_start(offset) - 1)))

    def column(self, offset: int) -> int:
        """How many characters stand before ``offset`` on its line; a byte-order mark counts for none."""
        return len(self.text[self.line_start(offset) : offset].removeprefix(_BOM))

    def behind_colon(self, key: Node) -> int:
        """The offset behind the colon of a mapping's key."""
        return self.text.index(":", self.end(key)) + 1

    @cached_property
    def line_break(self) -> str:
        """The line break that the file uses first."""
        return "\r\n" if self._breaks and self.text[: self._breaks[0]].endswith("\r") else "\n"

    def is_alias(self, parent: Node, slot: int) -> bool:
        """Whether an alias stands in that slot of a collection."""
        return (id(parent), slot) in self.aliases

    def own_leaves(self, parent: Node) -> Iterator[Node]:
        """The scalars and flow collections written inside a node, in order; nothing that is behind an alias."""
        if isinstance(parent, ScalarNode) or (isinstance(parent, CollectionNode) and parent.flow_style):
            yield parent
            return
        for slot, child in children(parent):
            if not self.is_alias(parent, slot):
                yield from self.own_leaves(child)


def children(parent: Node) -> Iterator[tuple[int, Node]]:
    """A collection's slots and the nodes in them, in the order of the text."""
    if isinstance(parent, MappingNode):
        for number, (key, value) in enumerate(parent.value):
            yield 2 * number, key
            yield 2 * number + 1, value
    elif isinstance(parent, SequenceNode):
        yield from enumerate(parent.value)


class _Survey:
    """One walk over the node graph in the order of the text: finds the aliases, refuses what cannot be kept safe."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.aliases: set[tuple[int, int]] = set()
        self.shared: set[int] = set()
        self._seen: set[int] = set()
        self._open: set[int] = set()

    def visit(self, node: Node) -> None:
        self._seen.add(id(node))
        if node.tag not in _KNOWN_TAGS:
            raise RegistryError(f"line {self.document.line(node)}: {_tag_refusal(node.tag)}")
        if isinstance(node, ScalarNode):
            return
        self._open.add(id(node))
        if isinstance(node, MappingNode):
            self._check_keys(node)
        for slot, child in children(node):
            self._visit_child(node, slot, child)
        self._open.discard(id(node))

    def _visit_child(self, parent: Node, slot: int, child: Node) -> None:
        # The anchor precedes its aliases, so the second meeting is the alias.
        if id(child) not in self._seen:
            self.visit(child)
            return
        if id(child) in self._open:
            line = self.document.line(child)
            raise RegistryError(f"line {line}: the anchor holds an alias of itself; write the list out")
        self.aliases.add((id(parent), slot))
        self.shared.add(id(child))

    def _check_keys(self, mapping: MappingNode) -> None:
        lines: dict[tuple[str, str], int] = {}
        for number, (key, _) in enumerate(mapping.value, start=1):
            line = self.document.line(key)
            if not isinstance(key, ScalarNode):
                raise RegistryError(f"line {line}: a list or mapping stands as a key; use a name")
            first = lines.setdefault((key.tag, key.value), line)
            if len(lines) < number:
                raise RegistryError(f"line {line}: {key.value!r} is already a key at line {first}; remove one of them")


def _tag_refusal(tag: str) -> str:
    if tag == TAG + "merge":
        return "a merge key (<<) hides fields from the people who read; write the fields out"
    return f"the tag {tag.replace(TAG, '!!')} has no meaning here; remove it"


def compose(text: str) -> Document:
    """Read a registry's text into a document.

    Raises RegistryError, with the line: broken YAML, characters that YAML forbids, several documents, no mapping at
    the top, a key that stands twice (a YAML loader would silently take the last), merge keys, unknown tags, an
    anchor that holds itself.
    """
    if not isinstance(text, str):
        raise RegistryError(f"a registry is a text, not {type(text).__name__}: read the file first")
    _refuse_characters(text)
    try:
        root = yaml.compose(text.removeprefix(_BOM), Loader=LOADER)
        if root is None:
            raise RegistryError("the registry is empty: expected a mapping with groups and users")
        if not isinstance(root, MappingNode):
            line = root.start_mark.line + 1
            raise RegistryError(f"line {line}: the registry is no mapping: expected groups and users")
        survey = _Survey(Document(text, root, frozenset(), frozenset()))
        survey.visit(root)
    except yaml.MarkedYAMLError as error:
        raise _broken(error) from error
    except RecursionError as error:
        raise RegistryError("the registry is nested too deeply to be read; write the lists out") from error
    return Document(text, root, frozenset(survey.aliases), frozenset(survey.shared))


def _refuse_characters(text: str) -> None:
    forbidden = Reader.NON_PRINTABLE.search(text) or _LONE_RETURN.search(text)
    if forbidden:
        line = text.count("\n", 0, forbidden.start()) + 1
        raise RegistryError(f"line {line}: the character {forbidden.group()!a} is not allowed here; remove it")


def _broken(error: yaml.MarkedYAMLError) -> RegistryError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = error.problem or error.context or "broken YAML"
    if "another document" in problem:
        return RegistryError(f"line {line}: a second document begins (---); a registry is one document")
    context = f" {error.context}" if error.context and error.problem else ""
    return RegistryError(f"line {line}: the YAML is broken{context}: {problem}; repair it by hand first")
