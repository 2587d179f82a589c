"""The difference of two texts as a unified diff, with as few lines as there can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

NO_NEWLINE = "\\ No newline at end of file\n"
CONTEXT = 3
MOST_EDITS = 400
"""Up to here the shortest diff is searched, in time and memory of its square; beyond, a good one is taken."""


def unified(before: str, after: str, path: str) -> str:
    """The unified diff from one text to another, as git writes it; empty where they are equal.

    Lines end at a line feed only, so a carriage return shows as part of its line, as git has it.
    """
    if before == after:
        return ""
    matcher = _Shortest(lines(before), lines(after))
    hunks = (line for group in matcher.get_grouped_opcodes(CONTEXT) for line in _hunk(matcher, group))
    return f"--- a/{path}\n+++ b/{path}\n" + "".join(hunks)


def changes(before: list[str], after: list[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """What leads from some lines to others: the numbers of the first line and of the one behind the last that go, and
    what comes in their place."""
    for kind, start, end, first, last in _Shortest(before, after).get_opcodes():
        if kind != "equal":
            yield start, end, tuple(after[first:last])


class _Shortest(SequenceMatcher[str]):
    """A matcher that finds the fewest changed lines (Myers 1986).

    difflib's own takes the longest common run first, and so shows a renamed entry's whole body as changed, because
    the stub behind it begins with the old key.
    """

    def __init__(self, before: list[str], after: list[str]) -> None:
        super().__init__(None, before, after, autojunk=False)
        self.before, self.after = before, after

    def get_matching_blocks(self) -> list[Match]:
        """The runs of equal lines, a run of none at the end, as difflib has them."""
        before, after = self.before, self.after
        head = _common(before, after)
        tail = _common(before[head:][::-1], after[head:][::-1])
        steps = _shortest(before[head : len(before) - tail], after[head : len(after) - tail])
        if steps is None:
            return super().get_matching_blocks()
        pairs = [(number, number) for number in range(head)]
        pairs += [(head + one, head + other) for one, other in steps]
        pairs += [(len(before) - number, len(after) - number) for number in range(tail, 0, -1)]
        return [*_runs(pairs), Match(len(before), len(after), 0)]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (left, right) in pairs if left != right), min(len(one), len(other)))


def _shortest(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]] | None:
    """The pairs of equal lines on a shortest way from one text to the other; None where it is too long to search."""
    furthest, trail = {1: 0}, []
    for edits in range(MOST_EDITS + 1):
        trail.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            x = _step(furthest, edits, diagonal)
            while x < len(before) and x - diagonal < len(after) and before[x] == after[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(before) and x - diagonal >= len(after):
                return _way_back(trail, len(before), len(after))
    return None


def _step(furthest: dict[int, int], edits: int, diagonal: int) -> int:
    """How far the way gets with one more line out or in, whichever got further."""
    if _inserts(furthest, edits, diagonal):
        return furthest[diagonal + 1]
    return furthest[diagonal - 1] + 1


def _inserts(furthest: dict[int, int], edits: int, diagonal: int) -> bool:
    return diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1])


def _way_back(trail: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs = []
    for edits in range(len(trail) - 1, -1, -1):
        furthest, diagonal = trail[edits], x - y
        start = _step(furthest, edits, diagonal)
        while x > start and y > start - diagonal:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = (x, y - 1) if _inserts(furthest, edits, diagonal) else (x - 1, y)
    return pairs[::-1]


def _runs(pairs: Sequence[tuple[int, int]]) -> Iterator[Match]:
    start = 0
    for number in range(1, len(pairs) + 1):
        one, other = pairs[number - 1]
        if number == len(pairs) or pairs[number] != (one + 1, other + 1):
            yield Match(*pairs[start], number - start)
            start = number


def _hunk(matcher: _Shortest, group: Sequence[tuple[str, int, int, int, int]]) -> Iterator[str]:
    first, last = group[0], group[-1]
    yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            yield from (_terminated(f" {line}") for line in matcher.before[i1:i2])
            continue
        yield from (_terminated(f"-{line}") for line in matcher.before[i1:i2])
        yield from (_terminated(f"+{line}") for line in matcher.after[j1:j2])


def _range(start: int, stop: int) -> str:
    """A hunk's lines: the first, from 1 (the one before where there are none), and how many unless it is one."""
    count = stop - start
    return f"{start + bool(count)}" + ("" if count == 1 else f",{count}")


def lines(text: str) -> list[str]:
    """The lines of a text, each with its line feed."""
    found = text.split("\n")
    return [f"{line}\n" for line in found[:-1]] + ([found[-1]] if found[-1] else [])


def _terminated(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}"
