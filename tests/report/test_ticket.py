"""What is to be written on the ticket: of all that is missing, and whole, so that it can be copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbooks.model import Json, Plan, PlannedStep, Result, Run, RunStatus, done, todo
from runbooks.report.html import run_html
from runbooks.report.ticket import MOST_ENDS, missing, outcome, print_post, still_missing

from . import samples
from .conftest import Stream
from .test_html import Page


def gate(name: str, is_open: bool) -> PlannedStep:
    return PlannedStep(
        name, "manual", ("@person",), {"@person": todo() if is_open else done()}, post=f"{name}: please."
    )


def test_a_plan_says_all_that_is_missing_and_nothing_else() -> None:
    steps = (gate("lead", True), gate("legal", False), gate("key", True), samples.step("Do it", todo()))
    assert missing(Plan("p", {}, steps)) == "lead: please.\n\nkey: please."
    assert missing(samples.plan()) == ""


def test_a_run_says_what_it_has_not_come_past() -> None:
    run = samples.waiting_run()
    assert still_missing(run) == samples.POST
    tape = samples.Tape()
    tape.outcome(0, "@person", Result.DONE, "confirmed by marta, 2026-11-23 03:37:12Z: T123#9")
    assert still_missing(replace(run, events=tape.events)) == ""
    assert still_missing(replace(run, status=RunStatus.ABANDONED)) == ""


def test_its_lines_are_whole_however_narrow_the_paper(pipe: Stream) -> None:
    print_post(samples.POST + "\n\nAnd more.", "T123", file=pipe)
    assert pipe.getvalue() == f"\nFor the ticket T123:\n\n{samples.POST}\n\nAnd more.\n\n"


def test_the_page_has_it_too() -> None:
    page = run_html(samples.waiting_run())
    assert samples.POST in Page(page).text
    assert "<b>co</b>" not in page
    assert "For the ticket" not in Page(run_html(samples.done_run())).text


def test_a_plan_keeps_it() -> None:
    plan = samples.waiting_run().plan
    assert Plan.from_record(plan.to_record()).steps[0].post == samples.POST
    without = replace(plan, steps=(replace(plan.steps[0], post=""), *plan.steps[1:]))
    assert plan.id == without.id, "another wording is no drift"


# at the end


HOSTS = ("db1001", "db1002", "db1003", "db1004")
SLOW = "no SSH within 600 s; the power is on"


def cycled(*hosts: str, status: RunStatus = RunStatus.DONE, tape: samples.Tape | None = None, **given: Json) -> Run:
    """A run over hosts, with what a tape says of it."""
    names = ("Turn it off and on", "Wait for SSH", "See a new boot")
    steps = tuple(samples.step(name, todo(), *(hosts or HOSTS)) for name in names)
    plan = Plan("powercycle", {"query": "db100[1-4]", "graceful": False, "task": "T123"} | given, steps)
    tape = tape or samples.Tape()
    finished = tape.at + 1 if status.finished else None
    return Run(samples.RUN_ID, plan, status, "marta", samples.STARTED, finished, None, tape.events)


def all_done(*hosts: str) -> samples.Tape:
    tape = samples.Tape()
    for host in hosts or HOSTS:
        for number in range(3):
            tape.did(number, host)
    return tape


def test_all_that_ended_alike_is_one_line() -> None:
    assert outcome(cycled(tape=all_done(), reason="no answer since 02:10")) == (
        "Powercycle query=db100[1-4]: done\n"
        f"run {samples.RUN_ID}, by marta, 2026-11-23 03:37:12Z to 2026-11-23 03:37:25Z\n"
        "reason: no answer since 02:10\n"
        "db[1001-1004]: all steps done"
    )


@pytest.mark.parametrize("given", [{}, {"reason": None}, {"reason": ""}])
def test_a_reason_that_was_not_given_is_not_told(given: dict[str, Json]) -> None:
    said = outcome(cycled(tape=all_done(), **given))
    assert "reason" not in said and "None" not in said and "T123" not in said
    assert len(said.splitlines()) == 3


def test_where_each_stopped() -> None:
    tape = all_done("db1001")
    for host in ("db1002", "db1003"):
        tape.did(0, host)
        tape.did(1, host, Result.FAILED, SLOW)
    said = outcome(cycled(status=RunStatus.INCOMPLETE, tape=tape)).splitlines()
    assert said[0].endswith(": INCOMPLETE")
    assert said[1].endswith(" to 2026-11-23 03:37:19Z"), "its last event, while it is not finished"
    assert said[2:] == [
        "db1001: all steps done",
        f"db[1002-1003]: 1 of 3 steps done; Wait for SSH: failed: {SLOW}",
        "db1004: not begun",
    ]


def test_it_is_the_newest_word_that_counts() -> None:
    """Of a step that failed and came right when the run was resumed, nothing is told."""
    tape = samples.Tape()
    tape.did(0, "db1001")
    tape.begin(1, "db1001")
    begun = outcome(cycled("db1001", status=RunStatus.INCOMPLETE, tape=tape)).splitlines()[-1]
    assert begun == "db1001: 1 of 3 steps done; Wait for SSH: unknown: begun, and no outcome recorded"
    tape.outcome(1, "db1001", Result.FAILED, SLOW)
    tape.did(1, "db1001")
    halted = outcome(cycled("db1001", status=RunStatus.INCOMPLETE, tape=tape)).splitlines()[-1]
    assert halted == "db1001: 2 of 3 steps done; See a new boot: not begun"
    tape.outcome(2, "db1001", note="it is so already")
    assert outcome(cycled("db1001", tape=tape)).splitlines()[-1] == "db1001: all steps done"


def test_any_procedure_and_its_systems() -> None:
    assert outcome(samples.done_run()).splitlines()[2:] == ["lab[01-12],puppet01: all steps done"]
    said = outcome(samples.troubled_run()).splitlines()
    assert [line.partition(":")[0] for line in said[2:]] == [
        "lab[01-02,04-06]", "lab03", "lab07", "lab08", "lab09", "lab[10-12]", "puppet01"
    ]  # fmt: skip
    waits = outcome(samples.waiting_run()).splitlines()
    assert waits[2].startswith("@person: 0 of 1 steps done; Ask legal whether the name may go: pending: waiting for")
    assert waits[3:] == ["lab[01-12],puppet01: not begun"]


def test_it_stays_short_and_steers_no_terminal() -> None:
    hosts = [f"db{n}" for n in range(1001, 1031)]
    tape = samples.Tape()
    for host in hosts:
        tape.did(0, host, Result.FAILED, f"\x1b[2J{host}\nrefuses")
    said = outcome(cycled(*hosts, status=RunStatus.INCOMPLETE, tape=tape, reason="a\nb")).splitlines()
    assert said[2] == "reason: a\\nb"
    assert said[3] == "db1001: 0 of 3 steps done; Turn it off and on: failed: \\x1b[2Jdb1001\\nrefuses"
    assert said[3 + MOST_ENDS :] == [f"… and {30 - MOST_ENDS} more: inv show {samples.RUN_ID}"]
