"""Looking at everything, side by side: each target once, and what cannot be looked at is a finding."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any

import pytest
from standins import HOSTS, Put, StandIn, World, step

from runbooks.errors import Lost, RegistryError, Unreachable
from runbooks.looking import ask_each, look, planned, side_by_side
from runbooks.model import Status


def test_every_step_on_every_target_with_one_reader_each(monkeypatch: pytest.MonkeyPatch) -> None:
    world, opened = World.of(*HOSTS, "@git"), []
    reader = StandIn.reader
    monkeypatch.setattr(StandIn, "reader", lambda of, run_id: (opened.append(of.name), reader(of, run_id))[1])
    seen: list[str] = []
    steps = [step("a"), step("b"), step("merge", "@git")]
    findings = look(steps, world, seen=seen.append)
    assert set(findings) == {(n, h) for n in (0, 1) for h in HOSTS} | {(2, "@git")}
    assert sorted(opened) == sorted(seen) == sorted([*HOSTS, "@git"])
    assert world.holds() == {name: {} for name in (*HOSTS, "@git")}
    made = planned(steps, findings)
    assert [(s.name, s.kind, s.hosts) for s in made] == [
        ("a", "hosts", HOSTS),
        ("b", "hosts", HOSTS),
        ("merge", "system", ("@git",)),
    ]


def test_an_unreachable_target_is_that_for_all_its_steps() -> None:
    world = World.of("h1", "h2")
    world.down.add("h1")
    findings = look([step("a", "h1", "h2"), step("b", "h1")], world)
    assert {key: f.status for key, f in findings.items()} == {
        (0, "h1"): Status.UNREACHABLE,
        (1, "h1"): Status.UNREACHABLE,
        (0, "h2"): Status.TODO,
    }
    assert findings[0, "h1"].note == "no answer"


def test_one_that_goes_away_meanwhile_keeps_what_was_seen() -> None:
    world = World.of("h1")

    def hook(_point: str, host: str, key: str) -> None:
        if key == "b":
            raise Lost(host, "gone")

    world.hooks.append(hook)
    findings = look([step(name, "h1") for name in "abc"], world)
    assert [findings[n, "h1"].status for n in range(3)] == [Status.TODO, Status.UNREACHABLE, Status.UNREACHABLE]


def test_another_error_blocks_its_step_only() -> None:
    world = World.of("h1")

    def hook(_point: str, _host: str, key: str) -> None:
        if key == "a":
            raise RegistryError("line 3: no such user")

    world.hooks.append(hook)
    findings = look([step("a", "h1"), step("b", "h1")], world)
    assert (findings[0, "h1"].status, findings[0, "h1"].note) == (Status.BLOCKED, "line 3: no such user")
    assert findings[1, "h1"].status is Status.TODO


def test_a_bug_is_no_finding() -> None:
    world = World.of("h1")
    world.hooks.append(lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        look([step("a", "h1")], world)


def test_only_what_is_asked_for() -> None:
    world = World.of("h1", "h2")
    findings = look([step("a", "h1", "h2"), step("b", "h1")], world, only=lambda n, t: (n, t) != (0, "h1"))
    assert set(findings) == {(0, "h2"), (1, "h1")}


def test_the_reader_knows_the_run() -> None:
    ids = []

    class Run(Put):
        """Notes the run."""

        def check(self, reader: Any) -> Any:
            """As Put."""
            ids.append(reader.run_id)
            return super().check(reader)

    look([step("a", "h1", change=Run("a"))], World.of("h1"), run_id="r7")
    assert ids == ["r7"]


def test_side_by_side_is_bounded_and_raises_the_first_error() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    @contextmanager
    def counted() -> Any:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        yield
        with lock:
            now[0] -= 1

    def work(name: str) -> None:
        with counted():
            if name == "n3":
                raise ValueError(name)

    names = [f"n{n}" for n in range(20)]
    side_by_side([], World.of(), work)
    with pytest.raises(ValueError, match="n3"):
        side_by_side(names, World.of(*names), work, width=4)
    assert most[0] <= 4


def test_each_is_asked_and_who_cannot_say_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    world, rested = World.of("h1", "h2", "h3"), []
    world.down.add("h2")
    monkeypatch.setattr(World, "rest", lambda _of, name: rested.append(name))

    def ask(reader: Any) -> str:
        if reader.host == "h3":
            raise RegistryError("none of that")
        return f"{reader.host} it is"

    found = ask_each(["h3", "h2", "h1"], world, ask)
    assert list(found) == ["h3", "h2", "h1"] and found["h1"] == "h1 it is"
    assert isinstance(found["h2"], Unreachable) and str(found["h3"]) == "none of that"
    assert sorted(rested) == ["h1", "h2", "h3"]
