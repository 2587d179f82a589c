"""How long a run takes on hosts that are far away: six steps on each, every round trip 80 ms.

``python -m benchmarks.far [--hosts N] [--rtt-ms N] [--json]``. The hosts are the loopback fleet's, behind ``delay.py``.
The measure is the sum of the round trips that no client could spare, which ``unavoidable`` counts; the goal is three
times that. What each connection really took is counted, too, and what is beyond the unavoidable is named in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.fleet import Fleet, hosts
from benchmarks.runbook.marks import PROCEDURE
from runbooks.engine import Engine
from runbooks.model import Batch, RunStatus
from runbooks.settings import Settings
from runbooks.settings.layer import Layer
from runbooks.site import Site

DELAY = Path(__file__).with_name("delay.py")
STEPS, WIDTH, GOAL = 6, 50, 3.0
LOG_IN = {
    "TCP": 1,  # connect
    "versions and algorithms": 1,  # ours is sent unasked; with the server's comes what it offers
    "key exchange": 1,  # our half of the secret, for its half and its signature
    "authentication": 1,  # the service may be asked for along with it (RFC 4252 does not have us wait)
    "channel": 1,  # its number is the server's to choose, so the program cannot be asked for along with it
    "program": 1,  # until it runs, OpenSSH takes no input: the channel's window is 0
}
"""Each needs the answer to the one before. What the shell is greeted with goes along with the first question."""
LOOK = 1
"""Of a look at all steps: questions that do not depend on each other."""
CHECK = 1
"""Of a host's first step; what a verify has just seen serves the next step's."""
STEP = 1
"""What the check found has to be in the journal before a command is sent; what is looked at after it can be asked along
with it."""


def unavoidable(count: int) -> dict[str, int]:
    """Round trips one after the other, of planning and of applying, with as many hosts at a time as may be; the walk
    has the canary go through all steps first."""
    waves = ceil(count / WIDTH)
    walks = 1 + ceil((count - 1) / WIDTH)
    return {
        "plan": waves * (sum(LOG_IN.values()) + LOOK),
        "apply": waves * LOOK + walks * (CHECK + STEPS * STEP),
    }


class Far:
    """The fleet behind its delay, as a context manager's value."""

    def __init__(self, fleet: Fleet, process: subprocess.Popen[str], folder: Path) -> None:
        self._fleet, self._process, self._folder = fleet, process, folder
        assert process.stdout is not None
        self._port = int(process.stdout.readline())

    def round_trips(self) -> list[int]:
        """Of each connection since the last time, one after the other."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return list(json.loads(self._process.stdout.readline()))

    def site(self, client: str) -> Site:
        """A site with the defaults that a user has, on this fleet."""
        fleet, top = self._fleet, self._folder
        known = fleet.known_hosts.read_text().replace(f"]:{fleet.port} ", f"]:{self._port} ")
        (top / "known_hosts").write_text(known)
        config = fleet.ssh_config().read_text().replace(str(fleet.known_hosts), str(top / "known_hosts"))
        (top / "ssh_config").write_text(config)
        (top / "inventory").mkdir(exist_ok=True)
        rows = [f"  {host.name}: {{address: {host.address}, port: {self._port}}}\n" for host in hosts(fleet.size)]
        (top / "inventory/hosts.yaml").write_text("".join(["hosts:\n", *rows]))
        values = {
            "inventory": str(top / "inventory"),
            "journal": f"sqlite:///{top}/journal.{client}.db",
            "ssh": {"config": str(top / "ssh_config"), "client": client},
            "batch_size": str(WIDTH),
        }
        settings = Settings.of(Layer(values, "benchmark", top), root=top)
        return Site(settings)


@contextmanager
def far(count: int, rtt_ms: float) -> Iterator[Far]:
    """So many hosts, so far away. Raises Blocked."""
    with Fleet(count) as fleet, TemporaryDirectory() as folder:
        fleet.reset(hosts(count))
        argv = [sys.executable, "-I", "-S", str(DELAY), str(rtt_ms), str(fleet.port)]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
            yield Far(fleet, process, Path(folder))
            assert process.stdin is not None
            process.stdin.close()


def measure(count: int, rtt_ms: float, client: str) -> dict[str, Any]:
    """The figures: wall seconds, and round trips. Raises RuntimeError where the run was not done."""
    with far(count, rtt_ms) as there:
        site = there.site(client)
        try:
            draft = PROCEDURE.draft(site, {"steps": STEPS})
            engine = Engine(site.journal, site.targets, site.operator)
            started, used = time.monotonic(), time.process_time()
            plan = engine.plan(draft)
            planned = time.monotonic()
            run = engine.apply(plan, draft, Batch(site.settings.batch_size))
            ended, used = time.monotonic(), time.process_time() - used
        finally:
            site.close()
        if run.status is not RunStatus.DONE:
            raise RuntimeError(f"the run ended {run.status}")
        real = there.round_trips()
    walls = {"plan": planned - started, "apply": ended - planned}
    trips = unavoidable(count)
    return {
        "hosts": count,
        "rtt_ms": rtt_ms,
        "client": client,
        "machine": {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)},
        "own_cpu_s": round(used, 2),
        "connections": len(real),
        "round_trips_of_a_connection": {"median": statistics.median(real), "most": max(real)},
        "unavoidable_of_a_connection": sum(LOG_IN.values()) + 2 * LOOK + CHECK + STEPS * STEP,
        **{name: _phase(walls[name], trips[name], rtt_ms) for name in walls},
        "both": _phase(sum(walls.values()), sum(trips.values()), rtt_ms),
    }


def _phase(wall_s: float, trips: int, rtt_ms: float) -> dict[str, float]:
    least_s = trips * rtt_ms / 1000
    return {
        "wall_s": round(wall_s, 2),
        "unavoidable_round_trips": trips,
        "unavoidable_s": round(least_s, 2),
        "ratio": round(wall_s / least_s, 2) if least_s else 0.0,
    }


def main() -> None:
    """Print the figures; exit status 1 beyond the goal."""
    parser = argparse.ArgumentParser(prog="benchmarks.far", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--rtt-ms", type=float, default=80.0)
    parser.add_argument("--client", choices=["libssh", "fabric"], default="libssh")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.hosts, options.rtt_ms, options.client)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)
    sys.exit(figures["both"]["ratio"] > GOAL)


def _print(figures: dict[str, Any]) -> None:
    print(f"{figures['hosts']} hosts, {WIDTH} at a time, {STEPS} steps, {figures['rtt_ms']:g} ms round trips:")
    for name in ("plan", "apply", "both"):
        phase = figures[name]
        print(
            f"  {name:6} {phase['wall_s']:6.2f} s, {phase['ratio']:.2f} times its "
            f"{phase['unavoidable_round_trips']} unavoidable round trips ({phase['unavoidable_s']:.2f} s)"
        )
    taken, least = figures["round_trips_of_a_connection"], figures["unavoidable_of_a_connection"]
    print(f"  a connection took {taken['median']:g} round trips (at most {taken['most']}), of which {least} are needed")


if __name__ == "__main__":
    main()
