"""What the engine itself costs, from a hundred hosts to ten thousand: six steps on each, a real journal, and hosts that
answer as one real shell did, with latency and failures (``transport.recorded``).

``python -m benchmarks.engine [--hosts N,N,…] [--window N] [--latency MS] [--json] [--plot FILE.svg]``. Each size runs
in processes of its own: one plans, prints and applies; one is killed half-way; one goes on. CPU is that of all threads
in user space and kernel, per host and step. "Transport" is what the same exchanges cost without shell, hosts or engine.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.growth import picture, table
from benchmarks.lines import STEPS, places, record
from benchmarks.parts import Setting

SIZES = (100, 300, 1_000, 3_000, 10_000)


def child(some: Setting, part: str, **options: Any) -> subprocess.Popen[str]:
    """A process of its own for one part."""
    words = [str(some.hosts), str(some.window), str(some.latency_s), str(some.top)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.parts", part, *words],
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
