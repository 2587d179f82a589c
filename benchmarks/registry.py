"""How long the account registry takes to read, validate and edit, at the field's size; how many lines an edit changes.

``python -m benchmarks.registry [--rounds N] [--sample N] [--json]``: median milliseconds of N rounds on the made-up
registry, each beside its ratio to one plain load by PyYAML's fastest loader, measured in the same rounds; then each
operation on a sample of people: median milliseconds, and the lines that go and come in its diff. An edit reads the
edited text again and holds it against every rule; the registry that it starts from has been read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from benchmarks.machine import machine
from runbooks.errors import RegistryError
from runbooks.registry import Registry
from runbooks.registry.document import LOADER
from runbooks.registry.synthetic import synthetic

BASE = "plain load"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDHYjWVcfMAcmolF1a7NiXSMm7klfbacJ5QJyCTppbuG new@laptop"
SOMEBODY: dict[str, Any] = {"realname": "Somebody New", "email": "new@example.org"}
Operation = Callable[[Registry, str], Registry]
"""An edit of a registry for a person of it."""


def _join(registry: Registry, name: str) -> Registry:
    # Every third group's list may be used by others, who would have to be named as well.
    own = (one for one in registry.groups() if one.name.startswith("team-") and int(one.name[len("team-") :]) % 3)
    return registry.join(name, [next(one.name for one in own if one.members and name not in one.members)])


def _keys(registry: Registry, name: str) -> tuple[str, ...]:
    user = registry.user(name)
    if user is None or not user.ssh_keys:
        raise RegistryError(f"{name} has no key")
    return user.ssh_keys


OPERATIONS: dict[str, Operation] = {
    "add_user": lambda registry, _: registry.add_user("zz-new", uid=49998, **SOMEBODY, ssh_keys=[KEY]),
    "join": _join,
    "leave": lambda registry, name: registry.leave(name, registry.groups_of(name)[:1]),
    "add_key": lambda registry, name: registry.add_key(name, KEY),
    "remove_key": lambda registry, name: registry.remove_key(name, _keys(registry, name)[0]),
    "clear_keys": lambda registry, name: registry.clear_keys(name),
    "set_expiry": lambda registry, name: registry.set_expiry(name, "2031-02-03", "new@example.org"),
    "set_contact": lambda registry, name: registry.set_contact(name, email="new@example.org"),
    "absent": lambda registry, name: registry.absent(name),
    "rename": lambda registry, name: registry.rename(name, "zz-new", task="T123"),
}
"""On people with a shell account."""
LDAP_OPERATIONS: dict[str, Operation] = {
    "add_ldap_only": lambda registry, _: registry.add_ldap_only("zz-new", **SOMEBODY),
    "promote": lambda registry, name: registry.promote(name, uid=49998, ssh_keys=[KEY]),
    "absent (LDAP only)": lambda registry, name: registry.absent(name),
}
"""On people with LDAP access alone."""


def median_ms(rounds: int, works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median duration of each piece of work, in milliseconds; they take turns, so that all see one machine."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def operation(registry: Registry, edit: Operation, names: Sequence[str]) -> dict[str, object]:
    """The figures of one operation on people, those left out for whom it is refused."""
    times, lines = list[float](), list[int]()
    for name in names:
        started = time.perf_counter()
        try:
            after = edit(registry, name)
        except RegistryError:
            continue
        times.append((time.perf_counter() - started) * 1000)
        rows = registry.diff(after).split("\n")[2:]
        lines.append(sum(row.startswith(("+", "-")) for row in rows))
    spread = [min(lines), round(statistics.median(lines)), max(lines)]
    return {"people": len(times), "refused": len(names) - len(times), "ms": statistics.median(times), "lines": spread}


def operations(registry: Registry, sample: int) -> dict[str, dict[str, object]]:
    """The figures of every operation on as many people, from all over the file."""
    people = [user.name for user in registry.users() if user.present and not user.system]
    others = [user.name for user in registry.ldap_only_users() if user.present]
    found = {}
    for names, some in ((people, OPERATIONS), (others, LDAP_OPERATIONS)):
        spread = names[:: max(1, len(names) // sample)][:sample]
        found |= {name: operation(registry, edit, spread) for name, edit in some.items()}
    return found


def measure(rounds: int, sample: int) -> dict[str, object]:
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
        "operations": operations(registry, sample),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sample", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds, arguments.sample)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"registry {figures['registry']}\nmachine  {figures['machine']}\nmedians of {arguments.rounds} rounds:")
    times, ratios = figures["median_ms"], figures["times_plain_load"]
    assert isinstance(times, dict) and isinstance(ratios, dict)
    for name, value in times.items():
        print(f"  {name:20} {value:8.1f} ms   {ratios[name]:5.2f} x plain load")
    made = figures["operations"]
    assert isinstance(made, dict)
    print("\nan edit, with what it is held against     ms   x plain load   lines in the diff   people (refused)")
    for name, some in made.items():
        spread = " / ".join(map(str, some["lines"]))
        counted = f"{some['people']} ({some['refused']})"
        print(f"  {name:32} {some['ms']:8.1f} {some['ms'] / times[BASE]:14.2f}   {spread:>17}   {counted:>16}")


if __name__ == "__main__":
    main()
