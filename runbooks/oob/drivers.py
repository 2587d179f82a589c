"""The drivers by name, and which of them a vendor's machines have. A new vendor is a file here, and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from runbooks.errors import UsageError
from runbooks.oob.model import Driver

#: Name to module and class, imported when it is used.
DRIVERS: Mapping[str, str] = {
    "ipmi": "runbooks.oob.ipmi:Ipmi",
    "ipmitool": "runbooks.oob.ipmitool:Ipmitool",
    "redfish": "runbooks.oob.redfish:Redfish",
    "racadm": "runbooks.oob.racadm:Racadm",
    "ilo": "runbooks.oob.ilo:Ilo",
    "cimc": "runbooks.oob.cimc:Cimc",
    "ilom": "runbooks.oob.ilom:Ilom",
    "smash": "runbooks.oob.smash:Smash",
}


def driver_class(name: str) -> type[Driver]:
    """The driver of that name. Raises UsageError."""
    if name not in DRIVERS:
        from runbooks.inventory.names import suggest

        raise UsageError(f"{name}: no such driver{suggest(name, DRIVERS)}: there are {', '.join(DRIVERS)}")
    module, _, attribute = DRIVERS[name].partition(":")
    found: type[Driver] = getattr(import_module(module), attribute)
    return found
