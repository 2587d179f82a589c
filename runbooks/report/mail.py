"""Where mail goes, on a terminal: mail hosts that say the same stand on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.inventory.fold import fold
from runbooks.model import Json
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean

_STYLES = {"routed": "green", "discarded": "yellow", "undeliverable": "bold red", "deferred": "bold red",
           "error": "bold red", "unknown": "bold red"}  # fmt: skip


def print_routes(rows: Sequence[Mapping[str, Json]], *, file: TextIO) -> None:
    """Print what ``inv mail-route`` found, address by address."""
    canvas = Canvas(file)
    by_address: dict[str, dict[tuple[str, tuple[str, ...], tuple[str, ...], str], list[str]]] = {}
    for row in rows:
        key = (row["fate"], tuple(row["ends"]), tuple(row["through"]), row["note"])
        by_address.setdefault(row["address"], {}).setdefault(key, []).append(row["host"])
    for address, alike in by_address.items():
        canvas.line((clean(address), "bold"))
        names = {key: clean(fold(hosts)) for key, hosts in alike.items()}
        width = column(names.values(), 32)
        for key, name in names.items():
            _print_way(canvas, padded(name, width), key, address)
        if len([key for key in alike if key[0] != "unknown"]) > 1:
            canvas.line("  ", ("the mail hosts do not agree", "bold red"))
    canvas.show()


def _print_way(canvas: Canvas, name: str, way: tuple[str, tuple[str, ...], tuple[str, ...], str], address: str) -> None:
    fate, ends, through, note = way
    word = padded(fate, max(map(len, _STYLES)))
    canvas.line("  ", name, "  ", (word, _STYLES[fate]), "  ", clean(note) if fate != "routed" else "", hang=4)
    over = [alias for alias in through if alias != address]
    for end in ends if fate in ("routed", "discarded") else ():
        canvas.line("    → ", clean(end), hang=6)
    if over:
        canvas.line("    ", (f"over {clean(', '.join(over))}", "dim"), hang=6)
