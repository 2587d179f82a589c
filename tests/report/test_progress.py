"""Progress: lines in a pipe, a picture on a terminal, and many threads at once."""

from __future__ import annotations

import re
import threading

import pytest

from runbooks.model import Event, Plan, PlannedStep, todo
from runbooks.report.terminal import Progress

from . import samples
from .conftest import Stream


def play(stream: Stream, events: list[Event], plan: Plan | None = None, **options: object) -> str:
    with Progress(plan or samples.plan(), file=stream, **options) as progress:  # type: ignore[arg-type]
        for event in events:
            progress(event)
    return stream.getvalue()


def test_a_line_for_each_step_that_is_through(pipe: Stream) -> None:
    lines = play(pipe, list(samples.done_run().events)).splitlines()
    through = [line for line in lines if " in " in line]
    assert len(through) == 13
    assert through[0] == "03:37:18Z 1/13 Look at the account on every host: 12 of 12 hosts done in 5.5s"
    assert through[1].endswith("2/13 Prepare the registry patch, unmerged but mergeable: @git done in 0.5s")
    assert "\x1b" not in pipe.getvalue()


def test_failures_are_told_at_once_and_the_rest_at_the_end(pipe: Stream) -> None:
    lines = play(pipe, list(samples.troubled_run().events)).splitlines()
    assert any(re.match(r"03:37:33Z lab03: Delete the old account, keep its home: failed: userdel", s) for s in lines)
    assert lines[-1] == "4/13 Delete the old account, keep its home: 5 of 12 hosts done, 3 in trouble"


def test_a_long_step_gives_a_sign_of_life_and_not_a_line_for_each_host(pipe: Stream) -> None:
    hosts = tuple(f"h{n}" for n in range(2_000))
    plan = Plan("p", {}, (PlannedStep("Do it", "hosts", hosts, dict.fromkeys(hosts, todo())),))
    tape = samples.Tape()
    for host in hosts:
        tape.outcome(0, host)
    lines = play(pipe, tape.events, plan).splitlines()
    assert 50 < len(lines) < 110
    assert lines[0].endswith("1/1 Do it: 21 of 2,000 hosts done")


@pytest.mark.parametrize("live", [False, True])
def test_how_far_a_long_step_has_come(pipe: Stream, tty: Stream, monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    plan = Plan("p", {}, (PlannedStep("Do it", "system", ("@lists",), {"@lists": todo()}),))
    begin = Event("begin", 0.0, 0, "@lists")
    events = [Event("progress", float(at), 0, "@lists", {"note": f"{at} of 30\x1b"}) for at in range(31)]
    text = play(tty if live else pipe, [begin, *events], plan, live=live)
    told = re.findall(r"\d+ of 30", text)
    assert told[-1] == "30 of 30" if live else told == ["10 of 30", "20 of 30", "30 of 30"]
    assert "\x1b" not in text or live


def test_a_host_that_is_retried_counts_once(pipe: Stream) -> None:
    run = samples.troubled_run()
    tape = samples.Tape()
    for host in ("lab03", "lab07", "lab08", "lab09", "lab10", "lab11", "lab12"):
        tape.did(3, host)
    text = play(pipe, tape.events, earlier=run)
    assert "4/13 Delete the old account, keep its home: 12 of 12 hosts done" in text
    assert "1/13" not in text


def test_a_later_word_replaces_the_earlier_one(pipe: Stream) -> None:
    tape = samples.Tape()
    tape.did(1, "@git", samples.Result.FAILED)
    tape.did(1, "@git")
    with Progress(samples.plan(), file=pipe) as progress:
        for event in tape.events:
            progress(event)
    assert (progress.board.good(1), progress.board.bad(1)) == (1, 0)


def test_the_picture_shows_steps_and_hosts(tty: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("LINES", "40")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", play(tty, list(samples.troubled_run().events)))
    assert re.search(r"✓  3  Stop puppet +■{12}", text)
    assert re.search(r"✗  4  Delete the old account, keep its home +■■✗■■■✗!▪··· +5/12", text)
    assert "✗ lab03: Delete the old account, keep its home: failed" in text
    assert "lab[03,07-08]" in text


def test_the_picture_fits_a_low_terminal(tty: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    text = play(tty, list(samples.troubled_run().events))
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text[text.rindex("\x1b[2K") :])
    assert len(last.strip("\n").splitlines()) <= 9
    assert "Delete the old account" in last
    assert all(len(line) <= 80 for line in last.splitlines())


@pytest.mark.parametrize("live", [False, True])
def test_many_threads(live: bool) -> None:
    stream = Stream()
    hosts = tuple(f"h{n}" for n in range(400))
    plan = Plan("p", {}, (PlannedStep("Do it", "hosts", hosts, dict.fromkeys(hosts, todo())),))
    with Progress(plan, file=stream, live=live) as progress:

        def work(mine: tuple[str, ...]) -> None:
            for host in mine:
                progress(Event("begin", 1.0, 0, host))
                result = "failed" if host == "h7" else "done"
                progress(Event("outcome", 2.0, 0, host, {"result": result, "note": "\x1b[31m"}))

        threads = [threading.Thread(target=work, args=(hosts[n::8],)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert progress.board.good(0) == 399
    assert progress.board.bad(0) == 1
    assert stream.getvalue().count("failed: \\x1b[31m") == 1


def test_unknown_events_do_no_harm(pipe: Stream) -> None:
    with Progress(samples.plan(), file=pipe) as progress:
        progress(Event("resumed", 1.0, data={"operator": "marta"}))
        progress(Event("stopped", 1.0))
        progress(Event("begin", 1.0, 99, "lab01"))
    assert pipe.getvalue() == ""


def test_an_ascii_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    old = Stream("ascii", tty=True)
    assert not Progress(samples.plan(), file=old).live
    assert Progress(samples.plan(), file=Stream(tty=True)).live
    monkeypatch.setenv("TERM", "dumb")
    assert not Progress(samples.plan(), file=Stream(tty=True)).live


def test_what_failed_earlier_is_open_again() -> None:
    with Progress(samples.plan(), file=Stream(), earlier=samples.troubled_run()) as progress:
        assert (progress.board.good(2), progress.board.good(3), progress.board.bad(3)) == (12, 5, 0)


def test_one_failure_among_thousands_is_seen(tty: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    hosts = tuple(f"h{n}" for n in range(2_000))
    plan = Plan("p", {}, (PlannedStep("Do it", "hosts", hosts, dict.fromkeys(hosts, todo())),))
    tape = samples.Tape()
    for host in hosts:
        tape.outcome(0, host, samples.Result.FAILED if host == "h7" else samples.Result.DONE)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", play(tty, tape.events, plan))
    bar = re.findall(r"[■✗▪·]{20,}", text)[-1]
    assert bar == "■" * (len(bar) - 1) + "✗"
