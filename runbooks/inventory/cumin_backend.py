"""The two of Cumin's backends that know the inventory: ``O{}``, ours, and ``D{}``, Cumin's own made strict.

``O{}`` chooses hosts by what the inventory says of them::

    lab01   lab[01-04]   lab[01-08]!lab03   lab*   *       host names: sets and globs, as in ClusterShell
    role:web   site:east   rack:a[1-4]   vendor:"De*"       a field, with sets and globs in its value
    name~'^db1[0-9]{3}$'   rack ~ ^a                        a field by regular expression, anywhere unless anchored

joined with ``and``, ``or``, ``and not``, ``xor`` and parentheses, strictly from left to right as everywhere in Cumin:
there is no precedence. Fields: name, address, site, rack, vendor, role, group. Whatever stands in a query must exist:
a host, a glob or a value that matches nothing is an error, since in ``and not role:wbe`` it would otherwise let every
host through.

Grammar: item [boolean item]...; item: field ":" value | field "~" regex | hosts | "(" grammar ")". A value or regex
with blanks, parentheses or braces in it stands in quotes.

Cumin's own command can load this module as a plug-in backend, with this in its configuration:
``plugins: {backends: [runbooks.inventory.cumin_backend]}`` and ``ops_clinic: {inventory: /path/to/inventory}``.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyparsing as pp
from cumin import nodeset_fromlist
from cumin.backends import BaseQueryAggregator
from cumin.backends.direct import DirectQuery

from runbooks.errors import InventoryError
from runbooks.inventory import KEYS, Inventory
from runbooks.inventory.names import short, suggest
from runbooks.inventory.words import evaluate

GRAMMAR_PREFIX = "O"
_ANY = re.compile("[*?]")


def grammar() -> Any:
    """Return the parser of what stands in ``O{}``."""
    boolean = pp.Regex(r"(?:and\s+not|and|xor|or)(?![\w:~.-])", flags=re.IGNORECASE)("bool")
    opening = pp.Literal("(")("open_subgroup")
    closing = pp.Literal(")")("close_subgroup")
    # `A:` belongs to Cumin's aliases: a query that begins with it must go on to the global grammar.
    key = pp.Regex(r"(?![Aa]\s*:)[A-Za-z][\w-]*(?=\s*[:~])")("key")
    quoted = pp.QuotedString('"', unquote_results=False) | pp.QuotedString("'", unquote_results=False)
    value = (quoted | pp.Regex(r"""[^\s(){}"']+"""))("value")
    selector = key + pp.one_of(": ~")("operator") + value
    hosts = pp.Regex(r"(?!(?:and|or|xor|not)(?![\w.*?\[-]))[A-Za-z0-9_.,!&^\[\]*?-]+", flags=re.IGNORECASE)("hosts")
    full = pp.Forward()
    item = selector | hosts | opening + full + closing
    full <<= pp.Group(item) + pp.ZeroOrMore(pp.Group(boolean + item))
    return full


class SetAggregator(BaseQueryAggregator):  # type: ignore[misc]
    """Cumin's evaluation, on Python's sets.

    A NodeSet takes two minutes for three operations on 10,000 names with two numbers (``cp1001.site7.example``).
    """

    def _build(self, query_string: str) -> None:
        self.text = query_string.strip()
        super()._build(query_string)

    def _execute(self) -> Any:
        hosts: set[str] = set()
        self._loop_stack(hosts, self.stack)
        return hosts

    def _loop_stack(self, hosts: set[str], stack_element: dict[str, Any]) -> None:
        found = stack_element["hosts"]
        if found is None:
            found = set()
            for child in stack_element["children"]:
                self._loop_stack(found, child)
        # Cumin compares the operator with "and not", written with exactly one blank and in small letters.
        boolean = stack_element["bool"]
        self._aggregate_hosts(hosts, found, boolean and " ".join(boolean.lower().split()))

    def _push(self, token: dict[str, Any], found: set[str]) -> None:
        element = self._get_stack_element()
        element["hosts"] = found
        element["bool"] = token.get("bool")
        self.stack_pointer["children"].append(element)

    def _descend(self, token: Any) -> None:
        self._open_subgroup()
        self.stack_pointer["bool"] = token.asDict().get("bool")
        for child in token:
            if not isinstance(child, str):
                self._parse_token(child)
        self._close_subgroup()


class Selection(SetAggregator):
    """What stands in ``O{}``."""

    grammar = grammar()
    prefix = "O"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        inventory = config["ops_clinic"]["inventory"]
        self.inventory = inventory if isinstance(inventory, Inventory) else Inventory.load(Path(inventory))

    @property
    def where(self) -> str:
        """How a message names this part of the query."""
        if not self.prefix:
            return f"query {short(self.text, 60)!r}"
        return f"{self.prefix}{{{short(self.text, 60)}}}"

    def _parse_token(self, token: Any) -> None:
        words = token.asDict()
        if "open_subgroup" in words:
            self._descend(token)
        elif "hosts" in words:
            # Cumin's grammar hands a list of one, ours a word.
            hosts = words["hosts"] if isinstance(words["hosts"], str) else ",".join(words["hosts"])
            self._push(words, evaluate(hosts, self.where, self._hosts))
        else:
            self._push(words, self._select(words["key"], words["operator"], words["value"]))

    def _hosts(self, patterns: list[str]) -> set[str]:
        return known_hosts(self.inventory, patterns, self.where)

    def _select(self, key: str, operator: str, value: str) -> set[str]:
        if key not in KEYS:
            hint = suggest(key, KEYS)
            raise InventoryError(f"{key} is no field to select by in {self.where}{hint}: {', '.join(KEYS)} are")
        quoted = value[0] in "\"'"
        value = value[1:-1] if quoted else value
        if operator == "~":
            return self._matching(key, value)
        if quoted:
            return self._having(key, [value])
        return evaluate(value, self.where, lambda patterns: self._having(key, patterns))

    def _having(self, key: str, patterns: list[str]) -> set[str]:
        index = self.inventory.having(key)
        selected: set[str] = set()
        for pattern in patterns:
            values = _globbed(pattern, index) if _ANY.search(pattern) else [pattern]
            found = {name for value in values for name in index.get(value, ())}
            if not found:
                raise self.inventory.no_such(key, pattern, self.where)
            selected |= found
        return selected

    def _matching(self, key: str, pattern: str) -> set[str]:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise InventoryError(f"{short(pattern)} in {self.where} is no regular expression: {error}") from error
        found = {name for value, names in self.inventory.having(key).items() if regex.search(value) for name in names}
        if not found:
            raise self.inventory.no_such(key, f"~ {pattern}", self.where)
        return found


class Direct(Selection):
    """What stands in ``D{}``: Cumin's grammar for plain names and sets, where each name must be in the inventory."""

    grammar = DirectQuery.grammar
    prefix = "D"


class Bare(Selection):
    """A query without braces or aliases, read as ``O{}`` would be."""

    prefix = ""


class PlugIn(Selection):
    """``O{}`` for Cumin's own command, which wants a NodeSet."""

    def _execute(self) -> Any:
        return nodeset_fromlist(sorted(super()._execute()))


query_class = PlugIn


def known_hosts(inventory: Inventory, patterns: Iterable[str], where: str) -> set[str]:
    """Return the hosts that names and globs stand for; InventoryError names each that stands for none."""
    words = set(patterns)
    globs = {word for word in words if _ANY.search(word)}
    found = words - globs
    if strangers := found - inventory.hosts.keys():
        raise inventory.unknown(strangers, where)
    for glob in sorted(globs):
        matched = _globbed(glob, inventory.hosts)
        if not matched:
            raise InventoryError(f"no host matches {short(glob)} in {where} ({inventory.source})")
        found.update(matched)
    return found


def _globbed(pattern: str, words: Iterable[str]) -> list[str]:
    # Sets are expanded before, or fnmatch would take [01-12] for one character; a bracket left over is just one.
    regex = re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
    return [word for word in words if regex.match(word)]
