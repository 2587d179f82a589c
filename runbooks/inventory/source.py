"""The seam between the inventory and where its hosts come from: a source is read once, and gives its contents.

YAML files are the first source (``yaml_source.py``); another (Netbox, RackTables) is one more file with a ``read``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbooks.inventory.hosts import Host


@dataclass(frozen=True, slots=True)
class Contents:
    """What a source holds. ``places`` says where each alias was written (``file:line``), for error messages; ``jumps``
    which hosts a site is reached through, as ``[user@]host[:port]``."""

    hosts: Mapping[str, Host]
    aliases: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    jumps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Source(Protocol):
    """Somewhere that hosts come from."""

    def read(self) -> Contents:
        """Return everything; raise InventoryError, with the place of the fault, when it can't be used."""
        ...
