"""The shape of `--json`, checked by hand: every key, every word, nothing besides."""

from __future__ import annotations

from typing import Any

FINDINGS = {"done", "todo", "later", "blocked", "unreachable"}
RUNS = {"running", "waiting", "incomplete", "done", "undone", "abandoned"}
OUTCOMES = {"done", "failed", "unverified", "unknown", "pending", "undone"}


def check_plan(plan: Any) -> None:
    assert set(plan) == {"id", "procedure", "arguments", "steps"}
    assert len(plan["id"]) == 64
    assert isinstance(plan["procedure"], str)
    assert isinstance(plan["arguments"], dict)
    assert plan["steps"]
    for step in plan["steps"]:
        assert set(step) == {"name", "kind", "hosts", "findings"}
        assert step["kind"] in {"hosts", "system", "manual"}
        assert step["hosts"] == [str(host) for host in step["hosts"]]
        assert all(host.startswith("@") for host in step["hosts"]) == (step["kind"] != "hosts")
        assert set(step["findings"]) <= set(step["hosts"])
        for finding in step["findings"].values():
            assert set(finding) == {"status", "note", "preview", "facts"}
            assert finding["status"] in FINDINGS
            assert isinstance(finding["note"], str)
            assert all(isinstance(line, str) for line in finding["preview"])
            assert isinstance(finding["facts"], dict)


def check_run(run: Any, plan: Any) -> None:
    assert set(run) == {"id", "status", "outcomes"}
    assert run["status"] in RUNS
    rows = [(outcome["step"], outcome["host"]) for outcome in run["outcomes"]]
    assert rows == [(step["name"], host) for step in plan["steps"] for host in step["hosts"]]
    for outcome in run["outcomes"]:
        assert set(outcome) == {"step", "host", "status", "note"}
        assert outcome["status"] in OUTCOMES
        assert isinstance(outcome["note"], str)


def check(document: Any) -> None:
    """A plan, and a run where there was one; or an error."""
    assert type(document["exit"]) is int
    if "error" in document:
        assert set(document) == {"error", "exit"}
        assert set(document["error"]) == {"kind", "message"}
        assert all(isinstance(word, str) and word for word in document["error"].values())
        assert "\n" not in document["error"]["message"]
        return
    assert {"plan", "run", "exit"} <= set(document) <= {"plan", "run", "exit", "post"}
    check_plan(document["plan"])
    if document["run"] is not None:
        check_run(document["run"], document["plan"])


def statuses(document: Any) -> dict[str, dict[str, str]]:
    """Step, then host, then what was found."""
    return {s["name"]: {h: f["status"] for h, f in s["findings"].items()} for s in document["plan"]["steps"]}
