"""Queries in Cumin's grammar over the inventory.

A query with neither braces nor aliases goes to our own backend whole (``lab[01-04] and not role:db``); any other is
Cumin's global grammar, where each part says which backend it is for: ``A:web and not D{lab02}``,
``P{F:kernel = Linux} or O{site:east}``.

Cumin's ``Query`` does the work. What is added: aliases are checked for cycles (Cumin recurses until Python gives up)
and evaluated once each (not once for each mention, which can double with every level); names that don't exist are
refused; every fault is one InventoryError. No configuration file is read: Cumin gets its settings as a dictionary.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pyparsing as pp
from cumin import CuminError
from cumin import grammar as cumin_grammar
from cumin.query import Query

from runbooks.errors import InventoryError
from runbooks.inventory import Inventory
from runbooks.inventory.cumin_backend import Bare, Direct, Selection, SetAggregator
from runbooks.inventory.names import listed, short, suggest

MAX_LENGTH = 65_536
MAX_DEPTH = 20

BACKENDS = {"D": "hosts by name", "O": "hosts by what the inventory says of them", "P": "PuppetDB"}

_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_BLANKS = re.compile(rf"({_QUOTED.pattern})|\s+")
_GLOBAL = re.compile(r"[{}]|(?<![\w.:~-])[Aa]:")
_PREFIX = re.compile(r"([^\s(){}]*)\{")


class AliasChain(InventoryError):
    """Aliases lead back to themselves or too far; the message shows the way, so nobody adds to it."""


def select(text: str, inventory: Inventory) -> set[str]:
    """Return the names that a query selects, perhaps none."""
    if not text.strip():
        raise InventoryError(
            "the query is empty: name hosts (lab[01-04]), a field (role:web), an alias (A:web), or * for all"
        )
    if len(text) > MAX_LENGTH:
        raise InventoryError(f"the query has {len(text)} characters, at most {MAX_LENGTH} are read: make it an alias")
    return _evaluate(text, FleetQuery(inventory), f"query {short(text)!r}")


def check_aliases(inventory: Inventory) -> None:
    """Evaluate every alias without asking PuppetDB."""
    query = FleetQuery(inventory, offline=True)
    for name in inventory.aliases:
        query.alias(name)


def _evaluate(text: str, query: FleetQuery, what: str) -> set[str]:
    """Run one expression, and turn whatever Cumin and its parser raise into one line."""
    # Cumin's "and not" has exactly one blank in it, and an alias may be written over several lines.
    text = _BLANKS.sub(lambda match: match.group(1) or " ", text).strip()
    try:
        _precheck(text)
        found: set[str] = query.execute(text)
    except pp.ParseException as error:
        raise InventoryError(f"{what} can't be read: {_misread(error, text, query.is_global(text))}") from error
    except CuminError as error:
        raise InventoryError(f"{what}: {short(str(error), 200)}") from error
    except RecursionError as error:
        raise InventoryError(f"{what} is nested too deeply") from error
    return found


def _precheck(text: str) -> None:
    """Say plainly what the grammar would only call unexpected."""
    bare = _QUOTED.sub(lambda match: "_" * len(match.group()), text)
    for prefix in _PREFIX.findall(bare):
        if prefix.upper() not in BACKENDS:
            known = ", ".join(f"{key}{{}} ({what})" for key, what in BACKENDS.items())
            raise CuminError(f"{prefix}{{...}} is no backend: {known} are; A:name is an alias")
    for opening, closing in ("{}", "()"):
        depth = 0
        for character in bare:
            depth += (character == opening) - (character == closing)
            if depth < 0:
                raise CuminError(f"a {closing} closes nothing")
            if depth > MAX_DEPTH:
                raise CuminError(f"more than {MAX_DEPTH} {opening} inside each other")
        if depth:
            raise CuminError(f"a {opening} is not closed with {closing}")


def _misread(error: pp.ParseException, text: str, is_global: bool) -> str:
    """Say where the parser stopped, and what was most likely meant."""
    rest = error.pstr[error.loc :].strip()
    if not rest:
        return "it ends where a host, a field or an alias should follow"
    where = f"stopped at {short(rest, 30)!r}"
    if re.match(r"(and\s+)?not\b", rest, re.IGNORECASE):
        return f"{where}: 'not' stands only between two parts, as 'and not': write * and not ..."
    if is_global and error.pstr == text and not re.match(r"[DOP]\{|A:", rest, re.IGNORECASE):
        return f"{where}: beside A: and braces, hosts go into D{{...}} and fields into O{{...}}"
    return f"{where}: parts are joined with and, or, and not, xor"


@cache
def _grammar() -> Any:
    return cumin_grammar.grammar(list(BACKENDS))


def _puppetdb(config: Any) -> Any:
    from runbooks.inventory.puppetdb import PuppetDB  # requests takes 80 ms to import

    return PuppetDB(config)


class _Unasked:
    """``P{}`` for a check of the aliases, which must not need PuppetDB to be up: it gives no hosts."""

    def __init__(self, config: Any) -> None:
        pass

    def execute(self, _: str) -> set[str]:
        """Return nothing."""
        return set()


class FleetQuery(SetAggregator, Query):  # type: ignore[misc]
    """Cumin's global grammar with our backends, and aliases that are checked before they are followed."""

    def __init__(self, inventory: Inventory, *, path: tuple[str, ...] = (), done: dict[str, set[str]] | None = None,
                 offline: bool = False) -> None:  # fmt: skip
        # Not Query.__init__: it imports all of Cumin's backends, whose own O{} (OpenStack) would clash with ours.
        super(Query, self).__init__({"ops_clinic": {"inventory": inventory}, "puppetdb": dict(inventory.puppetdb)})
        self.inventory = inventory
        self.path = path
        self.done = {} if done is None else done
        self.offline = offline
        self.grammar = _grammar()
        found = {
            "D": ("direct", Direct),
            "O": ("inventory", Selection),
            "P": ("puppetdb", _Unasked if offline else _puppetdb),
        }
        self.registered_backends = {key: cumin_grammar.Backend(name, key, cls) for key, (name, cls) in found.items()}

    def is_global(self, text: str) -> bool:
        """Tell whether an expression is in the global grammar; an alias always is, as in Cumin."""
        return bool(self.path) or bool(_GLOBAL.search(_QUOTED.sub("", text)))

    def execute(self, query_string: str) -> Any:
        """Run a query: an expression of the global grammar, or one for our backend where nothing in it is global."""
        if self.is_global(query_string):
            return super(Query, self).execute(query_string)
        return Bare(self.config).execute(query_string)

    def _replace_alias(self, token_dict: dict[str, Any]) -> bool:
        if "alias" not in token_dict:
            return False
        self._push(token_dict, set(self.alias(token_dict["alias"])))
        return True

    def alias(self, name: str) -> set[str]:
        """Return the hosts of an alias, evaluated once."""
        if name in self.path:
            cycle = " -> ".join([*self.path[self.path.index(name) :], name])
            place = self.inventory.places.get(name, str(self.inventory.source))
            raise AliasChain(f"alias {name} refers to itself: {cycle} ({place})")
        if len(self.path) == MAX_DEPTH:
            raise AliasChain(f"alias {self.path[0]} goes over more than {MAX_DEPTH} other aliases: make it shorter")
        if name not in self.done:
            self.done[name] = self._alias(name)
        return self.done[name]

    def _alias(self, name: str) -> set[str]:
        expression = self.inventory.aliases.get(name)
        if expression is None:
            known = self.inventory.aliases
            hint = suggest(name, known) or (f" (there are {listed(known)})" if known else "")
            raise InventoryError(f"alias A:{name} is not in the inventory{hint} ({self.inventory.source})")
        what = f"alias {name} ({self.inventory.places.get(name, self.inventory.source)})"
        inner = FleetQuery(self.inventory, path=(*self.path, name), done=self.done, offline=self.offline)
        try:
            return _evaluate(expression, inner, what)
        except AliasChain:
            raise
        except InventoryError as error:
            message = str(error)
            raise InventoryError(message if message.startswith(what) else f"{what}: {message}") from error
