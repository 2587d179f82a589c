"""The hosts of the fleet: where they come from, and Cumin's grammar to choose among them.

Nothing heavy is imported here: YAML is when an inventory is loaded, Cumin when a query is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runbooks.errors import InventoryError
from runbooks.inventory.fold import fold
from runbooks.inventory.hosts import Host, HostSet
from runbooks.inventory.names import listed, natural, short, suggest
from runbooks.inventory.source import Source

__all__ = ["Host", "HostSet", "Inventory", "Source", "fold"]

#: What a selector of a query may ask for, and what it reads of a host.
KEYS = ("name", "address", "site", "rack", "vendor", "role", "group")


@dataclass(frozen=True)
class Inventory:
    """All hosts by name in natural order, the aliases, and the settings of this fleet (see ``runbooks.settings``)."""

    hosts: Mapping[str, Host]
    aliases: Mapping[str, str]
    settings: Mapping[str, Any]
    source: Path
    puppetdb: Mapping[str, Any] = field(default_factory=dict, repr=False)
    places: Mapping[str, str] = field(default_factory=dict, repr=False)
    jumps: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, directory: Path) -> Inventory:
        """Read the YAML inventory in ``directory``; InventoryError names file and line of what is wrong."""
        from runbooks.inventory.yaml_source import YamlSource

        return cls.read(YamlSource(directory), directory)

    @classmethod
    def read(cls, source: Source, place: Path) -> Inventory:
        """Take the contents of any source; ``place`` is where a person would look."""
        contents = source.read()
        hosts = {name: contents.hosts[name] for name in sorted(contents.hosts, key=natural)}
        return cls(
            hosts=MappingProxyType(hosts),
            aliases=MappingProxyType(dict(contents.aliases)),
            settings=contents.settings,
            source=place,
            puppetdb=contents.settings.get("puppetdb") or {},
            places=MappingProxyType(dict(contents.places)),
            jumps=MappingProxyType(dict(contents.jumps)),
        )

    def query(self, text: str) -> HostSet:
        """Return the hosts that a query in Cumin's grammar selects (see ``runbooks.inventory.query``).

        Raises InventoryError when the query can't be read, names what the inventory doesn't have, or matches nothing.
        """
        from runbooks.inventory.query import select

        names = select(text, self)
        if not names:
            raise InventoryError(f"query {short(text)!r} matches no host of {self.source}")
        return HostSet(tuple(sorted(names, key=natural)), text.strip())

    def check(self) -> None:
        """Evaluate every alias that needs no outside system, so that a broken one is found early."""
        from runbooks.inventory.query import check_aliases

        check_aliases(self)

    def __getitem__(self, name: str) -> Host:
        """Return one host; InventoryError names it, and its like, when there is none."""
        try:
            return self.hosts[name]
        except KeyError:
            raise self.unknown([name]) from None

    def jump(self, name: str) -> tuple[str, ...] | None:
        """The hosts to go through to one, as ``[user@]host[:port]``; None where ssh_config is to say. Raises
        InventoryError."""
        from runbooks.inventory.jumps import hops_to

        host = self[name]
        return hops_to(host, self.jumps, self.hosts) if self.jumps else None

    def unknown(self, names: Iterable[str], where: str = "") -> InventoryError:
        """Return (not raise) the error for host names that the inventory doesn't have."""
        missing = set(names)
        inside = f" in {where}" if where else ""
        if len(missing) == 1:
            (name,) = missing
            hint = suggest(name, self.hosts)
            return InventoryError(f"host {short(name)}{inside} is not in the inventory{hint} ({self.source})")
        return InventoryError(f"hosts {short(fold(missing), 200)}{inside} are not in the inventory ({self.source})")

    def having(self, key: str) -> Mapping[str, frozenset[str]]:
        """Return the values that ``key`` (one of KEYS) takes, each with the names of the hosts that have it."""
        return self._indexes[key]

    @cached_property
    def _indexes(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        indexes: dict[str, dict[str, set[str]]] = {key: defaultdict(set) for key in KEYS}
        for name, host in self.hosts.items():
            for key, values in _values(host).items():
                for value in values:
                    indexes[key][value].add(name)
        return {key: {value: frozenset(names) for value, names in index.items()} for key, index in indexes.items()}

    def no_such(self, key: str, value: str, where: str) -> InventoryError:
        """Return (not raise) the error for a selector that no host answers to."""
        known = self.having(key)
        hint = suggest(value, known) or (f" (there are {listed(known, 8)})" if known else f" (no host has a {key})")
        return InventoryError(f"no host has {key} {short(value)} in {where}{hint} ({self.source})")


def _values(host: Host) -> Mapping[str, tuple[str, ...]]:
    """Return what each of KEYS finds on a host; a field that is not set has no value."""
    single = {"name": host.name, "address": host.address, "site": host.site, "rack": host.rack, "vendor": host.vendor}
    return {**{key: (value,) for key, value in single.items() if value}, "role": host.roles, "group": host.groups}
