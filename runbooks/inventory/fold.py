"""Many host names as one short word: ``lab[01-08]``, ``r[1-4]-n[01-16]``.

ClusterShell reads these words, and for names with one number in them writes the same. It isn't asked to write here,
because it slows down with the square of names whose two numbers form no grid (``n17-652915``): 5 s for 1,000 of them
and a minute for 3,000, against less than a tenth of a second here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from runbooks.inventory.names import natural

_DIGITS = re.compile(r"(\d+)")

# A name cut at its numbers: text and numbers in turn, so that the odd places hold numbers, or a folded range of them.
_Parts = tuple[str, ...]


def fold(names: Iterable[str]) -> str:
    """Fold host names into ClusterShell's notation: the same names always give the same word, in natural order.

    An empty collection gives an empty string.
    """
    by_length: dict[int, list[_Parts]] = defaultdict(list)
    for name in sorted(set(names), key=natural):
        parts = tuple(_DIGITS.split(name))
        by_length[len(parts)].append(parts)
    folded = [word for rows in by_length.values() for word in _fold_rows(rows)]
    return ",".join(sorted(folded, key=_order))


def _fold_rows(rows: list[_Parts]) -> Iterable[str]:
    """Fold along the number that leaves the fewest words first, then along the others; yield the words."""
    places = range(1, len(rows[0]), 2)
    for place in sorted(places, key=lambda place: (len({_without(row, place) for row in rows}), -place)):
        groups: dict[_Parts, list[str]] = defaultdict(list)
        for row in rows:
            groups[_without(row, place)].append(row[place])
        rows = [(*rest[:place], _ranges(numbers), *rest[place:]) for rest, numbers in groups.items()]
    for row in rows:
        yield "".join(row)


def _without(row: _Parts, place: int) -> _Parts:
    return row[:place] + row[place + 1 :]


def _ranges(numbers: list[str]) -> str:
    """Return ``[01-04,07]`` for the numbers, or the number itself where there is only one."""
    if len(numbers) == 1:
        return numbers[0]
    left = set(numbers)
    runs = []
    for first in sorted(numbers, key=lambda number: (len(number), number)):
        if first not in left:
            continue
        last = first
        left.remove(first)
        while (after := _next(first, last)) in left:
            left.remove(after)
            last = after
        runs.append(first if first == last else f"{first}-{last}")
    return f"[{','.join(runs)}]"


def _next(first: str, number: str) -> str:
    """Return the number after ``number`` in a range from ``first``; empty where such a range must end."""
    after = str(int(number) + 1).zfill(len(number))
    padded = len(first) > 1 and first[0] == "0"
    return "" if padded and len(after) > len(first) else after


def _order(word: str) -> tuple[object, str]:
    """Sort a folded word by its first member."""
    return natural(re.sub(r"\[(\d+)[^\]]*\]", r"\1", word)), word
