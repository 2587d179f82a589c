"""Ours beside other tools, on the loopback fleet: client CPU, wall time, memory, and hosts that answered correctly.

All tools run the same commands on the same hosts, fifty at a time, in turns: each round runs every tool once, so that
all see one machine. A figure is the median of its rounds. Client CPU and memory are those of the tool's whole tree of
processes; what the hosts use is in neither.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import venvs
from benchmarks.fleet import PROBE, Fleet, Host, hosts
from benchmarks.tools import ENGINE, WIDTH, Job, Tool

HERE = Path(__file__).parent
CACHE = HERE.parent / ".bench"
WORKLOADS = {"one": 1, "six": 6}
_NUMBERS = count()


@dataclass(frozen=True)
class Row:
    """The medians of one tool; ``correct`` is what its worst round had. ``peak_mb`` is in MiB."""

    tool: str
    workload: str
    hosts: int
    cpu_ms_per_host: float
    wall_s: float
    peak_mb: float
    correct: int


@dataclass(frozen=True)
class Measured:
    """One run of one tool. ``status`` is None where it had to be ended."""

    status: int | None
    wall_s: float
    cpu_s: float
    peak_mb: float
    correct: int = 0


@dataclass(frozen=True)
class Bench:
    """A fleet, and where the tools and their files are."""

    fleet: Fleet
    venvs: Path
    scratch: Path

    def once(self, tool: Tool, some: Sequence[Host], steps: int) -> Measured:
        """Run a tool on fresh hosts."""
        self.fleet.settle()
        self.fleet.reset(some)
        folder = self.scratch / str(next(_NUMBERS))
        folder.mkdir()
        job = Job(self.fleet, tuple(some), steps, folder, self.venvs)
        measured = _measured(tool, job, timeout_s=60.0 + len(some))
        right = job.right(tool.answers(job))
        shutil.rmtree(folder)
        return Measured(**{**asdict(measured), "correct": right})

    def key_exchanges(self, tools: Sequence[Tool]) -> dict[str, str]:
        """What each tool agrees upon with a server, as the server has it; a tool that does not work here is left out.
        It is also their first run, which compiles and caches what the next ones find."""
        found, two = {}, (PROBE, *hosts(1))
        for tool in tools:
            self.fleet.key_exchange()
            measured = self.once(tool, two, 1)
            if measured.correct == len(two):
                found[tool.name] = self.fleet.key_exchange()
            else:
                _say(f"{tool.name} gives no right answer here, and is left out")
        return found

    def cell(self, tools: Sequence[Tool], workload: str, size: int, rounds: int) -> list[Row]:
        """The rows of one workload on so many hosts."""
        steps, some = WORKLOADS[workload], hosts(size)
        taken: dict[str, list[Measured]] = {tool.name: [] for tool in tools}
        for number in range(rounds):
            # Nobody always comes first.
            at = number % len(tools)
            for tool in (*tools[at:], *tools[:at]):
                if taken[tool.name] and taken[tool.name][-1].status is None:
                    continue
                measured = self.once(tool, some, steps)
                taken[tool.name].append(measured)
                if measured.status is None:
                    _say(f"{tool.name}: ended after {measured.wall_s:.0f} s, on {size} hosts")
        return [_row(name, workload, size, some_taken) for name, some_taken in taken.items()]


def _measured(tool: Tool, job: Job, timeout_s: float) -> Measured:
    argv = [sys.executable, "-I", "-S", str(HERE / "meter.py"), str(timeout_s), str(job.stdout), str(job.stderr)]
    argv += tool.argv(job)
    pipe, environment = subprocess.PIPE, os.environ | tool.environment(job)
    # Its standard input is what it lives by: it ends, with all that it runs, when we do.
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, env=environment, start_new_session=True) as meter:
        assert meter.stdout is not None
        return Measured(**json.loads(meter.stdout.read()))


def _row(tool: str, workload: str, size: int, taken: Sequence[Measured]) -> Row:
    return Row(
        tool,
        workload,
        size,
        cpu_ms_per_host=round(statistics.median(one.cpu_s for one in taken) / size * 1000, 2),
        wall_s=round(statistics.median(one.wall_s for one in taken), 2),
        peak_mb=round(statistics.median(one.peak_mb for one in taken), 1),
        correct=min(one.correct for one in taken),
    )


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


@contextmanager
def bench(size: int, folder: Path = CACHE) -> Iterator[Bench]:
    """A bench with so many hosts. Its files, the journals among them, are on the disk that ``folder`` is on, as a
    user's are. Raises Blocked."""
    folder.mkdir(exist_ok=True)
    with Fleet(size) as fleet, TemporaryDirectory(prefix="run-", dir=folder) as scratch:
        yield Bench(fleet, folder / "venvs", Path(scratch))


def compare(tools: Sequence[Tool], sizes: Sequence[int], rounds: int, results: Path, folder: Path = CACHE) -> list[Row]:
    """Measure every tool, print tables, and write ``results.json``, and what was measured on what beside it. Raises
    Blocked."""
    rows: list[Row] = []
    with bench(max(sizes), folder) as made:
        exchanges = made.key_exchanges(tools)
        tools = [tool for tool in tools if tool.name in exchanges]
        for which, workload in enumerate(WORKLOADS):
            for size in sizes:
                _say(f"{workload} on {size} hosts, {rounds} rounds")
                rows += made.cell([tool for tool in tools if tool.most[which] >= size], workload, size, rounds)
    about = {
        "machine": venvs.machine(),
        "versions": venvs.versions(folder / "venvs", [tool.package for tool in tools]),
        "key_exchange": exchanges,
        "notes": {tool.name: _note(tool, max(sizes)) for tool in tools if _note(tool, max(sizes))},
        "hosts_at_a_time": WIDTH,
        "rounds": rounds,
    }
    write(rows, about, results)
    print_tables(rows, about)
    return rows


def _note(tool: Tool, largest: int) -> str:
    limits = zip(WORKLOADS, tool.most, strict=True)
    absent = [f"{workload} on at most {most} hosts: more take minutes" for workload, most in limits if most < largest]
    return "; ".join(filter(None, [tool.note, *absent]))


def write(rows: Sequence[Row], about: Mapping[str, Any], results: Path) -> None:
    """``results``: a list of rows; ``.meta.json`` beside it: the rest."""
    results.write_text("[\n" + ",\n".join(json.dumps(asdict(row)) for row in rows) + "\n]\n")
    results.with_suffix(".meta.json").write_text(json.dumps(about, indent=2) + "\n")


def print_tables(rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """One table for each workload; CPU also as a ratio to our engine's, on as many hosts."""
    machine = ", ".join(f"{key} {value}" for key, value in about["machine"].items())
    print(f"machine: {machine}; it carried the hosts, too\nmedians of {about['rounds']} rounds")
    for workload in WORKLOADS:
        print(f"\n{'tool, ' + workload:36} hosts  CPU ms/host  x engine  wall s  peak MiB  correct")
        some = [row for row in rows if row.workload == workload]
        engine = {row.hosts: row.cpu_ms_per_host for row in some if row.tool == ENGINE}
        for row in some:
            ratio = f"{row.cpu_ms_per_host / engine[row.hosts]:.2f}" if row.hosts in engine else ""
            figures = f"{row.cpu_ms_per_host:11.1f}  {ratio:>8}  {row.wall_s:6.1f}  {row.peak_mb:8.0f}  {row.correct:7}"
            print(f"{row.tool:36} {row.hosts:5}  {figures}")
    print(f"\n{'key exchange':36} as the server has it")
    for tool, exchange in about["key_exchange"].items():
        print(f"{tool:36} {exchange}")
    for tool, note in about["notes"].items():
        print(f"{tool}: {note}")
