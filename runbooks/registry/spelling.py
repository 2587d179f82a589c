"""How a text is written in YAML: as it stands where it can, else in quotes."""

from __future__ import annotations

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from runbooks.registry.document import LOADER, is_text

_NOT_TEXT = frozenset(("yes", "no", "true", "false", "on", "off", "null", "y", "n"))
"""Words that a YAML 1.1 reader (puppet's is one) takes for a boolean or nothing unless they are quoted."""


def spelled(value: str, quote: str = "", *, in_flow: bool = True) -> str:
    """A line of text as it is written: in ``quote`` where that is given or the bare words would mean something else;
    ``in_flow``: between brackets."""
    if quote == '"':
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if quote or not _is_plain(value, in_flow):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    return value


def _is_plain(value: str, in_flow: bool) -> bool:
    # What Ruby's reader takes for a symbol, puppet refuses.
    if value.lower() in _NOT_TEXT or value.startswith(":"):
        return False
    try:
        root = yaml.compose(f"k: [{value}]" if in_flow else f"k: {value}", Loader=LOADER)
    except yaml.YAMLError:
        return False
    found = root.value[0][1] if isinstance(root, MappingNode) and len(root.value) == 1 else None
    if in_flow and isinstance(found, SequenceNode):
        found = found.value[0] if len(found.value) == 1 else None
    return found is not None and is_text(found, value)


def quote_of(node: ScalarNode) -> str:
    """The quotation mark that a scalar is written in, empty for none."""
    return node.style if node.style in ("'", '"') else ""
