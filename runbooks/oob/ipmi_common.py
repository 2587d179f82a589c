"""What both IPMI drivers have in common: what is asked for, and how the BMC's bytes and clock are read.

Intelligent Platform Management Interface Specification 2.0, revision 1.1: chapters 28 (chassis),
31 and 32 (event log), 37 (time).
"""

from __future__ import annotations

import shlex
from abc import abstractmethod
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from runbooks.errors import CommandFailed, LoginRefused
from runbooks.oob.model import Ability, Action, BootDevice, Driver, LogEntry, Power

#: The selector in the boot flags (28.13, parameter 5).
SELECTORS = {
    BootDevice.NONE: 0,
    BootDevice.NETWORK: 1,
    BootDevice.DISK: 2,
    BootDevice.CDROM: 5,
    BootDevice.SETUP: 6,
}
# Below it a time is counted from the BMC's own start, not from 1970 (37).
_CLOCK_WAS_SET = 0x20000000
_SO_ALREADY = {Action.ON: Power.ON, Action.OFF: Power.OFF}


class IpmiDriver(Driver):
    """A BMC that speaks IPMI 2.0, however it is spoken to."""

    port = 623
    abilities = frozenset(Ability) - {Ability.PROGRESS}

    @abstractmethod
    def _control(self, action: Action) -> None:
        """Send it, once."""

    def set_power(self, action: Action) -> None:
        """As ``Driver`` has it: a BMC refuses to cycle, reset or shut down what is off."""
        if action not in _SO_ALREADY and self.power() is Power.OFF:
            if action is Action.SHUTDOWN:
                return
            action = Action.ON
        try:
            self._control(action)
        except CommandFailed:
            # Some refuse to turn on what is on.
            if action not in _SO_ALREADY or self.power() is not _SO_ALREADY[action]:
                raise

    def _need_fit(self) -> None:
        """Raises LoginRefused for what no BMC can have (22.28, 22.30)."""
        for what, text, most in (("user", self.bmc.user, 16), ("password", self.password.reveal(), 20)):
            if len(text.encode()) > most:
                raise LoginRefused(self.bmc.host, f"the {what} is longer than the {most} bytes that IPMI has for it")

    def console(self) -> str:
        """Serial over LAN; ``-a`` has it ask for the password."""
        address, port = self.place
        where = ["-H", address, *(["-p", str(port)] if port != self.port else []), "-U", self.bmc.user]
        return shlex.join(["ipmitool", "-I", "lanplus", *where, "-a", "sol", "activate"])


def boot_device(flags: bytes) -> BootDevice:
    """What the boot flags say, where they are valid and say one of ours."""
    selector = (flags[1] >> 2) & 0xF if flags[0] & 0x80 else 0
    return next((device for device, number in SELECTORS.items() if number == selector), BootDevice.NONE)


def clock(seconds: int) -> str:
    """A time of the BMC's, empty where it had none."""
    if not _CLOCK_WAS_SET <= seconds < 0xFFFFFFFF:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def older(first: bytes, last: bytes, limit: int) -> range:
    """The ids of the records before the last, the newest first, by what the first and the last were answered: the next
    record's id, and the record. Ids need not be dense: deleted ones are missing, and some BMCs count in steps."""
    following, start, end = (int.from_bytes(two, "little") for two in (first[:2], first[2:4], last[2:4]))
    step = following - start if start < following < 0xFFFF else 1
    # After 65,534 records ids begin anew.
    return range(end - step, (start if start <= end else 1) - 1, -step)[: 4 * limit]


def entry(record: bytes) -> LogEntry:
    """One of the event log's records of 16 bytes. IPMI knows no severity."""
    from pyghmi.ipmi.events import EventHandler
    from pyghmi.ipmi.private import constants

    # The BMC's own names of its sensors would take some hundred questions more, and seconds.
    unnamed = SimpleNamespace(sensors={}, fru={})
    plain = SimpleNamespace(process_event=lambda *_: None)
    reader = EventHandler(unnamed, SimpleNamespace(get_event_constants=lambda: constants, _oem=plain))
    found: dict[str, Any] = reader._sel_decode(record)
    timed = record[2] < 0xE0
    at = clock(int.from_bytes(record[3:7], "little")) if timed else ""
    return LogEntry(f"{int.from_bytes(record[:2], 'little'):x}", at, "", _words(found, record))


def _words(found: dict[str, Any], record: bytes) -> str:
    if "oemdata" in found:
        return f"vendor's own, of type {record[2]:02x}: {record[3:].hex()}"
    what = str(found.get("event") or f"event {found.get('event_id', '')}")
    if "component_type" not in found:
        return what
    more = f", {found['event_data']}" if found.get("event_data") else ""
    return f"{found['component_type'] or 'Sensor'} #0x{record[11]:02x}: {what}{more}"
