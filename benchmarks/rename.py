"""How long a rename takes on a lab: the dry run, the rename, and its undo, as a person would run them.

``python -m benchmarks.rename [--hosts N] [--rounds N] [--json]``: medians in seconds, and as ratios to one puppet run
on one host of the same lab, which is what most of the time goes to. Every host runs on this one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import machine
from runbooks.lab import Lab, Person, scratch

ROOT = Path(__file__).resolve().parents[1]


def inv(lab: Lab, *words: str) -> tuple[float, str]:
    """Run ``inv``: wall seconds, and what it printed. Raises CalledProcessError."""
    environment = os.environ | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    started = time.perf_counter()
    argv = [sys.executable, "-m", "invoke", *words]
    ended = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, ended.stdout


def one_round(lab: Lab, number: int) -> dict[str, float]:
    """One person renamed and back again: wall seconds."""
    rename = ("rename-user", "--old", f"user{number}", "--new", f"renamed{number}")
    started = time.perf_counter()
    lab.puppet(lab.hosts[0])
    puppet_s = time.perf_counter() - started
    dry_s, _ = inv(lab, *rename, "--dry-run")
    run_s, printed = inv(lab, *rename, "--yes", "--json")
    undo_s, _ = inv(lab, "undo", json.loads(printed)["run"]["id"], "--yes")
    return {"one puppet run": puppet_s, "dry run": dry_s, "rename": run_s, "undo": undo_s}


def measure(hosts: int, rounds: int) -> dict[str, object]:
    """The figures, with the machine's size."""
    top = scratch()
    lab = Lab(top / "bench")
    try:
        people = [Person(f"user{number}", 3000 + number, home_files=200) for number in range(rounds)]
        lab.up(hosts, people=people, puppet_every_s=0)
        taken = [one_round(lab, number) for number in range(rounds)]
    finally:
        lab.down()
    medians = {name: statistics.median(some[name] for some in taken) for name in taken[0]}
    base = medians["one puppet run"]
    return {
        "hosts": hosts,
        "rounds": rounds,
        "machine": machine(),
        "median_s": {name: round(value, 1) for name, value in medians.items()},
        "times_one_puppet_run": {name: round(value / base, 1) for name, value in medians.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.hosts, arguments.rounds)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{figures['hosts']} hosts on {figures['machine']}, medians of {figures['rounds']} rounds:")
    times, ratios = figures["median_s"], figures["times_one_puppet_run"]
    assert isinstance(times, dict) and isinstance(ratios, dict)
    for name, value in times.items():
        print(f"  {name:15} {value:6.1f} s   {ratios[name]:5.1f} x one puppet run")


if __name__ == "__main__":
    main()
