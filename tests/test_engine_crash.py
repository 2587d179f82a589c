"""A power cut anywhere: what is resumed ends as if nothing had happened, what is undone as if nothing had begun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standins import HOSTS, Life, PowerCut, Put, World, draft, step

from runbooks.errors import Blocked, RunbookError
from runbooks.model import Batch, Run, RunStatus, Step
from runbooks.walker import Stop

GIT = "@git"


def procedure() -> Any:
    return draft(
        step("stop"),
        step("delete", must_all=True),
        step("merge", GIT),
        step("deploy", "h1", must_all=True, carries=True),
        step("create"),
        step("move", change=Put("move", "new", needs="create")),
    )


def start() -> World:
    world = World.of(*HOSTS, GIT)
    world.hosts["h2"]["stop"] = "old"
    return world


def undisturbed(url: str) -> dict[str, Any]:
    world = start()
    life = Life(url, world)
    assert life.apply(procedure()).status is RunStatus.DONE
    return world.holds()


def no_do_before_its_begin(run: Run, world: World) -> None:
    """What was done is in the journal as begun, whatever happened since."""
    begun = {(event.target, run.plan.steps[event.step].name) for event in run.events if event.kind == "begin"}
    assert set(world.did()) <= begun


def test_a_power_cut_after_every_event(fresh: Any) -> None:
    whole, total = undisturbed(fresh()), 0
    for events in range(1, 200):
        world, path = start(), fresh()
        life = Life(path, world, events=events)
        try:
            life.apply(procedure(), Batch(size="3"))
        except PowerCut:
            total += 1
        else:
            break
        run = life.unfinished()
        no_do_before_its_begin(run, world)
        life.journal.close()
        resumed = Life(path, world).resume(run.id, procedure())
        assert resumed.status is RunStatus.DONE
        assert world.holds() == whole
    assert total >= 30  # 18 begins and as many outcomes, a few committed together


def test_a_power_cut_at_every_point_and_undo(fresh: Any) -> None:
    total = 0
    for points in range(400):
        world = start()
        path = fresh()
        life = Life(path, world, points=points)
        try:
            life.apply(procedure(), Batch(size="3"))
        except PowerCut:
            total += 1
        else:
            break
        for run in life.journal.unfinished():
            try:
                undone = Life(path, world).undo(run.id, procedure())
            except Blocked as error:
                assert "has begun nothing" in str(error)
                Life(path, world).journal.abandon(run.id)
            else:
                assert undone.status is RunStatus.DONE
                assert life.journal.run(run.id).status is RunStatus.UNDONE
        assert life.journal.unfinished() == []
        assert world.holds() == start().holds()
        life.journal.close()
    assert total == 18 * 3


CHANCE = st.integers(0, 60)


@st.composite
def stories(draw: Any) -> dict[str, Any]:
    steps = []
    for number in range(draw(st.integers(1, 5))):
        shared = draw(st.integers(0, 4)) == 0
        on = (GIT,) if shared else tuple(draw(st.lists(st.sampled_from(HOSTS), min_size=1, unique=True)))
        steps.append(
            Step(f"s{number}", Put(f"s{number}"), on, must_all=draw(st.booleans()), carries=draw(st.booleans()))
        )
    return {
        "steps": steps,
        "batch": Batch(
            size=draw(st.sampled_from(["1", "2", "10", "50%"])),
            canary=draw(st.integers(0, 2)),
            max_failures=draw(st.sampled_from(["0", "1", "50%"])),
        ),
        "cuts": draw(st.lists(st.tuples(st.sampled_from(["events", "points"]), CHANCE), max_size=4)),
        "failures": draw(st.sets(st.tuples(st.sampled_from([*HOSTS, GIT]), st.integers(0, 4)), max_size=3)),
        "undo": draw(st.booleans()),
        "undo_cuts": draw(st.lists(st.tuples(st.sampled_from(["events", "points"]), CHANCE), max_size=3)),
    }


def once(failures: set[tuple[str, int]]) -> Any:
    """Each of these steps fails half-way, once."""
    left = set(failures)

    def hook(point: str, host: str, key: str) -> None:
        if point == "half" and (host, int(key[1:])) in left:
            left.discard((host, int(key[1:])))
            raise RunbookError("it broke")

    return hook


def barriers_hold(world: World, steps: list[Step]) -> None:
    """Nothing after a must_all step happens anywhere before all have that behind them; each host keeps the order."""
    numbers = {s.name: n for n, s in enumerate(steps)}
    ended: set[tuple[str, int]] = set()
    for point, host, key in world.told:
        number = numbers[key]
        if point == "begin":
            for earlier, s in enumerate(steps[:number]):
                if s.must_all:
                    assert {(t, earlier) for t in s.on} <= ended
                elif host in s.on:
                    assert (host, earlier) in ended
        elif point == "end":
            ended.add((host, number))


def lives(path: str, world: World, cuts: list[tuple[str, int]]) -> Iterator[Life]:
    """Lives that are cut short, and then whole ones."""
    for kind, count in cuts:
        yield Life(path, world, **{kind: count})
    for _ in range(8):
        yield Life(path, world)


def drive(path: str, world: World, the_draft: Any, cuts: list[tuple[str, int]], begin: Any) -> Run | None:
    """Start it, and resume it until it is done or has begun nothing."""
    for life in lives(path, world, cuts):
        try:
            unfinished = life.journal.unfinished()
            mine = [run for run in unfinished if run.undoes == the_draft.undoes]
            run = life.resume(mine[0].id, the_draft) if mine else begin(life)
        except PowerCut:
            continue
        finally:
            life.journal.close()
        if run.status is RunStatus.DONE:
            return run
    return None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=stories())
def test_any_procedure_any_power_cuts(story: dict[str, Any], fresh: Any) -> None:
    path, steps = fresh(), story["steps"]
    world = World.of(*HOSTS, GIT)
    before = world.holds()
    world.hooks.append(once(story["failures"]))
    the_draft = draft(*steps)
    run = drive(path, world, the_draft, story["cuts"], lambda life: life.apply(the_draft, story["batch"]))
    assert run is not None, "it never came to its end"
    barriers_hold(world, steps)
    for s in steps:
        assert all(world.hosts[target][s.name] == "new" for target in s.on)
    begun = {(e.step, e.target) for e in run.events if e.kind == "begin"}
    assert {(key, host) for host, key in world.did()} <= {(steps[n].name, t) for n, t in begun}
    if not story["undo"]:
        return
    world.told.clear()
    world.hooks.clear()
    backwards = Life(path, world).engine.undo(run, the_draft, {})
    undone = drive(path, world, backwards, story["undo_cuts"], lambda life: life.apply(backwards, story["batch"]))
    assert undone is not None
    assert world.holds() == before
    assert {(key, host) for host, key in world.did()} <= {(steps[n].name, t) for n, t in begun}


def test_resuming_what_is_done_does_nothing(url: str) -> None:
    """A stop before the last stage, a resume to the end: what was done is not done again."""
    world = start()
    life = Life(url, world)
    stop = Stop()
    object.__setattr__(life.engine, "stop", stop)
    world.hooks.append(lambda point, _host, key: stop.ask("SIGTERM") if (point, key) == ("end", "merge") else None)
    run = life.apply(procedure())
    assert run.status is RunStatus.INCOMPLETE
    done = world.did()
    assert Life(url, world).resume(run.id, procedure()).status is RunStatus.DONE
    assert len(world.did()) == len(set(world.did()))
    assert world.did()[: len(done)] == done
