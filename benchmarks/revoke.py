"""How long it takes to take somebody's key out of use on a lab, from command to proof, beside a loop of plain ssh.

``python -m benchmarks.revoke [--hosts N] [--rounds N] [--json]``: each round revokes one person's key with ``inv
revoke-key``, and another's with ``sed`` over ssh, fifty hosts at a time, as somebody in a hurry would: which changes
no registry, looks in one file, keeps no journal, and is undone by the next puppet run. After each, a log-in with the
revoked key is tried on every host. Wall time is from the start of the command to its end, and to the last refused
log-in; CPU is that of the command's whole tree of processes. Every host runs on this one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.machine import machine
from runbooks.lab import Lab, Person, scratch

ROOT = Path(__file__).resolve().parents[1]
METER = Path(__file__).with_name("meter.py")
WIDTH = 50
"""Hosts at a time, of the loop and of the log-ins."""
OURS, LOOP = "inv revoke-key", "ssh loop"


def people(rounds: int) -> list[Person]:
    """Two for each round, one for each way."""
    return [Person(f"user{number}", 3000 + number, home_files=2) for number in range(2 * rounds)]


def let_in(lab: Lab, user: str) -> list[str]:
    """The hosts on which a person's key still logs in."""
    hosts = lab.hosts
    with ThreadPoolExecutor(WIDTH) as pool:
        return [host for host, is_in in zip(hosts, pool.map(lambda h: lab.login(h, user), hosts), strict=True) if is_in]


def revoke(user: str) -> list[str]:
    """The command that an operator gives; many hosts have to be confirmed by the name."""
    return [sys.executable, "-m", "invoke", "revoke-key", user, "--yes", "--confirm", user]


def loop(lab: Lab, user: str) -> list[str]:
    """The same key out of the one file in which it is known to be, by ssh."""
    blob = Path(f"{lab.layout.person_key(user)}.pub").read_text().split()[1]
    sed = shlex.quote(f"\\|{blob}|d")
    script = f"xargs -P {WIDTH} -I HOST ssh -F {lab.ssh_config} -o ControlPath=none HOST sed -i {shlex.quote(sed)} "
    listed = shlex.quote("\n".join(lab.hosts))
    return ["sh", "-c", f"printf '%s\\n' {listed} | {script} /etc/ssh/userkeys/{user}"]


def measured(lab: Lab, argv: Sequence[str], user: str) -> dict[str, float]:
    """Run a command that revokes a person's key, then prove it. Raises RuntimeError where it was not so."""
    if len(let_in(lab, user)) < len(lab.hosts):
        raise RuntimeError(f"{user} cannot log in everywhere before")
    started = time.perf_counter()
    environment = os.environ | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    out, err = lab.layout.top / "bench.out", lab.layout.top / "bench.err"
    meter = [sys.executable, "-I", "-S", str(METER), "3600", str(out), str(err), *argv]
    # Its standard input is what it lives by, so it must not end.
    with subprocess.Popen(meter, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        taken = json.loads(process.stdout.read())
    if taken["status"] != 0:
        raise RuntimeError(f"{shlex.join(argv)} returned {taken['status']}: {err.read_text()}{out.read_text()[-2000:]}")
    if left := let_in(lab, user):
        raise RuntimeError(f"{user} still logs in on {', '.join(left)}")
    return {"s": taken["wall_s"], "cpu_s": taken["cpu_s"], "s_to_proof": time.perf_counter() - started}


def measure(hosts: int, rounds: int) -> dict[str, object]:
    """The figures, with the machine's size."""
    top = scratch()
    lab = Lab(top / "bench")
    try:
        lab.up(hosts, people=people(rounds), puppet_every_s=0, seed_processes=False)
        taken: dict[str, list[dict[str, float]]] = {OURS: [], LOOP: []}
        for number in range(rounds):
            ours, other = f"user{2 * number}", f"user{2 * number + 1}"
            taken[OURS].append(measured(lab, revoke(ours), ours))
            taken[LOOP].append(measured(lab, loop(lab, other), other))
    finally:
        lab.down()
        shutil.rmtree(top)
    medians = {
        way: {key: statistics.median(one[key] for one in some) for key in some[0]} for way, some in taken.items()
    }
    return {
        "hosts": hosts,
        "rounds": rounds,
        "machine": machine(),
        "median": {way: {key: round(value, 2) for key, value in some.items()} for way, some in medians.items()},
        "hosts_per_s": {way: round(hosts / some["s"], 1) for way, some in medians.items()},
        "times_ssh_loop": {key: round(value / medians[LOOP][key], 2) for key, value in medians[OURS].items()},
    }


def print_figures(figures: Mapping[str, object]) -> None:
    """A line for each way."""
    medians, rates, ratios = figures["median"], figures["hosts_per_s"], figures["times_ssh_loop"]
    assert isinstance(medians, dict) and isinstance(rates, dict) and isinstance(ratios, dict)
    print(f"{figures['hosts']} hosts on {figures['machine']}, medians of {figures['rounds']} rounds:")
    for way, some in medians.items():
        print(
            f"  {way:15} {some['s']:6.1f} s, {some['s_to_proof']:6.1f} s to the last refused log-in, "
            f"{some['cpu_s']:6.1f} s of CPU, {rates[way]:5.1f} hosts a second"
        )
    told = ", ".join(f"{key} {value}" for key, value in ratios.items())
    print(f"  {OURS} is x {LOOP}: {told}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.hosts, arguments.rounds)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print_figures(figures)


if __name__ == "__main__":
    main()
