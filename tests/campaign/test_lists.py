"""A sample of the kill campaign over mailing lists, `make campaign` runs all of it; and a list server that stands still
in the middle of a step: what it was sent then comes when it wakes up."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests.campaign.kills import ENDINGS, chosen_seed
from tests.campaign.lists import Lists, ground
from tests.waiting import eventually

# Points that every procedure has; and such as all have but that for a password.
EARLY = ("event:1", "event:2", "write:1", "do:0:@lists.example.org")
LATER = ("event:3", "write:2", "write:3", "write:4")
FROZEN = [("list-disable", 2, "undo"), ("list-create", 1, "resume")]
if os.environ.get("ALL_FAULTS"):
    FROZEN += [
        ("list-disable", 1, "resume"), ("list-disable", 3, "resume"), ("list-create", 3, "undo"),
        ("list-enable", 3, "resume"), ("list-enable", 3, "undo"), ("list-reset-password", 1, "resume"),
    ]  # fmt: skip
"""What is done when the server freezes, before which of its requests, and how it is ended; more with ALL_FAULTS set."""


@pytest.fixture(scope="module")
def lists() -> Iterator[Lists]:
    with ground() as made:
        yield made


def test_a_run_over_a_list_killed_anywhere_is_resumed_or_undone(
    lists: Lists, record_property: Callable[[str, object], None]
) -> None:
    seed = chosen_seed()
    lists.rng = rng = random.Random(seed)
    try:
        for number, procedure in enumerate(rng.sample(sorted(lists.deeds), 3)):
            points = EARLY if procedure == "list-reset-password" else (*EARLY, *LATER)
            lists.kill(procedure, 0, rng.choice(points), ENDINGS[number % 2])
    finally:
        record_property("summary", f"kill campaign over lists, seed {seed}: {lists.tally}")
    assert not lists.tally.wrong, "\n".join(lists.tally.wrong)
    assert lists.tally.killed == 3


@pytest.mark.parametrize(("procedure", "number", "ending"), FROZEN)
def test_a_server_that_freezes_in_the_middle_of_a_step(lists: Lists, procedure: str, number: int, ending: str) -> None:
    lists.prepare(procedure)
    deed = lists.deeds[procedure]
    before = lists.look(deed.name)
    with lists.impatient():
        ended = lists.inv(f"send:{number}:@lists.example.org:freeze", [*deed.command, "--yes"])
    frozen_at = lists.run()
    lists.lab.thaw("lists")
    told = ended.stdout + ended.stderr
    assert ended.returncode == 5 and "Traceback" not in told, told
    assert frozen_at["status"] == "incomplete", told
    last = max(lists.outcomes(frozen_at).items())[1]
    assert last["result"] == "unknown" and "\n" not in last["note"] and last["note"][:40] in ended.stdout, told
    eventually(lambda: lists.look(deed.name) != before)  # what was sent is carried out now
    if ending == "resume":
        lists.finish("frozen", frozen_at)
        lists.same("frozen", deed.after(before), deed.name)
        lists.restore("frozen", frozen_at, before, deed)
    else:
        lists.undo("frozen", frozen_at, before, deed)
    lists.forget()
    assert not lists.tally.wrong, "\n".join(lists.tally.wrong)
