"""Where text goes: width, colour and encoding of a stream are settled here, once, and lines are made to fit."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 100
# Keeps a count and its word on one line. Other people's text can't hold it: it is not printable, and so spelled out.
UNBROKEN = "\N{NO-BREAK SPACE}"
NARROWEST, WIDEST = 60, 132
STYLES = {
    "ok": "green",
    "done": "green",
    "undone": "green",
    "to do": "yellow",
    "later": "cyan",
    "blocked": "bold red",
    "unreachable": "bold red",
    "failed": "bold red",
    "unverified": "bold red",
    "unknown": "bold magenta",
    "pending": "yellow",
    "not begun": "dim",
}
# For terminals of the C locale: characters that have a plain look-alike.
_PLAIN = str.maketrans({"·": "-", "…": "...", "→": "->", "✓": "+", "✗": "x", "—": "-", "×": "x", "■": "#", "≤": "<="})


def is_colored(file: TextIO, color: bool | None = None) -> bool:
    """Whether to send colours: as told, else on a terminal that has them, unless NO_COLOR is set."""
    if color is not None:
        return color
    if os.environ.get("NO_COLOR"):
        return False
    return file.isatty() and os.environ.get("TERM", "") not in ("dumb", "")


class Canvas:
    """Lines on their way to a stream. They are written at once, so that a broken pipe or a pager sees whole text."""

    def __init__(self, file: TextIO, color: bool | None = None) -> None:
        self.file = file
        self.color = is_colored(file, color)
        self.width = min(max(Console(file=file).width, NARROWEST), WIDEST) if file.isatty() else PLAIN_WIDTH
        self._lines: list[Text] = []

    def line(self, *parts: str | tuple[str, str] | Text, indent: int = 0, hang: int = 2) -> None:
        """Add a line; one that is too long goes on below, ``hang`` deeper. A part is text, or text and its style."""
        text = Text.assemble(*parts)
        text.rstrip()
        self._lines.extend(wrapped(text, self.width, indent, hang))

    @staticmethod
    def join(parts: Iterable[tuple[str, str]]) -> Text:
        """Text and styles, with commas between."""
        return Text(", ").join(Text(word, style) for word, style in parts)

    def lines(self) -> list[Text]:
        """What there is so far."""
        return self._lines

    def show(self) -> None:
        """Write it."""
        buffer = io.StringIO()
        console = Console(
            file=buffer,
            width=self.width * 4,
            force_terminal=self.color,
            color_system="standard" if self.color else None,
            no_color=not self.color,
            legacy_windows=False,
            _environ={},
        )
        for text in self._lines:
            text.rstrip()
            console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.file.write(encodable(buffer.getvalue().replace(UNBROKEN, " "), self.file))
        self.file.flush()


def encodable(text: str, file: TextIO) -> str:
    """The text as a stream can take it: look-alikes, then escapes, where its encoding lacks a character."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def wrapped(text: Text, width: int, indent: int, hang: int) -> Iterator[Text]:
    """Cut a line at spaces to fit, each piece indented. Words that are too long (paths) are cut where they must be."""
    first, rest = " " * indent, " " * (indent + hang)
    room = width - indent
    while cell_len(text.plain) > room:
        at = _cut(text.plain, room)
        piece, text = text[:at], text[at:]
        piece.rstrip()
        yield Text.assemble(first, piece)
        skip = len(text.plain) - len(text.plain.lstrip(" "))
        text, first, room = text[skip:], rest, width - indent - hang
    yield Text.assemble(first, text)


def _cut(plain: str, room: int) -> int:
    end = room
    while cell_len(plain[:end]) > room:
        end -= 1
    space = plain.rfind(" ", 1, end + 1)
    comma = plain.rfind(",", 1, end) + 1
    lead = len(plain) - len(plain.lstrip(" "))
    return next((at for at in (space, comma) if at > max(lead, room // 3)), end)


def column(words: Iterable[str], limit: int) -> int:
    """How wide a column of these words is, ``limit`` at most."""
    return min(max(map(cell_len, words), default=0), limit)


def padded(word: str, width: int) -> str:
    """A word in a column of this width; too long a one is cut and ends in an ellipsis."""
    if cell_len(word) > width:
        while cell_len(word) > width - 1:
            word = word[:-1]
        word += "…"
    return word + " " * (width - cell_len(word))
