"""What each source says of machines' hardware, side by side, and where they contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.inventory.hardware import FIELDS, Hardware, LookedUp
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean, number

Row = tuple[str, ...]
_HEAD = ("host", "source", *(name.replace("_", " ") for name in FIELDS), "roles")
# A name of a BMC is longer than what else stands here.
_WIDEST = 28
_NOTHING = "-"


def print_hardware(found: Mapping[str, LookedUp], sources: Sequence[str], *, file: TextIO) -> None:
    """Print a line for each source of each host, and contradictions below; ``sources`` were all asked."""
    canvas = Canvas(file)
    rows = {host: _rows(host, machine, sources) for host, machine in found.items()}
    columns = list(zip(*(row for some in rows.values() for row in some), strict=True))
    # What nobody tells has no column.
    widths = [
        0 if set(words) == {_NOTHING} else column((head, *words), _WIDEST)
        for head, words in zip(_HEAD, columns, strict=True)
    ]
    canvas.line((_laid_out(_HEAD, widths), "bold"))
    for host, some in rows.items():
        for row in some:
            canvas.line(_laid_out(row, widths), hang=widths[0] + 2)
        for line in found[host].contradictions:
            canvas.line((clean(line), "bold red"), indent=widths[0] + 2)
    wrong = sum(bool(machine.contradictions) for machine in found.values())
    asked = f"{number(len(found), 'host')} looked up in {', '.join(sources)}"
    if wrong:
        canvas.line((f"{asked}: of {number(wrong, 'host')} they say different things", "bold red"))
    else:
        canvas.line((f"{asked}: no contradictions", "green"))
    canvas.show()


def _rows(host: str, machine: LookedUp, sources: Sequence[str]) -> list[Row]:
    marked = {line.partition(":")[0] for line in machine.contradictions}
    names = (host, *[""] * (len(sources) - 1))
    return [
        (name, source, *_cells(machine.said.get(source, Hardware()), marked))
        for name, source in zip(names, sources, strict=True)
    ]


def _cells(hardware: Hardware, marked: set[str]) -> Row:
    """Its fields, ``-`` where it tells none, ``!`` behind what is contradicted."""
    values = {name: clean(getattr(hardware, name)) for name in FIELDS}
    told = (f"{value} !" if value and name in marked else value or _NOTHING for name, value in values.items())
    return (*told, clean(", ".join(hardware.roles)) or _NOTHING)


def _laid_out(row: Row, widths: Sequence[int]) -> str:
    return "  ".join(padded(word, width) for word, width in zip(row, widths, strict=True) if width)
