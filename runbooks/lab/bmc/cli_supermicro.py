"""Supermicro's SMASH-CLP, a stand-in: its command line as documented.

The greeting, prompt and "reset done..." as seen with Insyde's shell 1.05; ATEN's greeting of 1.02. DMTF DSP0214 and
dialogs seen: ``show`` prints the target, Targets, Properties and Verbs; fence_ipmi_ssh waits for a line "PowerState=1";
it is 1 when on, and 6 when off (a client for ATEN's shell). That ``start`` and ``stop`` answer "done..." as ``reset``
does is not confirmed.
"""

from __future__ import annotations

from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Left, Person

_SERVICE = "/system1/pwrmgtsvc1"


class Supermicro(Dialog):
    """``variant``: nothing (ATEN) or ``insyde``, which does not tell the power."""

    prompt = "-> "

    def __init__(self, behind: Behind, variant: str) -> None:
        super().__init__(behind, variant)
        whose = "Insyde SMASH-CLP System Management Shell, versions 1.05" if variant else (
            "ATEN SMASH-CLP System Management Shell, version 1.02"
        )  # fmt: skip
        self.greeting = f"\n{whose}\nAll Rights Reserved\n\n\n"
        self._at = "/"

    def answer(self, line: str, person: Person) -> str:  # noqa: ARG002 - it asks nothing
        """As documented."""
        words = [word for word in line.split() if word != "-force"]
        if words == ["exit"]:
            raise Left
        if len(words) == 1:
            words.append(self._at)
        match words:
            case ["cd", target]:
                self._at = target
                return f"{target}\n\n"
            case ["show", target] if target == _SERVICE:
                return self._shown()
            case ["start" | "stop" | "reset" as verb, target] if target == _SERVICE:
                self._power(verb)
                return f"{_SERVICE}\n{verb} done...\n\n"
        return f"{line}\ninvalid command or target\n\n"

    def _power(self, verb: str) -> None:
        if verb != "reset":
            self.behind.power(verb == "start")
        elif self.behind.is_on():
            self.behind.reset()

    def _shown(self) -> str:
        state = f"    PowerState={1 if self.behind.is_on() else 6}\n"
        properties = "    None\n" if self.variant else f"    Name=IPMI BMC Power Service\n{state}"
        verbs = "".join(f"    {verb}\n" for verb in ("cd", "show", "help", "version", "exit", "start", "stop", "reset"))
        return f"{_SERVICE}\n\n  Targets :\n    none\n\n  Properties :\n{properties}\n  Verbs :\n{verbs}\n"
