"""What BMCs say of their machines: power, and the event log. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import CommandFailed, RunbookError, UsageError
from runbooks.looking import side_by_side
from runbooks.machine.target import MACHINE
from runbooks.model import way
from runbooks.oob.model import Ability, LogEntry, Power
from runbooks.procedures.machines import accesses
from runbooks.site import Site

WIDTH = 100
"""How many BMCs are asked side by side: one that is dead holds nobody up."""


@dataclass(frozen=True)
class PowerStatus:
    """What one machine's BMC says; ``note`` is why it says nothing, and what to do."""

    host: str
    power: str
    driver: str
    note: str = ""


def power_status(
    site: Site, hosts: Sequence[str], driver: str, insecure: bool, seen: Callable[[str], None]
) -> list[PowerStatus]:
    """Each machine's power; ``seen`` is told of each when its BMC has answered, or not. Raises UsageError,
    InventoryError, and what a source of hardware raises."""
    known = accesses(site, hosts, driver, insecure)
    found: dict[str, PowerStatus] = {}

    def look(place: str) -> None:
        target = site.targets[place]
        access, _ = known[target.name]
        try:
            reader: Any = target.reader()
            power = reader.board(access.bmc).power()
            note = "" if power is not Power.UNKNOWN else "says neither on nor off"
            found[target.name] = PowerStatus(target.name, str(power), access.bmc.driver, note)
        except RunbookError as error:
            why = getattr(error, "why", "") or str(error).removeprefix(f"{target.name}: ")
            offer = f"; it also has {', '.join(access.others)}" if access.others else ""
            found[target.name] = PowerStatus(target.name, str(Power.UNKNOWN), access.bmc.driver, why + offer)
        finally:
            # Sessions are few on most boards.
            target.close()
            seen(target.name)

    side_by_side([way(MACHINE, name) for name in hosts], site.targets, look, WIDTH)
    return [found[name] for name in hosts]


def event_log(site: Site, host: str, limit: int, driver: str, insecure: bool) -> Sequence[LogEntry]:
    """A machine's event log, the newest first. Raises UsageError, InventoryError, Unreachable, CommandFailed."""
    access, _ = accesses(site, [host], driver, insecure)[host]
    reader: Any = site.targets[way(MACHINE, host)].reader()
    board = reader.board(access.bmc)
    if Ability.LOG not in board.abilities:
        offer = f": try --driver {access.others[0]}" if access.others else ""
        raise UsageError(f"{host}: {board.title} has no event log{offer}")
    try:
        entries: Sequence[LogEntry] = board.log(limit)
        return entries
    except CommandFailed as error:
        raise CommandFailed(f"{host}: the event log cannot be read: {error}") from error
