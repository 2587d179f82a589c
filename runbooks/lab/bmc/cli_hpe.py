"""HPE's iLO, a stand-in: its command line as documented.

"HP iLO 4 Scripting and Command Line Guide", and dialogs seen with iLO 3 and 4: each answer begins with "status=0",
"status_tag=COMMAND COMPLETED" and the time; "power: server power is currently: On"; "Server powering on .......";
"Forcing server power off ......." and "Please wait 6 seconds for this operation to complete."; "Server resetting
.......". Errors: "status=2", "status_tag=COMMAND PROCESSING FAILED", "error_tag=COMMAND ERROR-UNSPECIFIED", the time,
then "Server power already on." or, to a reset, "Server power off.". fence_ilo_ssh: ``show /system1`` has
"enabledstate=enabled" (it looks for it in whichever case); ``start /system1``, ``stop``, ``reset /system1 hard``; it
says ``SMCLP`` first. powerman's hpilo.dev: "The UID light is currently: On", and ``reset system1``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Left, Person

_DAY = "%a %b %e %H:%M:%S %Y"


class Hpe(Dialog):
    """iLO 4. It takes commands alone, and in a shell."""

    prompt = "</>hpiLO-> "
    alone = True

    def __init__(self, behind: Behind, variant: str) -> None:
        super().__init__(behind, variant)
        self.greeting = "User:admin logged-in to ilo.example.org(192.0.2.1 / FE80::1)\niLO 4 Standard 2.55\n\n"

    def answer(self, line: str, person: Person) -> str:  # noqa: ARG002 - it asks nothing
        """As documented."""
        words = ["/system1" if word == "system1" else word for word in line.lower().split()]
        match words:
            case ["exit"]:
                raise Left
            case ["power"]:
                return _done(f"\npower: server power is currently: {'On' if self.behind.is_on() else 'Off'}\n\n")
            case ["power", "on"] | ["start", "/system1"]:
                return self._turned(True, "Server powering on .......")
            case ["power", "off", "hard"]:
                seconds = "Please wait 6 seconds for this operation to complete."
                return self._turned(False, f"Forcing server power off .......\n{seconds}")
            case ["power", "off"] | ["stop", "/system1"]:
                return self._pressed()
            case ["power", "reset"] | ["reset", "/system1", "hard"] | ["reset", "/system1"]:
                return self._restarted(words[0])
            case ["uid"]:
                return _done(f"uid: The UID light is currently: {self.behind.memory.get('uid', 'Off')}\n")
            case ["uid", "on" | "off" as light]:
                self.behind.memory["uid"] = light.capitalize()
                return _done("")
            case ["show", target]:
                return self._shown(target.rstrip("/"))
        return _failed("COMMAND NOT RECOGNIZED", "Invalid command.")

    def _turned(self, on: bool, words: str) -> str:
        if self.behind.is_on() == on:
            return _failed("COMMAND ERROR-UNSPECIFIED", f"Server power already {'on' if on else 'off'}.")
        self.behind.power(on)
        return _done(words)

    def _pressed(self) -> str:
        if not self.behind.is_on():
            return _failed("COMMAND ERROR-UNSPECIFIED", "Server power already off.")
        self.behind.shutdown()
        return _done("Server powering off .......")

    def _restarted(self, verb: str) -> str:
        if not self.behind.is_on():
            return _failed("COMMAND ERROR-UNSPECIFIED", "Server power off.")
        self.behind.reset()
        return _done("Server resetting ......." if verb == "power" else "Resetting server.")

    def _shown(self, target: str) -> str:
        log = self.behind.log()
        record = re.fullmatch(r"/system1/log1/record(\d+)", target)
        if target == "/system1":
            state = "enabled" if self.behind.is_on() else "disabled"
            number = self.behind.serial or "CZJ1234567"
            has = ["name=ProLiant DL360p Gen8", f"number={number}", "oemhp_server_name=", f"enabledstate={state}"]
            return _done(_target(target, ["firmware1", "led1", "log1"], has))
        if target == "/system1/log1":
            return _done(_target(target, [f"record{number + 1}" for number in range(len(log))], []))
        if record and 1 <= int(record[1]) <= len(log):
            one = log[int(record[1]) - 1]
            has = [f"number={record[1]}", f"severity={one.severity}", f"date={one.at:%m/%d/%Y}", f"time={one.at:%H:%M}",
                   f"description={one.message}"]  # fmt: skip
            return _done(_target(target, [], has))
        return _failed("INVALID TARGET", "Target does not exist.")


def _target(name: str, targets: list[str], properties: list[str]) -> str:
    parts = [name, "  Targets", *(f"    {one}" for one in targets), "  Properties"]
    return "\n".join([*parts, *(f"    {one}" for one in properties), "  Verbs", "    cd version exit show", "", ""])


def _done(words: str) -> str:
    return f"\nstatus=0\nstatus_tag=COMMAND COMPLETED\n{datetime.now(UTC).strftime(_DAY)}\n\n\n\n{words}\n\n\n"


def _failed(tag: str, words: str) -> str:
    head = f"\nstatus=2\nstatus_tag=COMMAND PROCESSING FAILED\nerror_tag={tag}\n"
    return f"{head}{datetime.now(UTC).strftime(_DAY)}\n\n{words}\n\n"
