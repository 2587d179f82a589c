"""Where mail for an address goes, as each mail host says. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbooks.errors import RunbookError, UsageError
from runbooks.looking import ask_each
from runbooks.procedures.forms import check_address
from runbooks.site import Site
from runbooks.systems.exim import routes_of
from runbooks.systems.exim_routes import REACHES, End, Route

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Way:
    """What one mail host says of one address: what becomes of it (``fate``, or ``unknown``), each place where it
    ends, and over which aliases; ``note`` is why it says nothing, or why it goes nowhere."""

    address: str
    host: str
    fate: str
    ends: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_well(self) -> bool:
        """Whether mail gets there."""
        return self.fate in REACHES


def _through(ends: Sequence[End]) -> tuple[str, ...]:
    """The aliases on the way, the first ahead."""
    return tuple(dict.fromkeys(parent for end in ends for parent in reversed(end.parents)))


def _why(error: RunbookError, host: str) -> str:
    return str(error).removeprefix(f"{host}: ").removeprefix("unreachable: ")


def mail_routes(site: Site, addresses: Sequence[str]) -> list[Way]:
    """What each mail host says, address by address. Raises UsageError for what is no address, InventoryError."""
    if not addresses:
        raise UsageError("which address? name@example.org, or several by commas")
    for address in addresses:
        check_address(address)
    hosts = site.hosts_named([site.settings.aliases.mail_hosts])
    command = site.settings.aliases.command
    found = ask_each(hosts, site.targets, lambda reader: routes_of(reader, command, addresses))
    return [_way(address, host, said) for address in addresses for host, said in found.items()]


def _way(address: str, host: str, said: Mapping[str, Route] | RunbookError) -> Way:
    if isinstance(said, RunbookError):
        return Way(address, host, UNKNOWN, note=_why(said, host))
    route = said[address]
    return Way(address, host, str(route.fate), route.shown, _through(route.ends), route.why)
