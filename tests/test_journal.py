"""The journal: who owns what, who may write, what is durable, with real processes where processes matter."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from runbooks import schema
from runbooks.driver import Driver
from runbooks.errors import Fenced, Owned, SettingsError, UsageError
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.model import Event, Plan, PlannedStep, Result, RunStatus, done
from tests.waiting import eventually

ALICE = ("user:alice",)
ROOT = Path(__file__).parents[1]


class Clock:
    """Shows what it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(url: str, clock: Clock) -> Journal:
    return Journal(url, expires_s=60, clock=clock)


def plan(name: str = "p") -> Plan:
    return Plan(name, {"old": "alice"}, (PlannedStep("s", "hosts", ("h1",), {"h1": done()}),))


def start(journal: Journal, driver: Driver | None = None, subjects: tuple[str, ...] = ALICE, **options: Any) -> Lease:
    return journal.create(plan(), subjects, driver or Driver.this(), "operator", {"size": "10"}, **options)


def elsewhere() -> Driver:
    return Driver("another-machine boot pid:[1]", "mgmt2", 4711, 99)


def dead() -> Driver:
    this = Driver.this()
    return Driver(this.machine, this.machine_name, this.pid, this.started - 1)


def begin(target: str = "h1", **data: Any) -> Event:
    return Event("begin", 1.0, 0, target, data)


def owner(journal: Journal) -> str | None:
    with journal._engine.connect() as db:
        return db.execute(sa.select(schema.owners.c.run)).scalar()


# events


def test_an_event_is_there_for_another_process_when_record_returns(journal: Journal, url: str) -> None:
    lease = start(journal)
    lease.record(begin(before={"uid": 7}))
    run = Journal(url).run(lease.run_id)
    assert run.befores() == {(0, "h1"): {"uid": 7}}
    assert run.outcomes()[0, "h1"].result is Result.UNKNOWN
    lease.record(Event("outcome", 2.0, 0, "h1", {"result": "done", "note": "n"}))
    assert Journal(url).run(lease.run_id).outcomes()[0, "h1"].result is Result.DONE


def test_events_that_wait_at_the_same_time_are_committed_together(journal: Journal) -> None:
    lease = start(journal)
    commits, ready = [], threading.Event()
    write = journal.write

    def slow(of: Lease, events: Any) -> None:
        commits.append(len(events))
        assert ready.wait(60)
        write(of, events)

    journal.write = slow  # type: ignore[method-assign]
    threads = [threading.Thread(target=lease.record, args=(begin(f"h{n}"),)) for n in range(64)]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(commits) + len(lease._pending) == 64)
    ready.set()
    for thread in threads:
        thread.join()
    assert sum(commits) == 64
    assert len(commits) == 2
    assert len(journal.run(lease.run_id).events) == 64


def test_an_event_that_is_no_json_fails_alone(journal: Journal) -> None:
    lease = start(journal)
    errors = []

    def bad() -> None:
        try:
            lease.record(begin("bad", before={"raw": b"bytes"}))
        except TypeError as error:
            errors.append(error)

    with lease._commit:
        threads = [threading.Thread(target=bad), threading.Thread(target=lease.record, args=(begin("good"),))]
        for thread in threads:
            thread.start()
        eventually(lambda: lease._pending and errors)
    for thread in threads:
        thread.join()
    assert [event.target for event in journal.run(lease.run_id).events] == ["good"]


def test_who_waits_for_a_commit_that_fails_is_told(journal: Journal) -> None:
    lease = start(journal)
    with journal._engine.begin() as db:
        db.execute(sa.update(schema.runs).values(epoch=5))
    told = []

    def record() -> None:
        try:
            lease.record(begin())
        except Fenced as error:
            told.append(error)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8
    assert journal.run(lease.run_id).events == []


# leases


def test_after_a_take_over_the_old_driver_can_write_nothing(journal: Journal) -> None:
    old = start(journal, dead())
    new = journal.take_over(old.run_id, Driver.this())
    for write in (
        lambda: old.record(begin()),
        old.beat,
        lambda: old.finish(RunStatus.DONE),
        lambda: journal.discard(old),
    ):
        with pytest.raises(Fenced):
            write()
    new.record(begin())
    assert owner(journal) == old.run_id
    assert journal.run(new.run_id).status is RunStatus.RUNNING


def test_a_live_driver_keeps_its_run(journal: Journal) -> None:
    lease = start(journal)
    for attempt in (
        lambda: journal.take_over(lease.run_id, Driver.this()),
        lambda: journal.abandon(lease.run_id),
        lambda: journal.refuse_driven(lease.run_id),
        lambda: start(journal, undoes=lease.run_id),
    ):
        with pytest.raises(Owned, match="is being driven"):
            attempt()
    lease.beat()
    lease.finish(RunStatus.INCOMPLETE)
    journal.refuse_driven(lease.run_id)
    journal.take_over(lease.run_id, Driver.this())


def test_a_driver_of_another_machine_keeps_it_until_its_heartbeat_expires(journal: Journal, clock: Clock) -> None:
    lease = start(journal, elsewhere())
    clock.now += 50
    lease.beat()
    clock.now += 59
    with pytest.raises(Owned, match="59 s ago"):
        journal.take_over(lease.run_id, Driver.this())
    clock.now += 2
    assert journal.take_over(lease.run_id, Driver.this()).epoch == 2


def test_a_silent_driver_of_this_machine_loses_it_too(journal: Journal, clock: Clock) -> None:
    lease = start(journal)
    clock.now += 61
    journal.take_over(lease.run_id, Driver.this())
    with pytest.raises(Fenced):
        lease.record(begin())


SLEEPER = """
import sys, time
from runbooks.driver import Driver
from runbooks.journal import Journal
from runbooks.model import Plan
lease = Journal(sys.argv[1]).create(Plan("p", {}, ()), ("user:alice",), Driver.this(), "operator", {})
print(lease.run_id, flush=True)
time.sleep(300)
"""


def test_a_process_that_was_killed_is_taken_over_at_once(url: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLEEPER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    run_id = child.stdout.readline().strip()
    journal = Journal(url)
    with pytest.raises(Owned, match=f"pid {child.pid}"):
        journal.take_over(run_id, Driver.this())
    child.kill()
    # Not reaped yet: a zombie is dead, too.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    journal.take_over(run_id, Driver.this()).finish(RunStatus.INCOMPLETE)
    child.wait()


RACER = """
import sys
from runbooks.driver import Driver
from runbooks.errors import Owned
from runbooks.journal import Journal
from runbooks.model import Plan
sys.stdin.readline()
try:
    lease = Journal(sys.argv[1]).create(Plan("p", {}, ()), ("user:alice", "user:bob"), Driver.this(), "operator", {})
    print("won", lease.run_id, flush=True)
    sys.stdin.readline()
except Owned as error:
    print("owned", error, flush=True)
"""


def test_of_several_processes_one_gets_the_subject(url: str) -> None:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen([sys.executable, "-c", RACER, url], cwd=ROOT, **pipes) for _ in range(4)]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.stdout.readline().split()[0] for racer in racers]
    for racer in racers:
        racer.communicate("\n")
    assert sorted(answers) == ["owned", "owned", "owned", "won"]
    assert len(Journal(url).unfinished()) == 1


def test_a_transaction_shuts_out_others_from_its_first_look(journal: Journal, url: str) -> None:
    """Who looks first and then writes must not find that another has written in between."""
    other, entered = Journal(url), threading.Event()

    def enter() -> None:
        with other._alone():
            entered.set()

    thread = threading.Thread(target=enter)
    with journal._alone():
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(60)
    thread.join()


# ownership


@pytest.mark.parametrize("end", [RunStatus.DONE, RunStatus.UNDONE, RunStatus.ABANDONED])
def test_a_run_owns_its_subjects_until_it_is_finished(journal: Journal, end: RunStatus) -> None:
    lease = start(journal, dead())
    lease.finish(RunStatus.INCOMPLETE)
    for attempt in (lambda: start(journal), lambda: journal.refuse_owned(ALICE)):
        with pytest.raises(Owned, match=f"inv resume --run {lease.run_id}"):
            attempt()
    journal.refuse_owned(ALICE, unless=lease.run_id)
    start(journal, subjects=("user:bob",))
    lease.finish(end)
    journal.refuse_owned(ALICE)
    start(journal)


def test_a_crash_frees_nothing(journal: Journal) -> None:
    lease = start(journal, dead())
    with pytest.raises(Owned, match=f"nobody drives any more: `inv resume --run {lease.run_id}`"):
        start(journal)


def test_a_run_that_is_driven_is_to_be_waited_for(journal: Journal) -> None:
    start(journal)
    with pytest.raises(Owned, match="which is running: wait for it, or end that process"):
        start(journal)


def test_what_is_finished_is_not_resumed_or_abandoned(journal: Journal) -> None:
    lease = start(journal)
    lease.finish(RunStatus.DONE)
    with pytest.raises(UsageError, match="nothing to resume"):
        journal.take_over(lease.run_id, Driver.this())
    with pytest.raises(UsageError, match="done already"):
        journal.abandon(lease.run_id)
    with pytest.raises(UsageError, match="no such run"):
        journal.take_over("20200101", Driver.this())


def test_an_undo_takes_ownership_over_and_gives_it_back_when_discarded(journal: Journal) -> None:
    first = start(journal)
    first.finish(RunStatus.INCOMPLETE)
    undo = start(journal, undoes=first.run_id)
    assert owner(journal) == undo.run_id
    journal.discard(undo)
    assert owner(journal) == first.run_id
    assert [run.id for run in journal.unfinished()] == [first.run_id]
    assert journal.take_over(first.run_id, Driver.this()).epoch > undo.epoch


def test_an_undo_of_a_finished_run_gives_back_nothing(journal: Journal) -> None:
    first = start(journal)
    first.finish(RunStatus.DONE)
    journal.discard(start(journal, undoes=first.run_id))
    assert owner(journal) is None


def test_an_abandoned_undo_leaves_the_run_its_subjects(journal: Journal) -> None:
    first = start(journal)
    first.finish(RunStatus.INCOMPLETE)
    undo = start(journal, dead(), undoes=first.run_id)
    journal.abandon(undo.run_id)
    assert owner(journal) == first.run_id
    assert journal.run(first.run_id).status is RunStatus.INCOMPLETE
    journal.abandon(first.run_id)
    assert owner(journal) is None


def test_a_run_that_is_being_undone_is_neither_resumed_nor_abandoned_nor_undone_again(journal: Journal) -> None:
    first = start(journal)
    first.finish(RunStatus.INCOMPLETE)
    undo = start(journal, undoes=first.run_id)
    undo.finish(RunStatus.INCOMPLETE)
    for attempt in (
        lambda: journal.take_over(first.run_id, Driver.this()),
        lambda: journal.abandon(first.run_id),
        lambda: journal.refuse_driven(first.run_id),
        lambda: start(journal, undoes=first.run_id),
        lambda: start(journal, undoes=first.run_id, subjects=()),
    ):
        with pytest.raises(Owned):
            attempt()
    assert [run.id for run in journal.unfinished()] == [undo.run_id]
    journal.take_over(undo.run_id, Driver.this()).finish(RunStatus.DONE)
    assert journal.run(first.run_id).status is RunStatus.UNDONE
    assert owner(journal) is None


def test_epochs_only_grow_over_a_run_and_its_undos(journal: Journal) -> None:
    """Hosts keep the newest epoch of the family: a lower one would be shut out there for good."""
    first = start(journal, dead())
    epochs = [first.epoch]
    for _ in range(2):
        undo = start(journal, dead(), undoes=first.run_id)
        epochs.append(undo.epoch)
        for _ in range(3):
            epochs.append(journal.take_over(undo.run_id, dead()).epoch)
        journal.abandon(undo.run_id)
        epochs.append(journal.take_over(first.run_id, dead()).epoch)
    assert epochs == sorted(set(epochs))


def test_a_discarded_run_leaves_no_trace(journal: Journal) -> None:
    lease = start(journal)
    journal.discard(lease)
    assert journal.runs() == [] and owner(journal) is None
    for look in (journal.run, journal.options, journal.refuse_driven, journal.abandon):
        with pytest.raises(UsageError, match="no such run"):
            look(lease.run_id)


# runs and plans by the beginning of their ids


def test_plans_are_kept_once_and_found_by_the_beginning_of_their_id(journal: Journal) -> None:
    one, other = plan(), plan("q")
    for kept in (one, one, other):
        journal.save_plan(kept)
    assert journal.plan(one.id[:12]) == one
    with pytest.raises(UsageError, match="empty"):
        journal.plan("")
    for none in ("nosuch", "%", "_" * 64):
        with pytest.raises(UsageError, match="no such plan"):
            journal.plan(none)


def test_runs_are_listed_newest_first(journal: Journal, clock: Clock) -> None:
    ids = []
    for number in range(3):
        clock.now += 1
        ids.append(start(journal, subjects=(f"user:u{number}",)).run_id)
    assert [run.id for run in journal.runs()] == ids[::-1]
    assert [run.id for run in journal.runs(limit=1)] == ids[-1:]
    assert [run.id for run in journal.unfinished()] == ids
    assert journal.options(ids[0]) == {"size": "10"}
    assert journal.run(ids[0]).plan == plan()


def test_what_no_database_can_hold_is_held_by_nobody(journal: Journal) -> None:
    start(journal)
    for nonsense in ("user:\0", "user:a\udcff"):
        journal.refuse_owned((nonsense,))
        for reference in (nonsense, "\0"):
            with pytest.raises(UsageError, match="no such run"):
                journal.run(reference)


# the file


@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_journal_that_everyone_can_write_is_refused(tmp_path: Path, what: str) -> None:
    place = tmp_path / "state"
    Journal(f"sqlite:///{place}/journal.db").close()
    (place if what == "directory" else place / "journal.db").chmod(0o777 if what == "directory" else 0o666)
    with pytest.raises(SettingsError, match="everyone can write it"):
        Journal(f"sqlite:///{place}/journal.db")


def test_operators_of_the_group_can_write_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Journal(f"sqlite:///{tmp_path}/state/journal.db").close()
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o770
    assert (tmp_path / "state/journal.db").stat().st_mode & 0o777 == 0o660


def test_its_directory_is_made_by_several_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def raced(path: Path, *args: Any, **options: Any) -> None:
        if not path.exists():
            make(path, parents=True)
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", raced)
    assert Journal(f"sqlite:///{tmp_path}/var/state/journal.db").runs() == []


@pytest.mark.parametrize("url", ["no url", "sqlite://", "sqlite:///:memory:", "sqlite:////proc/nosuch/journal.db"])
def test_a_url_that_leads_nowhere_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(SettingsError, match="journal"):
        Journal(url)


def test_a_file_that_is_no_journal_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("not a database at all\n" * 100)
    with pytest.raises(SettingsError, match="not a database"):
        Journal(f"sqlite:///{tmp_path}/journal.db")
