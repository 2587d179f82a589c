"""What the inventory hands out: a host, and a set of hosts with the query that gave it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from runbooks.inventory.fold import fold


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Host:
    """One host of the fleet: how it is reached, where it stands, what it does.

    ``bmc`` is how its board controller is reached (read-only; keys: see ``runbooks.inventory.bmc``). It names a user
    and a file with a secret, so ``repr`` leaves it out.
    """

    name: str
    address: str
    port: int = 22
    user: str | None = None
    site: str = ""
    rack: str = ""
    vendor: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    bmc: Mapping[str, Any] = field(default_factory=_nothing, repr=False, hash=False)
    model: str = ""
    serial: str = ""
    asset_tag: str = ""


@dataclass(frozen=True, slots=True)
class HostSet:
    """The hosts that a query gave, in natural order, and the query as it was asked."""

    names: tuple[str, ...]
    query: str

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def folded(self) -> str:
        """Return the names as one word, as in ``lab[01-08]``."""
        return fold(self.names)
