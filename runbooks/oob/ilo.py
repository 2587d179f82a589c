"""HPE's iLO command line over ssh: iLO 2 to 6. ``reset /map1`` is never said: it would reset iLO itself.

Sources: "HP iLO 4 Scripting and Command Line Guide" (power, uid, vsp; targets system1, log1), firmware 1.x and 2.x;
iLO 1.42 to 1.93 as powerman's hpilo.dev has it (power, uid). Every answer begins with ``status=0`` and
``status_tag=COMMAND COMPLETED``, or with ``status=2`` and the error; seen (iLO 3, 4): "Server powering on .......",
"Server power already on."
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from runbooks.oob.model import Ability, Action, LogEntry, Power
from runbooks.oob.ssh_cli import SshCli, entry

_COMPLETED = r"status_tag=command completed"
_LOG = "/system1/log1"


class Ilo(SshCli):
    """Each command alone. ``power off`` is the button pressed for a moment, which asks the operating system."""

    name = "ilo"
    title = "HPE iLO"
    abilities = frozenset({Ability.RESET, Ability.SHUTDOWN, Ability.LOG, Ability.IDENTIFY, Ability.SERIAL})
    prompt = r"(?:</\S*>)?hpe?iLO-> ?"
    alone = True
    verbs: ClassVar[Mapping[Action, str]] = {
        Action.ON: "power on",
        Action.OFF: "power off hard",
        Action.RESET: "power reset",
        Action.SHUTDOWN: "power off",
    }
    taken = _COMPLETED + r"[\s\S]*^(?:server powering (?:on|off)|forcing server power off|server resetting)"
    already = r"^server power already (?:on|off)"

    def power(self) -> Power:
        """As ``power`` says."""
        said = self.ask("power")
        return Power(self.found(_COMPLETED + r"[\s\S]*server power is currently: (on|off)", "power", said).lower())

    def log(self, limit: int) -> Sequence[LogEntry]:
        """The Integrated Management Log, which is the machine's; iLO's own is another."""
        said = self._shown(_LOG)
        newest = sorted(map(int, re.findall(r"^\s*record(\d+)\s*$", said, re.MULTILINE)), reverse=True)[:limit]
        return [self._entry(number) for number in newest]

    def _entry(self, number: int) -> LogEntry:
        has = dict(re.findall(r"^\s*(\w+)=(.*)$", self._shown(f"{_LOG}/record{number}"), re.MULTILINE))
        at = f"{has.get('date', '')} {has.get('time', '')}"
        return entry(str(number), at, "%m/%d/%Y %H:%M", has.get("severity", ""), has.get("description", ""))

    def _shown(self, target: str) -> str:
        said = self.ask(f"show {target}")
        self.found(f"({_COMPLETED})", f"show {target}", said)
        return said

    def identify(self, on: bool) -> None:
        """The UID light."""
        command = f"uid {'on' if on else 'off'}"
        self.found(f"({_COMPLETED})", command, self.ask(command))

    def serial(self) -> str:
        """The number of the machine."""
        return self.found(r"^\s*number=(\S+)", "show /system1", self._shown("/system1"))

    def console(self) -> str:
        """The virtual serial port."""
        return self.by_ssh(command="vsp")
