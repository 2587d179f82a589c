"""Steps that wait for hosts which can't be reached: such a host stops nobody else, and a resume comes back for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from standins import Life, World, draft, step
from test_walker import fail, results

from runbooks.errors import Blocked, Lost
from runbooks.model import Batch, Plan, Result, RunStatus, Status

MANY = ("n1", "n2", "n3", "n4")


def patient(key: str, *hosts: str, **more: Any) -> Any:
    return replace(step(key, *(hosts or MANY)), patient=True, **more)


def test_a_host_that_is_down_is_pending_and_a_resume_comes_back_for_it(url: str) -> None:
    world = World.of(*MANY, "@git")
    world.down |= {"n1", "n3"}
    life, work = Life(url, world), draft(patient("a"), step("@git", "@git"), patient("b"))
    run = life.apply(work)
    assert run.status is RunStatus.INCOMPLETE
    there = {host for host, _ in world.did()}
    assert there == {"n2", "n4", "@git"}
    found = results(run)
    assert {host for (_, host), result in found.items() if result == "pending"} == {"n1", "n3"}
    assert "unreachable" in run.outcomes()[0, "n1"].note

    world.down.clear()
    run = life.resume(run.id, work)
    assert run.status is RunStatus.DONE
    assert [host for host, _ in world.did()].count("n2") == 2, "each step once"


def test_what_is_behind_it_waits_only_on_that_host(url: str) -> None:
    world = World.of(*MANY)
    world.down.add("n1")
    run = Life(url, world).apply(draft(patient("a"), patient("b")))
    assert {pair for pair in world.did() if pair[0] == "n1"} == set()
    assert len(world.did()) == 6
    assert (1, "n1") not in run.outcomes()


def test_a_host_that_goes_away_half_way_is_unknown_and_stops_nobody(url: str) -> None:
    world = World.of(*MANY)
    world.hooks.append(fail(("n2", "a"), error=Lost))
    run = Life(url, world).apply(draft(patient("a")))
    assert results(run)[0, "n2"] == Result.UNKNOWN
    assert [result for key, result in results(run).items() if key != (0, "n2")] == ["done"] * 3


def test_a_failure_is_one_all_the_same(url: str) -> None:
    world = World.of(*MANY)
    world.hooks.append(fail(("n1", "a")))
    run = Life(url, world).apply(draft(patient("a")))
    assert results(run) == {(0, "n1"): "failed"}


def test_who_can_be_reached_makes_no_other_plan(url: str) -> None:
    """Nor does what is found there: what shall be is clear."""
    world = World.of(*MANY)
    life, work = Life(url, world), draft(patient("a"))
    all_there = life.engine.plan(work)
    world.down.add("n1")
    plan = life.engine.plan(work)
    assert plan.steps[0].findings["n1"].status is Status.UNREACHABLE
    assert plan.id == all_there.id
    assert Plan.from_record(plan.to_record()).steps[0].patient
    world.down = {"n4"}
    assert results(life.engine.apply(plan, work, Batch())) == {
        (0, "n1"): "done",
        (0, "n2"): "done",
        (0, "n3"): "done",
        (0, "n4"): "pending",
    }


def test_any_other_step_refuses_such_a_host(url: str) -> None:
    world = World.of(*MANY)
    world.down.add("n1")
    with pytest.raises(Blocked, match="n1: unreachable"):
        Life(url, world).apply(draft(patient("a"), step("b", *MANY)))
    assert world.did() == []
