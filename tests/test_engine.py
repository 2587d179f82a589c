"""Plan, apply, resume, undo: when nothing is changed, who owns what, and what is taken back in which order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from labs import small_lab
from real_hosts import NAMES, RealHosts
from standins import HOSTS, Gate, Life, PowerCut, Put, World, draft, step

from runbooks.engine import UNDO, undo_steps
from runbooks.errors import Blocked, Busy, Drift, Fenced, Interrupted, Owned, RunbookError, Unreachable, UsageError
from runbooks.lab import Lab, Person
from runbooks.lease import Lease
from runbooks.model import Batch, Event, Result, Run, RunStatus, Status
from runbooks.transport.route import CLIENTS
from runbooks.verdicts import exit_status, refuse_drift
from runbooks.walker import Stop


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host for each stand-in."""
    with small_lab(len(NAMES), [Person("lena", 2001, home_files=1)]) as made:
        yield made


@pytest.fixture(scope="module", params=["memory", *CLIENTS], autouse=True)
def hosts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs over stand-ins in memory, and over real hosts by every client."""
    if request.param == "memory":
        yield
        return
    World.real = RealHosts(request.getfixturevalue("lab"), request.param)
    yield
    World.real.close()
    World.real = None


def nothing_was_changed(life: Life, world: World) -> None:
    assert world.did() == []
    assert life.journal.runs() == []
    life.journal.refuse_owned(("user:alice",))


def two() -> Any:
    return draft(step("a"), step("b"))


# plan


def test_a_plan_changes_nothing_and_leaves_nothing(url: str) -> None:
    world = World.of(*HOSTS)
    world.hosts["h1"]["a"] = "new"
    life = Life(url, world)
    plan = life.engine.plan(two())
    assert (plan.count(Status.DONE), plan.count(Status.TODO)) == (1, 7)
    assert plan.id == life.engine.plan(two()).id
    nothing_was_changed(life, world)


# apply, before the first begin


@pytest.mark.parametrize("what", ["stop", "down"])
def test_a_plan_with_something_in_the_way_is_refused(url: str, what: str) -> None:
    world = World.of(*HOSTS)
    if what == "stop":
        world.hosts["h3"]["a"] = "stop"
    else:
        world.down.add("h3")
    life = Life(url, world)
    with pytest.raises(Blocked, match="nothing was changed") as caught:
        life.apply(two())
    assert caught.value.exit_status == 3
    assert "a: h3" in str(caught.value) and ("1 more" in str(caught.value)) == (what == "down")
    nothing_was_changed(life, world)


def test_drift_is_refused_and_leaves_nothing(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    plan = life.engine.plan(two())
    world.hosts["h3"]["b"] = "someone's"
    with pytest.raises(Drift, match='b: h3: now was None, is "someone\'s"') as caught:
        life.engine.apply(plan, two(), Batch())
    assert caught.value.exit_status == 4
    nothing_was_changed(life, world)


def test_other_arguments_are_drift(url: str) -> None:
    life = Life(url, World.of(*HOSTS))
    plan = life.engine.plan(two())
    from dataclasses import replace

    with pytest.raises(Drift, match="the arguments"):
        life.engine.apply(plan, replace(two(), arguments={"name": "bob"}), Batch())


def test_newly_unreachable_is_told_before_drift(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    plan = life.engine.plan(two())
    world.down.add("h3")
    world.hosts["h1"]["a"] = "someone's"
    with pytest.raises(Blocked, match="h3 is newly unreachable") as caught:
        life.engine.apply(plan, two(), Batch())
    assert caught.value.exit_status == 3
    nothing_was_changed(life, world)


def test_later_that_became_possible_is_drift(url: str) -> None:
    world = World.of("h1")
    life = Life(url, world)
    the_draft = draft(step("b", "h1", change=Put("b", needs="a")))
    plan = life.engine.plan(the_draft)
    world.hosts["h1"]["a"] = 1
    with pytest.raises(Drift, match="was later, is todo"):
        life.engine.apply(plan, the_draft, Batch())


def test_a_stop_while_looking_changes_nothing(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    plan = life.engine.plan(two())
    life.engine.stop.ask("SIGTERM")
    life.engine.stop.ask("SIGINT")
    with pytest.raises(Interrupted, match="SIGTERM"):
        life.engine.apply(plan, two(), Batch())
    nothing_was_changed(life, world)


def test_a_bug_while_looking_leaves_nothing(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    plan = life.engine.plan(two())
    world.hooks.append(lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        life.engine.apply(plan, two(), Batch())
    nothing_was_changed(life, world)


def test_another_run_owns_the_subject(url: str) -> None:
    world = World.of(*HOSTS)
    world.hooks.append(lambda point, host, _key: 1 / 0 if (point, host) == ("half", "h1") else None)
    with pytest.raises(ZeroDivisionError):
        Life(url, world).apply(two())
    world.hooks.clear()
    with pytest.raises(Owned) as caught:
        Life(url, world).apply(two())
    assert caught.value.exit_status == 7
    Life(url, world).apply(draft(step("c"), subjects=("user:bob",)))


def test_who_lost_the_run_while_looking_discards_nothing(url: str) -> None:
    world = World.of("h1")
    steps = draft(step("a", "h1"))
    old, new = Life(url, world), Life(url, world)
    plan = old.engine.plan(steps)
    looks = []

    def hook(point: str, _host: str, _key: str) -> None:
        if point == "check" and not looks:
            looks.append(point)
            new.journal.take_over(new.journal.unfinished()[0].id, new.driver).finish(RunStatus.INCOMPLETE)
            world.hosts["h1"]["a"] = "drifted"

    world.hooks.append(hook)
    world.hooks.remove(new.on_point)
    with pytest.raises(Fenced):
        old.engine.apply(plan, steps, Batch())
    assert len(new.journal.unfinished()) == 1


# resume


def test_a_driver_that_died_before_any_begin_is_resumed_or_given_up(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    plan = life.engine.plan(two())
    checks: list[str] = []

    def die(point: str, _host: str, _key: str) -> None:
        checks.append(point)
        if len(checks) == 3:
            life.dead = True
            raise PowerCut

    world.hooks.append(die)
    with pytest.raises(PowerCut):
        life.engine.apply(plan, two(), Batch())
    world.hooks.remove(die)
    run = life.unfinished()
    assert (run.status, run.events) == (RunStatus.RUNNING, [])
    with pytest.raises(Blocked, match=r"has begun nothing.*`inv abandon \S+` ends it"):
        Life(url, world).undo(run.id, two())
    assert Life(url, world).resume(run.id, two()).status is RunStatus.DONE


def test_resuming_what_is_done_or_driven_is_refused(url: str) -> None:
    world = World.of(*HOSTS)
    run = Life(url, world).apply(two())
    with pytest.raises(UsageError):
        Life(url, world).resume(run.id, two())


def alive(url: str, world: World, use: Any) -> None:
    """Apply two steps, and use the run while its driver lives, between begin and do."""
    life = Life(url, world)
    from runbooks.driver import Driver

    life.driver = Driver.this()
    used = []

    def hook(point: str, _host: str, _key: str) -> None:
        if point == "begin" and not used:
            used.append(point)
            other = Life(url, world)
            world.hooks.remove(other.on_point)
            use(other, other.journal.unfinished()[0].id)

    world.hooks.append(hook)
    assert life.apply(two()).status is RunStatus.DONE
    assert used


def test_a_run_whose_driver_lives_is_left_alone_before_any_host_is_waited_for(url: str) -> None:
    world = World.of(*HOSTS)

    def use(other: Life, run_id: str) -> None:
        world.busy.update(HOSTS)  # its command runs: who waits for that would learn nothing
        for attempt in (
            lambda: other.resume(run_id, two()),
            lambda: other.undo(run_id, two()),
            lambda: other.engine.remaining(other.journal.run(run_id), two().steps),
        ):
            with pytest.raises(Owned, match="is being driven") as caught:
                attempt()
            assert caught.value.exit_status == 7
        world.busy.clear()

    alive(url, world, use)


def test_a_stop_while_waiting_for_an_earlier_command(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world, points=1)
    with pytest.raises(PowerCut):
        life.apply(two())
    run = life.unfinished()
    again = Life(url, world)
    again.engine.remaining(run, two().steps)
    again.engine.stop.ask("SIGINT")
    world.busy.add("h1")
    stopped = again.engine.resume(run, two().steps)
    assert stopped.outcomes()[0, "h1"].result is Result.UNKNOWN
    assert [event.kind for event in stopped.events] == ["begin", "resumed"]
    assert len(world.did()) == 1
    assert exit_status(stopped, again.engine.stop) == 130


def test_a_command_of_an_earlier_driver_still_runs(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world, points=1)
    with pytest.raises(PowerCut):
        life.apply(two())
    run = life.unfinished()
    again = Life(url, world)
    again.engine.remaining(run, two().steps)
    world.busy.add("h1")
    stopped = again.engine.resume(run, two().steps)
    assert stopped.outcomes()[0, "h1"].result is Result.UNKNOWN
    assert "still runs" in stopped.outcomes()[0, "h1"].note
    assert stopped.status is RunStatus.INCOMPLETE
    with pytest.raises(Busy):
        Life(url, world).undo(run.id, two())
    assert [r.id for r in again.journal.runs()] == [run.id]


def test_what_an_earlier_driver_finished_is_found_done(url: str) -> None:
    world = World.of("h1")
    life = Life(url, world, points=2)  # dead after the change was made, before it was looked at
    with pytest.raises(PowerCut):
        life.apply(draft(step("a", "h1")))
    world.hosts["h1"]["a"] = "new"
    run = life.unfinished()
    resumed = Life(url, world).resume(run.id, draft(step("a", "h1")))
    assert resumed.outcomes()[0, "h1"].note == "found done when looked at again"
    assert len(world.did()) == 1


def test_the_policy_of_a_run_is_kept(url: str) -> None:
    world = World.of(*HOSTS)
    world.hooks.append(lambda p, h, _k: world.down.add("h1") if (p, h) == ("begin", "h1") else None)
    run = Life(url, world).apply(draft(step("a")), Batch("1", 0.0, 2, "0"))
    world.down.clear()
    assert Life(url, world).journal.options(run.id)["canary"] == 2


# the lease


def test_a_lost_lease_stops_the_walk_and_is_told(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    object.__setattr__(life.engine, "heartbeat_s", 0.01)
    lost = threading.Event()

    def hook(point: str, host: str, _key: str) -> None:
        if (point, host) == ("half", "h1"):
            other = Life(url, world)
            world.hooks.remove(other.on_point)
            other.journal.take_over(other.journal.unfinished()[0].id, other.driver)
            assert life.engine.stop.event.wait(60)
            lost.set()

    world.hooks.append(hook)
    with pytest.raises(Fenced, match="taken over"):
        life.apply(two())
    assert lost.is_set() and len(world.did()) == 1
    assert life.journal.unfinished()[0].status is RunStatus.RUNNING


def test_a_heartbeat_that_fails_once_goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.of("h1")
    life = Life(url, world)
    object.__setattr__(life.engine, "heartbeat_s", 0.001)
    beats: list[int] = []
    beaten = threading.Event()

    def beat(_lease: Lease) -> None:
        beats.append(1)
        if len(beats) == 1:
            raise OSError("database is locked")
        beaten.set()

    monkeypatch.setattr(Lease, "beat", beat)
    world.hooks.append(lambda point, _h, _k: None if point != "half" else (beaten.wait(60), None)[1])
    life.apply(draft(step("a", "h1")))
    assert beaten.is_set()


# undo


def carried() -> Any:
    return draft(
        step("gate", change=Gate(), must_all=True),
        step("stop", "h1", "h2"),
        step("merge", "@git", undo="Revert"),
        step("deploy", "h1", carries=True, must_all=True),
        step("start", "h1", "h2"),
    )


def test_undo_goes_backwards_but_what_carries_follows_what_it_carries(url: str) -> None:
    world = World.of(*HOSTS, "@git")
    run = Life(url, world).apply(carried())
    world.told.clear()
    undone = Life(url, world).undo(run.id, carried())
    order = list(dict.fromkeys(key for _, key in world.did()))
    assert order == ["start", "merge", "deploy", "stop"]
    assert [s.name for s in undone.plan.steps] == [
        "Take back: start",
        "Revert",
        "Take back: deploy",
        "Take back: stop",
    ]
    assert [s.must_all for s in undone.plan.steps] == [False, False, True, False]
    assert (undone.plan.procedure, undone.undoes) == (UNDO, run.id)
    assert world.holds() == World.of(*HOSTS, "@git").holds()


def test_only_what_was_begun_is_taken_back(url: str) -> None:
    world = World.of(*HOSTS, "@git")
    world.hosts["h2"]["stop"] = "new"  # as promised before we came: not ours to take back
    life = Life(url, world)
    world.hooks.append(lambda p, _h, k: life.engine.stop.ask("SIGINT") if (p, k) == ("end", "merge") else None)
    run = life.apply(carried())
    backwards = list(undo_steps(run, carried().steps))
    assert [(s.name, s.on) for s in backwards] == [("Revert", ("@git",)), ("Take back: stop", ("h1",))]
    Life(url, world).undo(run.id, carried())
    assert world.hosts["h2"] == {"stop": "new"} and world.hosts["h1"] == {}


def test_an_undo_that_is_refused_gives_ownership_back(url: str) -> None:
    world = World.of(*HOSTS)
    run = Life(url, world).apply(two())
    life = Life(url, world)
    backwards = life.engine.undo(run, two(), {})
    plan = life.engine.plan(backwards)
    world.down.add("h1")
    with pytest.raises(Blocked, match="newly unreachable"):
        life.engine.apply(plan, backwards, Batch())
    assert [r.id for r in life.journal.runs()] == [run.id]
    life.journal.refuse_owned(("user:alice",))


def test_an_undo_waits_for_a_command_of_the_undone_run_before_it_changes_anything(url: str) -> None:
    world = World.of(*HOSTS)
    with pytest.raises(PowerCut):
        Life(url, world, points=1).apply(two())
    life = Life(url, world)
    run = life.unfinished()
    backwards = life.engine.undo(run, two(), {})
    plan = life.engine.plan(backwards)
    world.busy.add("h1")
    with pytest.raises(Busy):
        life.engine.apply(plan, backwards, Batch())
    assert [r.id for r in life.journal.runs()] == [run.id]
    assert len(world.did()) == 1


def test_an_undo_is_resumed_and_the_undone_run_is_not(url: str) -> None:
    world = World.of(*HOSTS)
    run = Life(url, world).apply(two())
    backwards = Life(url, world).engine.undo(run, two(), {})
    with pytest.raises(PowerCut):
        Life(url, world, points=4).apply(backwards)
    undo = Life(url, world).unfinished()
    for attempt in (
        lambda: Life(url, world).undo(run.id, two()),
        lambda: Life(url, world).journal.abandon(undo.undoes),
    ):
        with pytest.raises((Owned, UsageError)):
            attempt()
    resumed = Life(url, world).resume(undo.id, backwards)
    assert resumed.status is RunStatus.DONE
    assert Life(url, world).journal.run(run.id).status is RunStatus.UNDONE


def test_an_undo_shuts_out_a_driver_that_wakes_up(url: str) -> None:
    """Its driver is stopped between begin and do; the undo's own driver dies before it shut it out, and is resumed."""
    world = World.of("h1", "h2")
    steps = draft(step("a", "h1", "h2"))
    old = Life(url, world)
    state: dict[str, Any] = {}

    def freeze(event: Event) -> None:
        if event.kind != "begin" or event.target != "h2" or state:
            return
        state["begun"] = True
        run = old.unfinished()
        backwards = Life(url, world).engine.undo(run, steps, {})
        dying = Life(url, world)
        plan = dying.engine.plan(backwards)
        # As if it had died right after its run was made.
        dying.journal.create(
            plan,
            ("user:alice",),
            dying.driver,
            "operator",
            {"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"},
            undoes=run.id,
        )
        undo = dying.unfinished()
        state["undone"] = Life(url, world).resume(undo.id, backwards)
        world.hooks.clear()

    object.__setattr__(old.engine, "observer", freeze)
    with pytest.raises(Fenced):
        old.apply(steps)
    assert state["undone"].status is RunStatus.DONE
    assert world.holds() == {"h1": {}, "h2": {}}


def test_what_cannot_be_taken_back_is_said(url: str) -> None:
    class Mail(Put):
        """Cannot be unsent."""

        no_inverse = "mail cannot be unsent"

        def inverse(self, before: Any) -> Any:  # noqa: ARG002
            """None."""
            return None

    world = World.of("h1")
    steps = draft(step("a", "h1"), step("mail", "h1", change=Mail("mail")))
    run = Life(url, world).apply(steps)
    backwards = Life(url, world).engine.undo(run, steps, {"end_processes": True})
    assert backwards.notes == ("not taken back: mail: mail cannot be unsent",)
    assert backwards.arguments == {"run": run.id, "end_processes": True}


# exit statuses


def test_exit_statuses(url: str) -> None:
    plan = Life(url, World.of(*HOSTS)).engine.plan(two())

    def run(status: RunStatus, *results: str) -> Run:
        events = [Event("outcome", 1.0, n, "h1", {"result": result}) for n, result in enumerate(results)]
        return Run("r", plan, status, "o", 1.0, events=events)

    free, stopped = Stop(), Stop()
    stopped.ask("SIGHUP")
    assert exit_status(run(RunStatus.DONE, "done"), stopped) == 0
    assert exit_status(run(RunStatus.INCOMPLETE, "failed"), free) == 5
    assert exit_status(run(RunStatus.INCOMPLETE, "failed"), stopped) == 130
    assert exit_status(run(RunStatus.INCOMPLETE, "failed", "unverified"), stopped) == 6


def test_refusals_name_the_first_three_differences(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    old = life.engine.plan(two())
    for host in HOSTS:
        world.hosts[host]["a"] = "x"
    with pytest.raises(Drift, match=r"\(and 1 more\)"):
        refuse_drift(old, life.engine.plan(two()))


def test_errors_are_one_class_and_one_status_each() -> None:
    assert issubclass(Unreachable, RunbookError)
    statuses = {cls.__name__: cls.exit_status for cls in (Blocked, Drift, Owned, Interrupted, Fenced, Busy, UsageError)}
    assert statuses == {
        "Blocked": 3, "Drift": 4, "Owned": 7, "Interrupted": 130, "Fenced": 7, "Busy": 5, "UsageError": 2
    }  # fmt: skip
