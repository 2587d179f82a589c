"""Lists of runs: what they say, how little they read for it, and journals of an earlier version."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from runbooks import schema
from runbooks.driver import Driver
from runbooks.errors import UsageError
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.model import Event, Plan, PlannedStep, Result, RunStatus, Tally, todo

HOSTS = ("h1", "h2", "h3")
ROOT = Path(__file__).parents[1]
OLD = Path(__file__).parent / "data" / "journal_with_plans_in_runs.sql"


class Clock:
    """A second later each time."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    journal = Journal(url, clock=Clock())
    yield journal
    journal.close()


def dead() -> Driver:
    this = Driver.this()
    return Driver(this.machine, this.machine_name, this.pid, this.started - 1)


def start(journal: Journal, old: str = "alice", undoes: str | None = None) -> Lease:
    found = {host: todo(f"$ userdel {old}", facts={"uid": 7}) for host in HOSTS}
    steps = (
        PlannedStep("Merge it", "system", ("@git",), {"@git": todo("+ new")}),
        PlannedStep("Delete the account", "hosts", HOSTS, found),
        PlannedStep("Run puppet", "hosts", HOSTS, found),
    )
    name, arguments = ("undo", {"run": undoes}) if undoes else ("rename-user", {"old": old, "end_processes": True})
    return journal.create(Plan(name, arguments, steps), (f"user:{old}",), dead(), "jo", {}, undoes=undoes)


def did(lease: Lease, step: int, *targets: str, result: Result = Result.DONE) -> None:
    for target in targets:
        lease.record(Event("begin", 1.0, step, target, {"before": {}}))
        lease.record(Event("outcome", 2.0, step, target, {"result": result, "note": "n"}))


def whole(journal: Journal, old: str = "alice") -> Lease:
    """A run that is done."""
    lease = start(journal, old)
    did(lease, 0, "@git")
    for step in (1, 2):
        did(lease, step, *HOSTS)
    lease.finish(RunStatus.DONE)
    return lease


@contextmanager
def statements(journal: Journal) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    sa.event.listen(journal._engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(journal._engine, "before_cursor_execute", note)


def test_a_line_says_what_the_whole_run_would(journal: Journal) -> None:
    whole(journal)
    lease = start(journal, "bob")
    did(lease, 0, "@git")
    did(lease, 1, "h1", "h2")
    did(lease, 1, "h3", result=Result.FAILED)
    did(lease, 2, "h1")
    lease.finish(RunStatus.INCOMPLETE)
    start(journal, "carol").finish(RunStatus.WAITING)
    lines = journal.runs()
    assert [line.tally for line in lines] == [Tally(3, 0, 0), Tally(3, 1, 1), Tally(3, 3, 0)]
    assert lines == [journal.run(line.id).line() for line in lines]
    bob = lines[1]
    assert (bob.procedure, bob.arguments) == ("rename-user", {"old": "bob", "end_processes": True})
    assert (bob.status, bob.operator) == (RunStatus.INCOMPLETE, "jo")
    assert bob.plan_id == journal.run(bob.id).plan.id


def test_a_list_ends_at_its_limit_and_reads_nothing_but_lines(journal: Journal) -> None:
    ids = [whole(journal, f"u{number}").run_id for number in range(60)]
    for limit in (1, 7, 50):
        with statements(journal) as sent:
            listed = journal.runs(limit)
        assert [line.id for line in listed] == ids[: -limit - 1 : -1]
        assert len(sent) == 1
        assert "events" not in sent[0] and "run_plans" not in sent[0]


def test_what_is_unfinished_is_found_without_plans_and_events(journal: Journal) -> None:
    whole(journal)
    leases = [start(journal, f"u{number}") for number in range(5)]
    for lease, status in zip(leases, (RunStatus.INCOMPLETE, RunStatus.WAITING), strict=False):
        did(lease, 1, "h1")
        lease.finish(status)
    undo = start(journal, "u1", undoes=leases[1].run_id)
    with statements(journal) as sent:
        listed = journal.unfinished()
    assert [line.id for line in listed] == [leases[n].run_id for n in (0, 2, 3, 4)] + [undo.run_id]
    assert [line.undoes for line in listed] == [None] * 4 + [leases[1].run_id]
    assert len(sent) == 1
    assert "events" not in sent[0] and "run_plans" not in sent[0]


def test_only_a_run_that_is_being_driven_is_counted_anew(journal: Journal) -> None:
    whole(journal)
    driven = start(journal, "bob")
    for step, done in ((0, 0), (1, 0), (2, 1)):
        did(driven, step, "@git" if step == 0 else "h1")
        with statements(journal) as sent:
            assert [line.tally for line in journal.runs()] == [Tally(3, done, 0), Tally(3, 3, 0)]
        assert len(sent) == 3
    driven.finish(RunStatus.INCOMPLETE)
    again = journal.take_over(driven.run_id, dead())
    again.record(Event("begin", 3.0, 1, "h2", {"before": {}}))
    assert journal.runs()[0].tally == Tally(3, 1, 1)
    journal.abandon(driven.run_id)
    with statements(journal) as sent:
        assert journal.runs()[0].tally == Tally(3, 1, 1)
    assert len(sent) == 1


def test_an_undone_run_is_counted_though_its_own_driver_died(journal: Journal) -> None:
    lost = start(journal)
    did(lost, 0, "@git")
    did(lost, 1, "h1")
    lost.record(Event("begin", 3.0, 1, "h2", {"before": {}}))
    undo = start(journal, undoes=lost.run_id)
    for step in (1, 2):
        did(undo, step, *HOSTS)
    did(undo, 0, "@git")
    undo.finish(RunStatus.DONE)
    with statements(journal) as sent:
        newest, oldest = journal.runs()
    assert len(sent) == 1
    assert (newest.id, newest.procedure, newest.undoes) == (undo.run_id, "undo", lost.run_id)
    assert (newest.status, newest.tally) == (RunStatus.DONE, Tally(3, 3, 0))
    assert (oldest.status, oldest.tally) == (RunStatus.UNDONE, Tally(3, 0, 1))


def test_what_finish_gives_is_what_is_read(journal: Journal) -> None:
    lease = start(journal)
    did(lease, 1, "h1")
    assert lease.finish(RunStatus.INCOMPLETE) == journal.run(lease.run_id)
    again = journal.take_over(lease.run_id, dead())
    assert again.finish(RunStatus.DONE) == journal.run(lease.run_id)
    assert journal.run(lease.run_id).finished is not None


def test_no_plan_is_read_to_say_that_an_id_is_too_short(journal: Journal) -> None:
    ids = [whole(journal, name).run_id for name in ("alice", "bob")]
    for number in range(2):
        journal.save_plan(Plan(f"p{number}", {}, ()))
    with statements(journal) as sent, pytest.raises(UsageError, match="more than one"):
        journal.run(ids[0][:4])
    assert len(sent) == 1 and "record" not in sent[0]


def test_who_reads_does_not_wait_for_who_writes(journal: Journal, url: str) -> None:
    lease = whole(journal)
    reader = Journal(url)
    with journal._engine.begin() as db:
        db.execute(sa.text("UPDATE runs SET operator = 'somebody'"))
        assert [line.operator for line in reader.runs()] == ["jo"]
        assert reader.run(lease.run_id).operator == "jo"
    assert reader.runs()[0].operator == "somebody"


def test_a_discarded_run_leaves_no_plan(journal: Journal) -> None:
    journal.discard(start(journal))
    with journal._engine.connect() as db:
        assert db.execute(sa.text("SELECT count(*) FROM run_plans")).scalar() == 0


# as an operator asks


def inv(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command over that journal, with nothing of this machine's settings."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("INVOKE_")}
    argv = [sys.executable, "-m", "invoke", *words]
    ours |= {"INVOKE_OPS_CLINIC_JOURNAL": url}
    return subprocess.run(argv, cwd=ROOT, env=ours, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_list_as_text_as_json_and_for_a_monitoring_system(journal: Journal, url: str) -> None:
    first = whole(journal)
    assert inv(url, "runs", "--check").stdout == "RUNS OK: no unfinished run | unfinished=0\n"
    leases = [start(journal, f"u{number}") for number in range(2)]
    leases[0].finish(RunStatus.INCOMPLETE)
    lines = inv(url, "runs").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [leases[1].run_id, "running"],
        [leases[0].run_id, "incomplete"],
        [first.run_id, "done"],
    ]
    assert [line.rpartition("Z  ")[2] for line in lines[1:]] == ["0/3 done", "0/3 done", "3 done"]
    assert json.loads(inv(url, "runs", "--json").stdout) == {
        "runs": [line.to_json() for line in journal.runs()],
        "exit": 0,
    }
    checked = inv(url, "runs", "--check")
    assert checked.returncode == 1
    assert checked.stdout == (
        f"RUNS WARNING: 2 unfinished: {leases[0].run_id} (rename-user, incomplete, jo), "
        f"{leases[1].run_id} (rename-user, running, jo) | unfinished=2\n"
    )


def test_which_run_is_meant(journal: Journal, url: str) -> None:
    assert "there is no unfinished run" in inv(url, "resume").stderr
    leases = [start(journal, f"u{number}") for number in range(2)]
    several = inv(url, "resume")
    assert several.returncode == 2
    assert several.stderr == f"inv: which run? --run one of {leases[0].run_id}, {leases[1].run_id}\n"


def test_runs_are_listed_though_no_host_can_be_read(journal: Journal, url: str, tmp_path: Path) -> None:
    lease = whole(journal)
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "hosts.yaml").write_text("hosts: [\n")
    config = tmp_path / "broken.yaml"
    config.write_text("ops_clinic: {inventory: fleet}\n")
    assert lease.run_id in inv(url, "-f", str(config), "runs").stdout
    assert lease.run_id in inv(url, "-f", str(config), "show", lease.run_id).stdout
    refused = inv(url, "-f", str(config), "rename-user", "--old", "x", "--new", "y", "--dry-run")
    assert (refused.returncode, "hosts.yaml" in refused.stderr) == (2, True)


# journals of an earlier version


@pytest.fixture
def old(quick_dir: Path) -> str:
    """A journal as it was while a run's plan stood in its row, written by the tool of that time."""
    path = quick_dir / "old.db"
    path.touch(mode=0o660)
    with sqlite3.connect(path) as db:
        db.executescript(OLD.read_text(encoding="utf-8"))
    db.close()
    return f"sqlite:///{path}"


PLAN = "029c084dddd2"
LISTED = [
    ("rename-user", "erin", "running", Tally(2, 0, 1)),
    ("rename-user", "dave", "abandoned", Tally(2, 0, 0)),
    ("rename-user", "carol", "incomplete", Tally(2, 0, 1)),
    ("undo", None, "done", Tally(2, 2, 0)),
    ("rename-user", "bob", "undone", Tally(2, 2, 0)),
    ("rename-user", "alice", "done", Tally(2, 2, 0)),
]


def test_a_journal_of_an_earlier_version_is_listed_shown_and_driven_on(old: str) -> None:
    for _ in range(2):
        journal = Journal(old)
        lines = journal.runs()
        told = [(line.procedure, line.arguments.get("old"), str(line.status), line.tally) for line in lines]
        assert told == LISTED
        assert [line.undoes for line in lines if line.undoes] == [lines[4].id]
        for line in lines:
            run = journal.run(line.id)
            assert run.line() == line and len(run.plan.steps) == 3 and run.plan.notes == ("a note",)
        journal.close()
    assert [line.arguments["old"] for line in journal.unfinished()] == ["carol", "erin"]
    assert journal.plan(PLAN).arguments == {"old": "frank", "new": "fred"}
    lease = journal.take_over(lines[0].id, Driver.this())
    for target in ("lab01", "lab02"):
        for step in (1, 2):
            did(lease, step, target)
    assert lease.finish(RunStatus.DONE).tally() == Tally(2, 2, 0)
    whole(journal, "grace")
    assert [line.tally for line in journal.runs(2)] == [Tally(3, 3, 0), Tally(2, 2, 0)]


def test_two_may_open_a_journal_of_an_earlier_version_at_once(old: str) -> None:
    listed = []
    threads = [threading.Thread(target=lambda: listed.append(Journal(old).runs())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(lines) for lines in listed] == [6] * 4


def test_who_is_refused_a_log_at_once_waits(old: str) -> None:
    """As SQLite does, whatever its timeout, where two turn a journal over at once; here by a timeout of 0."""
    path = old.removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    kept = []

    def keep() -> None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
            schema._keep_a_log(db.cursor())
            kept.append(db.execute("PRAGMA journal_mode").fetchone()[0])

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive(), "it did not wait"
    other.execute("COMMIT")
    other.close()
    thread.join()
    assert kept == ["wal"]
