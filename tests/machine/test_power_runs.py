"""A power cycle as a run: cut off at every point, taken up again, taken back; it never happens twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbooks.engine import Draft
from runbooks.errors import Blocked, Drift, Unwritable
from runbooks.model import Batch, Result, RunStatus
from runbooks.oob.model import Action
from runbooks.procedures import powercycle
from runbooks.procedures.machines import Machine
from runbooks.verdicts import exit_status
from runbooks.walker import Stop
from tests.machine.boxes import MINUTE, Boxes, bmc, machines
from tests.standins import Life, PowerCut

ONE_AT_A_TIME = Batch(size="1")


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's driver is one of those there are."""
    monkeypatch.setitem(powercycle.__dict__, "driver_class", lambda _name: _AnyDriver)


class _AnyDriver:
    from tests.machine.boxes import PretendedDriver

    abilities = PretendedDriver.abilities


def case(world: Boxes, action: str = "cycle", **options: Any) -> powercycle.Case:
    """What a look at these machines gives."""
    known = [
        Machine(
            name=box.name,
            bmc=bmc(box.name),
            others=("ipmi",),
            what="Dell R450",
            serial=box.serial,
            critical=(),
            contradictions=(),
            boot=box.boot().id if box.answers else "",
            log=tuple(str(number) for number in range(1, len(box.events) + 1)),
        )
        for box in world.boxes.values()
    ]
    from dataclasses import asdict

    values = {"graceful": False, "insecure": False, "power_s": 60, "shutdown_s": 120, "boot_s": 900} | options
    return powercycle.Case(tuple(asdict(machine) for machine in known), action, **values)


def draft(of: powercycle.Case) -> Draft:
    """The procedure's own."""
    arguments = {"hosts": [machine["name"] for machine in of.machines], "action": of.action}
    return powercycle.PROCEDURE.draft_of(of, arguments)


def url(path: Path) -> str:
    return f"sqlite:///{path}/journal.db"


def notes(run: Any) -> dict[str, str]:
    """What became of each step, by its first words and host."""
    return {
        f"{run.plan.steps[number].name.split(',')[0]} {host}": outcome.note
        for (number, host), outcome in run.outcomes().items()
    }


def test_a_dead_machine_is_turned_off_and_on_and_waited_for(tmp_path: Path) -> None:
    world = machines(answers=False)
    run = Life(url(tmp_path), world).apply(draft(case(world)))
    assert run.status is RunStatus.DONE
    assert world.boxes["db1"].happened == ["off", "on"]
    told = notes(run)
    assert told["Log in to the BMC db1"] == "power is on"
    assert told["Look whether the system answers db1"] == "does not answer: connection timed out"
    assert told["Wait until the system is back db1"] == "back, boot 00000002, 30 s old"
    assert told["Show what the event log has since db1"] == "no time  power on; no time  power off"


def test_a_machine_that_is_off_is_only_turned_on(tmp_path: Path) -> None:
    world = machines(on=False, answers=False)
    run = Life(url(tmp_path), world).apply(draft(case(world)))
    assert run.status is RunStatus.DONE
    assert world.boxes["db1"].happened == ["on"]


@pytest.mark.parametrize(
    ("action", "on", "wanted"),
    [("off", True, ["off"]), ("on", False, ["on"]), ("reset", True, ["reset"]), ("cycle", True, ["off", "on"])],
)
def test_each_action_does_what_it_says(tmp_path: Path, action: str, on: bool, wanted: list[str]) -> None:
    world = machines(on=on, answers=on)
    assert Life(url(tmp_path), world).apply(draft(case(world, action))).status is RunStatus.DONE
    assert world.boxes["db1"].happened == wanted


@pytest.mark.parametrize("answers", [True, False], ids=["well", "dead"])
@pytest.mark.parametrize("point", range(5))
def test_a_run_killed_while_a_bmc_is_told_never_cycles_twice(tmp_path: Path, answers: bool, point: int) -> None:
    """Points: before and after the off, before and after the on, and never."""
    world = machines(answers=answers, takes_s=3.0)
    the_draft = draft(case(world))
    life = Life(url(tmp_path), world, points=point)
    if point < 4:
        with pytest.raises(PowerCut):
            life.apply(the_draft)
        second = Life(url(tmp_path), world)
        run = second.resume(second.unfinished().id, the_draft)
    else:
        run = life.apply(the_draft)
    assert run.status is RunStatus.DONE, notes(run)
    assert world.boxes["db1"].happened == ["off", "on"]


@pytest.mark.parametrize("event", range(1, 13))
def test_a_run_killed_after_any_event_goes_on_and_never_cycles_twice(tmp_path: Path, event: int) -> None:
    world = machines(takes_s=3.0)
    the_draft = draft(case(world))
    life = Life(url(tmp_path), world, events=event)
    try:
        run = life.apply(the_draft)
    except PowerCut:
        second = Life(url(tmp_path), world)
        run = second.resume(second.unfinished().id, the_draft)
    assert run.status is RunStatus.DONE, notes(run)
    assert world.boxes["db1"].happened == ["off", "on"]


@pytest.mark.parametrize("event", range(1, 12))
def test_a_run_killed_after_any_event_can_be_taken_back_and_leaves_the_machine_on(tmp_path: Path, event: int) -> None:
    world = machines(takes_s=3.0)
    the_draft = draft(case(world))
    with pytest.raises(PowerCut):
        Life(url(tmp_path), world, events=event).apply(the_draft)
    second = Life(url(tmp_path), world)
    try:
        undone = second.undo(second.unfinished().id, the_draft)
    except Blocked as nothing:
        assert "nothing that could be taken back" in str(nothing)
    else:
        assert undone.status is RunStatus.DONE
    world.boxes["db1"].clock.sleep(10)
    world.boxes["db1"].tick()
    assert world.boxes["db1"].on


@pytest.mark.parametrize("answers", [True, False], ids=["well", "dead"])
@pytest.mark.parametrize("point", [0, 1], ids=["before", "after"])
def test_a_reset_that_was_begun_is_looked_for_and_not_begun_again(tmp_path: Path, answers: bool, point: int) -> None:
    world = machines(answers=answers)
    the_draft = draft(case(world, "reset"))
    with pytest.raises(PowerCut):
        Life(url(tmp_path), world, points=point).apply(the_draft)
    second = Life(url(tmp_path), world)
    run = second.resume(second.unfinished().id, the_draft)
    if point:
        assert run.status is RunStatus.DONE
        assert world.boxes["db1"].happened == ["reset"]
    else:
        # Nobody can know that it was not pressed: a person has to.
        assert run.status is RunStatus.INCOMPLETE
        assert world.boxes["db1"].happened == []
        assert "not begun a second time" in notes(run)["Reset the machine db1"]


def test_a_reset_that_was_waited_for_in_vain_is_waited_for_again_and_not_begun_again(tmp_path: Path) -> None:
    world = machines(boots_s=None)
    box = world.boxes["db1"]
    the_draft = draft(case(world, "reset"))
    life = Life(url(tmp_path), world)
    run = life.apply(the_draft)
    assert exit_status(run, Stop()) == 6
    again = life.resume(run.id, the_draft)
    assert exit_status(again, Stop()) == 6
    box.answers = True
    assert life.resume(run.id, the_draft).status is RunStatus.DONE
    assert box.happened == ["reset"]


def test_success_that_is_none_is_caught_and_nothing_more_is_done(tmp_path: Path) -> None:
    world = machines(lies=True)
    run = Life(url(tmp_path), world).apply(draft(case(world)))
    assert exit_status(run, Stop()) == 6
    assert run.outcomes()[3, "db1"].result is Result.UNVERIFIED
    assert notes(run)["Turn the power off db1"] == (
        "done, but looking again shows: the BMC took it, and after 60 s the power is on; its console: `sol db1.mgmt`"
    )
    assert (4, "db1") not in run.outcomes()


def test_an_answer_that_does_not_come_is_looked_for(tmp_path: Path) -> None:
    world = machines(loses=True)
    life = Life(url(tmp_path), world)
    run = life.apply(draft(case(world)))
    assert run.outcomes()[3, "db1"].result is Result.UNKNOWN
    assert exit_status(run, Stop()) == 5
    world.boxes["db1"].loses = False
    assert life.resume(run.id, draft(case(world))).status is RunStatus.DONE
    assert world.boxes["db1"].happened == ["off", "on"]


def test_a_bmc_that_goes_away_before_it_is_told_has_been_told_nothing(tmp_path: Path) -> None:
    world = machines()
    life = Life(url(tmp_path), world)
    the_draft = draft(case(world))
    plan = life.engine.plan(the_draft)
    box = world.boxes["db1"]
    world.hooks.append(lambda point, _name, _key: setattr(box, "dead_bmc", point == "end"))
    run = life.engine.apply(plan, the_draft, ONE_AT_A_TIME)
    # The off was taken, and could not be looked at; the run ends there.
    assert run.outcomes()[3, "db1"].result is Result.UNKNOWN
    world.hooks.pop()
    box.dead_bmc = False
    assert life.resume(run.id, the_draft).status is RunStatus.DONE
    assert box.happened == ["off", "on"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"boots_s": None}, "not back after 900 s: power on, POST 0x92, no ssh (connection timed out); its console: "),
        ({"boots_s": 2_000.0}, "not back after 900 s: power on, POST 0x92, no ssh"),
    ],
)
def test_a_machine_that_does_not_come_back_is_told_with_what_can_be_seen(
    tmp_path: Path, trouble: dict[str, Any], words: str
) -> None:
    world = machines("db1", "db2", **trouble)
    run = Life(url(tmp_path), world).apply(draft(case(world)), ONE_AT_A_TIME)
    assert exit_status(run, Stop()) == 6
    assert words in notes(run)["Wait until the system is back db1"]
    assert world.boxes["db2"].happened == [], "the first that does not come back is the last that is touched"


def test_a_machine_that_was_up_all_the_time_is_not_the_one_that_was_started(tmp_path: Path) -> None:
    """The BMC was another machine's; this one had lost its network, and came back without us."""
    world = machines(answers=False, boots_s=None)
    box = world.boxes["db1"]
    the_draft = draft(case(world))

    def network_is_back() -> None:
        if box.happened == ["off", "on"]:
            box.boots, box.booted_at, box.answers = 1, box.clock.now - 86_400, True

    box.clock.slept = network_is_back
    run = Life(url(tmp_path), world).apply(the_draft)
    assert exit_status(run, Stop()) == 6
    assert "not the machine that was started" in notes(run)["Wait until the system is back db1"]


def test_the_same_boot_is_not_back(tmp_path: Path) -> None:
    world = machines(boots_s=None)
    box = world.boxes["db1"]
    the_draft = draft(case(world))

    def same() -> None:
        if box.on:
            box.boots, box.answers = 1, True

    box.clock.slept = same
    run = Life(url(tmp_path), world).apply(the_draft)
    assert exit_status(run, Stop()) == 6
    assert "ssh answers in the same boot, 00000001" in notes(run)["Wait until the system is back db1"]


def test_a_signal_ends_the_wait_and_a_resume_goes_on_with_it(tmp_path: Path) -> None:
    world = machines(boots_s=5 * MINUTE)
    life = Life(url(tmp_path), world)
    box = world.boxes["db1"]
    box.clock.slept = lambda: life.engine.stop.ask("SIGINT") if box.happened == ["off", "on"] else None
    began = box.clock.now
    run = life.apply(draft(case(world)))
    assert exit_status(run, life.engine.stop) == 130
    assert box.clock.now < began + MINUTE, "nobody waits for the end of a wait"
    assert notes(run)["Wait until the system is back db1"].endswith("stopped while it was waited for")
    box.clock.slept = lambda: None
    second = Life(url(tmp_path), world)
    assert second.resume(run.id, draft(case(world))).status is RunStatus.DONE
    assert box.happened == ["off", "on"]


def test_a_driver_that_slept_too_long_sends_nothing(tmp_path: Path) -> None:
    world = machines()
    box = world.boxes["db1"]
    life = Life(url(tmp_path), world)
    the_draft = draft(case(world))
    target: Any = world["machine:db1"]
    with pytest.raises(Unwritable, match="look again"), target.writer("r", 1, 0.0) as writer:
        box.clock.sleep(MINUTE)
        writer.set_power(bmc("db1"), Action.OFF)
    assert box.happened == []
    assert life.apply(the_draft).status is RunStatus.DONE


def test_where_the_bmc_cannot_be_had_any_more_nothing_was_sent_and_nothing_is_recorded() -> None:
    world = machines()
    target: Any = world["machine:db1"]
    world.boxes["db1"].dead_bmc = True
    with target.writer("r", 1, 0.0) as writer, pytest.raises(Unwritable, match="no answer"):
        writer.set_power(bmc("db1"), Action.OFF)
    assert writer.transcript == []


def test_what_the_log_had_before_is_not_new(tmp_path: Path) -> None:
    world = machines(events=["fan 3 failed"])
    run = Life(url(tmp_path), world).apply(draft(case(world)))
    assert notes(run)["Show what the event log has since db1"] == "no time  power on; no time  power off"


@pytest.mark.parametrize(
    ("answers", "critical", "action", "typed"),
    [
        (True, (), "cycle", "db1"),
        (False, (), "cycle", ""),
        (False, ("db-primary",), "cycle", "db1"),
        (True, (), "off", "db1"),
        (True, (), "reset", "db1"),
        (True, (), "on", ""),
        (True, ("db-primary",), "on", "db1"),
    ],
)
def test_whose_name_has_to_be_typed(answers: bool, critical: tuple[str, ...], action: str, typed: str) -> None:
    world = machines(answers=answers)
    of = case(world, action)
    of.machines[0]["critical"] = list(critical)
    assert draft(of).typed == typed
    assert draft(of).batch_size == "1"


def test_a_graceful_end_is_given_its_time_and_then_the_power_is_taken(tmp_path: Path) -> None:
    world = machines("db1", takes_s=5.0)
    run = Life(url(tmp_path), world).apply(draft(case(world, graceful=True)))
    assert run.status is RunStatus.DONE
    assert notes(run)["Ask the system to end by itself db1"] == "ended by itself"
    assert world.boxes["db1"].happened == ["off", "on"]

    hung = machines("db2")
    box = hung.boxes["db2"]
    real = box._become
    box._become = lambda action: None if action == "shutdown" else real(action)  # type: ignore[method-assign]
    run = Life(url(tmp_path), hung).apply(draft(case(hung, graceful=True)))
    assert run.status is RunStatus.DONE
    assert notes(run)["Ask the system to end by itself db2"] == "was asked, and did not end within 120 s"
    assert box.happened == ["off", "on"]


def test_the_power_has_to_be_as_it_was_planned(tmp_path: Path) -> None:
    world = machines()
    life = Life(url(tmp_path), world)
    the_draft = draft(case(world))
    plan = life.engine.plan(the_draft)
    world.boxes["db1"].on = world.boxes["db1"].answers = False
    with pytest.raises(Drift, match="power was 'on', is 'off'"):
        life.engine.apply(plan, the_draft, ONE_AT_A_TIME)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (
            lambda box: setattr(box, "dead_bmc", True),
            "unreachable: no answer; this machine also has ipmi: --driver ipmi",
        ),
        (lambda box: setattr(box, "neither", True), "the BMC says neither on nor off"),
        (
            lambda box: setattr(box, "serial", "ZZ99999"),
            "whose BMC is db1.mgmt? It says ZZ99999, the inventory says AB12345",
        ),
    ],
)
def test_what_is_in_the_way_is_told_before_anything_is_done(tmp_path: Path, break_it: Any, words: str) -> None:
    world = machines()
    the_draft = draft(case(world))
    break_it(world.boxes["db1"])
    with pytest.raises(Blocked) as told:
        Life(url(tmp_path), world).apply(the_draft)
    assert words in str(told.value)
    assert world.boxes["db1"].happened == []


@pytest.mark.parametrize("nonsense", ["", "Not Specified", "To be filled by O.E.M.", "0123456789", "Default string"])
def test_a_board_that_was_never_told_its_serial_is_in_nobodys_way(tmp_path: Path, nonsense: str) -> None:
    world = machines()
    the_draft = draft(case(world))
    world.boxes["db1"].serial = nonsense
    assert Life(url(tmp_path), world).apply(the_draft).status is RunStatus.DONE


def test_sources_that_contradict_each_other_are_in_the_way(tmp_path: Path) -> None:
    world = machines()
    of = case(world)
    of.machines[0]["contradictions"] = ["serial: yaml says A, netbox says B"]
    with pytest.raises(Blocked, match="contradict each other: serial: yaml says A, netbox says B"):
        Life(url(tmp_path), world).apply(draft(of))
