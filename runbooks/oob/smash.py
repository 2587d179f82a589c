"""Supermicro's SMASH-CLP over ssh: ATEN's firmware (X8 to X11) and Insyde's.

Sources: DMTF DSP0214 (SM CLP 1.0: verbs, targets); fence_ipmi_ssh, "Fence agent for SuperMicro IPMI over SSH", which
has the target, PowerState=1 and the prompt; ATEN shell 1.02, whose PowerState is seen as 1 (on) and 6 (off); Insyde
shell 1.05, seen to answer "reset done...", and to show no PowerState. The answers to ``start`` and ``stop`` are taken
to be of that form: not confirmed. It has a graceful stop only by other means, and its event log is not documented here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from runbooks.oob.model import Ability, Action, Power
from runbooks.oob.ssh_cli import SshCli

_SERVICE = "/system1/pwrmgtsvc1"
_POWER = {"1": Power.ON, "6": Power.OFF}


class Smash(SshCli):
    """A shell."""

    name = "smash"
    title = "Supermicro SMASH"
    abilities = frozenset({Ability.RESET})
    prompt = r"-> ?"
    verbs: ClassVar[Mapping[Action, str]] = {
        Action.ON: f"start {_SERVICE}",
        Action.OFF: f"stop {_SERVICE}",
        Action.RESET: f"reset {_SERVICE}",
    }
    taken = r"^(?:start|stop|reset) done"

    def power(self) -> Power:
        """PowerState; neither where it shows none."""
        command = f"show {_SERVICE}"
        said = self.ask(command)
        self.found(rf"({_SERVICE}[\s\S]*^\s*properties)", command, said)
        state = re.search(r"^\s*PowerState\s*[:=]\s*(\d+)", said, re.MULTILINE)
        return _POWER.get(state[1], Power.UNKNOWN) if state else Power.UNKNOWN

    def console(self) -> str:
        """Serial over LAN."""
        return self.by_ssh("cd /system1/sol1, and then: start")
