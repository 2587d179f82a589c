"""Plans and runs as values: what makes two plans the same, and what a journal's events add up to."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks import __version__
from runbooks.model import (
    Change,
    Event,
    Finding,
    HostSet,
    Plan,
    PlannedStep,
    Result,
    Run,
    RunStatus,
    Status,
    Step,
    Tally,
    blocked,
    canonical,
    differences,
    done,
    later,
    same,
    todo,
    unreachable,
)


def plan(finding: Finding | None = None, **changes: Any) -> Plan:
    found = finding or todo("$ do it", note="n", facts={"uid": 7, "paths": ["a"]})
    steps = (
        PlannedStep("First", "hosts", ("h1", "h2"), {"h1": found, "h2": later()}, True, "no way back"),
        PlannedStep("Then", "system", ("@git",), {"@git": done("as it is", commit="abc")}),
    )
    made = Plan("rename-user", {"old": "alice", "new": "bob"}, steps, {"hosts": ["h1"]}, ("a note",))
    return replace(made, **changes)


@pytest.mark.parametrize(
    "other",
    [
        plan(todo("$ do it", facts={"uid": 8, "paths": ["a"]})),
        plan(todo("$ do it", facts={"uid": 7, "paths": ["b"]})),
        plan(todo("$ do it", facts={"uid": 7})),
        plan(blocked("n", uid=7, paths=["a"])),
        plan(done(uid=7, paths=["a"])),
        plan(unreachable("n")),
        plan(arguments={"old": "alice", "new": "carol"}),
        plan(procedure="remove-user"),
        plan(steps=plan().steps[:1]),
        plan(steps=plan().steps[::-1]),
        plan(steps=(replace(plan().steps[0], name="Other"), plan().steps[1])),
    ],
)
def test_what_matters_changes_the_id(other: Plan) -> None:
    assert other.id != plan().id


@pytest.mark.parametrize(
    "other",
    [
        plan(todo("$ another preview", note="n", facts={"uid": 7, "paths": ["a"]})),
        plan(todo("$ do it", note="another note", facts={"paths": ["a"], "uid": 7})),
        plan(todo("$ do it", before={"pid": 1}, facts={"uid": 7, "paths": ("a",)})),
        plan(case={}),
        plan(notes=()),
        plan(arguments={"new": "bob", "old": "alice"}),
    ],
)
def test_what_is_for_people_does_not(other: Plan) -> None:
    assert other.id == plan().id
    assert differences(plan(), other) == []


def test_later_is_compared_only_as_later() -> None:
    one = Finding(Status.LATER, facts={"size": 1})
    assert plan(one).id == plan(later()).id
    assert same(one, later()) and not same(one, done())


def test_another_version_of_the_tool_makes_other_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan().id
    monkeypatch.setattr("runbooks.model.plan.__version__", __version__ + ".1")
    assert plan().id != before


def test_the_id_is_the_same_in_every_process() -> None:
    code = "import sys; sys.path[:0] = ['tests']; from test_model import plan; print(plan().id)"
    for seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == plan().id


def test_facts_without_an_order_are_refused() -> None:
    with pytest.raises(TypeError):
        assert plan(todo(facts={"groups": {"a", "b"}})).id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    max_leaves=5,
)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(Status),
    st.text(),
    st.lists(st.text()).map(tuple),
    st.dictionaries(st.text(), JSON, max_size=3),
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1), FINDINGS, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_a_record_gives_the_plan_back(findings: dict[str, Finding], arguments: dict[str, Any]) -> None:
    one = Plan("p", arguments, (PlannedStep("s", "hosts", tuple(findings), findings, True, "why"),), {"a": 1}, ("n",))
    again = Plan.from_record(json.loads(json.dumps(one.to_record())))
    assert again == one
    assert again.id == one.id == one.to_record()["id"]


@pytest.mark.parametrize("record", [{}, [], {"steps": [], "details": [1]}, {"steps": 3}, None, "x"])
def test_anything_else_is_no_plan(record: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Plan.from_record(record)


def test_findings_that_are_none_are_no_plan() -> None:
    record = plan().to_record()
    record["steps"][0]["findings"] = ["h1"]
    with pytest.raises((KeyError, TypeError, ValueError)):
        Plan.from_record(record)


def test_differences_name_step_target_then_and_now() -> None:
    assert differences(plan(), plan(todo(facts={"uid": 8, "paths": ["a"]}))) == ["First: h1: uid was 7, is 8"]
    assert differences(plan(), plan(blocked("in use"))) == ["First: h1: was todo, is blocked (in use)"]
    fewer = plan(steps=(replace(plan().steps[0], hosts=("h1",)), plan().steps[1]))
    assert differences(plan(), fewer) == ["no longer part of it: h2"]
    assert differences(fewer, plan()) == ["newly part of it: h2"]
    assert differences(plan(), plan(steps=plan().steps[::-1])) == ["the steps are no longer the same"]


def test_steps_of_one_name_are_told_apart() -> None:
    step = PlannedStep("Again", "hosts", ("h1",), {"h1": done(n=1)})
    old = plan(steps=(step, replace(step, findings={"h1": done(n=2)})))
    new = plan(steps=(replace(step, findings={"h1": done(n=3)}), replace(step, findings={"h1": done(n=2)})))
    assert differences(old, old) == []
    assert differences(old, new) == ["Again: h1: n was 1, is 3"]


def test_canonical_json() -> None:
    assert canonical({"b": (1, 2), "a": "é"}) == '{"a":"\\u00e9","b":[1,2]}'


def test_the_contract() -> None:
    assert plan().to_json()["steps"][1] == {
        "name": "Then",
        "kind": "system",
        "hosts": ["@git"],
        "findings": {"@git": {"status": "done", "note": "as it is", "preview": [], "facts": {"commit": "abc"}}},
    }
    assert plan().count(Status.TODO) == 1


# runs


def run(*events: Event) -> Run:
    return Run("r", plan(), RunStatus.INCOMPLETE, "alice", 1.0, events=events)


def begin(step: int, target: str, **before: Any) -> Event:
    return Event("begin", 1.0, step, target, {"before": before})


def outcome(step: int, target: str, result: str) -> Event:
    return Event("outcome", 1.0, step, target, {"result": result, "note": "n"})


def test_the_newest_word_counts_and_a_begin_without_one_is_unknown() -> None:
    found = run(Event("resumed", 1.0), begin(0, "h1"), outcome(0, "h1", "done"), begin(0, "h2")).outcomes()
    assert {key: o.result for key, o in found.items()} == {(0, "h1"): Result.DONE, (0, "h2"): Result.UNKNOWN}
    again = run(begin(0, "h1"), outcome(0, "h1", "failed"), begin(0, "h1")).outcomes()
    assert again[0, "h1"].result is Result.UNKNOWN


def test_the_first_before_is_kept_unless_nothing_was_sent() -> None:
    assert run(begin(0, "h1", a=1), begin(0, "h1", a=2)).befores() == {(0, "h1"): {"a": 1}}
    sent_nothing = (begin(0, "h1", a=1), outcome(0, "h1", "pending"))
    assert run(*sent_nothing).befores() == {}
    assert run(*sent_nothing, begin(0, "h1", a=2)).befores() == {(0, "h1"): {"a": 2}}
    assert run(begin(0, "h1", a=1), outcome(0, "h1", "unknown")).befores() == {(0, "h1"): {"a": 1}}
    waits = replace(outcome(0, "h1", "pending"), data={"result": "pending", "commands": [{"command": "git push"}]})
    for acted in (waits, outcome(0, "h1", "failed")):
        assert run(begin(0, "h1", a=1), acted).befores() == {(0, "h1"): {"a": 1}}
        assert run(begin(0, "h1", a=1), acted, *sent_nothing).befores() == {(0, "h1"): {"a": 1}}


def test_what_has_no_word_is_pending() -> None:
    rows = run(begin(0, "h1"), outcome(0, "h1", "done")).to_json()["outcomes"]
    assert [(row["step"], row["host"], row["status"]) for row in rows] == [
        ("First", "h1", "done"),
        ("First", "h2", "pending"),
        ("Then", "@git", "pending"),
    ]


def test_a_host_counts_by_the_worst_that_is_known_of_it_and_a_system_not_at_all() -> None:
    assert run().tally() == Tally(2, 0, 0)
    for word in Result:
        good = word in (Result.DONE, Result.UNDONE)
        assert run(outcome(0, "h1", word)).tally() == Tally(2, int(good), int(not good)), word
    assert run(outcome(0, "h1", "done"), begin(0, "h2")).tally() == Tally(2, 1, 1)
    assert run(outcome(0, "h1", "done"), outcome(0, "h2", "failed"), outcome(0, "h2", "done")).tally() == Tally(2, 2, 0)
    steps = (plan().steps[0], replace(plan().steps[0], name="Next", hosts=("h1",)))
    two = replace(run(outcome(0, "h1", "done"), outcome(0, "h2", "done")), plan=plan(steps=steps))
    assert two.tally() == Tally(2, 1, 0)


def test_a_line_of_a_list_has_the_names_of_the_contract() -> None:
    assert run().line().to_json() == {
        "id": "r",
        "status": "incomplete",
        "operator": "alice",
        "created": 1.0,
        "finished": None,
        "undoes": None,
        "tally": {"hosts": 2, "done": 0, "trouble": 0},
        "plan": {"id": plan().id, "procedure": plan().procedure, "arguments": dict(plan().arguments)},
    }


def test_which_statuses_end_a_run() -> None:
    finished = {status for status in RunStatus if status.finished}
    assert finished == {RunStatus.DONE, RunStatus.UNDONE, RunStatus.ABANDONED}


# steps


class Looks(Change[Any, Any]):
    """Only looks."""

    no_inverse = "it cannot be"
    looks_only = True

    def check(self, reader: Any) -> Finding:
        """Done."""
        return done(reader)


def test_a_change_looks_again_as_it_looked_and_has_no_inverse_unless_it_says() -> None:
    change = Looks()
    assert change.verify("r", {}) == change.check("r")
    assert change.inverse({}) is None
    with pytest.raises(NotImplementedError, match="Looks only looks"):
        change.do("w", {})


def test_what_a_step_is() -> None:
    assert Step("s", Looks(), ("@git",)).is_barrier and Step("s", Looks(), ("@git",)).is_shared
    assert Step("s", Looks(), ("h1",), must_all=True).is_barrier
    assert not Step("s", Looks(), ("h1",)).is_barrier
    assert Step("s", Looks(), ("h1",)).no_inverse == "it cannot be"
    own = Looks()
    assert Step("s", None, ("h1",), changes={"h1": own}).change_on("h1") is own
    with pytest.raises(LookupError, match="no change for h2"):
        Step("s", None, ("h1",), changes={"h1": own}).change_on("h2")
    assert list(HostSet(("h1", "h2"))) == ["h1", "h2"] and len(HostSet(("h1",))) == 1
