"""A YAML file read strictly: complaints have file and line, and a key written twice is one (PyYAML keeps the last)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runbooks.errors import InventoryError
from runbooks.inventory.names import short

# The C parser is ten times as quick, and missing where PyYAML was built without libyaml.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 20
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ ?:-]{500}", re.MULTILINE)
_TEXT = "tag:yaml.org,2002:str"
_INT = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"


class YamlFile:
    """One file's tree of nodes, and typed ways into it; every wrong turn is an InventoryError ``file:line: ...``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: set[int] = set()
        self._constructor = yaml.constructor.SafeConstructor()
        try:
            text = path.read_text(encoding="utf-8")
            self.root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader if _is_deep(text) else _Loader)
        except OSError as error:
            raise InventoryError(f"{path}: can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InventoryError(f"{path}: is no UTF-8 text (byte {error.start + 1}): save it as UTF-8") from error
        except yaml.YAMLError as error:
            raise self._unparsed(error) from error
        except RecursionError as error:
            raise InventoryError(f"{path}: is nested too deeply") from error

    def place(self, node: Node) -> str:
        """Return ``file:line`` of a node."""
        return f"{self.path}:{node.start_mark.line + 1}"

    def fail(self, node: Node, message: str) -> InventoryError:
        """Return (not raise) the error for a node."""
        return InventoryError(f"{self.place(node)}: {message}")

    def items(self, node: Node | None, what: str) -> Iterator[tuple[str, Node, Node]]:
        """Yield key, key's node and value's node of a mapping; nothing for an absent or empty one."""
        if node is None or _is_null(node):
            return
        if not isinstance(node, MappingNode):
            raise self.fail(node, f"{what} must be a mapping (key: value), not {_kind(node)}")
        self._once(node)
        seen: dict[str, Node] = {}
        each = f"a key of {what}"
        for key_node, value in node.value:
            key = self.text(key_node, each)
            if key in seen:
                raise self.fail(key_node, f"{what}: {key} stands twice, first on line {seen[key].start_mark.line + 1}")
            seen[key] = key_node
            yield key, key_node, value

    def text(self, node: Node, what: str) -> str:
        """Return a node's text; a number, date or yes/no that wants quotes is refused."""
        if not isinstance(node, ScalarNode):
            raise self.fail(node, f"{what} must be text, not {_kind(node)}")
        value: str = node.value.strip()
        if node.tag != _TEXT:
            if _is_null(node):
                raise self.fail(node, f"{what} has no value: write one or take the line out")
            read = f"YAML reads {short(value, 40)} as {_kind(node)}"
            raise self.fail(node, f"{what} must be text, but {read}: quote it")
        if not value or not value.isprintable():
            raise self.fail(node, f"{what} must be one line of text, not empty and without control characters")
        return value

    def whole(self, node: Node, what: str, low: int, high: int) -> int:
        """Return a node's whole number, between ``low`` and ``high``."""
        if not isinstance(node, ScalarNode) or node.tag != _INT:
            raise self.fail(node, f"{what} must be a whole number, not {_kind(node)}")
        value = int(self._constructor.construct_object(node))
        if not low <= value <= high:
            raise self.fail(node, f"{what} must be from {low} to {high}, not {value}")
        return value

    def texts(self, node: Node, what: str) -> tuple[str, ...]:
        """Return a list of texts, each once."""
        if not isinstance(node, SequenceNode):
            raise self.fail(node, f"{what} must be a list ([a, b]), not {_kind(node)}")
        self._once(node)
        words = tuple(self.text(item, f"each of {what}") for item in node.value)
        if len(set(words)) != len(words):
            raise self.fail(node, f"{what} names something twice")
        return words

    def plain(self, node: Node, what: str, depth: int = 0) -> Any:
        """Return a node as read-only Python values: mappings, tuples, scalars."""
        if depth > _MAX_DEPTH:
            raise self.fail(node, f"{what}: more than {_MAX_DEPTH} levels inside each other")
        if isinstance(node, MappingNode):
            pairs = self.items(node, what)
            return MappingProxyType({key: self.plain(value, what, depth + 1) for key, _, value in pairs})
        if isinstance(node, SequenceNode):
            self._once(node)
            return tuple(self.plain(item, what, depth + 1) for item in node.value)
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise self.fail(node, f"{what}: {short(str(node.value), 40)} can't be read") from error

    def _once(self, node: Node) -> None:
        """Refuse a collection met for the second time: an anchor that is used again, which may grow without bound."""
        if id(node) in self._seen:
            raise self.fail(node, "is used again through an anchor (&, *), which is not supported: write it out")
        self._seen.add(id(node))

    def _unparsed(self, error: yaml.YAMLError) -> InventoryError:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = f"{self.path}:{mark.line + 1}" if mark else str(self.path)
        problem = getattr(error, "problem", None) or str(error)
        return InventoryError(f"{place}: is no valid YAML: {short(problem, 120)}")


def _is_deep(text: str) -> bool:
    """Tell whether the C parser might overflow its stack and end the process; PyYAML's own raises RecursionError."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > 500 or bool(_INDENT.search(text))


def _is_null(node: Node) -> bool:
    return bool(node.tag == _NULL)


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    kinds = {"str": "text", "int": "a number", "float": "a number", "bool": "yes or no", "null": "nothing",
             "timestamp": "a date"}  # fmt: skip
    return kinds.get(str(node.tag).rpartition(":")[2], f"a {node.tag}")
