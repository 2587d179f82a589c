"""What the stand-ins for vendors' command lines are made of: the machine behind, the event log, and who is asked."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Person(Protocol):
    """Who sits before a command line."""

    def line(self, words: str) -> str:
        """Say something to them; the line that they type then."""
        ...

    def key(self, words: str) -> str:
        """Say something to them; the key that they press then."""
        ...


class Silent(Exception):
    """From here on, nothing is said."""


class Left(Exception):
    """The session ends."""


@dataclass(frozen=True)
class Event:
    """An entry of the event log."""

    at: datetime
    severity: str
    message: str


class Behind:
    """The machine behind a board, and the board's memory, which sessions share."""

    def __init__(self, chassis: Sequence[str], folder: Path, serial: str = "") -> None:
        self.serial = serial
        self._chassis = tuple(chassis)
        self._folder = folder
        self.memory: dict[str, str] = {}

    def trouble(self) -> str:
        """What the board does wrong meanwhile."""
        try:
            return (self._folder / "trouble").read_text().strip()
        except FileNotFoundError:
            return ""

    def is_on(self) -> bool:
        """Whether the machine runs."""
        done = subprocess.run([*self._chassis, "get", "power"], capture_output=True, text=True, check=True)
        return "power:1" in done.stdout

    def power(self, on: bool) -> None:
        """Power, or none."""
        self._act("power", int(on), f"power {'on' if on else 'off'}")

    def cycle(self) -> None:
        """Off, and on."""
        self._act("power", 0, "power cycle")
        self._act("power", 1, "power on")

    def reset(self) -> None:
        """Begin anew."""
        self._act("reset", 1, "reset")

    def shutdown(self) -> None:
        """Ask the operating system to end."""
        self._act("shutdown", 1, "shutdown asked for")

    def _act(self, what: str, value: int, words: str) -> None:
        trouble = self.trouble()
        if trouble != "lies":
            subprocess.run([*self._chassis, "set", what, str(value)], capture_output=True, check=True)
            self.note(words)
        if trouble == "hangs":
            raise Silent

    def note(self, message: str) -> None:
        """Write an entry into the event log."""
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(json.dumps([datetime.now(UTC).isoformat(), "Ok", message]) + "\n")

    def log(self) -> list[Event]:
        """The event log, the oldest first."""
        log = self._folder / "log.jsonl"
        rows = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
        first = Event(datetime(2026, 1, 31, 3, 4, 5, tzinfo=UTC), "Ok", "Log cleared.")
        return [first, *(Event(datetime.fromisoformat(at), severity, words) for at, severity, words in rows)]


class Dialog(ABC):
    """A session. ``greeting`` is what it says first, ``prompt`` each time that it waits; ``alone``: it takes single
    commands, too; ``twice``: it takes CR LF for two ends of line."""

    greeting = ""
    prompt = ""
    alone = False
    twice = False

    def __init__(self, behind: Behind, variant: str) -> None:
        self.behind = behind
        self.variant = variant

    @abstractmethod
    def answer(self, line: str, person: Person) -> str:
        """What it says to a command. Raises Silent, Left."""
