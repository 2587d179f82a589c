"""Stages, windows, stop rules, surprises: what the walk does on hosts that behave, and on those that do not."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from standins import HOSTS, FakeEvent, Gate, Life, Put, World, WorldReader, draft, step

from runbooks.errors import Fenced, Lost, RunbookError, UsageError
from runbooks.lease import Lease
from runbooks.model import Batch, Event, Run, RunStatus
from runbooks.verdicts import exit_status
from runbooks.walker import BRIEFLY_S, Stop, Walker

MANY = tuple(f"n{number}" for number in range(1, 11))


def results(run: Run) -> dict[tuple[int, str], str]:
    return {key: str(outcome.result) for key, outcome in run.outcomes().items()}


def fail(*pairs: tuple[str, str], error: type[RunbookError] | None = None, point: str = "half") -> Any:
    def hook(at: str, host: str, key: str) -> None:
        if at == point and (host, key) in pairs:
            raise error(host, "gone") if error is Lost else RunbookError("it broke")

    return hook


def test_the_canary_goes_through_the_whole_stage_before_the_others(url: str) -> None:
    world = World.of(*MANY)
    run = Life(url, world).apply(draft(step("a", *MANY), step("b", *MANY)))
    assert run.status is RunStatus.DONE
    assert world.did()[:2] == [("n1", "a"), ("n1", "b")]
    assert world.waits == {BRIEFLY_S}
    assert {host for host, _ in world.did()[2:4]} & {"n1"} == set()


def test_an_outcome_is_written_with_the_next_begin(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, written = World.of("h1"), []
    record = Lease.record

    def noted(lease: Lease, *events: Event) -> None:
        record(lease, *events)
        written.append([(event.kind, event.step) for event in events])

    monkeypatch.setattr(Lease, "record", noted)
    run = Life(url, world).apply(draft(step("a", "h1"), step("b", "h1"), step("gate", "h1", change=Gate())))
    assert run.status is RunStatus.DONE
    assert written == [
        [("begin", 0)],
        [("outcome", 0), ("begin", 1)],
        [("outcome", 1), ("outcome", 2)],
    ]
    assert [event.kind for event in run.events] == ["begin", "outcome", "begin", "outcome", "outcome"]


@dataclass(frozen=True)
class Seeing(Put):
    """Notes what its readers were told to recall."""

    def check(self, reader: Any) -> Any:
        """As it does; and what is recalled."""
        reader.world.tell(f"check {reader.recalled}", reader.host, self.key)
        return super().check(reader)

    def verify(self, reader: Any, before: Any) -> Any:
        """As it does; and what is recalled."""
        reader.world.tell(f"verify {reader.recalled}", reader.host, self.key)
        return super().verify(reader, before)


def test_a_check_recalls_what_the_verify_before_it_saw_and_a_verify_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, numbers = World.of("h1"), iter(range(100))
    monkeypatch.setattr(WorldReader, "recalled", None, raising=False)
    monkeypatch.setattr(WorldReader, "seen", lambda _reader: next(numbers))
    monkeypatch.setattr(WorldReader, "recall", lambda reader, seen: setattr(reader, "recalled", seen))
    plan = draft(step("a", "h1", change=Seeing("a")), step("b", "h1", change=Seeing("b")))
    assert Life(url, world).apply(plan).status is RunStatus.DONE
    told = [(point, key) for point, _, key in world.told if point.startswith(("check ", "verify "))]
    # Two looks (0, 1), check a (2), verify a (3), check b with what 3 saw, verify b; a look is for itself.
    assert told[-4:] == [("check None", "a"), ("verify None", "a"), ("check 3", "b"), ("verify None", "b")]


def test_what_the_canary_was_asked_after_a_step_the_others_will_be(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.of("h1", "h2", "h3")
    monkeypatch.setattr(WorldReader, "seen", lambda reader: f"on {reader.host}")
    steps = [step("a", "h1", "h2"), step("b", "h1", "h2", "h3")]
    assert Life(url, world).apply(draft(*steps)).status is RunStatus.DONE
    # By verify, and by the check of the next step; behind the last one there is none.
    assert world.foreseen[0] == ("h2", ["on h1", "on h1"], 0)
    assert ("h3", ["on h1"], 0) in world.foreseen
    assert [len(seen) for host, seen, _ in world.foreseen if host == "h2"] == [2, 1]


def test_a_canary_of_none_and_of_three(url: str) -> None:
    world = World.of(*MANY)
    Life(url, world).apply(draft(step("a", *MANY), step("b", *MANY)), Batch(canary=3, size="10"))
    assert [host for host, _ in world.did()[:6]] == ["n1", "n1", "n2", "n2", "n3", "n3"]
    world = World.of(*MANY)
    Life(url + "2", world).apply(draft(step("a", *MANY)), Batch(canary=0))
    assert len(world.did()) == 10


@pytest.mark.parametrize(("size", "width"), [("1", 1), ("3", 3), ("20%", 2), ("5%", 1)])
def test_no_more_hosts_side_by_side_than_the_batch_size(url: str, size: str, width: int) -> None:
    world = World.of(*MANY)
    meeting = threading.Barrier(width)

    def meet(point: str, host: str, _key: str) -> None:
        # So many do meet: the window is filled, not only respected.
        if point == "half" and host in MANY[1 : 1 + width]:
            meeting.wait(60)

    world.hooks.append(meet)
    Life(url, world).apply(draft(step("a", *MANY)), Batch(size=size))
    assert world.most_active == width


def test_a_barrier_waits_for_every_host(url: str) -> None:
    world = World.of(*HOSTS, "@git")
    Life(url, world).apply(draft(step("a"), step("merge", "@git"), step("b"), step("c", must_all=True), step("d")))
    order = [key for _, key in world.did()]
    assert order[:5] == ["a"] * 4 + ["merge"]
    assert order[5:] == ["b"] * 4 + ["c"] * 4 + ["d"] * 4


@pytest.mark.parametrize(("limit", "started"), [("0", 1), ("1", 2), ("20%", 3), ("100%", 10)])
def test_at_the_limit_no_new_host_is_started(url: str, limit: str, started: int) -> None:
    world = World.of(*MANY)
    world.hooks.append(fail(*((host, "a") for host in MANY)))
    run = Life(url, world).apply(draft(step("a", *MANY)), Batch(size="1", max_failures=limit))
    assert len(world.did()) == started
    assert run.status is RunStatus.INCOMPLETE
    assert list(results(run).values()) == ["failed"] * started
    rows = run.to_json()["outcomes"]
    assert [row["status"] for row in rows].count("pending") == 10 - started


def test_those_in_flight_finish_the_stage(url: str) -> None:
    world = World.of("h1", "h2", "h3", "h4")
    broken = threading.Event()

    def hook(point: str, host: str, key: str) -> None:
        if (point, host, key) == ("half", "h2", "a"):
            raise RunbookError("it broke")
        if (point, host, key) == ("check", "h3", "b") and world.did("verify"):
            broken.wait(0.2)

    world.hooks.append(hook)
    run = Life(url, world).apply(draft(step("a"), step("b"), step("c")), Batch(size="2"))
    assert results(run)[0, "h2"] == "failed"
    assert results(run).get((2, "h3")) in ("done", None)
    # h3 was started beside h2, or not at all; never half-way.
    assert sum(host == "h3" for host, _ in world.did()) in (0, 3)


def test_tolerated_failures_do_not_stop_a_shared_step_and_count_in_their_stage(url: str) -> None:
    world = World.of(*HOSTS, "@git")
    world.hooks.append(fail(("h2", "a")))
    run = Life(url, world).apply(
        draft(step("a"), step("merge", "@git"), step("b")), Batch(max_failures="25%", size="1")
    )
    assert world.did()[-4:] == [("@git", "merge"), ("h1", "b"), ("h3", "b"), ("h4", "b")]
    assert run.status is RunStatus.INCOMPLETE


def test_a_failure_never_passes_a_must_all_step(url: str) -> None:
    world = World.of(*HOSTS)
    world.hooks.append(fail(("h2", "a")))
    steps = draft(step("a"), step("b", must_all=True), step("c"))
    Life(url, world).apply(steps, Batch(max_failures="100%"))
    assert {key for _, key in world.did()} == {"a"}
    world = World.of(*HOSTS)
    world.hooks.append(fail(("h2", "b")))
    run = Life(url + "2", world).apply(steps, Batch(max_failures="100%", size="1"))
    assert [pair for pair in world.did() if pair[1] != "a"] == [("h1", "b"), ("h2", "b")]
    assert run.status is RunStatus.INCOMPLETE


def test_seconds_pass_before_each_new_host_but_not_for_those_behind(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    life.engine.stop.event = FakeEvent()
    world.hooks.append(fail(("h3", "a")))
    policy = Batch(size="1", sleep_s=30.0)
    run = life.apply(draft(step("gate", change=Gate()), step("a")), policy)
    assert life.engine.stop.event.waited == [30.0, 30.0]  # before h2 and h3; a gate waits for nobody
    world.hooks.clear()
    life = Life(url, world)
    life.engine.stop.event = FakeEvent()
    assert life.resume(run.id, draft(step("gate", change=Gate()), step("a"))).status is RunStatus.DONE
    assert life.engine.stop.event.waited == [30.0]  # h3, then h4


def test_a_stop_ends_the_pause(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    world.hooks.append(lambda point, _host, _key: life.engine.stop.ask("SIGTERM") if point == "end" else None)
    run = life.apply(draft(step("a")), Batch(size="1", sleep_s=3600.0))
    assert world.did() == [("h1", "a")]
    assert exit_status(run, life.engine.stop) == 130


def test_a_surprise_after_the_first_begin_stops_that_host_only(url: str) -> None:
    world = World.of(*HOSTS)

    def meddle(point: str, host: str, key: str) -> None:
        if (point, host, key) == ("begin", "h1", "a"):
            world.hosts["h2"]["a"] = "else"
            world.hosts["h3"]["a"] = "stop"
            world.down.add("h4")

    world.hooks.append(meddle)
    run = Life(url, world).apply(draft(step("a")), Batch(max_failures="3"))
    notes = {target: (str(o.result), o.note) for (_, target), o in run.outcomes().items()}
    assert notes["h1"][0] == "done"
    assert notes["h2"] == ("pending", "no longer as planned (todo, now todo)")
    assert notes["h3"] == ("pending", "someone says stop")
    assert notes["h4"] == ("pending", "unreachable: no answer")
    assert world.did() == [("h1", "a")]
    assert exit_status(run, Stop()) == 5


class Anyones(Put):
    """A Put that others may do as well."""

    by_others = True


@pytest.mark.parametrize(("change", "result"), [(Put("a"), "pending"), (Anyones("a"), "done")])
def test_what_others_have_done_meanwhile_is_a_surprise_unless_they_may(url: str, change: Put, result: str) -> None:
    world = World.of(*HOSTS)

    def meddle(point: str, host: str, _key: str) -> None:
        if (point, host) == ("begin", "h1"):
            world.hosts["h2"]["a"] = "new"
            world.hosts["h3"]["a"] = "else"

    world.hooks.append(meddle)
    run = Life(url, world).apply(draft(step("a", change=change)), Batch(max_failures="3"))
    ended = results(run)
    assert (ended[0, "h1"], ended[0, "h2"], ended[0, "h3"]) == ("done", result, "pending")
    assert not {("h2", "a"), ("h3", "a")} & set(world.did())


def test_lost_while_doing_is_unknown(url: str) -> None:
    world = World.of("h1")
    world.hooks.append(fail(("h1", "a"), error=Lost))
    life = Life(url, world)
    run = life.apply(draft(step("a", "h1")))
    assert results(run) == {(0, "h1"): "unknown"}
    world.hooks.clear()
    world.busy.add("h1")
    with pytest.raises(RunbookError, match="still runs"):
        Life(url, world).resume(run.id, draft(step("a", "h1")))
    assert len(world.did()) == 1
    world.busy.clear()
    assert Life(url, world).resume(run.id, draft(step("a", "h1"))).status is RunStatus.DONE


def test_unknown_stays_unknown_while_nobody_can_look(url: str) -> None:
    world = World.of("h1", "h2")
    world.hooks.append(fail(("h1", "a"), error=Lost))
    steps = draft(step("a", "h1", "h2"))
    run = Life(url, world).apply(steps, Batch(max_failures="1"))
    world.hooks.clear()
    world.down.add("h1")
    run = Life(url, world).resume(run.id, steps)
    assert results(run) == {(0, "h1"): "unknown", (0, "h2"): "done"}


def test_the_verdict_is_that_of_the_second_look(url: str) -> None:
    world = World.of(*HOSTS)

    def hook(point: str, host: str, key: str) -> None:
        if point == "end" and host == "h1":
            world.hosts[host][key] = "other"
        if point == "end" and host == "h2":
            raise RunbookError("it said no")
        if point == "verify" and host == "h3":
            raise RunbookError("no such file")

    world.hooks.append(hook)
    run = Life(url, world).apply(draft(step("a")), Batch(max_failures="4"))
    found = {target: (str(o.result), o.note) for (_, target), o in run.outcomes().items()}
    assert found["h1"] == ("unverified", "done, but looking again shows: it holds other")
    assert found["h2"] == ("done", "although it said no")
    assert found["h3"] == ("unknown", "cannot look again: no such file")
    assert exit_status(run, Stop()) == 6


def test_unverified_outranks_incomplete_and_a_signal_and_is_kept(url: str) -> None:
    world = World.of("h1", "h2")
    world.hooks.append(lambda p, h, k: world.hosts[h].update({k: "other"}) if (p, h) == ("end", "h1") else None)
    steps = draft(step("a", "h1", "h2"))
    run = Life(url, world).apply(steps)
    stop = Stop()
    stop.ask("SIGINT")
    assert exit_status(run, stop) == 6
    world.down.add("h1")
    run = Life(url, world).resume(run.id, steps)
    assert results(run)[0, "h1"] == "unverified"


def test_a_host_whose_writer_is_refused_fails_alone(url: str) -> None:
    world = World.of(*HOSTS)
    world.hooks.append(
        lambda p, h, _k: (world.full.add("h2"), world.busy.add("h3")) if (p, h) == ("end", "h1") else None
    )
    run = Life(url, world).apply(draft(step("a")), Batch(max_failures="2", size="1"))
    assert results(run) == {(0, "h1"): "done", (0, "h2"): "pending", (0, "h3"): "pending", (0, "h4"): "done"}
    assert "nothing was sent" in run.outcomes()[0, "h2"].note
    assert (0, "h2") not in run.befores()


def test_a_step_that_sent_nothing_has_begun_nothing(url: str) -> None:
    world = World.of("h1")
    life = Life(url, world)
    world.hooks.append(lambda p, _h, _k: world.busy.add("h1") if p == "check" and len(world.told) > 2 else None)
    steps = draft(step("a", "h1"))
    run = life.apply(steps)
    assert results(run) == {(0, "h1"): "pending"}
    world.hooks.clear()
    world.busy.clear()
    world.hosts["h1"]["a"] = "later"
    run = Life(url, world).resume(run.id, steps)
    assert run.befores() == {(0, "h1"): {"was": "later"}}


def test_the_before_of_the_first_begin_is_kept(url: str) -> None:
    world = World.of("h1")
    world.hosts["h1"]["a"] = "first"
    world.hooks.append(fail(("h1", "a")))
    steps = draft(step("a", "h1"))
    run = Life(url, world).apply(steps)
    assert world.hosts["h1"]["a"] == "half new"
    world.hooks.clear()
    run = Life(url, world).resume(run.id, steps)
    assert [event.data["before"] for event in run.events if event.kind == "begin"] == [{"was": "first"}] * 2
    Life(url, world).undo(run.id, steps)
    assert world.hosts["h1"]["a"] == "first"


def test_a_bug_on_one_host_lets_the_others_record_what_they_did(url: str) -> None:
    world = World.of(*HOSTS)
    going, broken = threading.Event(), threading.Event()

    def hook(point: str, host: str, _key: str) -> None:
        if (point, host) == ("half", "h2"):
            assert going.wait(60)
            broken.set()
            raise ZeroDivisionError
        if (point, host) == ("half", "h3"):
            going.set()
            assert broken.wait(60)

    world.hooks.append(hook)
    life = Life(url, world)
    with pytest.raises(ZeroDivisionError):
        life.apply(draft(step("a"), step("b")), Batch(size="2"))
    run = life.unfinished()
    assert run.status is RunStatus.INCOMPLETE
    assert results(run)[0, "h3"] == "done"
    assert results(run)[0, "h2"] == "unknown"
    assert not any(host == "h4" for host, _ in world.did())


def test_an_interrupt_of_the_main_thread_starts_nothing_new(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, ended = World.of(*HOSTS), threading.Event()
    end_soon = Walker._end_soon
    monkeypatch.setattr(Walker, "_end_soon", lambda walker: (end_soon(walker), ended.set()))

    def interrupt(point: str, _host: str, _key: str) -> None:
        if point == "half":
            os.kill(os.getpid(), signal.SIGINT)
            assert ended.wait(60)

    world.hooks.append(interrupt)
    life = Life(url, world)
    with pytest.raises(KeyboardInterrupt):
        life.apply(draft(step("a"), step("b")))
    run = life.unfinished()
    assert results(run)[0, "h1"] == "done"
    assert run.status is RunStatus.INCOMPLETE
    assert world.did() == [("h1", "a")]


def test_a_terminal_that_is_gone_ends_no_run(url: str) -> None:
    def gone(_event: object) -> None:
        raise BrokenPipeError

    world = World.of(*HOSTS)
    life = Life(url, world)
    object.__setattr__(life.engine, "observer", gone)
    assert life.apply(draft(step("a"))).status is RunStatus.DONE


def test_gates_are_looked_at_again_until_something_after_them_was_begun_there(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    steps = draft(step("gate", change=Gate(), must_all=True), step("a"))
    gates = []

    def hook(point: str, host: str, _key: str) -> None:
        if point == "gate":
            gates.append(host)
            if len(gates) == 12:
                life.engine.stop.ask("SIGINT")

    world.hooks.append(hook)
    run = life.apply(steps)  # planned, checked again, walked: then stopped
    assert len(gates) == 12 and world.did() == []
    world.hooks.clear()
    world.hosts["h3"]["closed"] = True
    run = Life(url, world).resume(run.id, steps)
    assert results(run)[0, "h3"] == "pending"
    assert world.did() == []
    del world.hosts["h3"]["closed"]
    world.hooks.append(fail(("h1", "a")))
    run = Life(url, world).resume(run.id, steps)
    assert world.did() == [("h1", "a")]
    world.hooks.clear()
    world.hosts["h1"]["closed"] = True  # what was begun may well close the gate behind it
    world.hosts["h2"]["closed"] = True  # here nothing was begun
    run = Life(url, world).resume(run.id, steps)
    assert results(run)[0, "h2"] == "pending"
    assert world.did() == [("h1", "a")]
    del world.hosts["h2"]["closed"]
    assert Life(url, world).resume(run.id, steps).status is RunStatus.DONE


def test_a_merge_that_was_begun_and_did_not_happen_lets_no_host_past_its_gate_unseen(url: str) -> None:
    world = World.of(*HOSTS, "@git")
    steps = draft(step("a"), step("gate", change=Gate(), must_all=True), step("merge", "@git"), step("b"))
    world.hooks.append(fail(("@git", "merge")))
    run = Life(url, world).apply(steps)
    assert results(run)[2, "@git"] != "done"
    world.hooks.clear()
    world.hosts["h3"]["closed"] = True  # somebody let puppet run again, say
    before = world.did()
    run = Life(url, world).resume(run.id, steps)
    assert results(run)[1, "h3"] == "pending"
    assert world.did() == before


def test_what_does_works_on_is_what_the_journal_holds(url: str) -> None:
    seen = []

    class Tuple(Put):
        def check(self, reader: Any) -> Any:
            from dataclasses import replace

            finding = super().check(reader)
            return replace(finding, before={"was": None, "pair": (1, 2)}) if finding.before else finding

        def do(self, writer: Any, before: Any) -> None:
            seen.append(before)
            super().do(writer, before)

    Life(url, World.of("h1")).apply(draft(step("a", "h1", change=Tuple("a"))))
    assert seen == [{"was": None, "pair": [1, 2]}]


def test_a_wrong_policy_is_refused_before_anything(url: str) -> None:
    world = World.of(*HOSTS)
    life = Life(url, world)
    for policy in (Batch(size="0"), Batch(max_failures="-1")):
        with pytest.raises(UsageError):
            life.apply(draft(step("a")), policy)
    assert life.journal.unfinished() == [] and world.did() == []


def test_a_driver_that_wakes_up_between_begin_and_do_can_do_nothing(url: str) -> None:
    """Stopped there, its run is taken over and finished by another; then it goes on."""
    world = World.of("h1")
    steps = draft(step("a", "h1"))
    old = Life(url, world)
    after = {}

    def freeze(event: Any) -> None:
        if event.kind == "begin" and not after:
            after["run"] = old.journal.unfinished()[0].id
            after["world"] = Life(url, world).resume(after["run"], steps)
            world.hosts["h1"]["a"] = "someone's"

    object.__setattr__(old.engine, "observer", freeze)
    with pytest.raises(Fenced):
        old.apply(steps)
    assert after["world"].status is RunStatus.DONE
    assert world.hosts["h1"]["a"] == "someone's"
    assert old.journal.run(after["run"]).status is RunStatus.DONE
