"""A reboot as a run: each host comes back in another boot before the next one goes; none is rebooted twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbooks.engine import Draft
from runbooks.errors import Blocked, Drift, Lost
from runbooks.model import Batch, Result, RunStatus
from runbooks.oob.model import Action
from runbooks.procedures import reboot
from runbooks.verdicts import exit_status
from runbooks.walker import Stop
from tests.machine.boxes import Boxes, machines
from tests.standins import Life, PowerCut

ONE_AT_A_TIME = Batch(size="1")


def draft(world: Boxes, *, with_bmc: bool = True) -> Draft:
    """The procedure's own, of a look at these machines."""
    names = list(world.boxes)
    case = reboot.Case(
        boots={name: box.boot().id if box.answers else "" for name, box in world.boxes.items()},
        with_bmc=tuple(names) if with_bmc else (),
        critical=(),
        command=("systemctl", "reboot"),
        boot_s=600,
    )
    return reboot.PROCEDURE.draft_of(case, {"hosts": names})


def reboots(world: Boxes, *, ends_connection: bool = False) -> None:
    """The command does what it says."""
    for name, system in world.systems.items():

        def begin(name: str = name) -> None:
            world.boxes[name].pending.append((world.boxes[name].clock.now + 4, lambda: restart(world, name)))
            if ends_connection:
                raise Lost(name, "the connection was closed")

        system.on_command = begin


def restart(world: Boxes, name: str) -> None:
    world.boxes[name]._become(Action.RESET)


def url(path: Path) -> str:
    return f"sqlite:///{path}/journal.db"


@pytest.mark.parametrize("ends_connection", [False, True])
def test_each_host_is_back_before_the_next_one_goes(tmp_path: Path, ends_connection: bool) -> None:
    world = machines("web1", "web2", "web3")
    reboots(world, ends_connection=ends_connection)
    order: list[str] = []
    for box in world.boxes.values():

        def record(action: Action, box: Any = box, real: Any = box._become) -> None:
            assert all(other.answers for other in world.boxes.values() if other is not box)
            order.append(box.name)
            real(action)

        box._become = record  # type: ignore[method-assign]
    run = Life(url(tmp_path), world).apply(draft(world), ONE_AT_A_TIME)
    assert run.status is RunStatus.DONE
    assert order == ["web1", "web2", "web3"]
    assert run.outcomes()[1, "web2"].note == "back, boot 00000002, 30 s old; before: 00000001"


def test_a_host_that_hangs_is_told_with_what_is_left_and_is_the_last(tmp_path: Path) -> None:
    world = machines("web1", "web2")
    world.systems["web1"].on_command = lambda: setattr(world.boxes["web1"], "answers", False)
    run = Life(url(tmp_path), world).apply(draft(world), ONE_AT_A_TIME)
    assert exit_status(run, Stop()) == 6
    assert run.outcomes()[1, "web1"].note == (
        "done, but looking again shows: not back after 600 s: no ssh (connection timed out); "
        "what is left is its power button: `inv powercycle web1`"
    )
    assert world.systems["web2"].commands == []


def test_what_came_back_meanwhile_is_done_and_not_rebooted_again(tmp_path: Path) -> None:
    world = machines("web1")
    box = world.boxes["web1"]
    world.systems["web1"].on_command = lambda: setattr(box, "answers", False)
    the_draft = draft(world)
    life = Life(url(tmp_path), world)
    run = life.apply(the_draft)
    assert run.status is RunStatus.INCOMPLETE
    restart(world, "web1")
    box.clock.sleep(60)
    assert life.resume(run.id, the_draft).status is RunStatus.DONE
    assert len(world.systems["web1"].commands) == 1


def test_a_command_that_does_nothing_is_caught(tmp_path: Path) -> None:
    world = machines("web1")
    run = Life(url(tmp_path), world).apply(draft(world, with_bmc=False))
    assert run.outcomes()[1, "web1"].result is Result.UNVERIFIED
    assert run.outcomes()[1, "web1"].note.endswith("not back after 600 s: ssh answers in the same boot, 00000001")


@pytest.mark.parametrize("event", range(1, 5))
def test_a_run_killed_after_any_event_reboots_once(tmp_path: Path, event: int) -> None:
    world = machines("web1")
    reboots(world)
    the_draft = draft(world)
    try:
        Life(url(tmp_path), world, events=event).apply(the_draft)
    except PowerCut:
        second = Life(url(tmp_path), world)
        assert second.resume(second.unfinished().id, the_draft).status is RunStatus.DONE
    assert world.boxes["web1"].happened == ["reset"]


def test_a_host_that_does_not_answer_is_in_the_way_and_its_power_button_is_named(tmp_path: Path) -> None:
    world = machines("web1", answers=False)
    with pytest.raises(Blocked, match="connection timed out; what is left is its power button: `inv powercycle web1`"):
        Life(url(tmp_path), world).apply(draft(world))


def test_a_host_that_was_rebooted_meanwhile_is_drift(tmp_path: Path) -> None:
    world = machines("web1")
    life = Life(url(tmp_path), world)
    the_draft = draft(world)
    plan = life.engine.plan(the_draft)
    restart(world, "web1")
    world.boxes["web1"].answers = True
    with pytest.raises(Drift):
        life.engine.apply(plan, the_draft, ONE_AT_A_TIME)
