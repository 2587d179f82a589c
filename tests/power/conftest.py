"""A lab whose hosts have BMCs that really end and start them: one of each kind, and IPMI on all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from runbooks.errors import CommandFailed, Unreachable
from runbooks.lab import Lab, Person
from runbooks.lab.bmc.hosts import bmc_of
from tests.labs import small_lab
from tests.surface.helpers import Inv
from tests.waiting import eventually

PEOPLE = (Person("bob", 2002, home_files=2),)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """lab01 is a Dell with Redfish, lab02 an HPE, lab03 a Supermicro, lab04 a Dell with racadm."""
    with small_lab(4, PEOPLE, bmcs=True) as made:
        yield made


@pytest.fixture
def inv(lab: Lab) -> Inv:
    return Inv(lab)


@dataclass
class Machine:
    """A lab host as the tests see it, without ssh and without its BMC."""

    lab: Lab
    name: str

    def boot(self) -> str:
        """Which boot it is in."""
        return self.lab.run(self.name, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.decode().strip()

    def state(self) -> str:
        """Running, frozen or dead."""
        return next(row.state for row in self.lab.status() if row.name == self.name)

    def bmc(self) -> Any:
        """Its BMC, to be broken."""
        return bmc_of(self.lab.layout, self.lab._state(), self.name)

    def boots(self) -> int:
        """How often its sshd has come up, as its disk has it."""
        return (self.lab.upper(self.name) / "var/log/sshd.log").read_text().count("Server listening on")

    def fault(self, name: str, on: bool) -> None:
        """A fault that its disk has: ``lab-does-not-boot``, ``lab-hangs-on-reboot``."""
        script, path = 'touch "$1"' if on else 'rm -f "$1"', f"etc/{name}"

        def is_set() -> bool:
            try:
                self.lab.run(self.name, ["sh", "-c", script, "sh", f"/{path}"])
            except (Unreachable, CommandFailed):
                # Dead, or on its way from one life to the next, in which it is to be set inside.
                if self.state() == "dead":
                    place = self.lab.upper(self.name) / path
                    place.touch() if on else place.unlink(missing_ok=True)
                return self.state() == "dead"
            return True

        eventually(is_set)


@pytest.fixture(params=["lab01"])
def machine(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """One that is well, and is again afterwards."""
    made = Machine(lab, request.param)
    yield made
    well(made)


def well(machine: Machine) -> None:
    """Its faults are gone, its BMC lives, and so does it."""
    bmc = machine.bmc()
    if bmc.frozen():
        bmc.thaw()
    bmc.start()
    if machine.state() == "frozen":
        machine.lab.thaw(machine.name)
    for fault in ("lab-does-not-boot", "lab-hangs-on-reboot"):
        machine.fault(fault, False)
    machine.lab.start(machine.name)
    eventually(lambda: machine.lab._host(machine.name).greets())
    for run in unfinished(machine.lab):
        Inv(machine.lab)("abandon", run, "--yes")


def unfinished(lab: Lab) -> list[str]:
    """Runs that are not at their end."""
    listed = Inv(lab)("runs", "--json").json["runs"]
    return [run["id"] for run in listed if run["status"] in ("running", "incomplete", "waiting")]


def outcomes(document: Any) -> dict[str, str]:
    """What became of each step, by its first word and host."""
    return {f"{row['step']} {row['host']}": row["status"] for row in document["run"]["outcomes"]}


def said(document: Any) -> str:
    """All notes of a run."""
    return json.dumps([row["note"] for row in document["run"]["outcomes"]])
