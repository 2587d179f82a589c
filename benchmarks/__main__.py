"""All benchmarks, or the quick form of the comparison with other tools alone.

``python -m benchmarks`` measures the registry, what starts without a host, the engine up to 10,000 hosts, far hosts, a
rename, a revoked key and mail routes on labs, BMCs, and ours beside the tools that are installed: those of this
project, and those that ``--peers`` has made virtual environments for. ``--quick``: the comparison alone, on 300
hosts, with our rows, asyncssh and cumin.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys

from benchmarks import venvs
from benchmarks.compare import CACHE, HERE, compare
from benchmarks.tools import TOOLS, Tool
from runbooks.errors import RunbookError

ALONE = {
    "registry": [],
    "startup": [],
    "engine": ["--plot", str(HERE.parent / "docs/growth.svg")],
    "far": [],
    "rename": [],
    "revoke": [],
    "power": [],
    "mail": [],
}
"""Benchmarks of ours without others beside them, and what they are told."""
SIZES, QUICK_SIZES = (10, 100, 300, 500, 1000), (300,)


def chosen(quick: bool, peers: bool, names: list[str]) -> list[Tool]:
    """The tools to measure; virtual environments that are asked for are made."""
    tools = [tool for tool in TOOLS if (tool.name in names if names else tool.quick or not quick)]
    wanted = {tool.package for tool in tools} - {""}
    there = {name for name in sorted(wanted) if _is_there(name, make=quick or peers or bool(names))}
    return [tool for tool in tools if not tool.package or tool.package in there]


def _is_there(package: str, make: bool) -> bool:
    folder = CACHE / "venvs"
    folder.mkdir(parents=True, exist_ok=True)
    return venvs.make(folder, package) if make else venvs.is_made(folder, package)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 hosts, our rows, asyncssh and cumin: minutes")
    parser.add_argument("--peers", action="store_true", help="make the other tools' virtual environments first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, nargs="+", metavar="N", help="the comparison alone, on so many hosts")
    parser.add_argument("--tools", nargs="+", default=[], metavar="NAME", choices=[tool.name for tool in TOOLS])
    options = parser.parse_args()
    # So that what was started is ended.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if not (options.quick or options.hosts or options.tools):
        for name, words in ALONE.items():
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], cwd=HERE.parent, check=True)
    tools = chosen(options.quick, options.peers, options.tools)
    sizes = options.hosts or (QUICK_SIZES if options.quick else SIZES)
    try:
        compare(tools, sorted(sizes), options.rounds, HERE / "results.json")
    except RunbookError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
