"""Cisco's CIMC command line over ssh: UCS C-series M3 to M5, and ENCS.

Sources: "Cisco UCS C-Series Servers Integrated Management Controller CLI Configuration Guide" 2.0 (Managing the
Server: power, locator-led; Viewing Server Properties; Managing Logs: sel; connect host); the dialog with its question
as seen on ENCS 5412. Whether ``show detail`` says the same with each firmware is not confirmed: what it says else is
an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from runbooks.oob.model import Ability, Action, LogEntry, Power
from runbooks.oob.ssh_cli import SshCli, entry

_ROW = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\[System Boot\])\s+(\w+)\s+\"?(.*?)\"?\s*$"
_QUESTION = r"do you want to continue\?\s*\[y\|N\]"


class Cimc(SshCli):
    """A shell that moves between scopes, and asks whether power commands are meant."""

    name = "cimc"
    title = "Cisco CIMC"
    abilities = frozenset(
        {Ability.CYCLE, Ability.RESET, Ability.SHUTDOWN, Ability.LOG, Ability.IDENTIFY, Ability.SERIAL}
    )
    prompt = r"\S+(?: /\S*)?(?: \*)?# ?"
    verbs: ClassVar[Mapping[Action, str]] = {
        Action.ON: "power on",
        Action.OFF: "power off",
        Action.CYCLE: "power cycle",
        Action.RESET: "power hard-reset",
        Action.SHUTDOWN: "power shutdown",
    }
    replies: ClassVar[Mapping[str, str]] = {rf"(?i)change the server's power state[\s\S]*{_QUESTION}": "y"}
    # It says nothing more once the question is answered.
    taken = _QUESTION + r"\s*y?\s*\Z"

    def opened(self) -> None:
        """Where power, light and serial number are."""
        self.ask("scope chassis")

    def power(self) -> Power:
        """As the chassis says."""
        return Power(self.found(r"^\s*power: *(on|off)\s*$", "show detail", self.ask("show detail")).lower())

    def log(self, limit: int) -> Sequence[LogEntry]:
        """In no known order; entries of a boot have no time, and come last."""
        self.ask("top")
        self.ask("scope sel")
        said = self.ask("show entries")
        self.ask("top")
        self.ask("scope chassis")
        self.found(r"^(time\s+severity\s+description)", "show entries", said)
        found = [entry("", *_split(row)) for row in re.findall(_ROW, said, re.MULTILINE)]
        return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

    def identify(self, on: bool) -> None:
        """The locator LED."""
        for command in (f"set locator-led {'on' if on else 'off'}", "commit"):
            if said := self.ask(command).strip():
                raise self.strange(command, said)

    def serial(self) -> str:
        """The serial number of the chassis."""
        return self.found(r"^\s*serial number: *(\S+)", "show detail", self.ask("show detail"))

    def console(self) -> str:
        """Serial over LAN."""
        return self.by_ssh("connect host")


def _split(row: tuple[str, str, str]) -> tuple[str, str, str, str]:
    return row[0], "%Y-%m-%d %H:%M:%S", row[1], row[2]
