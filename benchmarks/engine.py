"""What the engine itself costs, from a hundred hosts to ten thousand: six steps on each, a real journal, and hosts that
answer as one real shell did, with latency and failures (``transport.recorded``).

``python -m benchmarks.engine [--hosts N,N,…] [--window N] [--latency MS] [--json] [--plot FILE.svg]``. Each size runs
in processes of its own: one plans, prints and applies; one is killed half-way; one goes on. CPU is that of all threads
in user space and kernel, per host and step. "Transport" is what the same exchanges cost without shell, hosts or engine.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from benchmarks.growth import picture, table
from runbooks.engine import Draft, Engine
from runbooks.journal import Journal
from runbooks.model import Batch, Change, Event, Facts, Finding, RunStatus, Step, done, todo
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.reads import Read
from runbooks.transport import shell
from runbooks.transport.local import LocalChannel
from runbooks.transport.recorded import Faults, RecordedTransport, Recorder, Recording
from runbooks.transport.shell import Result as Said
from runbooks.transport.shell import Shell
from runbooks.transport.streams import Channel
from runbooks.window import Window

SIZES = (100, 300, 1_000, 3_000, 10_000)
STEPS = 6
MOST_OPEN = 500
FAULTS = Faults(seed=1, lost=0.0025, failing=0.0025)
POLICY = {"max_failures": "10%"}


# what is done on a host


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


# measuring


@dataclass
class Taken:
    """What one piece of work took: seconds of wall time and of CPU, and the process's peak memory after it."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@contextmanager
def measured(into: dict[str, Any], name: str) -> Iterator[None]:
    """Measure a piece of work."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    into[name] = {"wall_s": round(wall, 4), "cpu_s": round(cpu, 4), "peak_mib": round(peak, 1)}


@dataclass
class Setting:
    """One measurement's surroundings, as its processes hand them on."""

    hosts: int
    window: int
    latency_s: float
    top: Path

    @property
    def names(self) -> list[str]:
        """The hosts' names."""
        return [f"db{n:05}" for n in range(1, self.hosts + 1)]

    def transport(self) -> RecordedTransport:
        """The recorded host, many times."""
        recording = Recording.from_text((self.top / "recording.json").read_text())
        return RecordedTransport(recording, latency_s=self.latency_s, faults=FAULTS)

    @property
    def policy(self) -> Batch:
        """How the run goes over its hosts."""
        return Batch(size=str(self.window), **POLICY)


class Tape:
    """A channel that keeps what the engine sent over it, and when it waited for an answer (None)."""

    def __init__(self, channel: Channel, tape: list[bytes | None]) -> None:
        self._channel, self._tape = channel, tape
        self.close = channel.close

    def send(self, data: bytes) -> None:
        """Pass on."""
        self._tape.append(data)
        self._channel.send(data)

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:
        """Pass on."""
        self._tape.append(None)
        return self._channel.receive(timeout_s, errors)


def taped(some: Setting) -> list[bytes | None]:
    """All that applying sends to a host that works, in order. Not to the first: what that one was asked is asked of the
    others all at once."""
    tape: list[bytes | None] = []
    transport = RecordedTransport(some.transport().recording)

    def open_(name: str) -> Channel:
        return Tape(transport.open(name), tape) if name == "h2" else transport.open(name)

    two = draft(["h1", "h2"], some.top)
    real = engine(f"sqlite:///{some.top}/tape{some.hosts}.db", open_)
    plan = real.plan(two)
    real.targets["h2"].close()
    tape.clear()
    assert real.apply(plan, two, Batch()).status is RunStatus.DONE
    return tape


def play(some: Setting, tape: Sequence[bytes | None]) -> None:
    """The same exchanges with every host, side by side, by nobody in particular."""
    transport = some.transport()
    transport.faults = Faults()

    def work(name: str) -> None:
        channel = transport.open(name)
        for sent in tape:
            if sent is None:
                channel.receive(60.0)
            else:
                channel.send(sent)

    Window(work, blocks=lambda _: False).slide(some.names, some.window)


def whole(some: Setting) -> dict[str, Any]:
    """Plan, print, apply, report."""
    from runbooks.report.html import run_html
    from runbooks.report.terminal import Progress, print_plan, print_summary

    found: dict[str, Any] = {}
    tape = taped(some)
    with measured(found, "transport"):
        play(some, tape)
    with measured(found, "start"):
        transport, events, steps = some.transport(), [0], draft(some.names, some.top)
        mine = engine(f"sqlite:///{some.top}/whole{some.hosts}.db", transport.open)
    with measured(found, "plan"):
        plan = mine.plan(steps)
    with measured(found, "plan id"):
        assert len(plan.id) == 64
    with (some.top / "out").open("w", encoding="utf-8") as file:
        with measured(found, "print plan"):
            print_plan(plan, file=file)
        with measured(found, "save plan"):
            mine.journal.save_plan(plan)
        with measured(found, "apply"), Progress(plan, file=file) as progress:

            def observe(event: Event) -> None:
                events[0] += 1
                progress(event)

            object.__setattr__(mine, "observer", observe)
            run = mine.apply(plan, steps, some.policy)
        with measured(found, "print summary"):
            print_summary(run, file=file)
    with measured(found, "html"):
        page = run_html(run)
    with measured(found, "json"):
        text = json.dumps({"plan": plan.to_json(), "run": run.to_json()}, indent=1)
    results = [str(outcome.result) for outcome in run.outcomes().values()]
    found["counts"] = {word: results.count(word) for word in sorted(set(results))} | {"events": events[0]}
    found["sizes"] = {
        "html_mib": round(len(page) / 2**20, 2),
        "json_mib": round(len(text) / 2**20, 2),
        "plan_record_mib": round(len(json.dumps(plan.to_record())) / 2**20, 2),
        "journal_mib": round((some.top / f"whole{some.hosts}.db").stat().st_size / 2**20, 2),
    }
    return found


def half(some: Setting) -> None:
    """Apply, say so when half of the events have been, and wait to be killed while going on."""
    events = [0]
    steps = draft(some.names, some.top)

    def observe(_event: Event) -> None:
        events[0] += 1
        if events[0] == some.hosts * STEPS:
            print("half", flush=True)

    mine = engine(f"sqlite:///{some.top}/half{some.hosts}.db", some.transport().open, observe)
    mine.apply(mine.plan(steps), steps, some.policy)
    print("it was never killed", flush=True)


def rest(some: Setting) -> dict[str, Any]:
    """Go on with what was killed."""
    found: dict[str, Any] = {}
    goes_on = threading.Event()
    begun: list[float] = []

    def observe(event: Event) -> None:
        if event.kind == "begin" and not begun:
            begun.append(time.perf_counter())

    with measured(found, "load"):
        mine = engine(f"sqlite:///{some.top}/half{some.hosts}.db", some.transport().open, observe)
        run = mine.journal.run(mine.journal.unfinished()[0].id)
        steps = draft(some.names, some.top)
    known = len(run.outcomes())
    with measured(found, "look"):
        mine.remaining(run, steps.steps)
    started = time.perf_counter()
    with measured(found, "resume"):
        run = mine.resume(run, steps.steps)
    found["goes on after"] = {"wall_s": round(begun[0] - started, 4)}
    results = [str(outcome.result) for outcome in run.outcomes().values()]
    found["counts"] = {word: results.count(word) for word in sorted(set(results))} | {"known before": known}
    goes_on.set()
    return found


def child(some: Setting, part: str, **options: Any) -> subprocess.Popen[str]:
    """A process of its own for one part."""
    words = [str(some.hosts), str(some.window), str(some.latency_s), str(some.top)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.engine", "--child", part, *words],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def answer_of(process: subprocess.Popen[str]) -> Any:
    """What a part found. Raises RuntimeError."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    return json.loads(out)


def measure(some: Setting) -> dict[str, Any]:
    """The figures of one size."""
    found = answer_of(child(some, "whole"))
    killed = child(some, "half")
    assert killed.stdout is not None and killed.stdout.readline() == "half\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    found["resume"] = answer_of(child(some, "rest"))
    count = some.hosts * STEPS

    def each(*names: str) -> float:
        return round(sum(found[name]["cpu_s"] for name in names) / count * 1e6, 1)

    found["hosts"] = some.hosts
    found["us_per_host_step"] = {"apply": each("apply"), "transport": each("transport"), "plan": each("plan")}
    return found


def main() -> None:
    """Print the figures."""
    if sys.argv[1:2] == ["--child"]:
        part, hosts, window, latency, top = sys.argv[2:]
        some = Setting(int(hosts), int(window), float(latency), Path(top))
        with places(some.top):
            print(json.dumps({"whole": whole, "half": half, "rest": rest}[part](some)))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", default=",".join(map(str, SIZES)))
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--latency", type=float, default=2.0, help="milliseconds of each round trip")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw how it grows")
    arguments = parser.parse_args()
    rows = []
    # A journal in memory would cost less than a real one.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        top = Path(name)
        with places(top):
            (top / "recording.json").write_text(record(top).to_text())
        for hosts in map(int, arguments.hosts.split(",")):
            rows.append(measure(Setting(hosts, arguments.window, arguments.latency / 1000, top)))
    print(json.dumps(rows, indent=1) if arguments.json else table(rows))
    if arguments.plot:
        arguments.plot.write_text(picture(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
