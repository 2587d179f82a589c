"""The list of runs. It is looked at often, so it imports little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from runbooks.model import RunLine, RunStatus, Tally
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import arguments, clean, stamp

RUN_STYLES = {
    RunStatus.DONE: "green",
    RunStatus.UNDONE: "green",
    RunStatus.INCOMPLETE: "bold red",
    RunStatus.RUNNING: "cyan",
    RunStatus.WAITING: "yellow",
    RunStatus.ABANDONED: "dim",
}


def print_runs(runs: Sequence[RunLine], *, file: TextIO) -> None:
    """Print runs as a table, the newest first as they come; each line begins with the run's id."""
    canvas = Canvas(file)
    if not runs:
        canvas.line("There are no runs yet.")
    rows = [_row(run) for run in runs]
    if rows:
        rows.insert(0, ("run", "status", "what", "by", "started", "hosts"))
    widths = [column((row[i] for row in rows), 40) for i in range(6)]
    if file.isatty():
        widths[2] = max(12, min(widths[2], canvas.width - sum(widths) + widths[2] - 10))
    else:
        # Nobody's window: a table to search in is left whole.
        widths[2], canvas.width = column((row[2] for row in rows), 400), 1000
    for n, row in enumerate(rows):
        cells = [padded(cell, width) for cell, width in zip(row, widths, strict=True)]
        style = RUN_STYLES[runs[n - 1].status] if n else "dim"
        rest = "  ".join(cells[2:])
        canvas.line(
            f"{cells[0]}  " if n else (f"{cells[0]}  ", "dim"), (cells[1], style), "  ", (rest, "" if n else "dim")
        )
    canvas.show()


def _row(run: RunLine) -> tuple[str, str, str, str, str, str]:
    what = f"{clean(run.procedure)} {arguments(run.arguments)}".strip()
    told = "" if run.tally is None else _counted(run.tally)
    return run.id, str(run.status), what, clean(run.operator), stamp(run.created)[:16] + "Z", told


def _counted(tally: Tally) -> str:
    told = f"{tally.hosts:,} done" if tally.done == tally.hosts else f"{tally.done:,}/{tally.hosts:,} done"
    return told + (f", {tally.trouble:,} in trouble" if tally.trouble else "")
