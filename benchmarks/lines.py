"""Six lines in six files on each of many hosts, which answer as one real shell did: what the engine is measured by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbooks.engine import Draft, Engine
from runbooks.journal import Journal
from runbooks.model import Batch, Change, Event, Facts, Finding, RunStatus, Step, done, todo
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.reads import Read
from runbooks.transport import shell
from runbooks.transport.local import LocalChannel
from runbooks.transport.recorded import Recorder, Recording
from runbooks.transport.shell import Result as Said
from runbooks.transport.shell import Shell
from runbooks.transport.streams import Channel

STEPS = 6
MOST_OPEN = 500


def _line(said: Said) -> tuple[str, ...]:
    return tuple(said.text.splitlines())


@dataclass(frozen=True)
class Line(Change[HostReader, HostWriter]):
    """A file holds one line: its owner and mode matter, and what it held before is what an undo would need."""

    path: str
    text: str

    def _look(self, reader: HostReader) -> tuple[str, ...]:
        text = '[ -e "$1" ] || exit 0; cat "$1"; stat -c "%U %a" "$1"'
        return reader.ask(Read(("sh", "-c", text, "sh", self.path), _line))

    def check(self, reader: HostReader) -> Finding:
        """Done where it holds the line."""
        found = self._look(reader)
        facts: Facts = {"file": self.path, "holds": list(found[:1]), "owner": list(found[1:])}
        if found[:1] == (self.text,):
            return done(**facts)
        return todo(f"$ tee {self.path}", f"+{self.text}", before={"was": list(found)}, facts=facts)

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Write it."""
        writer.run("tee", self.path, feed=f"{self.text}\n".encode())


def draft(names: Sequence[str], top: Path) -> Draft:
    """Six lines in six files on each host."""
    steps = tuple(
        Step(f"Put line {n + 1} in its place", Line(f"{top}/file{n}", f"line {n}"), tuple(names)) for n in range(STEPS)
    )
    return Draft("benchmark", {"name": "lines"}, {"hosts": list(names)}, steps, ("benchmark:lines",))


class Hosts:
    """Hosts by name; beyond ``MOST_OPEN`` connections one is closed as soon as its host rests, as a site does."""

    def __init__(self, open_: Callable[[str], Channel]) -> None:
        self._open = open_
        self._targets: dict[str, HostTarget] = {}
        self._connections = 0
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> HostTarget:
        found = self._targets.get(name)
        return found or self._targets.setdefault(name, HostTarget(name, lambda: self._connect(name)))

    def _connect(self, name: str) -> Shell:
        with self._lock:
            self._connections += 1
        return Shell(name, self._open(name), 60.0)

    def rest(self, name: str) -> None:
        """Close its connection where there are too many."""
        target = self._targets[name]
        with self._lock:
            if self._connections <= MOST_OPEN or not target.is_open:
                return
            self._connections -= 1
        target.close()


@contextmanager
def places(top: Path) -> Iterator[None]:
    """Have shells keep their state and lock below a directory of ours."""
    kept = shell.STATE_DIR, shell._LOCKED_DIR
    shell.STATE_DIR, shell._LOCKED_DIR = f"{top}/state", str(top)
    try:
        yield
    finally:
        shell.STATE_DIR, shell._LOCKED_DIR = kept


def engine(url: str, open_: Callable[[str], Channel], observer: Callable[[Event], None] = lambda _: None) -> Engine:
    """An engine over a journal and hosts."""
    return Engine(Journal(url), Hosts(open_), "benchmark", observer)


def record(top: Path) -> Recording:
    """What a real shell answers while the engine takes one host through all steps."""
    recording = Recording()
    one = draft(["h1"], top)
    real = engine(f"sqlite:///{top}/record.db", lambda _: Recorder(LocalChannel(), recording))
    real.targets["h1"].settle(0)
    run = real.apply(real.plan(one), one, Batch())
    assert run.status is RunStatus.DONE, run.outcomes()
    return recording
