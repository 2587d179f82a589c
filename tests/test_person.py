"""A step that a person does: the run waits in front of it, and goes on when somebody says that it is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runbooks.model import RunStatus, Target
from runbooks.systems.person import PERSON, Confirmed, PersonTarget
from runbooks.verdicts import exit_status
from runbooks.walker import Stop
from tests.standins import Life, World, draft, step


class WorldWithPerson(World):
    """The stand-in hosts, and a real person target."""

    person: PersonTarget

    def __getitem__(self, name: str) -> Target:  # type: ignore[override]
        return self.person if name == PERSON else super().__getitem__(name)


@pytest.fixture
def world() -> WorldWithPerson:
    made = WorldWithPerson({name: {} for name in ("h1", "h2")})
    made.person = PersonTarget("marta")
    return made


STEPS = (
    step("before", "h1", "h2"),
    step("legal", PERSON, change=Confirmed("Is the NDA on file?")),
    step("after", "h1", "h2"),
)


def test_a_run_waits_for_a_person_and_goes_on_when_it_is_so(tmp_path: Path, world: WorldWithPerson) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    run = Life(url, world).apply(draft(*STEPS))
    assert run.status is RunStatus.WAITING
    assert exit_status(run, Stop()) == 9
    assert [host for host, key in world.did() if key == "after"] == []

    world.person = PersonTarget("otto")
    assert Life(url, world).resume(run.id, draft(*STEPS)).status is RunStatus.WAITING

    world.person = PersonTarget("marta", "T12#34")
    resumed = Life(url, world).resume(run.id, draft(*STEPS))
    assert resumed.status is RunStatus.DONE
    assert re.fullmatch(
        r"confirmed by marta, \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: T12#34", resumed.outcomes()[1, PERSON].note
    )


def test_one_confirmation_is_for_one_question(tmp_path: Path, world: WorldWithPerson) -> None:
    world.person = PersonTarget("marta", "T12#34")
    steps = (*STEPS, step("lead", PERSON, change=Confirmed("Has the project lead agreed?")))
    run = Life(f"sqlite:///{tmp_path}/journal.db", world).apply(draft(*steps))
    assert run.status is RunStatus.WAITING
    assert run.outcomes()[1, PERSON].note.startswith("confirmed by marta, ")
    assert "project lead" in run.outcomes()[3, PERSON].note


def test_what_a_person_confirmed_is_nothing_to_take_back(tmp_path: Path, world: WorldWithPerson) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    run = Life(url, world).apply(draft(*STEPS))
    undone = Life(url, world).undo(run.id, draft(*STEPS))
    assert undone.status is RunStatus.DONE
    assert all(not values.get("before") for values in world.hosts.values())
