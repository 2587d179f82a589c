"""The parts that the engine's measurement is made of, each in a process of its own: ``python -m benchmarks.parts PART
HOSTS WINDOW LATENCY_S DIRECTORY`` prints what it found, as JSON. The recorded host lies in the directory."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lines import STEPS, draft, engine, places
from runbooks.model import Batch, Event, RunStatus
from runbooks.transport.recorded import Faults, RecordedTransport, Recording
from runbooks.transport.streams import Channel
from runbooks.window import Window

FAULTS = Faults(seed=1, lost=0.0025, failing=0.0025)
POLICY = {"max_failures": "10%"}


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


@contextmanager
def measured(into: dict[str, Any], name: str) -> Iterator[None]:
    """Measure a piece of work."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    into[name] = {"wall_s": round(wall, 4), "cpu_s": round(cpu, 4), "peak_mib": round(peak, 1)}


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
    return found


PARTS = {"whole": whole, "half": half, "rest": rest}

if __name__ == "__main__":
    _part, _hosts, _window, _latency, _top = sys.argv[1:]
    _some = Setting(int(_hosts), int(_window), float(_latency), Path(_top))
    with places(_some.top):
        print(json.dumps(PARTS[_part](_some)))
