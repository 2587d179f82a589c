"""The journal on a real PostgreSQL: what is said where it cannot be used, and what several operators do at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from postgresql_server import Server

from runbooks import schema
from runbooks.driver import Driver
from runbooks.errors import JournalLost, Owned, SettingsError, UsageError
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.model import Event, Plan, PlannedStep, Result, Run, RunStatus, done
from tests.waiting import eventually

PASSWORD = "geh:e/im@%"
QUOTED = "geh%3Ae%2Fim%40%25"


@pytest.fixture
def role(postgresql: Server) -> Iterator[str]:
    """A role that owns nothing, with a password and a database."""
    postgresql.execute(f"CREATE ROLE ops LOGIN PASSWORD '{PASSWORD}'")
    yield "ops"
    postgresql.hang_up()
    postgresql.execute("DROP DATABASE IF EXISTS team")
    postgresql.execute("DROP OWNED BY ops")
    postgresql.execute("DROP ROLE ops")


@pytest.fixture
def team(postgresql: Server, role: str) -> str:
    """A database of the role's own."""
    postgresql.execute(f"CREATE DATABASE team OWNER {role}")
    return "team"


def plan(old: str = "alice") -> Plan:
    return Plan("p", {"old": old}, (PlannedStep("s", "hosts", ("h1",), {"h1": done()}),))


def create(journal: Journal, subject: str = "user:alice", **options: Any) -> Any:
    return journal.create(plan(), (subject,), Driver.this(), "operator", {"size": "10"}, **options)


def end_of(journal: Journal) -> str:
    """A run whose driver has gone."""
    lease = create(journal)
    lease.finish(RunStatus.INCOMPLETE)
    return str(lease.run_id)


# connecting


@pytest.mark.parametrize("kind", ["right", "wrong", "none", "pgpass", "environment"])
def test_passwords(postgresql: Server, team: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = {"right": QUOTED, "wrong": "fal:sch".replace(":", "%3A")}
    url = postgresql.tcp("ops", team, passwords.get(kind, ""))
    (tmp_path / "pgpass").write_text(f"*:*:*:ops:{PASSWORD.replace(':', chr(92) + ':')}\n")
    (tmp_path / "pgpass").chmod(0o600)
    if kind == "pgpass":
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    if kind == "environment":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    if kind not in ("wrong", "none"):
        assert Journal(url).runs() == []
        return
    with pytest.raises(SettingsError, match=r"password .*: put the right one into ~/.pgpass or PGPASSWORD") as caught:
        Journal(url)
    assert f"ops{':***' if kind == 'wrong' else ''}@127.0.0.1:{postgresql.port}/team" in str(caught.value)
    assert "fal" not in str(caught.value) and "\n" not in str(caught.value)


def test_what_cannot_be_used_is_one_line(postgresql: Server, role: str) -> None:
    port, ops = postgresql.port, f"{role}:{QUOTED}"
    for url, why in {
        f"postgresql://{ops}@127.0.0.1:1/x": "Connection refused: see that it is up",
        f"postgresql://{ops}@127.0.0.1:{port}/nosuch": 'database "nosuch" does not exist: make it, or set `journal`',
        f"postgresql://{ops}@127.0.0.1:{port}/postgres": "permission denied for schema public: let its owner GRANT",
        "postgresql:///x?host=/nowhere": "No such file or directory: see that it is up",
        f"postgresql://127.0.0.1/x?nosuch=1&password={QUOTED}": 'invalid connection option "nosuch"',
    }.items():
        with pytest.raises(SettingsError, match=why) as caught:
            Journal(url)
        assert str(caught.value).startswith("journal postgresql://"), caught.value
        assert "geh" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["geh@eim:x@h", "ge@heim@h", "geheim@h:port"])
def test_a_url_that_cannot_be_read_is_not_repeated(host: str) -> None:
    with pytest.raises(SettingsError, match="journal: not a database URL") as caught:
        Journal(f"postgresql://ops:{host}/d")
    assert "eim" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None, "a traceback would repeat it"


def test_a_server_that_never_answers_is_not_waited_for_long() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(SettingsError, match="timeout expired"):
            Journal(f"postgresql://ops@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2")
        assert time.monotonic() - began < 8


def test_without_the_driver_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from runbooks.journal import Journal\n"
        "try: Journal('postgresql://ops:geheim@127.0.0.1/x')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    root = Path(__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert said.startswith("SettingsError journal postgresql://ops:***@127.0.0.1/x: cannot be used: ")
    assert "install psycopg: bin/setup .venv '.[postgresql]'" in said


def test_a_journal_that_another_role_may_not_use(postgresql: Server, team: str) -> None:
    Journal(postgresql.url(database=team)).close()
    journal = Journal(postgresql.tcp("ops", team, QUOTED))
    with pytest.raises(JournalLost, match=r"journal .*ops:\*\*\*@.*: permission denied for table runs") as caught:
        journal.runs()
    assert caught.value.exit_status == 2


# what it holds


def test_text_that_databases_differ_about(fresh_journal: Journal) -> None:
    journal, odd = fresh_journal, "\0 \udcff ü \U0001f600 \\u0000"
    lease = journal.create(plan(odd), (f"list:{'x' * 2000}", "user:jürgen"), Driver.this(), "jürgen", {"size": odd})
    lease.record(Event("outcome", 1234567890.123456789, 0, "@git", {"result": "done", "note": odd}))
    lease.finish(RunStatus.WAITING)
    run = journal.run(lease.run_id)
    assert (run.plan, run.operator, run.status) == (plan(odd), "jürgen", RunStatus.WAITING)
    assert (run.events[0].at, run.events[0].data["note"]) == (1234567890.123456789, odd)
    assert run.outcomes()[0, "@git"].result is Result.DONE
    assert journal.options(run.id) == {"size": odd}
    for nonsense in ("\0", "\udcff", "20\0"):
        with pytest.raises(UsageError, match="no such run"):
            journal.run(nonsense)
        with pytest.raises(UsageError, match="no such plan"):
            journal.plan(nonsense)


def test_events_that_are_committed_together_keep_their_order(fresh_journal: Journal) -> None:
    lease = create(fresh_journal)
    rows = [
        {"run": lease.run_id, "at": 1.0, "kind": "begin", "step": n, "target": "h", "data": "{}"} for n in range(500)
    ]
    fresh_journal.write(lease, rows)
    assert [event.step for event in fresh_journal.run(lease.run_id).events] == list(range(500))


@pytest.fixture
def fresh_journal(postgresql: Server) -> Iterator[Journal]:
    journal = Journal(postgresql.fresh())
    yield journal
    journal.close()


def test_every_session_is_durable_and_bounded(postgresql: Server, fresh_journal: Journal) -> None:
    postgresql.execute("ALTER ROLE postgres SET synchronous_commit = off")
    postgresql.execute("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
    try:
        fresh_journal.close()
        with fresh_journal._engine.begin() as db:
            shown = {
                name: db.execute(sa.text(f"SHOW {name}")).scalar()
                for name in ("synchronous_commit", "transaction_isolation", "lock_timeout")
            }
    finally:
        postgresql.execute("ALTER ROLE postgres RESET ALL")
    assert shown == {"synchronous_commit": "on", "transaction_isolation": "read committed", "lock_timeout": "30s"}


# at once


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """What each gave or raised, all let go at the same instant."""
    start = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def go(number: int) -> None:
        start.wait(60)
        try:
            results[number] = work[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=go, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def operators(postgresql: Server) -> Iterator[list[Journal]]:
    """Several, each with connections of their own."""
    url = postgresql.fresh()
    journals = [Journal(url) for _ in range(6)]
    yield journals
    for journal in journals:
        journal.close()


def kinds(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def test_the_tables_are_made_by_several_at_once(postgresql: Server) -> None:
    for _ in range(5):
        url = postgresql.fresh()
        assert kinds(at_once(*[partial(Journal, url)] * 6)) == ["Journal"] * 6
        postgresql.hang_up()


def test_of_several_who_claim_a_subject_one_gets_it(operators: list[Journal]) -> None:
    for _ in range(10):
        results = at_once(*[partial(create, j) for j in operators])
        assert kinds(results) == ["Lease"] + ["Owned"] * 5
        assert all(r.exit_status == 7 for r in results if isinstance(r, Owned))
        next(r for r in results if not isinstance(r, Owned)).finish(RunStatus.DONE)


def test_of_several_who_take_a_run_over_one_gets_it(operators: list[Journal]) -> None:
    run_id = end_of(operators[0])
    for _ in range(5):
        results = at_once(*[partial(j.take_over, run_id, Driver.this()) for j in operators])
        assert kinds(results) == ["Lease"] + ["Owned"] * 5
        next(r for r in results if not isinstance(r, Owned)).finish(RunStatus.INCOMPLETE)


def test_of_those_who_resume_undo_and_abandon_a_run_one_gets_it(operators: list[Journal]) -> None:
    one, two, three, four, five, six = operators
    for _ in range(10):
        run_id = end_of(one)
        results = at_once(
            partial(one.take_over, run_id, Driver.this()),
            partial(two.take_over, run_id, Driver.this()),
            partial(create, three, undoes=run_id),
            partial(create, four, undoes=run_id),
            partial(five.abandon, run_id),
            partial(six.abandon, run_id),
        )
        # What was abandoned can be undone; everything else excludes the rest.
        (lease,) = (result for result in results if isinstance(result, Lease))
        abandoned = [result for result in results if isinstance(result, Run)]
        assert len(abandoned) <= (lease.run_id != run_id)
        losers = [result for result in results if result is not lease and result not in abandoned]
        assert set(kinds(losers)) <= {"Owned", "UsageError"}
        lease.finish(RunStatus.DONE)
        assert one.run(run_id).status is (RunStatus.DONE if lease.run_id == run_id else RunStatus.UNDONE)
        assert one.unfinished() == []
        one.refuse_owned(("user:alice",))


def test_the_same_plan_saved_by_several_is_kept_once(operators: list[Journal]) -> None:
    assert kinds(at_once(*[partial(j.save_plan, plan()) for j in operators])) == ["NoneType"] * 6
    assert operators[0].plan(plan().id) == plan()


def test_a_run_that_is_discarded_while_others_look_at_it(operators: list[Journal]) -> None:
    """It is owned, or it is not; it never is a surprise."""
    for _ in range(10):
        lease = create(operators[0])
        looks = [partial(j.refuse_owned, ("user:alice",)) for j in operators[1:]]
        results = at_once(partial(operators[0].discard, lease), *looks)
        assert set(kinds(results)) <= {"NoneType", "Owned"}


def test_a_heartbeat_under_way_is_waited_for_and_counts(operators: list[Journal]) -> None:
    """The driver was silent for long, and beats in the very moment in which another one takes its run over."""
    one, two, *_ = operators
    elsewhere = Driver("another-machine boot pid:[1]", "mgmt2", 4711, 99)
    lease = one.create(plan(), ("user:alice",), elsewhere, "operator", {})
    long_ago = sa.update(schema.runs).values(heartbeat=0.0)
    with one._engine.begin() as db:
        db.execute(long_ago)
    taken: list[Any] = []
    with one._engine.begin() as db:
        one._hold(db, lease, {"heartbeat": one._now()})
        thread = threading.Thread(
            target=lambda: taken.extend(at_once(lambda: two.take_over(lease.run_id, Driver.this())))
        )
        thread.start()
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        eventually(lambda: db.execute(waits).scalar())
    thread.join()
    assert kinds(taken) == ["Owned"]


# clocks


def test_machines_whose_clocks_differ_judge_by_the_servers(operators: list[Journal]) -> None:
    slow, fast = operators[:2]
    slow.clock = lambda: time.time() - 3600
    fast.clock = lambda: time.time() + 3600
    elsewhere = Driver("another-machine boot pid:[1]", "mgmt2", 4711, 99)
    lease = slow.create(plan(), ("user:alice",), elsewhere, "operator", {})
    for _ in range(2):
        with pytest.raises(Owned, match=r"pid 4711 on mgmt2, last heard of [0-9] s ago"):
            fast.take_over(lease.run_id, Driver.this())
        lease.beat()
    fast.expires_s = 0.0
    assert fast.take_over(lease.run_id, Driver.this()).epoch == 2
