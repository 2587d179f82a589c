"""What somebody owns on a host besides a home: told, and left alone."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.model import Change, Facts, Finding, Writer, done
from runbooks.systems import reads
from runbooks.systems.homes import SPOOLS
from runbooks.systems.host import HostReader
from runbooks.systems.wording import listed


@dataclass(frozen=True)
class Belongings(Change[HostReader, Writer]):
    """Looks at an account's crontab, processes, and files outside its home."""

    name: str
    uid: int

    looks_only = True

    def check(self, reader: HostReader) -> Finding:
        """Done, with what was found as its note."""
        spools = reads.entries(*(f"{spool}/{self.name}" for spool in SPOOLS))
        running, elsewhere = reader.ask(reads.processes(self.uid)), reader.ask(reads.files_elsewhere(self.uid))
        spooled = tuple(reader.ask(spools))
        found = [
            f"runs {listed(running)}" if running else "",
            f"has {listed(spooled)}" if spooled else "",
            f"owns {listed(elsewhere)}" if elsewhere else "",
        ]
        return done("; ".join(filter(None, found)))

    def inverse(self, before: Facts) -> None:
        """Nothing was done."""
