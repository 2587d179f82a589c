"""How aliases are written in a file: where a new one goes, and how its neighbours are spelled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from runbooks.aliases.entries import SPACE, Entry

AROUND = 3
"""How many aliases on each side of a place say whether the file is sorted there."""
FEW = 10
"""One in so many aliases may be out of order in a file that is sorted."""

_HEAD = re.compile(rb"([ \t]*):([ \t]*)(\r?\n[ \t]+)?")
_SEPARATOR = re.compile(rb"[ \t]*(?:\r?\n[ \t]+)?,[ \t]*(?:\r?\n[ \t]+)?")
_PLAIN_HEAD, _PLAIN_SEPARATOR = b": ", b", "


def newline(data: bytes) -> bytes:
    """How the file's first line ends."""
    first = data.find(b"\n")
    return b"\r\n" if first > 0 and data[first - 1 : first] == b"\r" else b"\n"


def comment(data: bytes, text: str) -> bytes:
    """A comment's line; nothing for an empty text."""
    return b"# " + text.encode("utf-8", "surrogateescape") + newline(data) if text else b""


def index_for(entries: Sequence[Entry], name: str) -> int:
    """Before which entry a new one goes: where the entries around are sorted and it belongs between them. Where there
    is no such place, or more than one, or where the file is not sorted as a whole, it is the end."""
    if not _is_sorted(entries):
        return len(entries)
    found = [index for index in range(len(entries)) if _fits(entries, index, name)]
    return found[0] if len(found) == 1 else len(entries)


def _is_sorted(entries: Sequence[Entry]) -> bool:
    """Whether all but a few are in order. Where an empty line stands before one that is not, a section begins there:
    what belongs into which, nobody can tell."""
    back = [(one, other) for one, other in pairwise(entries) if other.name < one.name]
    return len(back) <= 1 + len(entries) // FEW and not any(_is_apart(one, other) for one, other in back)


def _is_apart(one: Entry, other: Entry) -> bool:
    """Whether an empty line stands between two neighbours."""
    last = max((one.line + len(one.pieces) - 1, *one.lost))
    return _first_line(other) > last + 1


def _fits(entries: Sequence[Entry], index: int, name: str) -> bool:
    if not name < entries[index].name or (index and not entries[index - 1].name < name):
        return False
    around = [entry.name for entry in entries[max(0, index - AROUND) : index + AROUND]]
    # A comment on top of the file is the whole file's, or the first alias's: nothing is put in between, nor above.
    return (
        len(around) > 1
        and around == sorted(around)
        and (index > 0 or _first_line(entries[0]) > 1 or not entries[0].comments)
    )


def _first_line(entry: Entry) -> int:
    return entry.line - len(entry.comments)


def inserted(data: bytes, entries: Sequence[Entry], index: int, text: bytes) -> bytes:
    """The file with the text of an entry put before another: right behind the one before that."""
    if index:
        offset = entries[index - 1].lost_end
    elif entries:
        offset = entries[0].start
        for _ in entries[0].comments:
            offset = data.rfind(b"\n", 0, offset - 1) + 1
    else:
        offset = len(data)
    gap = newline(data) if offset and data[offset - 1 : offset] != b"\n" else b""
    return data[:offset] + gap + text + data[offset:]


def spelled(data: bytes, entries: Sequence[Entry], index: int, name: str, targets: Sequence[str]) -> bytes:
    """The text of an entry, like that of the nearest other one with one target, or with more."""
    least = min(2, len(targets))
    alike = (one for one in _nearest(entries, index) if len(one.targets) >= least and _head(data, one))
    model = next(alike, None) or next((one for one in _nearest(entries, index) if _head(data, one)), None)
    text = name.encode() + (_head_like(data, model, name) if model else _PLAIN_HEAD)
    separator = _separator_like(data, model, _column(text, len(text))) if model else _PLAIN_SEPARATOR
    return text + separator.join(target.encode() for target in targets) + newline(data)


def separator_in(data: bytes, entries: Sequence[Entry], entry: Entry) -> bytes:
    """What stands between the last target of an entry and one more."""
    around = _nearest(entries, entries.index(entry))
    model = entry if len(entry.targets) > 1 else next((one for one in around if len(one.targets) > 1), None)
    first = entry.span(entry.targets[0])[0]
    return _separator_like(data, model, _column(data, first)) if model else _PLAIN_SEPARATOR


def without(data: bytes, entry: Entry, index: int) -> bytes:
    """The file without one target of an entry that has others, as it was parsed: what stands before it in the file may
    not have been edited since."""
    start, end = entry.span(entry.targets[index])
    before = entry.span(entry.targets[index - 1])[1] if index else start
    after = entry.span(entry.targets[index + 1])[0] if index + 1 < len(entry.targets) else end
    line = data.rfind(b"\n", 0, start) + 1
    stop = data.find(b"\n", end) + 1 or len(data)
    rest = data[end:stop]
    if line > entry.start and not (data[line:start] + rest).strip(SPACE + b","):
        # Alone on its line: the line goes, and with the last one the comma behind the one before.
        comma = data.find(b",", before, line)
        if after == end and index and comma >= 0 and b"," not in rest:
            return data[:before] + data[comma + 1 : line] + data[stop:]
        return data[:line] + data[stop:]
    if after > end and (not index or b"\n" in data[before:start]):
        return data[:start] + data[after:]
    return data[:before] + data[end:]


def _nearest(entries: Sequence[Entry], index: int) -> Iterator[Entry]:
    """The entries by their distance from a place, the one before it first."""
    for distance in range(len(entries)):
        for number in (index - 1 - distance, index + distance):
            if 0 <= number < len(entries):
                yield entries[number]


def _head(data: bytes, entry: Entry) -> re.Match[bytes] | None:
    """What stands between key and first target, where nothing but blanks and the colon does."""
    if not entry.targets or data[entry.start : entry.start + 1] == b'"':
        return None
    return _HEAD.fullmatch(data, entry.key_end, entry.span(entry.targets[0])[0])


def _head_like(data: bytes, model: Entry, name: str) -> bytes:
    head = _head(data, model)
    if head is None:
        return _PLAIN_HEAD
    before = _padded(len(name), head[1], _column(data, head.end(1)))
    if head[3]:
        return before + b":" + head[3]
    return before + b":" + _padded(len(name) + len(before) + 1, head[2], _column(data, head.end(2)))


def _padded(width: int, blanks: bytes, column: int) -> bytes:
    """Blanks as they stand there; where they are made to align, as many as reach the column."""
    if blanks.strip(b" ") == b"" and len(blanks) > 1:
        return b" " * max(1, column - width)
    if blanks and blanks.strip(b"\t") == b"":
        return b"\t" * max(1, -(-(column - width // 8 * 8) // 8))
    return blanks


def _separator_like(data: bytes, model: Entry, column: int) -> bytes:
    """As between the model's last two targets; ``column`` is that of the first target of the entry that it is for."""
    if len(model.targets) < 2:
        return _PLAIN_SEPARATOR
    first, end, start = (
        model.span(model.targets[0])[0],
        model.span(model.targets[-2])[1],
        model.span(model.targets[-1])[0],
    )
    found = _SEPARATOR.fullmatch(data, end, start)
    if not found:
        return _PLAIN_SEPARATOR
    head, _, indent = found.group().rpartition(b"\n")
    if b"\n" in found.group() and indent == b" " * _column(data, first):
        indent = b" " * column
    return found.group()[: len(head) + 1] + indent if b"\n" in found.group() else found.group()


def _column(data: bytes, offset: int) -> int:
    """How many columns stand before an offset on its line, tabs every eight."""
    return len(data[data.rfind(b"\n", 0, offset) + 1 : offset].expandtabs(8))
