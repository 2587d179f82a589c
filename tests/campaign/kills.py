"""Commands on a lab that are killed at one point each, and what the lab's end is held against."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runbooks.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = ("resume", "undo")


def chosen_seed() -> int:
    """Of the suite's samples: the same one, unless CAMPAIGN_SEED says otherwise, as a change is held against the same
    points wherever it is tested. The campaign goes through all of them."""
    return int(os.environ.get("CAMPAIGN_SEED", "4"))


@dataclass
class Tally:
    """What a campaign has seen; ``lost`` counts homes that are not what they were."""

    killed: int = 0
    survived: int = 0
    resumed: int = 0
    undone: int = 0
    homes: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        homes = f", {self.homes} homes compared, homes lost: {self.lost}" if self.homes else ""
        points = f"{self.killed} points killed, {self.survived} not reached"
        return f"{points}, {self.resumed} resumed, {self.undone} undone{homes}"


class Kills:
    """What campaigns on one lab have in common."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        self.lab = lab
        self.rng = rng
        self.tally = Tally()
        self.more: dict[str, str] = {}
        """Of a child's environment."""

    def environment(self, log: str = "") -> dict[str, str]:
        """What a child needs to know."""
        ours = {
            "INVOKE_OPS_CLINIC_INVENTORY": str(self.lab.inventory),
            "OPS_CLINIC_CAMPAIGN_LOG": log,
            "OPS_CLINIC_CAMPAIGN_LAB": str(self.lab.layout.top),
            "PYTHONPATH": str(ROOT),
        }
        return os.environ | ours | self.more

    def inv(self, point: str, command: Sequence[str], log: str = "") -> subprocess.CompletedProcess[str]:
        """``inv`` in a process of its own, with something in store for it."""
        assert self._again.stdin and self._again.stdout
        case = {"point": point, "argv": command, "env": self.environment(log)}
        self._again.stdin.write(json.dumps(case) + "\n")
        self._again.stdin.flush()
        return subprocess.CompletedProcess(["inv", *command], *json.loads(self._again.stdout.readline()))

    @cached_property
    def _again(self) -> subprocess.Popen[str]:
        """Starts them, and ends with us."""
        argv = [sys.executable, "-m", "tests.procedures.again"]
        started = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        weakref.finalize(self, started.communicate)
        return started

    def points_of(self, command: Sequence[str], ok: Sequence[int] = (0,)) -> list[str]:
        """Every point of a command that is left alone: after each event and each request to a list server, and inside
        each ``do``."""
        with tempfile.NamedTemporaryFile("r") as log:
            ended = self.inv("none", command, log.name)
            lines = log.read().splitlines()
        if ended.returncode not in ok:
            raise AssertionError(f"undisturbed, {' '.join(command)} failed: {ended.stdout}{ended.stderr}")
        counted = [line.split()[0] for line in lines if line.startswith(("event:", "write:"))]
        return counted + [line for line in lines if line.startswith("do:")]

    def strike(self, point: str, command: Sequence[str]) -> str:
        """Kill a command at a point; the point, with the moment that was chosen inside a ``do``."""
        if point.startswith("do:"):
            point += f":{self.rng.choice((0.0, 0.02, 0.2, 1.0)):.2f}"
        ended = self.inv(point, command)
        self.tally.killed += ended.returncode == -9
        self.tally.survived += ended.returncode != -9
        said = f"{command[0]}: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
        self.check(point, ended.returncode in (-9, 0, 9), said)
        return point

    def end(self, what: str, command: Sequence[str], status: int = 0) -> None:
        """A command that has to come to its end."""
        ended = self.inv("none", command)
        said = f"{command[0]}: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
        self.check(what, ended.returncode == status, said)

    def check(self, what: str, good: bool, message: str) -> None:
        """Note what is wrong."""
        if not good:
            self.tally.wrong.append(f"{what}: {message}")
