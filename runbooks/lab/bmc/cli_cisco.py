"""Cisco's CIMC, a stand-in: its command line as documented.

"Cisco UCS C-Series Servers Integrated Management Controller CLI Configuration Guide" 2.0: ``scope chassis``; ``power
on|off|cycle|hard-reset|shutdown``; ``set locator-led on`` and ``commit``; ``show detail`` with "Chassis:", "Power: on",
"Serial Number: QCI140205ZG"; ``scope sel``, ``show entries`` with columns Time, Severity, Description, and "--More--".
The question, as seen on ENCS 5412: "This operation will change the server's power state." and "Do you want to
continue?[y|N]"; after "y" comes the prompt; the prompt is "ENCS5412 /chassis # ", with "*" before commit.
"""

from __future__ import annotations

from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Left, Person

_QUESTION = "This operation will change the server's power state.\nDo you want to continue?[y|N]"
_SCREEN = 20


class Cisco(Dialog):
    """``variant``: ``asks more``: it has another question first, about what is not committed."""

    greeting = ""

    def __init__(self, behind: Behind, variant: str) -> None:
        super().__init__(behind, variant)
        self._scope = ""
        self._dirty = False

    @property
    def prompt(self) -> str:  # type: ignore[override]
        """With the scope, and a star before what is not committed."""
        return f"C220-FCH1234X56Y{f' /{self._scope}' if self._scope else ''}{' *' if self._dirty else ''}# "

    def answer(self, line: str, person: Person) -> str:
        """As documented."""
        match [self._scope, *line.split()]:
            case [_, "exit"]:
                if not self._scope:
                    raise Left
                self._scope = ""
            case [_, "top"]:
                self._scope = ""
            case ["", "scope", "chassis" | "sel" as scope]:
                self._scope = scope
            case ["chassis", "show", "detail"]:
                power = "on" if self.behind.is_on() else "off"
                return f"Chassis:\n    Power: {power}\n    Serial Number: QCI140205ZG\n    Product Name: UCS C220 M4\n"
            case ["chassis", "power", "on" | "off" | "cycle" | "hard-reset" | "shutdown" as what]:
                return self._power(what, person)
            case ["chassis", "set", "locator-led", "on" | "off"]:
                self._dirty = True
            case [_, "commit"]:
                self._dirty = False
            case ["sel", "show", "entries"]:
                return self._entries(person)
            case _:
                return f"{line}\n^\n% Invalid Command at '^' marker\n"
        return ""

    def _power(self, what: str, person: Person) -> str:
        if self.variant == "asks more":
            person.line("You have changes that are not committed. Discard them?[y|N]")
        if person.line(_QUESTION) != "y":
            return ""
        if what in ("on", "off"):
            self.behind.power(what == "on")
        elif what == "shutdown":
            self.behind.shutdown()
        elif not self.behind.is_on():
            return "Error: the server is powered off.\n"
        elif what == "cycle":
            self.behind.cycle()
        else:
            self.behind.reset()
        return ""

    def _entries(self, person: Person) -> str:
        rows = [
            "Time                Severity      Description",
            "------------------- ------------- ----------------------------------------",
            *(f'{one.at:%Y-%m-%d %H:%M:%S} {"Normal":13} "{one.message}"' for one in reversed(self.behind.log())),
            '[System Boot]       Informational "LED_PSU_STATUS: Platform sensor, OFF event was asserted"',
        ]
        while len(rows) > _SCREEN:
            screen, rows = rows[:_SCREEN], rows[_SCREEN:]
            person.key("".join(f"{row}\n" for row in screen) + "--More--")
        return "".join(f"{row}\n" for row in rows)
