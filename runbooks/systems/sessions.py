"""What runs on a host under somebody's account: looked at, and ended where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.model import Change, Facts, Finding, done, todo
from runbooks.systems import reads
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.unix import end_processes
from runbooks.systems.wording import listed


@dataclass(frozen=True)
class Sessions(Change[HostReader, HostWriter]):
    """Nothing runs under an account any more, or where it is not to be ended, what does is told."""

    name: str
    uid: int
    end: bool

    def check(self, reader: HostReader) -> Finding:
        """Done where nothing runs, or nothing is to be ended."""
        running = reader.ask(reads.processes(self.uid, *self._ranges(reader)))
        if not running:
            return done()
        if not self.end:
            return done(f"{self.name} runs {listed(running)}; --end-sessions ends that")
        return todo(f"end its processes: {listed(running)}")

    @property
    def no_inverse(self) -> str:  # type: ignore[override]
        """Where nothing is ended, there is nothing to take back."""
        return "what was ended is not started again" if self.end else ""

    def _ranges(self, asker: HostReader | HostWriter) -> tuple[tuple[int, int], ...]:
        return asker.ask(reads.subids("uid")).get(self.name, ())

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """End them. Raises CommandFailed where something is left."""
        end_processes(writer, self.uid, self._ranges(writer))
