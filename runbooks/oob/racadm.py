"""Dell's racadm over ssh: iDRAC 6 to 9, and DRAC 5 and 4 before them.

Sources: "iDRAC9 RACADM CLI Guide" (serveraction, getsel, setled, getsvctag, iDRAC.ServerBoot), iDRAC 9 firmware 5.x;
"DRAC 4 User's Guide" 1.60, A-27: ``serveraction`` "returns without output if successful"; fence_drac5 (DRAC 5 firmware
1.0, 1.21, and CMC), which has the shell and its prompts. "Server is already powered ON": seen with iDRAC 6 and 7. The
boot device is as iDRAC 7 and later have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from runbooks.oob.model import Ability, Action, BootDevice, LogEntry, Power
from runbooks.oob.ssh_cli import SshCli, entry

_POWER = {"on": Power.ON, "off": Power.OFF}
_BOOT = {
    BootDevice.NONE: "Normal", BootDevice.DISK: "HDD", BootDevice.NETWORK: "PXE", BootDevice.CDROM: "VCD-DVD",
    BootDevice.SETUP: "BIOS",
}  # fmt: skip
_FIRST = "iDRAC.ServerBoot.FirstBootDevice"


class Racadm(SshCli):
    """Each command alone; DRAC 5 and older take them in a shell."""

    name = "racadm"
    title = "Dell racadm"
    abilities = frozenset(Ability) - {Ability.PROGRESS}
    prompt = r"(?:\S*->|racadm>>|\S*\$) ?"
    alone = True
    verbs: ClassVar[Mapping[Action, str]] = {
        Action.ON: "racadm serveraction powerup",
        Action.OFF: "racadm serveraction powerdown",
        Action.CYCLE: "racadm serveraction powercycle",
        Action.RESET: "racadm serveraction hardreset",
        Action.SHUTDOWN: "racadm serveraction graceshutdown",
    }
    taken = r"server power operation (?:initiated )?successful|\A\s*\Z"
    already = r"server is already powered (?:on|off)"

    def power(self) -> Power:
        """As ``powerstatus`` says; neither while it changes."""
        command = "racadm serveraction powerstatus"
        pattern = r"^(?:server power status: *)?((?:powering )?(?:on|off))\s*$"
        return _POWER.get(self.found(pattern, command, self.ask(command)).lower(), Power.UNKNOWN)

    def log(self, limit: int) -> Sequence[LogEntry]:
        """The system event log, whose records are numbered."""
        many = int(self.found(r"^total records: *(\d+)", "racadm getsel -i", self.ask("racadm getsel -i")))
        if not many or limit < 1:
            return []
        command = f"racadm getsel -s {max(1, many - limit + 1)} -c {limit}"
        said = self.ask(command)
        self.found(r"^(record:)", command, said)
        found = [
            dict(re.findall(r"^([\w/]+): *(.*)$", record, re.M)) for record in re.split(r"^-{9,}$", said, flags=re.M)
        ]
        return [
            entry(one["Record"], one.get("Date/Time", ""), "%m/%d/%Y %H:%M:%S", one.get("Severity", ""),
                  one.get("Description", ""))
            for one in reversed(found) if "Record" in one
        ][:limit]  # fmt: skip

    def boot_device(self) -> BootDevice:
        """What is set, for the next boot or for good."""
        command = f"racadm get {_FIRST}"
        said = self.found(r"^FirstBootDevice=(\S+)", command, self.ask(command))
        return next((device for device, word in _BOOT.items() if word.lower() == said.lower()), BootDevice.NONE)

    def set_boot_device(self, device: BootDevice) -> None:
        """CD-ROM: the virtual one."""
        for command in ("racadm set iDRAC.ServerBoot.BootOnce 1", f"racadm set {_FIRST} {_BOOT[device]}"):
            self.found("(object value modified successfully)", command, self.ask(command))

    def identify(self, on: bool) -> None:
        """The LED of the system id."""
        command = f"racadm setled -l {int(on)}"
        self.found(f"(led blink {'on' if on else 'off'})", command, self.ask(command))

    def serial(self) -> str:
        """The service tag."""
        return self.found(r"^([A-Z0-9]{5,7})\s*$", "racadm getsvctag", self.ask("racadm getsvctag"))

    def console(self) -> str:
        """The serial console, COM2."""
        return self.by_ssh(command="console com2")
