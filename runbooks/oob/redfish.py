"""Redfish: the power and the rest of a machine through its BMC's HTTPS service.

Sources: DMTF DSP0266 (protocol), DSP2046 "Redfish Resource and Schema Guide" (ComputerSystem, ActionInfo); and as
vendors' services show it, of which tests/oob/redfish_standin.py has small copies:

* Dell iDRAC 9 (R640, 4.22): ``System.Embedded.1``; all of On, ForceOff, ForceRestart, GracefulShutdown, PowerCycle; the
  service tag is ``SKU``; what is so already: 409 IDRAC.1.6.PSU501 "Server is already powered ON."
  (dell/dellemc-openmanage-ansible-modules#132).
* HPE iLO 5 and 6: ``1``; no PowerCycle; ``Oem.Hpe.PostState`` (InPost … FinishedPost, "iLO 5 resource definitions");
  what is so already: 400 InvalidOperationForSystemState.
* Supermicro X10, X11, X13: ``1``; PowerCycle since the X13, reset types in ActionInfo since the X11; "CD/DVD" for Cd
  before the X13; often no serial number; boot overrides fall back to Legacy unless the mode is sent along
  (DMTF/Redfishtool#106).
* Lenovo XCC (SR670 V2): ``1``; no PowerCycle; boot overrides but once; ``Oem.Lenovo.SystemStatus``.
* AMI MegaRAC: ``Self``; no PowerCycle; a PATCH needs If-Match (``redfish_service``).
* OpenBMC bmcweb: ``system``, with several hosts ``system1`` and so on (openbmc/bmcweb#266), beside which IBM's has a
  ``hypervisor``; reset types in ActionInfo alone; IBM's has no ForceRestart (ibm-openbmc/bmcweb#157). Its Chassis.Reset
  takes the mains from the whole chassis, the BMC included: that is no power cycle of ours, and never sent.
* sushy-tools 2.2 (the lab's): any name; 501 for what it cannot.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar

from runbooks.errors import CommandFailed, LoginRefused, Lost, Unreachable
from runbooks.fibres import sleep
from runbooks.oob.https import plain
from runbooks.oob.model import Ability, Action, BootDevice, Driver, LogEntry, Power
from runbooks.oob.redfish_log import newest
from runbooks.oob.redfish_service import Json, Refused, Service, link_of, members, part_of, strings

SYSTEMS = "/redfish/v1/Systems"
_RESET = "#ComputerSystem.Reset"
_POWER = {"On": Power.ON, "Off": Power.OFF}
#: What each action comes to, and the reset types for it, the best first. What takes a machine down and up is put
#: together from an off and an on where a service has none of them.
_WANTED = {Action.ON: Power.ON, Action.OFF: Power.OFF, Action.SHUTDOWN: Power.OFF}
_KINDS: Mapping[Action, Sequence[str]] = {
    Action.ON: ("On", "ForceOn"),
    Action.OFF: ("ForceOff",),
    Action.SHUTDOWN: ("GracefulShutdown",),
    Action.RESET: ("ForceRestart", "PowerCycle"),
    Action.CYCLE: ("PowerCycle",),
}
_COMING = {(Action.ON, "PoweringOn"), (Action.SHUTDOWN, "PoweringOff")}
#: A service that offers a reset type, and then does not know it.
_UNKNOWN_KIND = (400, 405, 501)
_OFF_S, _LOOK_AGAIN_S = 60.0, 0.5
#: What a service calls a system besides machines: a hypervisor, a network card's.
_NO_MACHINES = ("OS", "DPU")
_BOOT: Mapping[BootDevice, Sequence[str]] = {
    BootDevice.NONE: ("None",),
    BootDevice.DISK: ("Hdd",),
    BootDevice.NETWORK: ("Pxe", "UefiHttp"),
    BootDevice.CDROM: ("Cd", "CD/DVD", "UsbCd", "UefiCd"),
    BootDevice.SETUP: ("BiosSetup",),
}
_NO_SERIAL = re.compile(r"|to be filled.*|not specified|default string|system serial.*|0123456789|none|n/?a", re.I)


class Redfish(Driver):
    """A BMC's Redfish service, with Basic authentication: a log-in session would be one more thing to leave behind."""

    name = "redfish"
    title = "Redfish"
    port = 443
    abilities: ClassVar[frozenset[Ability]] = frozenset(Ability)
    _seen: Json = MappingProxyType({})

    @cached_property
    def _service(self) -> Service:
        return Service(self.bmc, self.password, self.place, self.timeout_s)

    def power(self) -> Power:
        """On, off, or unknown: in between (PoweringOn, PoweringOff), paused, or not told."""
        return _power(self._system())

    def set_power(self, action: Action) -> None:
        """As ``Driver`` says. What takes an off and an on here returns when both were taken; where it breaks in
        between, it says so."""
        system = self._system()
        if action in (Action.CYCLE, Action.RESET) and _power(system) is Power.OFF:
            action = Action.ON
        wanted = _WANTED.get(action)
        if (wanted and _power(system) is wanted) or (action, str(system.get("PowerState"))) in _COMING:
            return
        try:
            self._act(system, action)
        except Refused:
            # Somebody else was faster.
            if wanted is None or self.power() is not wanted:
                raise

    def log(self, limit: int) -> Sequence[LogEntry]:
        """The system event log, wherever this service has it."""
        return newest(self._service, self._system(), limit)

    def boot_device(self) -> BootDevice:
        """What the next boot is from."""
        boot = part_of(self._system(), "Boot")
        target = boot.get("BootSourceOverrideTarget")
        if boot.get("BootSourceOverrideEnabled") in ("Disabled", None) or target is None:
            return BootDevice.NONE
        for device, names in _BOOT.items():
            if target in names:
                return device
        raise self._service.failed(f"the next boot is from {target}")

    def set_boot_device(self, device: BootDevice) -> None:
        """Once; ``none`` takes it back."""
        system = self._system()
        boot = part_of(system, "Boot")
        offered = strings(boot.get("BootSourceOverrideTarget@Redfish.AllowableValues")) or _BOOT[device]
        target = next((name for name in _BOOT[device] if name in offered), "")
        if device is BootDevice.NONE:
            target = "None"
        if not target:
            raise self._service.failed(f"it does not boot from {device}, but from {', '.join(offered)}")
        wish = {
            "BootSourceOverrideEnabled": "Disabled" if device is BootDevice.NONE else "Once",
            "BootSourceOverrideTarget": target,
        }
        # Read-only elsewhere.
        if system.get("Manufacturer") == "Supermicro" and boot.get("BootSourceOverrideMode"):
            wish["BootSourceOverrideMode"] = boot["BootSourceOverrideMode"]
        self._service.patch(self._link, {"Boot": wish})

    def identify(self, on: bool) -> None:
        """The light of the system, or else that of its chassis."""
        system = self._system()
        for link in filter(None, (self._link, link_of(system, "Links", "Chassis"))):
            resource = system if link == self._link else self._service.get(link)
            if "LocationIndicatorActive" in resource:
                return self._service.patch(link, {"LocationIndicatorActive": on})
            if "IndicatorLED" in resource:
                return self._light(link, ("Blinking", "Lit") if on else ("Off",))
        raise self.cannot(Ability.IDENTIFY)

    def progress(self) -> str:
        """BootProgress, and what vendors call their POST's state, with a comma between."""
        system = self._system()
        boot = part_of(system, "BootProgress")
        state = boot.get("LastState")
        told = [boot.get("OemLastState") if state == "OEM" else state]
        for vendor in part_of(system, "Oem").values():
            if isinstance(vendor, dict):
                told += [vendor.get("PostState"), vendor.get("SystemStatus")]
        return ", ".join(dict.fromkeys(plain(one) for one in told if one not in ("", "None", None)))

    def serial(self) -> str:
        """The serial number; Dell's is the service tag, its SerialNumber that of the board."""
        system = self._system()
        dell = str(system.get("Manufacturer")).startswith("Dell")
        found = plain(system.get("SKU" if dell else "SerialNumber") or "")
        return "" if _NO_SERIAL.fullmatch(found) else found

    def console(self) -> str:
        """The console that the service told of when it was last looked at, or else the serial over LAN that these BMCs
        have besides; both ask for the password."""
        ssh = part_of(part_of(self._seen, "SerialConsole"), "SSH")
        if ssh.get("ServiceEnabled") is True and not ssh.get("SharedWithManagerCLI"):
            return shlex.join(["ssh", "-p", plain(ssh.get("Port", 22)), f"{self.bmc.user}@{self.bmc.address}"])
        login = ["-H", self.bmc.address, "-U", self.bmc.user, "-a"]
        return shlex.join(["ipmitool", "-I", "lanplus", *login, "sol", "activate"])

    def close(self) -> None:
        """Hang up."""
        self._service.close()

    def _system(self) -> Json:
        self._seen = self._service.get(self._link)
        return self._seen

    @cached_property
    def _link(self) -> str:
        """Where the machine is: of several, the one that bears the host's name; never a guess."""
        found = [link for one in members(self._service.get(SYSTEMS)) if (link := link_of(one))]
        if len(found) == 1:
            return found[0]
        systems = {link: self._service.get(link) for link in found}
        machines = [link for link, system in systems.items() if system.get("SystemType") not in _NO_MACHINES]
        ours = [link for link in machines if len(machines) == 1 or self._is_ours(systems[link])]
        if len(ours) != 1:
            names = ", ".join(link.rstrip("/").rpartition("/")[2] for link in machines) or "none"
            problem = "several of them are" if ours else "none of them is"
            raise self._service.failed(
                f"it has {len(machines)} systems ({names}), and {problem} called {self.bmc.host}: "
                "set the host's name or asset tag there, or use another driver"
            )
        return ours[0]

    def _is_ours(self, system: Json) -> bool:
        names = {str(system.get(key)).casefold() for key in ("HostName", "AssetTag", "Name", "Id")}
        host = self.bmc.host.casefold()
        return host in {*names, *(name.partition(".")[0] for name in names)} or host.partition(".")[0] in names

    def _act(self, system: Json, action: Action) -> None:
        reset = part_of(part_of(system, "Actions"), _RESET)
        offered = self._offered(reset)
        target = str(reset.get("target") or f"{self._link.rstrip('/')}/Actions/{_RESET.removeprefix('#')}")
        refused: Refused | None = None
        for kind in (kind for kind in _KINDS[action] if not offered or kind in offered):
            try:
                return self._service.post(target, {"ResetType": kind})
            except Refused as error:
                if error.status not in _UNKNOWN_KIND:
                    raise
                refused = error
        if action in _WANTED:
            raise refused or self._service.failed(f"it has no {action}, but {', '.join(offered)}")
        return self._off_and_on()

    def _offered(self, reset: Json) -> Sequence[str]:
        """The reset types that it says it knows; empty: it does not say."""
        values = reset.get("ResetType@Redfish.AllowableValues")
        link = reset.get("@Redfish.ActionInfo")
        if not values and isinstance(link, str):
            found = self._service.get(link).get("Parameters")
            named = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
            values = next((one.get("AllowableValues") for one in named if one.get("Name") == "ResetType"), None)
        return strings(values)

    def _off_and_on(self) -> None:
        self.set_power(Action.OFF)
        end = time.monotonic() + _OFF_S
        while not self._is_off(time.monotonic() > end):
            sleep(_LOOK_AGAIN_S)
        try:
            self.set_power(Action.ON)
        except (CommandFailed, Unreachable) as error:
            raise CommandFailed(f"{error}; it is off now") from error

    def _is_off(self, at_last: bool) -> bool:
        """Some services are busy while the power goes."""
        try:
            if self.power() is Power.OFF:
                return True
        except Unreachable as error:
            if at_last or isinstance(error, LoginRefused):
                raise Lost(self.bmc.host, f"ForceOff was taken, On was not sent: {error.why}") from error
            return False
        if at_last:
            raise self._service.failed(f"not off {_OFF_S:g} s after ForceOff: nothing else was sent")
        return False

    def _light(self, link: str, kinds: Sequence[str]) -> None:
        for kind in kinds[:-1]:
            try:
                return self._service.patch(link, {"IndicatorLED": kind})
            except Refused as error:
                if error.status not in _UNKNOWN_KIND:
                    raise
        return self._service.patch(link, {"IndicatorLED": kinds[-1]})


def _power(system: Json) -> Power:
    return _POWER.get(str(system.get("PowerState")), Power.UNKNOWN)
