"""Procedures that are killed at every point, resumed and undone, or undone at once; each end takes the lab back to
where it began, so one lab is enough for all of them."""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from runbooks.lab import Lab
from tests.campaign.kills import ENDINGS, Kills

MOST_CONFIRMATIONS = 12
S = TypeVar("S")
"""All that a deed may change."""


def differences(wanted: Any, there: Any, where: str = "") -> Iterator[str]:
    """Where two states differ, part by part."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for key in sorted({*wanted, *there}):
            yield from differences(wanted.get(key), there.get(key), f"{where}.{key}")
    elif wanted != there:
        yield f"{where[1:]} is {there!r}, not {wanted!r}"


@dataclass(frozen=True)
class Deed(Generic[S]):
    """A procedure for somebody or something (``name``), what it makes of the lab, and a few of its points: the
    session's command by its number (each confirmation is one), and the point in it."""

    name: str
    command: tuple[str, ...]
    after: Callable[[S], S]
    some: tuple[tuple[int, str], ...] = ()


class Deeds(Kills, Generic[S]):
    """Procedures on one lab, one after another."""

    deeds: dict[str, Deed[S]]

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self._known: set[str] = set()

    @abstractmethod
    def look(self, name: str) -> S:
        """The lab as it is, as far as it is somebody's."""

    def prepare(self, procedure: str) -> None:
        """Have all in place that a session needs."""

    def meanwhile(self, before: S, deed: Deed[S], point: str) -> S:  # noqa: ARG002 - nobody is about
        """Somebody else does something between the kill and its end; what it would have made of ``before``."""
        return before

    def undone(self, before: S, deed: Deed[S], run: Mapping[str, str]) -> S:  # noqa: ARG002 - all comes back
        """What a run that is taken back leaves of ``before``."""
        return before

    def restore(self, what: str, run: Mapping[str, str], before: S, deed: Deed[S]) -> None:
        """Take the lab back after a run has come to its end: by an undo."""
        self.undo(what, run, before, deed)

    # one session

    def points(self, procedure: str) -> list[tuple[int, str]]:
        """Every point of an undisturbed session, which is checked, too, and taken back."""
        self.prepare(procedure)
        deed, what = self.deeds[procedure], f"{procedure} undisturbed"
        before = self.look(deed.name)
        found: list[tuple[int, str]] = []
        command = [*deed.command, "--yes"]
        for turn in range(MOST_CONFIRMATIONS):
            found += [(turn, point) for point in self.points_of(command, ok=(0, 9))]
            run = self.run()
            if run["status"] == "done":
                break
            command = self._resume(run)
        self.same(what, deed.after(before), deed.name)
        self.restore(what, run, before, deed)
        self.forget()
        return found

    def kill(self, procedure: str, turn: int, point: str, ending: str) -> None:
        """Kill a session at a point, end it, compare, and take it back."""
        self.prepare(procedure)
        deed = self.deeds[procedure]
        before, what = self.look(deed.name), f"{procedure} {turn} {point} {ending}"
        command = [*deed.command, "--yes"]
        for _ in range(turn):
            self.inv("none", command)
            command = self._resume(self.run())
        self.strike(point, command)
        run = self.run()
        before = self.meanwhile(before, deed, point)
        if not run:
            self.same(what, before, deed.name)
            return
        if ending == "resume":
            self.finish(what, run)
            self.same(what, deed.after(before), deed.name)
            self.tally.resumed += 1
            self.restore(what, run, before, deed)
        else:
            self.undo(what, run, before, deed)
        self.forget()

    def finish(self, what: str, run: dict[str, str]) -> None:
        """Resume until it is done."""
        for _ in range(MOST_CONFIRMATIONS):
            if run["status"] == "done":
                return
            ended = self.inv("none", self._resume(run))
            said = f"resume: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
            self.check(what, ended.returncode in (0, 9), said)
            run = self.run()
        self.check(what, False, f"it never came to its end: {run['status']}")

    def undo(self, what: str, run: Mapping[str, str], before: S, deed: Deed[S]) -> None:
        """Take a run back, or give it up where it has begun nothing that could be."""
        ended = self.inv("none", ["undo", run["id"], "--yes"])
        if ended.returncode == 3 and "has begun nothing" in ended.stderr:
            if "inv abandon" in ended.stderr:
                self.end(what, ["abandon", run["id"], "--yes"])
        else:
            said = f"undo: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
            self.check(what, ended.returncode == 0, said)
            self.tally.undone += 1
        self.same(what, self.undone(before, deed, run), deed.name)

    def same(self, what: str, expected: S, name: str) -> None:
        """Compare with the lab as it is."""
        there = self.look(name)
        parts = [field.name for field in fields(expected)]  # type: ignore[arg-type]
        wanted, found = ({part: getattr(state, part) for part in parts} for state in (expected, there))
        told = "; ".join(differences(wanted, found))
        self.check(what, not told, told)

    def _resume(self, run: dict[str, str]) -> list[str]:
        answer = ["--confirmed", "T1#1"] if run["status"] == "waiting" else []
        return ["resume", "--run", run["id"], *answer, "--yes"]

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What the journal holds, read without the tool."""
        with closing(sqlite3.connect(self.lab.layout.top / "journal.db")) as db:
            return db.execute(query, values).fetchall()

    def outcomes(self, run: Mapping[str, str]) -> dict[tuple[int, str], dict[str, Any]]:
        """What the journal has of a run's steps, by number and target: the newest of each."""
        query = "SELECT step, target, data FROM events WHERE run = ? AND kind = 'outcome' ORDER BY seq"
        return {(step, target): json.loads(data) for step, target, data in self.rows(query, run["id"])}

    def _runs(self) -> list[dict[str, str]]:
        found = self.rows("SELECT id, status FROM runs ORDER BY created DESC")
        return [{"id": run_id, "status": status} for run_id, status in found]

    def run(self) -> dict[str, str]:
        """The one that this point has made; empty where it has made none."""
        return next((run for run in self._runs() if run["id"] not in self._known), {})

    def forget(self) -> None:
        """Whatever runs there are by now are over."""
        self._known |= {run["id"] for run in self._runs()}

    # all of them

    def all_points(self, procedure: str) -> bool:
        """Each point with both endings; whether all was well."""
        points = self.points(procedure)
        print(f"{procedure}: {len(points)} points", flush=True)
        for turn, point in points:
            for ending in ENDINGS:
                started = time.monotonic()
                self.kill(procedure, turn, point, ending)
                print(f"{procedure} {turn} {point} {ending} {time.monotonic() - started:.0f} s", flush=True)
                for line in self.tally.wrong:
                    print(f"WRONG {line}", flush=True)
                if self.tally.wrong:
                    return False
        return True


def campaign(ground: Callable[[], AbstractContextManager[Deeds[S]]], what: str | None) -> int:
    """All points of all procedures, with both endings, as a command line asks for it; its exit status."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", help="one procedure")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with ground() as made:
        made.rng = random.Random(chosen.seed)
        for procedure in [chosen.only] if chosen.only else list(made.deeds):
            if not made.all_points(procedure):
                return 1
        print(made.tally)
    return 0
