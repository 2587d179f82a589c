"""The journal goes away in the middle of a run: nothing is done that is not recorded, and the run is resumed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from postgresql_server import Server
from standins import HOSTS, Life, PowerCut, World, draft, step

from runbooks import postgresql as pg
from runbooks.errors import Incomplete, JournalLost
from runbooks.journal import Journal
from runbooks.model import Batch, Result, Run, RunStatus
from tests.waiting import eventually

GIT = "@git"
THREE = Batch(size="3")


def procedure() -> Any:
    return draft(step("stop"), step("delete", must_all=True), step("merge", GIT), step("create"))


WHOLE = {host: {"stop": "new", "delete": "new", "create": "new"} for host in HOSTS} | {GIT: {"merge": "new"}}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is gone is not waited for."""
    monkeypatch.setattr(pg, "PATIENCE_S", 0.0)


@pytest.fixture
def world() -> World:
    return World.of(*HOSTS, GIT)


def at(point: str, host: str, key: str, act: Callable[[], object]) -> Callable[[str, str, str], None]:
    """Act once, when the walk comes there; looking at everything before it does not count."""
    begun: list[str] = []
    done: list[str] = []

    def hook(what: str, where: str, which: str) -> None:
        if what == "begin":
            begun.append(where)
        if (what, where, which) == (point, host, key) and begun and not done:
            done.append(what)
            act()

    return hook


def is_resumed(url: str, world: World) -> Run:
    """Everything done so far is in the journal as begun; the rest is done now, and nothing again that is recorded as
    done."""
    with contextlib.closing(Journal(url)) as journal:
        run = journal.run(journal.unfinished()[0].id)
    names = [s.name for s in procedure().steps]
    assert set(world.did()) <= {(e.target, names[e.step]) for e in run.events if e.kind == "begin"}
    recorded = {(t, names[n]) for (n, t), outcome in run.outcomes().items() if outcome.result is Result.DONE}
    before = len(world.did())
    world.hooks.clear()
    life = Life(url, world)
    resumed: Run = life.resume(run.id, procedure())
    life.journal.close()
    assert resumed.status is RunStatus.DONE
    assert world.holds() == WHOLE
    assert not recorded & set(world.did()[before:])
    return run


# the server


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
@pytest.mark.parametrize("point", ["check", "begin", "half", "end", "verify"])
def test_the_server_is_lost_in_the_middle_of_a_run(postgresql: Server, world: World, point: str, number: int) -> None:
    url = postgresql.fresh()
    life = Life(url, world)
    world.hooks.append(at(point, "h2", "delete", lambda: postgresql.stop(number)))
    with pytest.raises(Incomplete) as caught:
        life.apply(procedure(), THREE)
    assert caught.value.exit_status == 5
    (run_id, said) = (str(caught.value).split()[1].rstrip(":"), str(caught.value))
    assert "\n" not in said and "was lost" in said and f"`inv resume --run {run_id}` goes on" in said
    assert {key for _, key in world.did()} <= {"stop", "delete"}, "nothing new was begun"
    assert (("h2", "delete") in world.did()) == (point != "check")
    life.journal.close()
    postgresql.start()
    assert is_resumed(url, world).id == run_id


@pytest.mark.usefixtures("impatient")
def test_a_server_lost_while_looking_leaves_a_run_that_is_resumed(postgresql: Server, world: World) -> None:
    url = postgresql.fresh()
    life = Life(url, world)
    plan = life.engine.plan(procedure())
    world.hooks.append(lambda *_: postgresql.stop())
    with pytest.raises(Incomplete):
        life.engine.apply(plan, procedure(), THREE)
    assert world.did() == []
    postgresql.start()
    is_resumed(url, world)


@pytest.mark.usefixtures("impatient")
def test_a_server_lost_before_the_run_is_no_run(postgresql: Server, world: World) -> None:
    url = postgresql.fresh()
    life = Life(url, world)
    plan = life.engine.plan(procedure())
    postgresql.stop()
    for attempt in (
        lambda: life.engine.apply(plan, procedure(), THREE),
        lambda: life.journal.runs(),
        lambda: life.journal.refuse_owned(("user:alice",)),
    ):
        with pytest.raises(JournalLost, match=r"^journal postgresql://postgres@/.*: try again once it can be used"):
            attempt()
    postgresql.start()
    assert life.journal.runs() == []
    assert life.apply(procedure()).status is RunStatus.DONE


@pytest.fixture
def restart(postgresql: Server) -> Iterator[Callable[[], None]]:
    """Ends the server as a package's update does, and starts it half a second later."""
    timer = threading.Timer(0.5, postgresql.start)

    def begin() -> None:
        postgresql.stop(signal.SIGINT)
        timer.start()

    yield begin
    timer.join()


@pytest.mark.parametrize("point", ["check", "begin", "half", "verify"])
def test_a_restart_is_waited_for(postgresql: Server, world: World, point: str, restart: Callable[[], None]) -> None:
    world.hooks.append(at(point, "h2", "delete", restart))
    assert Life(postgresql.fresh(), world).apply(procedure(), Batch(size="1")).status is RunStatus.DONE
    assert world.holds() == WHOLE
    assert len(world.did()) == len(set(world.did()))


def test_who_only_looks_does_not_notice_a_restart(postgresql: Server) -> None:
    journal = Journal(postgresql.fresh())
    assert journal.runs() == []
    postgresql.stop()
    postgresql.start()
    assert journal.runs() == []


def test_who_waits_for_the_server_does_not_mind_that_another_is_let_in(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the very moment in which it looks for how long it has waited."""
    journal = Journal(postgresql.fresh())
    journal.close()
    postgresql.stop()
    looks: list[float] = []

    def now() -> float:
        looks.append(time.monotonic())
        if len(looks) == 2:
            postgresql.start()
            other = threading.Thread(target=journal.runs)
            other.start()
            other.join()
        return looks[-1]

    monkeypatch.setattr(pg, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
    assert journal.runs() == []


@pytest.mark.parametrize(
    "words", ["UPDATE runs SET heartbeat", "INSERT INTO events", "UPDATE runs SET status", "COMMIT"]
)
def test_a_transaction_is_repeated_unless_it_may_have_happened(
    postgresql: Server, world: World, words: str, restart: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.fresh()
    life = Life(url, world)
    left = [7 if words != "UPDATE runs SET status" else 1]

    def count(said: str) -> None:
        if said.startswith(words):
            left[0] -= 1
            if left[0] == 0:
                restart()

    plan = life.engine.plan(procedure())
    before_driver(monkeypatch, count)
    if words != "COMMIT":
        run = life.engine.apply(plan, procedure(), THREE)
        assert run.status is RunStatus.DONE and world.holds() == WHOLE
        kinds = [(event.kind, event.step, event.target) for event in run.events]
        assert len(kinds) == len(set(kinds)), "nothing is recorded twice"
        return
    with pytest.raises(Incomplete):
        life.engine.apply(plan, procedure(), THREE)
    is_resumed(url, world)


def test_a_journal_lost_while_looking_what_became_of_a_command_ends_the_walk(
    postgresql: Server, world: World, restart: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.fresh()
    with pytest.raises(PowerCut):
        Life(url, world, points=2).apply(procedure(), Batch(size="1"))
    assert world.holds()["h1"] == {"stop": "new"}, "done, and no outcome recorded"
    life = Life(url, world)
    run = life.journal.run(life.journal.unfinished()[0].id)
    commits: list[str] = []

    def count(said: str) -> None:
        if said == "COMMIT":
            commits.append(said)
            if len(commits) == 3:  # after that of taking over, and that it was resumed
                restart()

    before_driver(monkeypatch, count)
    with pytest.raises(Incomplete):
        life.resume(run.id, procedure())
    assert [e.kind for e in Journal(url).run(run.id).events] == ["begin", "resumed"]
    is_resumed(url, world)


@pytest.mark.usefixtures("impatient")
def test_the_heartbeat_outlives_an_outage(postgresql: Server, world: World) -> None:
    life = Life(postgresql.fresh(), world)
    object.__setattr__(life.engine, "heartbeat_s", 0.02)
    beaten = threading.Event()
    write = life.journal.write

    def beat(lease: Any, events: Any) -> None:
        if events:
            write(lease, events)
            return
        failed.extend(_raised(lambda: write(lease, events)))
        if failed and postgresql.process:
            write(lease, events)
            beaten.set()
        elif failed:
            raise failed[0]

    failed: list[Exception] = []
    life.journal.write = beat  # type: ignore[method-assign]

    def outage() -> None:
        postgresql.stop()
        eventually(lambda: failed)
        postgresql.start()
        assert beaten.wait(60)

    world.hooks.append(at("half", "h1", "delete", outage))
    assert life.apply(procedure(), THREE).status is RunStatus.DONE
    assert isinstance(failed[0], JournalLost)


def before_driver(monkeypatch: pytest.MonkeyPatch, hear: Callable[[str], None]) -> None:
    """Tell of each statement before the driver sends it, and of each commit."""
    execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

    def executing(cursor: Any, text: Any, *args: Any, **options: Any) -> Any:
        hear(str(text))
        return execute(cursor, text, *args, **options)

    def committing(connection: Any) -> None:
        hear("COMMIT")
        commit(connection)

    monkeypatch.setattr(psycopg.Cursor, "execute", executing)
    monkeypatch.setattr(psycopg.Connection, "commit", committing)


def _raised(work: Callable[[], object]) -> list[Exception]:
    try:
        work()
    except Exception as error:
        return [error]
    return []


# the network


class Cable:
    """A way to the server that is cut once so many messages went through to it: the answer to the last one is lost,
    though it arrived. ``mends``: new connections are let through again."""

    def __init__(self, server: Server, messages: int, mends: bool) -> None:
        self.server, self.left, self.mends = server, messages, mends
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                if self.left <= 0 and not self.mends:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self.server.port))
                for source, target, counts in ((here, there, True), (there, here, False)):
                    threading.Thread(target=self._pass, args=(source, target, counts), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self.lock:
                    self.left -= counts
                    cut = counts and self.left == 0
                if cut:
                    source.shutdown(socket.SHUT_RDWR)
                target.sendall(data)
                if cut:
                    target.shutdown(socket.SHUT_WR)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.close()


def connections(server: Server, role: str) -> int:
    """How many a role has."""
    with server.connect() as db:
        return len(db.execute("SELECT FROM pg_stat_activity WHERE usename = %s", (role,)).fetchall())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mends", [False, True])
def test_the_network_is_lost_after_any_message(postgresql: Server, mends: bool) -> None:
    postgresql.execute("CREATE ROLE cable SUPERUSER LOGIN PASSWORD 'geheim'")
    lost = 0
    try:
        for messages in range(30, 500, 17):
            world, url = World.of(*HOSTS, GIT), postgresql.fresh()
            Journal(url).close()
            cable = Cable(postgresql, messages, mends)
            path = url.replace("//postgres@/", "//cable:geheim@/").replace(
                f"{postgresql.top}&port={postgresql.port}", f"127.0.0.1&port={cable.port}"
            )
            life = Life(f"{path}&sslmode=disable", world)
            try:
                assert life.apply(procedure(), THREE).status is RunStatus.DONE
            except Incomplete:
                lost += 1
                life.journal.close()
                # What the last word was about may still be under way there.
                eventually(lambda: not connections(postgresql, "cable"))
                with contextlib.closing(Journal(url)) as journal:
                    run = journal.run(journal.runs()[0].id)
                # Where the answer to the last word of all was lost, it is there, and nothing is left to do.
                if run.status is not RunStatus.DONE:
                    is_resumed(url, world)
            else:
                if cable.left > 0:
                    break
            finally:
                life.journal.close()
                cable.close()
            assert world.holds() == WHOLE
        else:
            pytest.fail("nothing ever came through whole")
    finally:
        postgresql.hang_up()
        postgresql.execute("DROP ROLE cable")
    assert mends or lost > 3


# the disk under SQLite


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "ops-clinic-test", str(tmp_path)], check=False)
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_the_disk_is_full_in_the_middle_of_a_run(disk: Path, world: World) -> None:
    url = f"sqlite:///{disk}/state/journal.db"
    filler = disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(512))

    life = Life(url, world)
    world.hooks.append(at("half", "h2", "delete", fill))
    with pytest.raises(Incomplete, match=r"database or disk is full: .* `inv resume --run 1"):
        life.apply(procedure(), THREE)
    assert {key for _, key in world.did()} <= {"stop", "delete"}
    life.journal.close()
    filler.unlink()
    is_resumed(url, world)
