"""How long it takes to ask so many BMCs for the power, beside ipmitool in a shell loop and freeipmi's ipmipower.

``python -m benchmarks.power [--bmcs N] [--rounds N] [--json]``: as many ipmi_sims, each on a loopback address of
its own; then the same with some of them dead, which must not hold up the rest. Every tool's answers are counted. CPU
is that of the command's whole tree of processes; that of the BMCs, which share the machine, is in none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.machine import machine
from runbooks.lab import scratch
from runbooks.lab.bmc import Board
from runbooks.lab.bmc.ipmi_sim import IpmiSim
from runbooks.lab.machine import find
from runbooks.secret import Secret

ROOT = Path(__file__).resolve().parents[1]
METER = Path(__file__).with_name("meter.py")
OURS, LOOP, WIDE_LOOP, IPMIPOWER = "inv power-status", "ipmitool loop", "ipmitool, 50 at a time", "ipmipower"
USER = "ADMIN"


@contextmanager
def bmcs(top: Path, count: int) -> Iterator[list[IpmiSim]]:
    """So many, each of a machine that is on."""
    password = Secret(secrets.token_hex(8))
    chassis = top / "chassis"
    chassis.write_text("#!/bin/sh\necho power:1\n")
    chassis.chmod(0o755)
    # ipmipower knows no port but IPMI's own, which root alone may have.
    net, port = f"127.{random.randint(128, 254)}.{random.randint(1, 250)}", 623 if os.geteuid() == 0 else 20_623
    boards = [
        Board(f"h{number:03}", f"{net}.{number}", port, USER, password, (str(chassis),), top / f"h{number:03}")
        for number in range(1, count + 1)
    ]
    made = [IpmiSim(board) for board in boards]
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(IpmiSim.start, made))
        yield made
    finally:
        for one in made:
            one.kill()


def inventory(top: Path, made: Sequence[IpmiSim]) -> Path:
    """For `inv`: hosts with these BMCs."""
    folder = top / "inventory"
    folder.mkdir()
    rows = {
        one.board.name: {
            "address": f"192.0.2.{number}",
            "bmc": {"address": one.board.address, "port": one.board.port, "driver": "ipmi"},
        }
        for number, one in enumerate(made, 1)
    }
    (folder / "hosts.yaml").write_text(yaml.safe_dump({"hosts": rows}))
    (folder / "settings.yaml").write_text(yaml.safe_dump({"oob": {"user": USER}, "journal": f"sqlite:///{top}/j.db"}))
    return folder


def commands(top: Path, made: Sequence[IpmiSim]) -> dict[str, list[str]]:
    """What each tool is called with, the password in its environment, or in a file where it takes no other."""
    addresses, port = [one.board.address for one in made], made[0].board.port
    one = f"ipmitool -I lanplus -E -C 3 -N 1 -R 1 -U {USER} -p {port} -H"
    asks = f'for a in {" ".join(addresses)}; do {one} "$a" chassis power status || echo "$a failed"; done'
    wide = f"printf '%s\\n' {' '.join(addresses)} | xargs -P 50 -I HOST {one} HOST chassis power status || true"
    found = {
        OURS: [sys.executable, "-m", "invoke", "power-status", "h*"],
        LOOP: ["sh", "-c", asks],
        WIDE_LOOP: ["sh", "-c", wide],
    }
    if port == 623 and (program := find("ipmipower")):
        config = top / "freeipmi.conf"
        config.touch(0o600)
        log_in = f"username {USER}\npassword {made[0].board.password.reveal()}\n"
        config.write_text(f"{log_in}driver-type LAN_2_0\ncipher-suite-id 3\n")
        # ipmi_sim does not tell which privilege it gives (ipmipower(8), workarounds).
        known = ["--config-file", str(config), "-W", "opensesspriv"]
        found[IPMIPOWER] = [program, *known, "-h", ",".join(addresses), "--stat"]
    return found


def measured(top: Path, argv: Sequence[str], password: Secret) -> dict[str, float]:
    """Wall and CPU seconds, memory in MiB, and how many BMCs said that their machine is on."""
    environment = os.environ | {
        "INVOKE_OPS_CLINIC_INVENTORY": str(top / "inventory"),
        "OPS_CLINIC_BMC_PASSWORD": password.reveal(),
        "IPMI_PASSWORD": password.reveal(),
    }
    out, err = top / "out", top / "err"
    meter = [sys.executable, "-I", "-S", str(METER), "900", str(out), str(err), *argv]
    with subprocess.Popen(meter, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        taken = json.loads(process.stdout.read())
    return {"s": taken["wall_s"], "cpu_s": taken["cpu_s"], "mib": taken["peak_mb"], "on": answers(out)}


def answers(out: Path) -> int:
    """How many a tool says are on; ours says how many on the last line."""
    lines = out.read_text().splitlines()
    last = lines[-1] if lines else ""
    if " machines: " in last:
        return int(last.partition(": ")[2].split(" on")[0].replace(",", "")) if " on" in last else 0
    return sum(line.endswith((": on", " is on")) for line in lines)


def measure(count: int, dead: int, rounds: int) -> dict[str, object]:
    """The figures, with the machine's size."""
    top = scratch()
    try:
        with bmcs(top, count) as made:
            inventory(top, made)
            found = {"alive": _rounds(top, made, rounds)}
            for one in made[:: max(1, count // dead)][:dead]:
                one.kill()
            found["some dead"] = _rounds(top, made, rounds)
    finally:
        shutil.rmtree(top)
    return {"bmcs": count, "dead": dead, "rounds": rounds, "machine": machine(), "median": found}


def _rounds(top: Path, made: Sequence[IpmiSim], rounds: int) -> dict[str, dict[str, float]]:
    ways = commands(top, made)
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, argv in ways.items():
            taken[way].append(measured(top, argv, made[0].board.password))
    return {
        way: {key: round(statistics.median(one[key] for one in some), 2) for key in some[0]}
        for way, some in taken.items()
    }


def print_figures(figures: Mapping[str, object]) -> None:
    """A line for each way, as times ours."""
    medians = figures["median"]
    assert isinstance(medians, dict)
    print(f"{figures['bmcs']} BMCs on {figures['machine']}, medians of {figures['rounds']} rounds:")
    for which, ways in medians.items():
        print(f" {which}" + (f" ({figures['dead']})" if which != "alive" else ""))
        ours = ways[OURS]
        for way, one in ways.items():
            print(
                f"  {way:24} {one['s']:7.2f} s (x {one['s'] / ours['s']:5.2f}), {one['cpu_s']:6.2f} s of CPU "
                f"(x {one['cpu_s'] / ours['cpu_s']:5.2f}), {one['mib']:6.0f} MiB, {one['on']:.0f} on"
            )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bmcs", type=int, default=200)
    parser.add_argument("--dead", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.bmcs, arguments.dead, arguments.rounds)
    print(json.dumps(figures, indent=2)) if arguments.json else print_figures(figures)


if __name__ == "__main__":
    main()
