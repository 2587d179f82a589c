"""Power and event logs on a terminal: machines that are alike stand on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.inventory.fold import fold
from runbooks.model import Json
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean, counted, number

_STYLES = {"on": "green", "off": "yellow", "unknown": "bold red"}


def print_power(rows: Sequence[Mapping[str, Json]], *, file: TextIO) -> None:
    """Print what ``inv power-status`` found: a line for all machines that say the same in the same way."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        alike.setdefault((row["power"], row["note"], row["driver"]), []).append(row["host"])
    order = {power: place for place, power in enumerate(_STYLES)}
    table = [
        (power, fold(hosts), number(len(hosts), "host"), driver, note)
        for (power, note, driver), hosts in sorted(alike.items(), key=lambda item: (order[item[0][0]], item[1]))
    ]
    canvas = Canvas(file)
    name, count, by = (column((clean(row[n]) for row in table), 48) for n in (1, 2, 3))
    for power, hosts, many, driver, note in table:
        parts = [padded(clean(hosts), name), "  ", padded(many, count), "  ", padded(driver, by), "  ", clean(note)]
        canvas.line((padded(power, 7), _STYLES[power]), "  ", *parts, hang=9)
    counts = [(power, sum(row["power"] == power for row in rows)) for power in _STYLES]
    canvas.line(f"{number(len(rows), 'machine')}: {counted([(word, n) for word, n in counts])}")
    canvas.show()


def print_log(host: str, entries: Sequence[Mapping[str, Json]], *, file: TextIO) -> None:
    """Print an event log, the newest entry first."""
    canvas = Canvas(file)
    if not entries:
        canvas.line(f"The event log of {clean(host)} is empty.")
    widths = {key: column((clean(entry[key]) for entry in entries), 24) for key in ("at", "severity")}
    for entry in entries:
        at = padded(clean(entry["at"]) or "-", max(widths["at"], 1))
        severity = padded(clean(entry["severity"]), widths["severity"])
        gap = "  " if widths["severity"] else ""
        style = "bold red" if entry["severity"] in ("critical", "fatal", "non-recoverable", "error") else ""
        canvas.line((at, "dim"), "  ", (severity, style), gap, clean(entry["message"]), hang=len(at) + 2)
    canvas.show()
