"""Words in ClusterShell's notation, taken apart: ``lab[01-04],db*!db2`` into operands, each into what it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable

from runbooks.errors import InventoryError
from runbooks.inventory.names import short

#: What one word may stand for. ClusterShell writes every name out: ``x[1-999999999]`` would eat the machine's memory.
MAX_EXPANSION = 100_000

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_OPERATOR = re.compile(r"([,!&^])(?![^\[]*\])")
_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")


def expand(word: str, where: str) -> list[str]:
    """Return the names that ``word`` stands for, without operators; globs stay as they are.

    Raises InventoryError, beginning with ``where``, when the brackets can't be read or stand for too many names.
    """
    if "[" not in word and "]" not in word:
        return [word]
    size = 1
    for inside in _BRACKETS.findall(word):
        size *= sum(_size(part, word, where) for part in inside.split(","))
        if size > MAX_EXPANSION:
            raise InventoryError(f"{where}: {short(word)} stands for more than {MAX_EXPANSION} names")
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    try:
        return [str(name) for name in NodeSet(word, resolver=RESOLVER_NOGROUP)]
    except NodeSetException as error:
        raise InventoryError(f"{where}: {short(word)} can't be read: {short(str(error))}") from error


def evaluate(word: str, where: str, find: Callable[[list[str]], set[str]]) -> set[str]:
    """Return what ``word`` selects: ``find`` is asked for each operand's names and globs, operators go left to right.

    ``,`` adds, ``!`` takes away, ``&`` keeps what both have, ``^`` keeps what only one has, as in ClusterShell.
    """
    pieces = _OPERATOR.split(word)
    if not all(pieces):
        raise InventoryError(f"{where}: {short(word)} has an operator (one of , ! & ^) with nothing beside it")
    selected: set[str] = set()
    for operator, operand in zip([",", *pieces[1::2]], pieces[0::2], strict=True):
        found = find(expand(operand, where))
        if operator == ",":
            selected |= found
        elif operator == "!":
            selected -= found
        elif operator == "&":
            selected &= found
        else:
            selected ^= found
    return selected


def _size(part: str, word: str, where: str) -> int:
    """Return how many numbers ``7`` or ``01-08`` stands for."""
    match = _RANGE.fullmatch(part)
    if match is None:
        raise InventoryError(f"{where}: {short(word)} can't be read: [{short(part, 20)}] is no range of numbers")
    first, last = match.groups()
    return int(last or first) - int(first) + 1 if int(last or first) >= int(first) else 1
