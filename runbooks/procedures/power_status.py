"""What BMCs say of their machines: power, and the event log. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import CommandFailed, RunbookError, UsageError
from runbooks.looking import side_by_side
from runbooks.machine.access import Access
from runbooks.machine.target import MACHINE
from runbooks.model import way
from runbooks.oob.drivers import check_driver
from runbooks.oob.model import Ability, LogEntry, Power
from runbooks.procedures.machines import access
from runbooks.site import Site

WIDTH = 100
"""How many BMCs are asked side by side: one that is dead holds nobody up."""


@dataclass(frozen=True)
class PowerStatus:
    """What one machine's BMC says; ``note`` is why it says nothing, and what to do."""

    host: str
    power: str
    driver: str = ""
    note: str = ""


def power_status(
    site: Site, hosts: Sequence[str], driver: str, insecure: bool, seen: Callable[[str], None]
) -> list[PowerStatus]:
    """Each machine's power; ``seen`` is told of each when its BMC has answered, or not. Raises UsageError for a driver
    that is none, and what a source of hardware raises."""
    if driver:
        check_driver(driver)
    known = site.hardware(hosts)
    found: dict[str, PowerStatus] = {}

    def look(place: str) -> None:
        target = site.targets[place]
        name = target.name
        try:
            found[name] = _asked(target, access(site, name, known[name], driver, insecure))
        except RunbookError as error:
            found[name] = PowerStatus(name, str(Power.UNKNOWN), note=_why(error, name))
        finally:
            # Sessions are few on most boards.
            target.close()
            seen(name)

    side_by_side([way(MACHINE, name) for name in hosts], site.targets, look, WIDTH)
    return [found[name] for name in hosts]


def _asked(target: Any, chosen: Access) -> PowerStatus:
    name, driver = target.name, chosen.bmc.driver
    try:
        power = target.reader().board(chosen.bmc).power()
    except RunbookError as error:
        offer = f"; it also has {', '.join(chosen.others)}" if chosen.others else ""
        return PowerStatus(name, str(Power.UNKNOWN), driver, _why(error, name) + offer)
    return PowerStatus(name, str(power), driver, "says neither on nor off" if power is Power.UNKNOWN else "")


def _why(error: RunbookError, name: str) -> str:
    return str(getattr(error, "why", "")) or str(error).removeprefix(f"{name}: ")


def event_log(site: Site, host: str, limit: int, driver: str, insecure: bool) -> Sequence[LogEntry]:
    """A machine's event log, the newest first. Raises UsageError, InventoryError, Unreachable, CommandFailed."""
    chosen = access(site, host, site.hardware([host])[host], driver, insecure)
    reader: Any = site.targets[way(MACHINE, host)].reader()
    board = reader.board(chosen.bmc)
    if Ability.LOG not in board.abilities:
        offer = f": try --driver {chosen.others[0]}" if chosen.others else ""
        raise UsageError(f"{host}: {board.title} has no event log{offer}")
    try:
        entries: Sequence[LogEntry] = board.log(limit)
        return entries
    except CommandFailed as error:
        raise CommandFailed(f"{host}: the event log cannot be read: {error}") from error
