"""The live picture of a run: a row for each step, a cell for each host, and failures above it as they happen."""

from __future__ import annotations

import threading
import time
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from runbooks.report.canvas import NARROWEST, STYLES, column, is_colored, padded
from runbooks.report.groups import folded
from runbooks.report.progress import Board
from runbooks.report.words import clean, is_system, number, span

CELLS = {"done": "■", "ok": "■", "undone": "■", "failed": "✗", "unverified": "✗", "unknown": "?", "pending": "!"}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Picture:
    """Draws a board eight times a second; ``lock`` is the one under which the board changes."""

    def __init__(self, board: Board, file: TextIO, lock: threading.Lock) -> None:
        self.board = board
        self.lock = lock
        self.console = Console(file=file, force_terminal=True, no_color=not is_colored(file), highlight=False)
        self.started = time.monotonic()
        self.names = [clean(step.name) for step in board.plan.steps]
        self._live = Live(self, console=self.console, refresh_per_second=8, transient=False)

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def stop(self) -> None:
        """Draw once more, and leave it standing."""
        self._live.stop()

    def above(self, failure: str) -> None:
        """Put a failure above the picture, where it stays."""
        self.console.print(Text.assemble(("✗ ", "bold red"), (failure, "red")))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The picture as it is now."""
        with self.lock:
            rows = [self._row(n, options.max_width) for n in self._shown(options.size.height - 3)]
            yield Text("\n").join([*rows, self._foot()])

    def _shown(self, most: int) -> range:
        """The steps that fit: where the terminal is low, those around the one that is being done."""
        steps = len(self.names)
        if steps <= most:
            return range(steps)
        active = next((n for n in range(steps) if self.board.good(n) < self.board.total(n)), steps - 1)
        first = min(max(0, active - most // 3), steps - most)
        return range(first, first + max(most, 1))

    def _row(self, n: int, width: int) -> Text:
        board = self.board
        good, total, running = board.good(n), board.total(n), board.running[n]
        wide = max(width, NARROWEST)
        count = f"{good:,}/{total:,}"
        most = max((len(step.hosts) for step in board.plan.steps), default=1)
        bar = max(8, min(40, most, wide // 3))
        name_width = column(self.names, wide - bar - 36)
        mark, style = self._mark(n)
        row = Text.assemble(
            (f"{mark} ", style), (f"{n + 1:>2}  ", "dim"), (padded(self.names[n], name_width), self._weight(n)), "  "
        )
        row.append(self._bar(n, bar))
        row.append(
            f" {count:>11}" if not is_system(board.plan.steps[n]) else f" {folded(board.plan.steps[n].hosts):>11}"
        )
        row.append(self._remark(n, good, total, len(running)))
        row.truncate(width, overflow="ellipsis")
        return row

    def _mark(self, n: int) -> tuple[str, str]:
        board = self.board
        if board.bad(n):
            return "✗", "bold red"
        if board.good(n) == board.total(n):
            return "✓", "green"
        if board.running[n] or board.good(n):
            return SPINNER[int((time.monotonic() - self.started) * 8) % len(SPINNER)], "cyan"
        return " ", ""

    def _weight(self, n: int) -> str:
        if self.board.running[n]:
            return "bold"
        return "" if self.board.good(n) or self.board.bad(n) else "dim"

    def _remark(self, n: int, good: int, total: int, running: int) -> Text:
        if bad := self.board.bad(n):
            return Text(f"  {bad:,} in trouble", "bold red")
        if running and n in self.board.notes:
            return Text(f"  {self.board.notes[n]}", "cyan")
        if running and total > 1:
            return Text(f"  {running:,} at it", "cyan")
        took = self.board.took(n)
        return Text(f"  {span(took)}", "dim") if good == total and took else Text("")

    def _bar(self, n: int, room: int) -> Text:
        """A cell for each host; where there are more hosts than room, a bar in which no trouble is too small to see."""
        hosts = self.board.plan.steps[n].hosts
        if len(hosts) <= room:
            cells = Text.assemble(*(self._cell(n, host) for host in hosts))
            cells.append(" " * (room - len(hosts)))
            return cells
        board, total = self.board, len(hosts)
        bad = -(-board.bad(n) * room // total)
        running = min(room - bad, -(-len(board.running[n]) * room // total))
        good = min(room - bad - running, board.good(n) * room // total)
        rest = room - good - bad - running
        return Text.assemble(("■" * good, "green"), ("✗" * bad, "red"), ("▪" * running, "cyan"), ("·" * rest, "dim"))

    def _cell(self, n: int, host: str) -> tuple[str, str]:
        word = self.board.words.get((n, host))
        if host in self.board.running[n]:
            return "▪", "bold cyan"
        return (CELLS.get(word, "!"), STYLES.get(word, "red")) if word else ("·", "dim")

    def _foot(self) -> Text:
        board = self.board
        everything = sum(board.total(n) for n in range(len(self.names)))
        good = sum(board.good(n) for n in range(len(self.names)))
        bad = sorted(board.trouble)
        done = good * 100 // everything if everything else 100
        foot = Text.assemble((f"   {done:>3}%  {span(time.monotonic() - self.started)}", "dim"))
        if bad:
            foot.append(f"  {number(len(bad), 'target')} in trouble: {folded(tuple(bad))[:60]}", "bold red")
        return foot
