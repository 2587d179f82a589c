"""What has to be so before somebody gets access: which gates, in which order, and what to write on the ticket."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from runbooks.errors import Blocked, RunbookError, UsageError
from runbooks.model import Plan, Status
from runbooks.procedure import find
from runbooks.systems.person import PersonReader
from tests.systems.repositories import DATA

from .conftest import World

GROUPS = """\
groups:
  root-folk:
    gid: 710
    description: roots
    members: []
    approval: [zoe, bob]
    privileges: ['ALL = (ALL) NOPASSWD: ALL', 'ALL = (root) NOPASSWD: /bin/true']
  readers:
    gid: 711
    description: readers of logs
    members: []
    approval: [bob]
  machines:
    gid: 712
    description: a daemon's
    members: []
    system: true
  dusty:
    gid: 713
    description: was used once
    members: []
    deprecated: true
"""
JOIN = {"name": "bob", "groups": ("other",), "moved": "2026-01-05", "task": "T7"}


@pytest.fixture
def plan(world: World) -> Any:
    world.remote.push({DATA: world.remote.show(DATA).replace("groups:\n", GROUPS, 1)}, "More groups")

    def made(**changes: Any) -> Plan:
        return world.engine().plan(find("join-group").draft(world.site, JOIN | changes))

    return made


def gates(plan: Plan) -> list[str]:
    return [step.name.removeprefix("Have it confirmed: ") for step in plan.steps if step.hosts == ("@person",)]


def step(plan: Plan, words: str) -> tuple[str, str]:
    """What a person is asked, and what the ticket should say."""
    found = next(one for one in plan.steps if words in one.name)
    return found.findings["@person"].preview[0], found.post


def test_without_sudo_in_the_order_of_the_page(plan: Any) -> None:
    assert gates(plan()) == [
        "the supervisor's approval",
        "the approval for other",
        "the responsibilities document",
        "the NDA",
        "Wait 3 days for the security review",
    ]


def test_sudo_is_for_the_meeting_and_does_not_wait(plan: Any) -> None:
    made = plan(groups=("root-folk",))
    assert gates(made)[-1] == "the meeting's review"
    assert not [name for name in gates(made) if name.startswith("Wait")]
    question, post = step(made, "meeting")
    assert "reviewed sudo for bob (root-folk)" in question
    assert "root-folk: ALL = (ALL) NOPASSWD: ALL; root-folk: ALL = (root) NOPASSWD: /bin/true" in post


def test_groups_of_both_kinds_need_both(plan: Any) -> None:
    assert gates(plan(groups=("other", "root-folk")))[1:] == [
        "the approval for other",
        "the approval for root-folk",
        "the responsibilities document",
        "the NDA",
        "Wait 3 days for the security review",
        "the meeting's review",
    ]


def test_nobody_approves_of_themselves(plan: Any) -> None:
    question, post = step(plan(groups=("root-folk",)), "approval for root-folk")
    assert question == (
        "ask: Has zoe approved of bob in root-folk on the ticket? (bob may approve of others there, not of themselves)"
    )
    assert post.startswith("zoe: please say in a comment here whether bob may have access to root-folk.")
    alone, _ = step(plan(groups=("readers",)), "approval for readers")
    assert "Has whoever leads its project (the registry names nobody else) approved of bob" in alone
    other, _ = step(plan(name="alice", groups=("root-folk",)), "approval for root-folk")
    assert other == "ask: Has zoe or bob approved of alice in root-folk on the ticket?"


def test_who_knows_of_ndas_is_a_setting(plan: Any, world: World) -> None:
    object.__setattr__(world.site.settings.access, "legal", "@legal-team")
    question, post = step(plan(), "NDA")
    assert "Has @legal-team confirmed on the ticket that an NDA of bob is on file?" in question
    assert post.startswith("@legal-team: please confirm")


@pytest.mark.parametrize(
    ("today", "is_open"), [("2026-01-05", False), ("2026-01-07", False), ("2026-01-08", True), ("2027-01-01", True)]
)
def test_from_a_monday_to_thursday(plan: Any, monkeypatch: pytest.MonkeyPatch, today: str, is_open: bool) -> None:
    monkeypatch.setattr(PersonReader, "today", lambda _self: date.fromisoformat(today))
    wait = next(one for one in plan().steps if one.name.startswith("Wait"))
    assert (wait.findings["@person"].status is Status.DONE) == is_open
    assert "ends on 2026-01-08" in wait.post


REFUSED: dict[str, tuple[dict[str, Any], type[RunbookError], str]] = {
    "a system's group": ({"groups": ("machines",)}, Blocked, r"machines \(line \d+\) is a system's own"),
    "a deprecated group": ({"groups": ("dusty",)}, Blocked, "dusty is deprecated"),
    "those who are gone": ({"groups": ("absent",)}, Blocked, r"absent \(line \d+\) is for those who are gone"),
    "the LDAP ones, too": ({"groups": ("absent_ldap",)}, Blocked, "for those who are gone"),
    "no such group": ({"groups": ("other", "others")}, Blocked, "others is no group"),
    "a group twice": ({"groups": ("other", "other")}, UsageError, "other is named twice"),
    "no group": ({"groups": ()}, UsageError, "give --groups"),
    "no ticket": ({"task": ""}, UsageError, "give --task"),
    "no ticket's name": ({"task": "7"}, UsageError, "'7' is no task"),
    "no day": ({"moved": ""}, UsageError, "give --moved"),
    "a day that is none": ({"moved": "2026-02-30"}, UsageError, "'2026-02-30' is no date: YYYY-MM-DD"),
    "another way of writing it": ({"moved": "20260105"}, UsageError, "'20260105' is no date"),
    "a week": ({"moved": "2026-W01-1"}, UsageError, "'2026-W01-1' is no date"),
    "a day to come": ({"moved": "2099-01-01"}, UsageError, "2099-01-01 is still to come"),
    "in it already": ({"name": "alice"}, RunbookError, "alice is in other already"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything(plan: Any, case: str) -> None:
    changes, error, why = REFUSED[case]
    with pytest.raises(error, match=why):
        plan(**changes)
