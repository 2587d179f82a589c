"""The difference of two texts as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

NO_NEWLINE = "\\ No newline at end of file\n"
CONTEXT = 3


def unified(before: str, after: str, path: str) -> str:
    """The unified diff from one text to another, as git writes it; empty where they are equal.

    Lines end at a line feed only, so a carriage return shows as part of its line, as git has it.
    """
    if before == after:
        return ""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}", n=CONTEXT)
    return "".join(_terminated(lines))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _terminated(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}"
