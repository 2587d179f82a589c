"""Oracle's ILOM, a stand-in: its command line as documented.

The stand-in that powerman's own tests have (ilom.c, after Sun Fire X4140, 2.0.2.3) gives "Starting /SYS", "start:
Target already started", "Stopping /SYS immediately", "stop: Target already stopped", "Performing hard reset on /SYS"
and, when off, that and " failed" with "reset: Target already stopped"; "power_state = On" among the properties;
"Invalid command '...' - type help for a list of commands.". "Oracle ILOM Administrator's Guide" 3.2: without -script it
asks "Are you sure you want to stop /SYS (y/n)?"; "show: Invalid target /SYS"; "Set 'value' to 'Fast_Blink'"; the list
of events with ID, Date/Time, Class, Type, Severity, whose texts are indented below, and "Paused: press any key to
continue, or 'q' to quit".
"""

from __future__ import annotations

import re

from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Event, Left, Person

_SETTINGS = ("/SYS/LOCATE value", "/System locator_indicator", "/HOST boot_device")
_SCREEN = 10


class Oracle(Dialog):
    """``variant``: nothing (2.0, /SYS) or ``system`` (3.2 and later: /System alone)."""

    prompt = "-> "

    def __init__(self, behind: Behind, variant: str) -> None:
        super().__init__(behind, variant)
        self.greeting = "\nSun(TM) Integrated Lights Out Manager\n\nVersion 2.0.2.3\n\n"
        self._system = "/System" if variant else "/SYS"
        self._settings = behind.memory
        for name in _SETTINGS:
            self._settings.setdefault(name, "default" if name.endswith("device") else "Off")

    def answer(self, line: str, person: Person) -> str:
        """As documented."""
        words = [word for word in line.split() if word not in ("-script", "-f", "-force")]
        match words:
            case ["exit"]:
                raise Left
            case ["start" | "stop" | "reset" as verb, self._system]:
                sure = f"Are you sure you want to {verb} {self._system} (y/n)? "
                if "-script" not in line and person.line(sure) != "y":
                    return "\n"
                return f"{self._power(verb, '-f' in line)}\n\n"
            case ["show", "-d", "properties", self._system]:
                return self._properties()
            case ["show", "/SP/logs/event/list"]:
                return self._events(person)
            case ["show", target, name] if f"{target} {name}" in self._settings:
                return f"\n  {target}\n    Properties:\n        {name} = {self._settings[f'{target} {name}']}\n\n"
            case ["set", target, change] if f"{target} {change.partition('=')[0]}" in self._settings:
                name, _, value = change.partition("=")
                self._settings[f"{target} {name}"] = value
                return f"Set '{name}' to '{value}'\n\n"
            case ["show" | "start" | "stop" | "reset" | "set" as verb, *_, target]:
                return f"{verb}: Invalid target {target}\n\n"
        return f"Invalid command '{line}' - type help for a list of commands.\n\n"

    def _power(self, verb: str, forced: bool) -> str:
        on, system = self.behind.is_on(), self._system
        if verb == "start":
            if on:
                return "start: Target already started"
            self.behind.power(True)
            return f"Starting {system}"
        if not on:
            failed = f"Performing hard reset on {system} failed\n" if verb == "reset" else ""
            return f"{failed}{verb}: Target already stopped"
        if verb == "reset":
            self.behind.reset()
            return f"Performing hard reset on {system}"
        if forced:
            self.behind.power(False)
            return f"Stopping {system} immediately"
        self.behind.shutdown()
        return f"Stopping {system}"

    def _properties(self) -> str:
        has = {
            "type": "Host System", "product_name": "SUN FIRE X4140", "product_part_number": "602-4125-01",
            "product_serial_number": "0826QAD075", "product_manufacturer": "SUN MICROSYSTEMS",
            "power_state": "On" if self.behind.is_on() else "Off",
        }  # fmt: skip
        lines = "".join(f"        {name} = {value}\n" for name, value in has.items())
        return f"\n  {self._system}\n    Properties:\n{lines}\n\n"

    def _events(self, person: Person) -> str:
        log = self.behind.log()
        head = "\nEvent\nID     Date/Time                 Class     Type      Severity\n"
        said = f"{head}-----  ------------------------  --------  --------  --------\n"
        newest = list(reversed(list(enumerate(log, 1))))
        while len(newest) > _SCREEN:
            said += "".join(map(_row, newest[:_SCREEN]))
            if re.fullmatch("[qQ]", person.key(f"{said}Paused: press any key to continue, or 'q' to quit")):
                return "\n"
            said, newest = "", newest[_SCREEN:]
        return said + "".join(map(_row, newest)) + "\n"


def _row(numbered: tuple[int, Event]) -> str:
    number, one = numbered
    when = one.at.strftime("%a %b %e %H:%M:%S %Y")
    return f"{number:<6} {when}  Audit     Log       minor   \n       {one.message}\n"
