"""How a run goes, while it goes: a picture of steps and hosts on a terminal, single lines anywhere else."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from runbooks.model import Event, Plan, Run
from runbooks.report.canvas import encodable
from runbooks.report.groups import Key, Story, folded
from runbooks.report.words import GOOD, OK, clean, clock, is_system, number, span

if TYPE_CHECKING:
    from runbooks.report.live import Picture

SILENCE_S = 10.0
"""Longest time without a line on a long step, where there is no terminal."""


class Board:
    """How each step stands, kept up by events; asking it costs what there are steps, however many hosts there are.
    ``notes`` say how far a step on a system has come; ``trouble`` counts the steps in trouble of each target that has
    any."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.words: dict[Key, str] = {}
        self.trouble: dict[str, int] = {}
        self._totals = [len(step.hosts) for step in plan.steps]
        self._good = [0 for _ in plan.steps]
        self._bad = [0 for _ in plan.steps]
        self.running: list[dict[str, float]] = [{} for _ in plan.steps]
        self.first: list[float | None] = [None for _ in plan.steps]
        self.last: list[float | None] = [None for _ in plan.steps]
        self.begun: set[Key] = set()
        self.notes: dict[int, str] = {}

    def earlier(self, run: Run) -> None:
        """Take over what an earlier walk of this run has done."""
        story = Story(run)
        self.begun.update(story.begun)
        for key, told in story.told.items():
            if told.word in GOOD:
                self._set(key, told.word)

    def take(self, event: Event) -> None:
        """Take note of an event."""
        if event.step is None or event.target is None or event.step >= len(self._totals):
            return
        number, key = event.step, (event.step, event.target)
        if event.kind == "begin":
            self.begun.add(key)
            self.running[number][event.target] = event.at
            self.first[number] = self.first[number] or event.at
        elif event.kind == "progress":
            self.notes[number] = clean(str(event.data.get("note", "")))
        elif event.kind == "outcome":
            self.notes.pop(number, None)
            self.running[number].pop(event.target, None)
            self.first[number] = self.first[number] or event.at
            self.last[number] = event.at
            word = str(event.data.get("result", ""))
            self._set(key, OK if word == "done" and key not in self.begun else word)

    def _set(self, key: Key, word: str) -> None:
        if (was := self.words.get(key)) is not None:
            self._count(key, was, -1)
        self.words[key] = word
        self._count(key, word, 1)

    def _count(self, key: Key, word: str, one: int) -> None:
        number, target = key
        if word in GOOD:
            self._good[number] += one
            return
        self._bad[number] += one
        self.trouble[target] = self.trouble.get(target, 0) + one
        if not self.trouble[target]:
            del self.trouble[target]

    def good(self, number: int) -> int:
        """On how many targets a step is as it should be."""
        return self._good[number]

    def bad(self, number: int) -> int:
        """On how many targets a step ended in anything else."""
        return self._bad[number]

    def total(self, number: int) -> int:
        """On how many targets a step acts."""
        return self._totals[number]

    def took(self, number: int) -> float:
        """How long a step has taken so far, from its first host's begin to its last host's end, in seconds."""
        first, last = self.first[number], self.last[number]
        return last - first if first is not None and last is not None else 0.0


class Progress:
    """A context manager and an observer of a run's events; safe to call from many threads.

    ``live`` is a picture that is drawn again and again; without it there is a line for each step that is through, for
    each failure at once, and now and then for a long step. ``earlier`` is the run that is resumed: what it did counts.
    """

    def __init__(self, plan: Plan, *, file: TextIO, live: bool | None = None, earlier: Run | None = None) -> None:
        self.board = Board(plan)
        if earlier is not None:
            self.board.earlier(earlier)
        self.file = file
        self.live = _can_draw(file) if live is None else live
        self._picture: Picture | None = None
        self._lock = threading.Lock()
        self._told = {n for n in range(len(plan.steps)) if self.board.good(n) == self.board.total(n)}
        self._spoke: float | None = None

    def __enter__(self) -> Progress:
        if self.live:
            from runbooks.report.live import Picture

            self._picture = Picture(self.board, self.file, self._lock)
            self._picture.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._picture is not None:
            self._picture.stop()
            return
        for n in range(len(self.board.plan.steps)):
            begun = self.board.good(n) or self.board.bad(n) or self.board.running[n]
            if n not in self._told and self.board.words and begun:
                self._say(self._standing(n))

    def __call__(self, event: Event) -> None:
        """Take note of an event, and tell what is worth telling."""
        with self._lock:
            self.board.take(event)
            if event.step is None or event.target is None or event.step >= len(self.board.plan.steps):
                return
            failure = self._failure(event)
            if self._picture is None:
                self._tell(event, event.step, failure)
        # Outside the lock, which the picture takes to draw itself below the line.
        if self._picture is not None and failure:
            self._picture.above(failure)

    def _failure(self, event: Event) -> str:
        if event.kind != "outcome" or event.step is None or (word := str(event.data.get("result", ""))) in GOOD:
            return ""
        step = self.board.plan.steps[event.step]
        note = clean(str(event.data.get("note") or ""))
        return f"{clean(str(event.target))}: {clean(step.name)}: {word}" + (f": {note}" if note else "")

    def _tell(self, event: Event, number: int, failure: str) -> None:
        if failure:
            self._say(f"{clock(event.at)} {failure}", event.at)
        board = self.board
        if number not in self._told and board.good(number) == board.total(number):
            self._told.add(number)
            took = f" in {span(board.took(number))}" if board.took(number) else ""
            self._say(f"{clock(event.at)} {self._standing(number)}{took}", event.at)
        elif self._spoke is None:
            self._spoke = event.at
        elif event.at - self._spoke >= SILENCE_S:
            self._say(f"{clock(event.at)} {self._standing(number)}", event.at)

    def _standing(self, n: int) -> str:
        step, board = self.board.plan.steps[n], self.board
        lead = f"{n + 1}/{len(board.plan.steps)} {clean(step.name)}"
        if is_system(step):
            how_far = f"not done, {board.notes[n]}" if n in board.notes else "not done"
            return f"{lead}: {folded(step.hosts)} {'done' if board.good(n) == board.total(n) else how_far}"
        total = number(board.total(n), "host")
        bad = f", {board.bad(n):,} in trouble" if board.bad(n) else ""
        return f"{lead}: {board.good(n):,} of {total} done{bad}"

    def _say(self, line: str, at: float | None = None) -> None:
        self._spoke = at if at is not None else self._spoke
        self.file.write(encodable(line + "\n", self.file))
        self.file.flush()


def _can_draw(file: TextIO) -> bool:
    import os

    encoding = (getattr(file, "encoding", "") or "").lower().replace("-", "")
    return file.isatty() and encoding == "utf8" and os.environ.get("TERM", "") not in ("", "dumb")
