"""Oracle's ILOM command line over ssh: Sun Fire X4140 (2.0.2) to Oracle's x86 servers (ILOM 3 to 5).

Sources: "Oracle ILOM Administrator's Guide for Configuration and Maintenance", firmware 3.2 (start, stop, reset;
-script, -force; /HOST boot_device; /SP/logs/event/list; locator_indicator), and powerman's ilom.dev with the stand-in
of its tests (2.0.2.3, 2.0.2.5), which has the answers. Firmware from 3.1 on has /System beside /SYS, which it may hide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from runbooks.oob.model import Ability, Action, Bmc, BootDevice, LogEntry, Power
from runbooks.oob.ssh_cli import SshCli, entry
from runbooks.secret import Secret

_SHOW = "show -d properties /SYS"
_BOOT = {
    BootDevice.NONE: "default", BootDevice.DISK: "disk", BootDevice.NETWORK: "pxe", BootDevice.CDROM: "cdrom",
    BootDevice.SETUP: "bios",
}  # fmt: skip
_ROW = r"^(\d+)\s+(\w{3} \w{3} +\d+ [\d:]+ \d{4})\s+\S+\s+\S+\s+(\S+)[ ]*\n((?:[ ]+\S.*\n?)*)"


class Ilom(SshCli):
    """A shell. With -script it asks nothing."""

    name = "ilom"
    title = "Oracle ILOM"
    abilities = frozenset(Ability) - {Ability.CYCLE, Ability.PROGRESS}
    prompt = r" ?-> ?"
    verbs: ClassVar[Mapping[Action, str]] = {
        Action.ON: "start -script /SYS",
        Action.OFF: "stop -script -force /SYS",
        Action.RESET: "reset -script /SYS",
        Action.SHUTDOWN: "stop -script /SYS",
    }
    taken = r"^(?:starting|stopping|performing (?:hard )?reset on) /sys(?:tem)?(?: immediately)?\s*$"
    already = r"target already (?:started|stopped)"

    def __init__(self, bmc: Bmc, password: Secret, timeout_s: float = 10.0) -> None:
        super().__init__(bmc, password, timeout_s)
        self._system = "/SYS"

    def ask(self, command: str, replies: Mapping[str, str] | None = None, acts: bool = False) -> str:
        """As ``SshCli``, of the system under the name that it has here."""
        return super().ask(re.sub(r"/SYS\b", self._system, command), replies, acts)

    def power(self) -> Power:
        """The system's power_state."""
        return Power(self.found(r"^\s*power_?state = (on|off)\s*$", _SHOW, self._properties()).lower())

    def _properties(self) -> str:
        said = self.ask(_SHOW)
        if self._system == "/SYS" and "invalid target" in said.lower():
            self._system = "/System"
            said = self.ask(_SHOW)
        return said

    def log(self, limit: int) -> Sequence[LogEntry]:
        """The event log, whose entries are numbered."""
        command = "show /SP/logs/event/list"
        said = self.ask(command)
        self.found(r"^(id\s+date/time)", command, said)
        rows = re.findall(_ROW, said, re.MULTILINE)
        newest = sorted(rows, key=lambda row: int(row[0]), reverse=True)[:limit]
        return [entry(id_, at, "%a %b %d %H:%M:%S %Y", severity, text) for id_, at, severity, text in newest]

    def boot_device(self) -> BootDevice:
        """What is set for the next boot."""
        command = "show /HOST boot_device"
        said = self.found(r"^\s*boot_device = (\S+)", command, self.ask(command))
        return next((device for device, word in _BOOT.items() if word == said), BootDevice.NONE)

    def set_boot_device(self, device: BootDevice) -> None:
        """x86 servers have it."""
        self._set(f"/HOST boot_device={_BOOT[device]}")

    def identify(self, on: bool) -> None:
        """The locator light."""
        self._properties()
        old = self._system == "/SYS"
        blink = "Fast_Blink" if on else "Off"
        self._set(f"/SYS/LOCATE value={blink}" if old else f"/SYS locator_indicator={'on' if on else 'off'}")

    def _set(self, what: str) -> None:
        value = what.rpartition("=")[2]
        self.found(rf"^(set '\w+' to '{value}')", f"set {what}", self.ask(f"set {what}"))

    def serial(self) -> str:
        """The serial number of the product."""
        return self.found(r"^\s*(?:product_)?serial_number = (\S+)", _SHOW, self._properties())

    def console(self) -> str:
        """The host's console."""
        return self.by_ssh("start /SP/console")
