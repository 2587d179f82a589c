"""How long commands take that touch no host: the list, a help, the runs of a full journal, a query of a big inventory.

``python -m benchmarks.startup [--rounds N] [--runs N] [--hosts N] [--json]``: medians over N rounds, in which all take
turns, in processes of their own. Commands are measured beside ``inv --list`` of an empty ``tasks.py``: that is what
Python and Invoke take. A journal of 1,000 runs of 6 steps on 100 hosts each takes a minute to make, and 400 MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

ROOT = Path(__file__).resolve().parents[1]
INV = str(Path(sys.executable).with_name("inv"))
EMPTY = "from invoke import Collection\n\nns = Collection()\n"
MORE = 25
RUNBOOK = '''

@procedure(*PLANNED)
def runbook{0}(
    old: Annotated[str, "One thing."],
    new: Annotated[str, "Another."],
    task: Ticket = "",
    reason: Reason = "",
    without: Annotated[Each, "Not this host."] = None,
    end_processes: Annotated[bool, "End them."] = False,
) -> None:
    """Runbooks: number {0}."""
'''
QUERY = "(A:web and A:east) or O{name ~ '^node0[0-9]{2}7'}"
ASK = """
import json, sys, time
from pathlib import Path
from runbooks.inventory import Inventory
from runbooks.inventory.yaml_source import YamlSource
times = [time.perf_counter()]
inventory = Inventory.load(Path(sys.argv[1]))
times.append(time.perf_counter())
import cumin.query
times.append(time.perf_counter())
found = inventory.query(sys.argv[2])
times.append(time.perf_counter())
print(json.dumps([len(found), *(after - before for before, after in zip(times, times[1:]))]))
"""
STEPS = (
    "Stop puppet",
    "Delete the old account, keep its home",
    "Make sure that puppet is stopped and the UID free",
    "Run puppet, which creates the new account",
    "Move the old home into place",
    "Let puppet run again",
)
HOSTS = tuple(f"node{number:04}" for number in range(100))


def make_places(top: Path) -> dict[str, Path]:
    """Directories to start ``inv`` in: an empty ``tasks.py``, the project, and the project with more runbooks."""
    places = {"empty": top / "empty", "project": ROOT, "more": top / "more"}
    for name in ("empty", "more"):
        places[name].mkdir()
    (places["empty"] / "tasks.py").write_text(EMPTY)
    shutil.copy(ROOT / "invoke.yaml", places["more"])
    runbooks = "".join(RUNBOOK.format(number) for number in range(MORE))
    (places["more"] / "tasks.py").write_text((ROOT / "tasks.py").read_text() + runbooks)
    return places


def make_journal(url: str, runs: int) -> None:
    """A journal of runs that are done: each six steps over a hundred hosts, with all their events."""
    from runbooks.driver import Driver
    from runbooks.journal import Journal
    from runbooks.lease import event_row
    from runbooks.model import Event, Plan, PlannedStep, Result, RunStatus, todo

    journal = Journal(url)
    sent = {
        "command": "puppet agent --disable 'T123: rename user'",
        "status": 0,
        "seconds": 1.1,
        "output": "Notice: ok\n",
    }
    before = {"before": {"uid": 3000, "shell": "/bin/bash", "locked": False}}
    outcome = {"result": Result.DONE, "note": "", "seconds": 1.2, "commands": [sent]}
    for number in range(runs):
        arguments = {"old": f"user{number}", "new": f"renamed{number}", "task": "T123"}
        found = {host: todo("$ userdel user", facts={"uid": 3000, "home": "/home/user"}) for host in HOSTS}
        plan = Plan("rename-user", arguments, tuple(PlannedStep(step, "hosts", HOSTS, found) for step in STEPS))
        lease = journal.create(plan, (f"user:user{number}",), Driver.this(), "marta", {})
        at = time.time()
        journal.write(
            lease,
            [
                event_row(lease.run_id, Event(kind, at, step, host, data))
                for step in range(len(STEPS))
                for host in HOSTS
                for kind, data in (("begin", before), ("outcome", outcome))
            ],
        )
        lease.finish(RunStatus.DONE)
    journal.close()


def make_inventory(directory: Path, hosts: int) -> None:
    """Hosts written singly, each with its address and fields, and two aliases."""
    directory.mkdir()
    lines = [
        f"  node{n:05}: {{address: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}, site: s{n % 5}, rack: r{n % 200}, "
        f"vendor: dell, roles: [role{n % 10}]}}\n"
        for n in range(hosts)
    ]
    (directory / "hosts.yaml").write_text("hosts:\n" + "".join(lines))
    (directory / "aliases.yaml").write_text('aliases:\n  web: "O{role:role1}"\n  east: "O{site:s1}"\n')


@dataclass(frozen=True)
class Spent:
    """What a command took: wall and CPU seconds, and the most memory that it had."""

    wall_s: float
    cpu_s: float
    memory_mib: float


def once(argv: list[str], place: Path, environment: Mapping[str, str]) -> Spent:
    """Run a command. The memory is that of this process at least, which is why it makes the journal in another one."""
    nowhere = subprocess.DEVNULL
    started = time.perf_counter()
    with subprocess.Popen(argv, cwd=place, env=environment, stdout=nowhere, stderr=nowhere) as child:
        _, _, used = os.wait4(child.pid, 0)
        child.returncode = 0
    return Spent(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(rounds: int, runs: int, hosts: int) -> dict[str, Any]:
    """The figures, with the machine's size."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        places = make_places(top)
        url = f"sqlite:///{top}/journal.db"
        maker = multiprocessing.get_context("spawn").Process(target=make_journal, args=(url, runs))
        maker.start()
        maker.join()
        make_inventory(top / "inventory", hosts)
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("INVOKE_", "PYTHONDONTWRITE"))}
        ours |= {"INVOKE_OPS_CLINIC_JOURNAL": url, "INVOKE_OPS_CLINIC_INVENTORY": str(top / "inventory")}
        works = {
            "empty tasks.py, --list": ([INV, "--list"], places["empty"]),
            "--list": ([INV, "--list"], places["project"]),
            "--help rename-user": ([INV, "--help", "rename-user"], places["project"]),
            f"--list, {MORE} runbooks more": ([INV, "--list"], places["more"]),
            f"--help, {MORE} runbooks more": ([INV, "--help", "rename-user"], places["more"]),
            "runs": ([INV, "runs"], places["project"]),
            "runs --json": ([INV, "runs", "--json"], places["project"]),
            "runs --check": ([INV, "runs", "--check"], places["project"]),
        }
        listed = subprocess.run([INV, "runs"], cwd=ROOT, env=ours, capture_output=True, text=True, check=True)
        assert listed.stdout.count("\n") == 1 + min(runs, 50), listed.stdout
        taken: dict[str, list[Spent]] = {work: [] for work in works}
        asked: list[list[float]] = []
        for number in range(rounds + 1):
            for work, (argv, place) in works.items():
                spent = once(argv, place, ours)
                if number:  # the first round is for byte code and disk caches
                    taken[work].append(spent)
            argv = [sys.executable, "-c", ASK, str(top / "inventory"), QUERY]
            asked.append(json.loads(subprocess.run(argv, env=ours, capture_output=True, check=True).stdout))
    return told(taken, asked) | {"rounds": rounds, "runs": runs, "hosts": hosts, "machine": machine()}


def told(taken: Mapping[str, list[Spent]], asked: list[list[float]]) -> dict[str, Any]:
    """Medians of what was measured, as they are printed."""
    walls = {work: statistics.median(spent.wall_s for spent in all_of) for work, all_of in taken.items()}
    cpus = {work: statistics.median(spent.cpu_s for spent in all_of) for work, all_of in taken.items()}
    wall, cpu = next(iter(walls.values())), next(iter(cpus.values()))
    found, read_s, cumin_s, query_s = (statistics.median(column) for column in zip(*asked[1:], strict=True))
    return {
        "median_s": {work: round(value, 3) for work, value in walls.items()},
        "times_empty_tasks": {work: round(value / wall, 2) for work, value in walls.items()},
        "times_empty_tasks_cpu": {work: round(value / cpu, 2) for work, value in cpus.items()},
        "memory_mib": {work: round(max(spent.memory_mib for spent in all_of)) for work, all_of in taken.items()},
        "inventory_s": {
            "read": round(read_s, 3),
            "import of cumin": round(cumin_s, 3),
            "query": round(query_s, 3),
            "read and query": round(read_s + query_s, 3),
        },
        "found": int(found),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds, arguments.runs, arguments.hosts)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    columns = [figures[key] for key in ("median_s", "times_empty_tasks", "times_empty_tasks_cpu", "memory_mib")]
    times, ratios, cpu, memory = (dict(column) for column in columns)
    print(f"machine {figures['machine']}\nmedians of {arguments.rounds} rounds, a journal of {arguments.runs:,} runs:")
    for work, value in times.items():
        ratio = f"{ratios[work]:5.2f} x an empty tasks.py ({cpu[work]:.2f} x its CPU)"
        print(f"  {work:28} {value:6.3f} s   {ratio}   {memory[work]:3} MiB")
    print(f"an inventory of {arguments.hosts:,} hosts, written singly; {figures['found']:,} found by {QUERY}:")
    for work, value in dict(figures["inventory_s"]).items():
        print(f"  {work:28} {value:6.3f} s")


if __name__ == "__main__":
    main()
