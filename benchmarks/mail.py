"""How long it takes to ask two mail hosts where mail for so many addresses goes, beside ssh and exim by hand; and to
read a large alias file, and to look for what is wrong in it, beside a loop that splits its lines.

``python -m benchmarks.mail [--addresses N …] [--entries N] [--rounds N] [--json]``: ``inv mail-route``, for all of them
and for one, which is nearly all start-up; one ssh to each mail host with all addresses in one call of exim; and a
shell loop with one ssh an address. The loop asks for ``--loop`` addresses at most: its figures are given per address,
times all of them. Every answer is held against what the aliases say. CPU is that of the command's whole tree of
processes; that of the mail hosts, which share the machine, is in none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.machine import machine
from runbooks.aliases.domains import Domains
from runbooks.aliases.file import AliasFile
from runbooks.aliases.lint import lint
from runbooks.lab import Lab, Person, scratch
from runbooks.lab.mail.hosts import DIRECTORY

ROOT = Path(__file__).resolve().parents[1]
METER = Path(__file__).with_name("meter.py")
HOSTS = ("lab01", "lab02")
DOMAIN = "many.example.org"
TARGETS = ("alice@lab.example.org", "bob@lab.example.org", "office@example.net")
OURS, JSON, ONE, BEST = "inv mail-route", "… --json", "… one address", "one ssh a host, one exim"
LOOP, MASTER = "ssh loop", "ssh loop, ControlMaster"
PLAIN, READ, LINT = "lines split", "read, with all targets", "read and linted"
_END = re.compile(r"^(\S+)(?: {3}\[duplicate, would not be delivered\])?\n {4}<-- (\S+)$", re.MULTILINE)
_PRINTED = re.compile(r"^(\S+)\n {2}lab\[01-02\] +routed *\n {4}→ (\S+) by", re.MULTILINE)
_Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Way:
    """A command, and of how many addresses, the first ones, it asks."""

    argv: Sequence[str]
    asked: int


def aliases(count: int) -> dict[str, str]:
    """Where so many addresses lead."""
    return {f"alias{number:05}@{DOMAIN}": TARGETS[number % len(TARGETS)] for number in range(count)}


def ways(lab: Lab, top: Path, count: int, loop: int) -> dict[str, Way]:
    """What is called."""
    addresses, few = list(aliases(count)), min(loop, count)
    ours = [sys.executable, "-m", "invoke", "mail-route"]
    ssh = f"ssh -F {lab.ssh_config} -o ControlPath={{}}"
    # What lives on afterwards is ended with the command's tree, and its CPU counts.
    master = ssh.format(f"{top}/%h -o ControlMaster=auto -o ControlPersist=600")
    over_hosts = f"for host in {' '.join(HOSTS)}; do {{}}; done"
    over_few = over_hosts.format(f"for a in {' '.join(addresses[:few])}; do {{}} $host exim4 -bt $a; done")
    all_at_once = f"{ssh.format('none')} $host exim4 -bt {' '.join(addresses)}"
    return {
        OURS: Way([*ours, ",".join(addresses)], count),
        JSON: Way([*ours, "--json", ",".join(addresses)], count),
        ONE: Way([*ours, addresses[0]], 1),
        BEST: Way(["sh", "-c", over_hosts.format(all_at_once)], count),
        LOOP: Way(["sh", "-c", over_few.format(ssh.format("none"))], few),
        MASTER: Way(["sh", "-c", over_few.format(master)], few),
    }


def answers(said: str) -> Counter[tuple[str, str]]:
    """Who gets what comes for an address, by how many hosts say so."""
    if said.startswith("{"):
        rows = json.loads(said)["routes"]
        return Counter((row["address"], end.partition(" ")[0]) for row in rows for end in row["ends"])
    # Ours has one line for hosts that say the same.
    return Counter((a, end) for end, a in _END.findall(said)) + Counter(_PRINTED.findall(said) * len(HOSTS))


def measured(lab: Lab, top: Path, way: Way) -> dict[str, float]:
    """Wall and CPU seconds, memory in MiB. Raises RuntimeError where an answer is missing or wrong."""
    out, err = top / "out", top / "err"
    environment = os.environ | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    meter = [sys.executable, "-I", "-S", str(METER), "3600", str(out), str(err), *way.argv]
    with subprocess.Popen(meter, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        taken = json.loads(process.stdout.read())
    right = Counter({pair: len(HOSTS) for pair in aliases(way.asked).items()})
    if wrong := (found := answers(out.read_text())) - right | right - found:
        raise RuntimeError(f"{len(wrong)} answers are missing or wrong: {[*wrong][:3]} {err.read_text()[-500:]}")
    return {"s": taken["wall_s"], "cpu_s": taken["cpu_s"], "mib": taken["peak_mb"], "asked": way.asked}


def routes(counts: Sequence[int], loop: int, rounds: int) -> dict[int, _Figures]:
    """Medians for each way, by how many addresses."""
    top = scratch()
    lab = Lab(top / "lab")
    people = [Person(name, 3001 + number, home_files=2) for number, name in enumerate(("alice", "bob"))]
    try:
        lab.up(len(HOSTS), people=people, puppet_every_s=0, mx=True, seed_processes=False)
        found = {}
        for count in counts:
            lines = "".join(f"{address.partition('@')[0]}: {end}\n" for address, end in aliases(count).items())
            for host in HOSTS:
                lab.run(host, ["tee", f"{DIRECTORY}/{DOMAIN}"], input=lines.encode())
            called = ways(lab, top, count, loop)
            found[count] = medians({name: partial(measured, lab, top, way) for name, way in called.items()}, rounds)
    finally:
        lab.down()
        shutil.rmtree(top)
    return found


def medians(what: Mapping[str, Callable[[], dict[str, float]]], rounds: int) -> _Figures:
    """Each in turn, so many times."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in what}
    for _ in range(rounds):
        for name, one in what.items():
            taken[name].append(one())
    return {name: {key: statistics.median(one[key] for one in some) for key in some[0]} for name, some in taken.items()}


def split(data: bytes) -> dict[str, list[str]]:
    """An alias file as a short script would read it."""
    found: dict[str, list[str]] = {}
    for line in data.decode().splitlines():
        if line and not line.startswith("#"):
            name, _, targets = line.partition(":")
            found.setdefault(name.strip().lower(), [target.strip() for target in targets.split(",")])
    return found


def reading(entries: int, rounds: int) -> _Figures:
    """CPU seconds of reading and of linting a file of so many aliases, three targets each, one of them an alias."""
    path = f"files/{DOMAIN}"
    spelled = [f"# T{n}\nalias{n}: {TARGETS[0]}, {TARGETS[2]}, alias{n // 2}@{DOMAIN}\n" for n in range(1, entries)]
    data = "".join([f"alias0: {TARGETS[0]}, {TARGETS[1]}, {TARGETS[2]}\n", *spelled]).encode()
    # What each comes to is the same for all: as many aliases with as many targets, and nothing wrong.
    read = {
        PLAIN: lambda: sum(map(len, split(data).values())),
        READ: lambda: sum(len(entry.targets) for entry in AliasFile.parse(data).entries),
        LINT: lambda: 3 * entries - len(lint(Domains("files", {DOMAIN: None}), {path: data}, lambda _: True)),
    }

    def timed(one: Callable[[], int]) -> dict[str, float]:
        started = time.process_time()
        if (found := one()) != 3 * entries:
            raise RuntimeError(f"{found} targets, not {3 * entries}")
        return {"cpu_s": time.process_time() - started}

    return medians({name: partial(timed, one) for name, one in read.items()}, rounds)


def times(figures: _Figures, key: str, base: str) -> dict[str, float]:
    """How many times the base's each figure is; as if each had asked of as many addresses, but for ONE."""
    whole = {name: one[key] * (figures[base]["asked"] / one["asked"] if name in (LOOP, MASTER) else 1)
             for name, one in figures.items()}  # fmt: skip
    return {name: round(value / whole[base], 2) for name, value in whole.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addresses", type=int, nargs="+", default=[200, 1000], metavar="N")
    parser.add_argument("--loop", type=int, default=100, metavar="N")
    parser.add_argument("--entries", type=int, default=20_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    read, found = reading(told.entries, told.rounds), routes(told.addresses, told.loop, told.rounds)
    ratios = {n: {key: times(some, key, OURS) for key in ("s", "cpu_s")} for n, some in found.items()}
    if told.json:
        figures = {"rounds": told.rounds, "machine": machine(), "median": found, "times_ours": ratios}
        print(json.dumps({**figures, "file": {"entries": told.entries, **read}}, indent=2))
        return
    print(f"{len(HOSTS)} mail hosts on {machine()}, medians of {told.rounds} rounds:")
    for count, ways_of in found.items():
        print(f" {count} addresses; loops ask of {min(told.loop, count)}, and count for all")
        for name, one in ways_of.items():
            print(f"  {name:26} x {ratios[count]['s'][name]:6.2f}, x {ratios[count]['cpu_s'][name]:6.2f} of the CPU, "
                  f"{one['mib']:4.0f} MiB  ({one['s']:.2f} s, {one['cpu_s']:.2f} s)")  # fmt: skip
    print(f" a file of {told.entries} aliases")
    for name, one in read.items():
        print(f"  {name:26} x {one['cpu_s'] / read[PLAIN]['cpu_s']:6.1f} of the CPU  ({one['cpu_s']:.2f} s)")


if __name__ == "__main__":
    main()
