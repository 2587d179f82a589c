"""Dell's racadm, a stand-in: its command line as documented.

"iDRAC9 RACADM CLI Guide": ``racadm serveraction powerstatus``: "Server power status: ON"; ``powercycle``: "Server power
operation successful"; ``setled -l 1``: "RAC0907: System ID LED blink on."; ``getsel`` [-i] [-s start] [-c count].
"Server is already powered ON": what a client of iDRAC 6 and 7 waits for. ``drac4`` ("DRAC 4 User's Guide" 1.60, A-27):
"The serveraction command returns without output if successful"; ``drac5`` (fence_drac5): a shell whose prompt ends in
"$", whose powerstatus ends in ": ON", and which takes CR LF for two ends of line.
"""

from __future__ import annotations

import re

from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Left, Person

_BAD = 'ERROR: Invalid subcommand specified.\n\nUse "racadm help" to see the available subcommands.\n'
_RULE = "-" * 79


class Dell(Dialog):
    """``variant``: nothing (iDRAC 8), ``drac5`` or ``drac4``."""

    def __init__(self, behind: Behind, variant: str) -> None:
        super().__init__(behind, variant)
        self.alone = not variant
        self.twice = bool(variant)
        self.greeting = {"drac5": "Dell Remote Access Controller 5 (DRAC 5)\nFirmware Version 1.21\n"}.get(variant, "")
        self.prompt = "$ " if variant else "/admin1-> "
        self._settings = behind.memory
        self._settings.setdefault("FirstBootDevice", "Normal")

    def answer(self, line: str, person: Person) -> str:  # noqa: ARG002 - it asks nothing
        """As documented."""
        words = line.split()
        if words[0] == "exit":
            raise Left
        known = {"serveraction": self._serveraction, "getsel": self._getsel, "get": self._get, "set": self._set}
        match words:
            case ["racadm", "getsvctag"]:
                return f"{self.behind.serial or '7WXYZ42'}\n"
            case ["racadm", "setled", "-l", "0" | "1" as on]:
                return f"RAC090{'7' if on == '1' else '8'}: System ID LED blink {'on' if on == '1' else 'off'}.\n"
            case ["racadm", sub, *rest] if sub in known:
                return known[sub](rest)
        return _BAD

    def _serveraction(self, words: list[str]) -> str:
        on, behind = self.behind.is_on(), self.behind
        match words:
            case ["powerstatus"]:
                return f"Server power status: {'ON' if on else 'OFF'}\n"
            case ["powerup" | "powerdown" as what] if on == (what == "powerup"):
                return self._told(f"Server is already powered {'ON' if on else 'OFF'}.\n")
            case ["powerup" | "powerdown" as what]:
                behind.power(what == "powerup")
            case ["powercycle" | "hardreset" | "graceshutdown"] if not on:
                return "ERROR: Unable to perform requested operation.\n"
            case ["powercycle"]:
                behind.cycle()
            case ["hardreset"]:
                behind.reset()
            case ["graceshutdown"]:
                behind.shutdown()
            case _:
                return _BAD
        return self._told("Server power operation successful\n")

    def _told(self, words: str) -> str:
        return "" if self.variant == "drac4" else words

    def _getsel(self, words: list[str]) -> str:
        log = self.behind.log()
        if words == ["-i"]:
            return f"Total Records: {len(log)}\n"
        asked = dict(zip(words[::2], words[1::2], strict=False))
        start = int(asked.get("-s", 1))
        records = [
            f"Record:      {number}\nDate/Time:   {one.at:%m/%d/%Y %H:%M:%S}\nSource:      system\n"
            f"Severity:    {one.severity}\nDescription: {one.message}\n{_RULE}\n"
            for number, one in enumerate(log, 1)
        ]
        return "".join(records[start - 1 :][: int(asked.get("-c", len(log)))])

    def _get(self, words: list[str]) -> str:
        name = words[0].rpartition(".")[2] if words else ""
        if name not in self._settings:
            return _BAD
        return f"[Key=iDRAC.Embedded.1#ServerBoot.1]\n{name}={self._settings[name]}\n"

    def _set(self, words: list[str]) -> str:
        if not re.fullmatch(r"iDRAC\.ServerBoot\.(FirstBootDevice|BootOnce) \S+", " ".join(words)):
            return _BAD
        self._settings[words[0].rpartition(".")[2]] = words[1]
        return "[Key=iDRAC.Embedded.1#ServerBoot.1]\nObject value modified successfully\n"
