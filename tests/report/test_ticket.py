"""What is to be written on the ticket: of all that is missing, and whole, so that it can be copied."""

from __future__ import annotations

from dataclasses import replace

from runbooks.model import Plan, PlannedStep, Result, RunStatus, done, todo
from runbooks.report.html import run_html
from runbooks.report.ticket import missing, print_post, still_missing

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
