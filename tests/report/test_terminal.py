"""Plans, summaries, lists: what stands there, lined up, folded, and harmless."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from runbooks.model import Finding, Plan, PlannedStep, Result, Run, RunStatus, Status, later, todo
from runbooks.report.terminal import print_plan, print_run, print_runs, print_summary

from . import samples
from .conftest import Stream

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
EVIL = "\x1b[2J\x1b]0;owned\x07[red]x[/red] \u202egnp.exe\r\nlab99: ok <b>&"


def text_of(plan: Plan, **options: object) -> str:
    stream = Stream()
    print_plan(plan, file=stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_plan_reads_like_the_page() -> None:
    text = text_of(samples.plan(), title_line="fleet: inventory")
    assert text.startswith("Rename user  old=alice new=alicia task=T123 end-processes\nplan ")
    assert "13 hosts · 13 steps\nfleet: inventory\nhosts: lab[01-12],puppet01\n" in text
    assert re.search(r"^ 3  Stop puppet +lab\[01-12\] \(12\)  11 to do, 1 ok$", text, re.M)
    assert "\n      lab05: ok\n" in text
    assert "\n      -    members: &deployers [alice, bob, dave, grace, judy]\n" in text
    assert text.endswith(
        "Nothing was changed. 23 to do, 86 later, 14 ok.\n"
        f"Apply exactly this plan with: inv apply {samples.plan().id[:12]}\n"
    )


def test_sentences_line_up() -> None:
    rows = [line for line in text_of(samples.plan()).splitlines() if re.match(r"[ \d]\d  \S", line)]
    assert len(rows) == 13
    places = {re.search(r"lab\[01-12\] \(12\)|@git|puppet01", row).start() for row in rows}  # type: ignore[union-attr]
    assert len(places) == 1
    assert len({re.search(r"(\d+ )?(to do|later|ok)", row[55:]).start() for row in rows}) == 1  # type: ignore[union-attr]


def test_what_stands_in_the_way_is_said_and_where() -> None:
    text = text_of(samples.blocked_plan())
    assert "1 blocked, 1 unreachable\n      lab03: blocked: /home/alice/.ssh is immutable: chattr -i it" in text
    assert "This plan cannot be applied: 1 blocked, 1 unreachable on lab[03,08].\n" in text
    assert "inv apply" not in text


def test_whom_a_patient_step_cannot_reach_is_left_pending() -> None:
    blocked = samples.blocked_plan()
    patient = replace(blocked, steps=tuple(replace(step, patient=True) for step in blocked.steps))
    text = text_of(patient)
    assert "Left pending, for inv resume to come back for: lab08.\n" in text
    assert "This plan cannot be applied: 1 blocked on lab03.\n" in text
    no_longer = {Status.BLOCKED: Status.TODO}
    steps = tuple(
        replace(s, findings={t: replace(f, status=no_longer.get(f.status, f.status)) for t, f in s.findings.items()})
        for s in patient.steps
    )
    assert "Apply exactly this plan with: inv apply" in text_of(replace(patient, steps=steps))


def test_hint_is_left_out_where_the_plan_is_not_kept() -> None:
    assert "inv apply" not in text_of(samples.plan(), hint=False)
    assert "inv apply" not in text_of(replace(samples.plan(), procedure="undo"))


def test_plan_with_nothing_left() -> None:
    step = samples.step("Stop puppet", Finding(Status.DONE))
    text = text_of(Plan("rename-user", {}, (step,)))
    assert "Nothing was changed. 12 ok.\n" in text
    assert "inv apply" not in text


def test_alike_findings_are_told_once() -> None:
    preview = "$ userdel alice"
    step = samples.step("Delete", todo(preview), lab02=todo(preview, note="was busy"), lab03=todo(preview, note="b"))
    text = text_of(Plan("p", {}, (step,)))
    assert text.count(preview) == 1
    assert "lab[01,04-12] (10): to do\n" in text
    assert "lab02: to do: was busy\n" in text


def test_many_different_findings_are_cut_with_a_count() -> None:
    other = {host: Finding(Status.BLOCKED, f"why {host}") for host in (f"h{n}" for n in range(50))}
    step = PlannedStep("Do it", "hosts", tuple(other), other)
    text = text_of(Plan("p", {}, (step,)))
    assert text.count(": blocked: why") == 12
    assert "… and 38 other findings on h[12-49] (38)" in text


def test_long_diff_is_cut_in_the_middle() -> None:
    diff = ["--- a/x", "+++ b/x", "@@ -1,200 +1,200 @@", *(f"+line {n}" for n in range(200))]
    text = text_of(Plan("p", {}, (samples.step("Change it", todo(*diff), "@git"),)))
    assert "\n      … 160 lines left out …\n" in text
    assert "+line 0\n" in text
    assert "+line 199\n" in text
    assert "+line 100\n" not in text
    assert text.count("+line") == 203 - 160 - 3


def test_no_inverse_and_notes_are_told() -> None:
    step = replace(samples.step("Power off", later(), "h1"), no_inverse="what was in memory is gone")
    text = text_of(Plan("p", {}, (step,), notes=("h1 is old",)))
    assert "      cannot be undone: what was in memory is gone\n" in text
    assert "\n! h1 is old\n" in text


@pytest.mark.parametrize("width", [60, 72, 100, 132])
def test_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch, tty: Stream) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_plan(samples.blocked_plan(), file=tty)
    print_summary(samples.troubled_run(), file=tty)
    print_run(samples.troubled_run(), file=tty, outputs=True)
    lines = ESCAPES.sub("", tty.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 12


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch, tty: Stream, pipe: Stream) -> None:
    print_plan(samples.plan(), file=tty)
    assert re.search(r"\x1b\[32m\+    members: \[mallory, alice\]", tty.getvalue())
    assert re.search(r"\x1b\[31m-    members: \[mallory\]", tty.getvalue())
    print_plan(samples.plan(), file=pipe)
    assert "\x1b" not in pipe.getvalue()
    forced = text_of(samples.plan(), color=True)
    assert ESCAPES.sub("", forced) == pipe.getvalue()
    assert "\x1b[" in forced
    monkeypatch.setenv("NO_COLOR", "1")
    bare = Stream(tty=True)
    print_plan(samples.plan(), file=bare)
    assert "\x1b" not in bare.getvalue()


def test_plain_text_has_no_trailing_spaces_and_is_at_most_100_wide(pipe: Stream) -> None:
    print_plan(samples.blocked_plan(), file=pipe)
    print_summary(samples.troubled_run(), file=pipe)
    print_run(samples.troubled_run(), file=pipe, outputs=True)
    lines = pipe.getvalue().splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= 100
    assert "\u00a0" not in pipe.getvalue()


def test_a_terminal_of_the_c_locale_gets_look_alikes(ascii_pipe: Stream) -> None:
    plan = samples.plan(lab03=Finding(Status.BLOCKED, "Müller…"))
    print_plan(plan, file=ascii_pipe)
    print_run(samples.troubled_run(), file=ascii_pipe, outputs=True)
    assert "13 hosts - 13 steps" in ascii_pipe.getvalue()
    assert "M\\xfcller..." in ascii_pipe.getvalue()


def evil_run() -> Run:
    bad = Finding(Status.TODO, EVIL, ("--- a", EVIL, "$ " + EVIL))
    step = PlannedStep(EVIL, "hosts", ("h1", EVIL), {"h1": bad, EVIL: bad}, no_inverse=EVIL)
    tape = samples.Tape()
    tape.did(0, "h1", Result.FAILED, EVIL, commands=[samples.command(EVIL, 1, EVIL + "\udcff")])
    tape.did(0, EVIL, Result.FAILED, EVIL)
    plan = Plan("rename-user", {"old": EVIL, EVIL: "x"}, (step,), notes=(EVIL,))
    return Run(samples.RUN_ID, plan, RunStatus.INCOMPLETE, EVIL, samples.STARTED, None, EVIL, tape.events)


def test_nobody_steers_the_terminal(pipe: Stream) -> None:
    run = evil_run()
    print_plan(run.plan, file=pipe, title_line=EVIL)
    print_summary(run, file=pipe)
    print_runs([run.line()], file=pipe)
    print_run(run, file=pipe, outputs=True)
    text = pipe.getvalue()
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert "\\x1b[2J" in text
    assert "[red]x[/red]" in text
    assert not re.search(r"^lab99", text, re.M)


def test_summary_of_a_good_run(pipe: Stream) -> None:
    print_summary(samples.done_run(), file=pipe)
    text = pipe.getvalue()
    assert "run 20261123-033712-80ba4b, by marta: done, 2026-11-23 03:37:12Z to 03:38:57Z, 1m 45s\n" in text
    assert "13 of 13 hosts done; steps on hosts: 85 done, 38 ok\n" in text
    assert re.search(r"^ 3  Stop puppet +11s  11 done, 1 ok$", text, re.M)
    assert "inv undo 20261123-033712-80ba4b" in text
    assert "resume" not in text
    assert "Not as it should be" not in text


def test_summary_names_every_failure_and_what_to_do(pipe: Stream) -> None:
    print_summary(samples.troubled_run(), file=pipe)
    text = " ".join(pipe.getvalue().split())
    assert text.count("step 4,") == 1
    assert "step 4, Delete the old account, keep its home lab03: failed: userdel alice: exit status 8" in text
    assert "lab07: unverified: done, but looking again shows: alice is still in /etc/passwd" in text
    assert "lab08: pending: unreachable: ssh to lab08" in text
    assert "lab09: unknown: begun, and no outcome recorded" in text
    assert "0 of 13 hosts done, 4 in trouble" in text
    for command in ("resume --run", "undo", "abandon"):
        assert f"inv {command} 20261123-033712-80ba4b" in text


def test_an_undone_run_offers_no_undo(pipe: Stream) -> None:
    print_summary(replace(samples.done_run(), status=RunStatus.UNDONE), file=pipe)
    assert "inv undo" not in pipe.getvalue()


def test_runs_are_a_table_with_the_id_first(pipe: Stream) -> None:
    print_runs([samples.troubled_run().line(), replace(samples.done_run(), operator="jo").line()], file=pipe)
    head, one, two = pipe.getvalue().splitlines()
    assert head.split() == ["run", "status", "what", "by", "started", "hosts"]
    assert one.startswith("20261123-033712-80ba4b  incomplete  rename-user old=alice new=alicia task=T123")
    assert one.endswith("2026-11-23 03:37Z  0/13 done, 4 in trouble")
    assert two.endswith("13 done")
    assert one.index("marta") == two.index("jo") == head.index("by")


def test_no_runs(pipe: Stream) -> None:
    print_runs([], file=pipe)
    assert pipe.getvalue() == "There are no runs yet.\n"


def test_outputs_only_when_asked_for(pipe: Stream) -> None:
    print_run(samples.troubled_run(), file=pipe)
    assert "$ userdel alice  (exit 8)" not in pipe.getvalue()
    print_run(samples.troubled_run(), file=pipe, outputs=True)
    assert "        $ userdel alice  (exit 8)\n          userdel: user alice is currently used" in pipe.getvalue()
    assert "      sent to lab[01-02,04-07]:\n        $ true\n" in pipe.getvalue()


def test_ten_thousand_hosts_are_quick() -> None:
    hosts = tuple(f"r{n // 40:03}-n{n % 40:02}" for n in range(10_000))
    finding = todo("$ true")
    step = PlannedStep("Do it", "hosts", hosts, dict.fromkeys(hosts, finding))
    plan = Plan("p", {}, (step,) * 12)
    started = time.process_time()
    text = text_of(plan)
    assert time.process_time() - started < 6
    assert "r[000-249]-n[00-39]" in text
    assert len(text) < 5_000


def test_rich_is_not_imported_before_it_is_used() -> None:
    code = "import sys, runbooks.report, runbooks.report.html; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_that_waits_says_how_to_confirm(pipe: Stream) -> None:
    print_summary(samples.waiting_run(), file=pipe)
    text = pipe.getvalue()
    assert "It waits:\n" in text
    assert "Not as it should be" not in text
    assert f"inv resume --confirmed WHERE --run {samples.RUN_ID}" in text
    assert "inv undo" not in text
    with_trouble = Stream()
    print_summary(replace(samples.troubled_run(), status=RunStatus.WAITING), file=with_trouble)
    assert "Not as it should be:\n" in with_trouble.getvalue()


def test_trouble_stands_before_what_went_well(pipe: Stream) -> None:
    print_run(samples.troubled_run(), file=pipe)
    step = pipe.getvalue().split(" 4  Delete")[1].split(" 5  Make")[0]
    words = re.findall(r"^ +\S+(?: \(\d+\))?: (failed|unverified|unknown|pending|done|not begun)", step, re.M)
    assert words == ["failed", "unverified", "unknown", "pending", "done", "not begun"]


def test_a_summary_fits_a_ticket_however_wide_the_terminal(monkeypatch: pytest.MonkeyPatch, tty: Stream) -> None:
    monkeypatch.setenv("COLUMNS", "180")
    print_summary(samples.troubled_run(), file=tty)
    assert 88 < max(map(len, ESCAPES.sub("", tty.getvalue()).splitlines())) <= 100
