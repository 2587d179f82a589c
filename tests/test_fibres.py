"""Fibres: many waits in one thread, and what can only block beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbooks import fibres
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.window import Window
from tests.test_journal import begin, start
from tests.waiting import eventually

NAMES = [f"n{n}" for n in range(20)]


def side_by_side(work: Callable[[str], None], blocks: bool = False, width: int = 20) -> None:
    """All names at once, or so many."""
    Window(work, blocks=lambda _: blocks).slide(NAMES, width)


def test_waits_of_one_thread_pass_side_by_side() -> None:
    threads, order = set(), []

    def work(name: str) -> None:
        threads.add(threading.get_ident())
        order.append(name)
        fibres.sleep(0.05)
        order.append(name)

    side_by_side(work)
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert sorted(order[:20]) == sorted(order[20:]) == sorted(NAMES)


def test_what_blocks_has_a_thread_of_its_own_and_all_of_them_run_at_once() -> None:
    before = threading.active_count()
    meeting = threading.Barrier(20)
    side_by_side(lambda _: meeting.wait(60) and None, blocks=True)
    eventually(lambda: threading.active_count() <= before)


def test_aside_a_fibre_blocks_nobody_and_hears_what_came_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    meeting = threading.Barrier(20)
    found: dict[str, object] = {}

    def work(name: str) -> None:
        def call() -> int:
            meeting.wait(60)
            if name == "n3":
                raise ValueError(name)
            return threading.get_ident()

        try:
            found[name] = fibres.aside(call)
        except ValueError as error:
            found[name] = str(error)

    side_by_side(work)
    assert found.pop("n3") == "n3"
    assert len(set(found.values())) == 19
    assert threading.get_ident() not in found.values()
    assert capfd.readouterr() == ("", "")


def test_input_is_waited_for_by_fibres_and_by_threads() -> None:
    pipes = {name: os.pipe() for name in NAMES}
    heard: list[bool] = []

    def work(name: str) -> None:
        ours, theirs = pipes[name]
        if name == NAMES[-1]:
            for _, other in pipes.values():
                os.write(other, b"x")
        heard.append(fibres.wait_for_input(ours, 10))
        os.read(ours, 1)
        heard.append(fibres.wait_for_input(ours, 0.01))
        poll = fibres.poll()
        poll.register(theirs)
        assert poll.poll(1000)

    side_by_side(work)
    assert sorted(heard) == [False] * 20 + [True] * 20
    heard.clear()
    side_by_side(work, blocks=True)
    assert sorted(heard) == [False] * 20 + [True] * 20
    for pair in pipes.values():
        for number in pair:
            os.close(number)


def test_what_fibres_record_at_the_same_time_is_committed_together(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/journal.db")
    lease, commits = start(journal), []
    write = journal.write

    def counted(of: Lease, events: list[object]) -> None:
        commits.append(len(events))
        write(of, events)  # type: ignore[arg-type]

    journal.write = counted  # type: ignore[method-assign,assignment]

    def work(name: str) -> None:
        for _ in range(3):
            lease.record(begin(name))
            fibres.sleep(0.02)

    side_by_side(work)
    assert sum(commits) == 60
    assert len(commits) < 12
    assert len(journal.run(lease.run_id).events) == 60


def test_the_first_error_ends_the_walk_when_those_under_way_have_ended() -> None:
    ended, halted = [], []

    def work(name: str) -> None:
        if name == "n1":
            raise ValueError(name)
        fibres.sleep(0.05)
        ended.append(name)

    window = Window(work, halt=lambda: halted.append(1), blocks=lambda _: False)
    with pytest.raises(ValueError, match="n1"):
        window.slide(NAMES, 4)
    assert halted
    assert set(ended) <= {"n0", "n2", "n3", "n4"}
    assert "n0" in ended


def test_where_no_other_can_be_started_those_under_way_are_told_to_end() -> None:
    halted: list[int] = []
    told: list[bool] = []

    def work(_: str) -> None:
        deadline = time.monotonic() + 5
        while not halted and time.monotonic() < deadline:
            fibres.sleep(0.01)
        told.append(bool(halted))

    def pause() -> None:
        fibres.sleep(0.05)
        raise ValueError("no pause")

    with pytest.raises(ValueError, match="no pause"):
        Window(work, pause=pause, halt=lambda: halted.append(1), blocks=lambda _: False).slide(NAMES, 4)
    assert told == [True]


def test_a_pause_holds_up_no_one_under_way() -> None:
    seen: list[str] = []

    def work(name: str) -> None:
        for _ in range(5):
            fibres.sleep(0.01)
            seen.append(name)

    def pause() -> None:
        before = len(seen)
        fibres.aside(lambda: eventually(lambda: len(seen) >= before + 5))

    Window(work, pause=pause, blocks=lambda _: False).slide(NAMES[:4], 2)
    assert len(seen) == 20


def test_an_interrupt_lets_those_under_way_end() -> None:
    code = """
import sys
from runbooks import fibres
from runbooks.window import Window
halted = []
def work(name):
    print("on", flush=True)
    while not halted:
        fibres.sleep(0.01)
    print("ended", name, flush=True)
try:
    Window(work, lambda: not halted, halt=lambda: halted.append(1), blocks=lambda _: False).slide("abcd", 2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["on\n"] * 2
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert sorted(out.splitlines()[:2]) == ["ended a", "ended b"]
    assert out.splitlines()[2:] == ["interrupted"]


@pytest.mark.parametrize("begun", [True, False])
def test_an_interrupt_while_their_thread_is_started(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine they may be well under way before who started them is."""
    halted, on, seen, started = threading.Event(), threading.Event(), [], []

    def work(name: str) -> None:
        on.set()
        while not halted.is_set():
            fibres.sleep(0.01)
        seen.append(name)

    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name != "fibres":
            return start(thread)
        started.append(thread)
        if begun:
            start(thread)
            assert on.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Window(work, halt=halted.set, blocks=lambda _: False).slide(NAMES[:1], 1)
    at_the_end = list(seen)
    halted.set()  # where nobody else did
    monkeypatch.undo()
    if not begun:
        started[0].start()
    started[0].join()
    assert seen == at_the_end == NAMES[:begun], "it was not waited for, or begun after all"


def test_a_signal_is_handled_while_every_fibre_waits() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        started = time.monotonic()
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()

        def work(_: str) -> None:
            while not heard and time.monotonic() < started + 10:
                fibres.sleep(0.02)

        side_by_side(work)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


def test_nothing_is_left_behind_by_a_window_in_another_thread() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def slide() -> None:
        side_by_side(lambda _: fibres.sleep(0.001))

    before = descriptors()
    for _ in range(5):
        thread = threading.Thread(target=slide)
        thread.start()
        thread.join()
    assert descriptors() <= before + 1


def test_a_window_in_a_fibre_of_another_one() -> None:
    seen: list[tuple[str, str]] = []

    def inner(name: str) -> Iterator[str]:
        Window(lambda other: seen.append((name, other)), blocks=lambda _: False).slide(NAMES[:3], 2)
        yield name

    Window(lambda name: [*inner(name)] and None, blocks=lambda _: False).slide(NAMES[:4], 4)
    assert len(seen) == 12
