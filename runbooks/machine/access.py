"""Which BMC a machine has, and by which driver it is spoken to: from the inventory, or by vendor and model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbooks.errors import InventoryError, UsageError
from runbooks.inventory import Host
from runbooks.inventory.hardware import LookedUp
from runbooks.oob.drivers import BY_SSH, check_driver, drivers_of
from runbooks.oob.model import Bmc


@dataclass(frozen=True)
class Access:
    """A machine's BMC, and the drivers that it has besides the chosen one, the better first."""

    bmc: Bmc
    others: tuple[str, ...]


def access_to(host: Host, looked_up: LookedUp, user: str, ca: str, driver: str = "", insecure: bool = False) -> Access:
    """How a machine's BMC is reached: ``driver`` if one is asked for, else what the inventory names for the host, else
    what machines of its vendor and model have. ``user`` and ``ca`` are the fleet's. Raises UsageError,
    InventoryError."""
    hardware, own = looked_up.hardware, host.bmc
    address = hardware.bmc or str(own.get("address", ""))
    if not address:
        raise InventoryError(f"{host.name}: no source knows its BMC: give it `bmc: {{address: ...}}` in the inventory")
    named = (own["driver"],) if own.get("driver") else tuple(own.get("drivers", ()))
    having = named or drivers_of(hardware.vendor, hardware.model)
    if not (driver or having):
        what = f"{hardware.vendor} {hardware.model}".strip() or "a machine of no known vendor"
        raise UsageError(f"{host.name} is {what}: which driver is for that? --driver, or `bmc: {{driver: ...}}`")
    chosen = driver or having[0]
    check_driver(chosen)
    # A port is that of the driver that the inventory names.
    port = int(own.get("port", 0)) if not driver or chosen in named[:1] else 0
    bmc = Bmc(
        host=host.name,
        driver=chosen,
        address=address,
        user=str(own.get("user") or user),
        port=port,
        ca=str(own.get("ca") or ca),
        fingerprint=_pinned(own.get("fingerprint", ()), chosen, is_first=chosen in named[:1]),
        insecure=insecure,
        console=str(own.get("console", "")),
    )
    return Access(bmc, tuple(name for name in having if name != chosen))


def _pinned(pins: Sequence[str], driver: str, *, is_first: bool) -> str:
    """What is pinned for a driver: the one pin of the one that the inventory names first, whichever its form; else the
    one that is written as ssh writes host keys, or the one that is not."""
    if len(pins) == 1 and is_first:
        return pins[0]
    return next((pin for pin in pins if pin.startswith("SHA256:") == (driver in BY_SSH)), "")
