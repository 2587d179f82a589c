"""How long the account registry takes to read, validate and edit, at the field's size.

``python -m benchmarks.registry [--rounds N] [--json]``: median milliseconds of N rounds on the made-up registry, each
beside its ratio to one plain load by PyYAML's fastest loader, measured in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import yaml

from benchmarks.machine import machine
from runbooks.registry import Registry
from runbooks.registry.document import LOADER
from runbooks.registry.synthetic import synthetic

BASE = "plain load"


def median_ms(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median duration of each piece of work, in milliseconds; they take turns, so that all see one machine."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure(rounds: int) -> dict[str, object]:
    """The figures, with the registry's size and the machine's."""
    text = synthetic()
    registry = Registry(text)
    old = next(user.name for user in registry.users() if user.present and not user.system)
    after = registry.rename(old, "zz-new", task="T123")
    times = median_ms(
        rounds,
        {
            BASE: lambda: yaml.load(text, Loader=LOADER),
            "parse": lambda: Registry(text),
            "validate": lambda: Registry(text).validate(),
            "rename, with parse": lambda: Registry(text).rename(old, "zz-new", task="T123"),
            "diff": lambda: registry.diff(after),
        },
    )
    return {
        "registry": {"lines": text.count("\n"), "bytes": len(text.encode()), "users": len(registry.users())},
        "machine": machine() | {"libyaml": bool(yaml.__with_libyaml__)},
        "rounds": rounds,
        "median_ms": {name: round(value, 1) for name, value in times.items()},
        "times_plain_load": {name: round(value / times[BASE], 2) for name, value in times.items()},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"registry {figures['registry']}\nmachine  {figures['machine']}\nmedians of {arguments.rounds} rounds:")
    times, ratios = figures["median_ms"], figures["times_plain_load"]
    assert isinstance(times, dict) and isinstance(ratios, dict)
    for name, value in times.items():
        print(f"  {name:20} {value:8.1f} ms   {ratios[name]:5.2f} x plain load")


if __name__ == "__main__":
    main()
