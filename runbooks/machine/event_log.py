"""The event log of a machine's board: what it has come to hold since it was last looked at."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import CommandFailed, Unreachable
from runbooks.machine.target import MachineChange, MachineReader, MachineWriter
from runbooks.model import Facts, Finding, done, todo
from runbooks.oob.model import Bmc, LogEntry

KNOWN = 50
"""How many entries are remembered from one look to another."""
SHOWN = 5
"""How many of the new ones a summary names; the page has all."""


def line_of(entry: LogEntry) -> str:
    """An entry on one line."""
    return "  ".join(filter(None, [entry.at or "no time", entry.severity, " ".join(entry.message.split())]))


@dataclass(frozen=True)
class ShowLog(MachineChange):
    """What is new in the event log; ``known`` are the ids of the entries from before."""

    bmc: Bmc
    known: tuple[str, ...]

    def check(self, reader: MachineReader) -> Finding:  # noqa: ARG002
        """Always to do."""
        return todo("# read the event log")

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Read it into the record."""
        writer.note(f"{self.bmc.driver} {self.bmc.address}: event log", "\n".join(self._new(writer.reader)))

    def verify(self, reader: MachineReader, before: Facts) -> Finding:  # noqa: ARG002
        """What is new; a log that cannot be read stops nobody."""
        new = self._new(reader)
        return done("; ".join(new[:SHOWN]) + (f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""))

    def _new(self, reader: MachineReader) -> list[str]:
        try:
            entries = reader.board(self.bmc).log(KNOWN)
        except (Unreachable, CommandFailed) as error:
            return [f"could not be read: {error}"]
        return [line_of(entry) for entry in entries if entry.id not in self.known] or ["nothing new"]
