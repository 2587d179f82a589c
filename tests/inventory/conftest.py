"""A small fleet, written as an operator would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.inventory import Inventory

HOSTS = """\
hosts:
  lab01: {address: 198.18.7.11, site: east, rack: a1, vendor: dell, roles: [web]}
  lab02: {address: 198.18.7.12, site: west, rack: a2, vendor: dell, roles: [web]}
  lab03: {address: 198.18.7.13, site: east, rack: a3, vendor: Acme Ltd, roles: [web, cache]}
  lab04: {address: 198.18.7.14, site: west, rack: a4, vendor: dell, roles: [db]}
  db[1001-1010]: {site: east, rack: b1, roles: [db], groups: [core]}
  bastion: {vendor: 'Plug [EU] 7'}
"""

ALIASES = """\
aliases:
  web: "O{role:web}"
  east: "O{site:east}"
  east-web: >
    A:east
    and A:web
  labs: "D{lab[01-04]}"
"""

Write = Callable[..., Path]
Load = Callable[..., Inventory]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files of an inventory, given as hosts="...", aliases="...", and return its directory."""

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return files


@pytest.fixture
def load(write: Write) -> Load:
    """Load an inventory from the given files."""
    return lambda **texts: Inventory.load(write(**texts))


@pytest.fixture
def fleet(load: Load) -> Inventory:
    """The small fleet."""
    return load(hosts=HOSTS, aliases=ALIASES)
