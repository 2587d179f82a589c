"""The drivers by name, and which of them a vendor's machines have. A new vendor is a file here, and two lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module

from runbooks.errors import UsageError
from runbooks.inventory.names import suggest
from runbooks.oob.model import Driver

#: Name to module and class, imported when it is used.
DRIVERS: Mapping[str, str] = {
    "redfish": "runbooks.oob.redfish:Redfish",
    "ipmi": "runbooks.oob.ipmi:Ipmi",
    "ipmitool": "runbooks.oob.ipmitool:Ipmitool",
    "racadm": "runbooks.oob.racadm:Racadm",
    "ilo": "runbooks.oob.ilo:Ilo",
    "cimc": "runbooks.oob.cimc:Cimc",
    "ilom": "runbooks.oob.ilom:Ilom",
    "smash": "runbooks.oob.smash:Smash",
}

#: Those that are spoken to over ssh: what is pinned for them is a host key, not a certificate.
BY_SSH = ("racadm", "ilo", "cimc", "ilom", "smash")

#: What machines have, the best first: part of the vendor's name, a pattern for the model (the first line that fits
#: counts), and the drivers. Old ones have no Redfish: iDRAC 6 and before (PowerEdge of the 11th generation, R610: its
#: second digit), iLO 3 and before (ProLiant G7). Supermicro's needs a licence for most of what it can.
VENDORS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("dell", r"\b[RTMC][1-9][01]0\b|\b[12]9[05]0\b", ("racadm", "ipmi")),
    ("dell", "", ("redfish", "racadm", "ipmi")),
    ("hp", r"\bG[1-7]\b", ("ilo", "ipmi")),
    ("hp", "", ("redfish", "ilo", "ipmi")),
    ("hewlett", r"\bG[1-7]\b", ("ilo", "ipmi")),
    ("hewlett", "", ("redfish", "ilo", "ipmi")),
    ("supermicro", "", ("ipmi", "redfish", "smash")),
    ("super micro", "", ("ipmi", "redfish", "smash")),
    ("cisco", r"\bM[1-3](?![0-9])", ("cimc", "ipmi")),
    ("cisco", "", ("redfish", "cimc", "ipmi")),
    ("oracle", "", ("ilom", "ipmi")),
    ("sun", "", ("ilom", "ipmi")),
    ("lenovo", "", ("redfish", "ipmi")),
    ("ibm", "", ("ipmi",)),
)


def driver_class(name: str) -> type[Driver]:
    """The driver of that name. Raises UsageError."""
    check_driver(name)
    module, _, attribute = DRIVERS[name].partition(":")
    found: type[Driver] = getattr(import_module(module), attribute)
    return found


def check_driver(name: str) -> None:
    """Raise UsageError where there is no driver of that name."""
    if name not in DRIVERS:
        raise UsageError(f"{name!r} is no driver{suggest(name, DRIVERS)}: there are {', '.join(DRIVERS)}")


def drivers_of(vendor: str, model: str) -> tuple[str, ...]:
    """The drivers that a vendor's machines have, the best first; empty where the vendor is not known."""
    for part, pattern, names in VENDORS:
        if re.search(rf"\b{part}", vendor, re.IGNORECASE) and re.search(pattern, model, re.IGNORECASE):
            return names
    return ()
