"""A three-way merge of one file, by lines. Changes that only touch each other are no conflict: entries that two people
put one behind the other are each taken out by themselves."""

from __future__ import annotations

from runbooks.registry.textdiff import changes, lines


def merged(ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """``ours`` with what leads from ``base`` to ``theirs``; None where both change the same lines, or put different
    ones into the same place."""
    # Each byte a character: what is merged is not always text.
    common, one, other = (lines(text.decode("latin-1")) for text in (base, ours, theirs))
    found: list[str] = []
    at, filled = 0, -1
    for start, end, new in sorted({*changes(common, one), *changes(common, other)}):
        if start < at or start == end == filled:
            return None
        found += [*common[at:start], *new]
        at, filled = end, end if start == end else -1
    return "".join([*found, *common[at:]]).encode("latin-1")
