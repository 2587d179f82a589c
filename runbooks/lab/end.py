"""The end of a lab: its processes, its network and its files, however far each had come."""

from __future__ import annotations

import shutil

from runbooks.lab import directory_people, fleet
from runbooks.lab.bmc import hosts as bmcs
from runbooks.lab.layout import Layout, State
from runbooks.lab.machine import Machine
from runbooks.lab.mail import lists
from runbooks.lab.network import network_of


def down(layout: Layout) -> None:
    """Remove everything; whatever is half-made or dead already is no hindrance."""
    clear(layout)
    (layout.top / ".lock").unlink(missing_ok=True)
    if not any(layout.top.iterdir()):
        layout.top.rmdir()


def clear(layout: Layout) -> None:
    """Remove what the lab made."""
    state = layout.load()
    if state:
        bmcs.remove(layout)
        fleet.side_by_side(lambda host: host.kill(), fleet.hosts_of(layout, state))
        directory_people.remove(layout)
        lists.remove(layout)
        fleet.end_stragglers(layout)
        network_of(state).remove()
        _remove_tree(layout, state)


def _remove_tree(layout: Layout, state: State) -> None:
    made = ["hosts", "image", "base", "layer", "compiled", "keys", "inventory", "ssh_config", "known_hosts", "lab.json"]
    made += ["bmc-password", "journal.db", "journal.db-wal", "journal.db-shm", "repository"]
    for name in made:
        path = layout.top / name
        if not path.exists() and not path.is_symlink():
            continue
        if state.rootless and path.is_dir():
            Machine(rootless=True).call(["rm", "-rf", str(path)])
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
