"""Runs that are interrupted, fail, or meet: each with its own exit status, and none leaves what cannot be finished."""

from __future__ import annotations

import signal
import subprocess

from runbooks.lab import Lab
from tests.waiting import eventually

from .helpers import Inv, Userdel, account, finish, runs, said
from .shape import check

HOSTS = ("lab01", "lab02")


def newest(lab: Lab) -> tuple[str, str]:
    (run, status) = [row for row in runs(lab) if row[0][:2] == "20"][-1]
    return run, status


def test_signals_failures_and_lies(inv: Inv, lab: Lab, userdel: Userdel) -> None:
    """One rename that everything happens to: SIGTERM, SIGINT twice, SIGHUP, a userdel that lies, one that fails."""
    before = {host: account(lab, host, "dave") for host in HOSTS}

    userdel.hold()
    process = inv.start("rename-user", "--old", "dave", "--new", "david", "--yes", "--json", env={"SUDO_USER": "olga"})
    eventually(userdel.is_held)
    second = inv.rename("dave", "davida", "--yes", env={"SUDO_USER": "nina"})
    run_id, status = newest(lab)
    assert status == "running"
    second.refuses(7, "user:dave", run_id, "olga", f"pid {process.pid}", "running")
    inv("resume", "--yes").refuses(7, run_id, "olga", f"pid {process.pid}")
    inv("undo", run_id, "--yes").refuses(7, run_id, "olga")
    inv("abandon", run_id, "--yes").refuses(7, run_id, "olga")
    process.send_signal(signal.SIGTERM)
    userdel.let_go()
    ended = finish(process)
    assert ended.status == 130, ended.err
    check(ended.json)
    assert ended.json["run"]["status"] == "incomplete"
    assert "Traceback" not in ended.err
    assert said(lab, "lab01", "getent", "passwd", "dave") == "", "what was under way was finished"

    for old, new in (("dave", "dean"), ("erin", "david")):
        owned = inv.rename(old, new, "--dry-run", "--json")
        assert owned.status == 7
        check(owned.json)
        assert run_id in owned.json["error"]["message"]
    warned = inv("runs", "--check")
    assert (warned.status, run_id in warned.out) == (1, True)

    lab.run("lab01", ["rm", "-f", "/usr/local/sbin/userdel"])
    other = Userdel(lab, "lab02")
    try:
        other.hold()
        process = inv.start("resume", "--yes")
        eventually(other.is_held)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        eventually(lambda: "stopping" in process.stderr.readline())  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        ended = finish(process)  # what it had begun ends when it is let go, below, and not before
        assert ended.status == 130
        assert "ended at once" in ended.err
        assert newest(lab) == (run_id, "running")
        unknown = inv("show", run_id, "--json").json
        assert "unknown" in {outcome["status"] for outcome in unknown["run"]["outcomes"]}

        # What was sent goes on without us; and whoever resumes waits for it.
        process = inv.start("resume", "--yes", "--json")
        other.replace("exit 0")
        other.let_go()
        ended = finish(process)
        assert ended.status == 0, ended.err + ended.out
        check(ended.json)
        assert ended.json["run"]["status"] == "done"
    finally:
        other.restore()
    for host in HOSTS:
        assert account(lab, host, "david") == before[host]
        assert lab.login(host, "david", key_of="dave")
    assert newest(lab) == (run_id, "done")


def test_two_operators_and_a_repository_that_refuses(inv: Inv, lab: Lab, userdel: Userdel) -> None:
    hook = "/srv/git/puppet.git/hooks/pre-receive"
    lab.run("puppet01", ["sh", "-c", f"printf '#!/bin/sh\\necho not today >&2; exit 1\\n' >{hook}; chmod 755 {hook}"])
    try:
        failed = inv.rename("hugo", "hugh", "--yes", "--json")
    finally:
        lab.run("puppet01", ["rm", hook])
    assert failed.status == 5, failed.err
    check(failed.json)
    assert failed.json["run"]["status"] == "incomplete"
    trouble = [outcome for outcome in failed.json["run"]["outcomes"] if outcome["status"] == "failed"]
    assert [outcome["host"] for outcome in trouble] == ["@git"]
    assert "not today" in trouble[0]["note"] or "pre-receive hook declined" in trouble[0]["note"]
    run_id = failed.json["run"]["id"]
    inv.rename("hugo", "hugh", "--yes").refuses(7, run_id, f"inv abandon {run_id}")
    given_up = inv("abandon", run_id, "--yes", "--json")
    check(given_up.json)
    assert given_up.json["run"]["status"] == "abandoned"
    inv("resume", "--yes").refuses(2, "there is no unfinished run")

    # userdel says that it did its work, and did not: only a second look can tell.
    userdel.replace("exit 0")
    racers: list[subprocess.Popen[str]] = [
        inv.start("rename-user", "--old", "hugo", "--new", "hugh", "--yes", env={"SUDO_USER": name})
        for name in ("olga", "nina")
    ]
    ended = [finish(process) for process in racers]
    assert sorted(one.status for one in ended) == [6, 7], [one.err for one in ended]
    (loser,) = (one for one in ended if one.status == 7)
    winner = 1 - ended.index(loser)
    run_id, status = newest(lab)
    assert status == "incomplete"
    loser.refuses(7, run_id, ("olga", "nina")[winner], f"pid {racers[winner].pid}")
    assert said(lab, "lab01", "getent", "passwd", "hugo"), "nothing went on past it"

    userdel.replace("echo no >&2; exit 1")
    broken = inv("resume", "--run", run_id, "--yes", "--json")
    assert broken.status == 5
    check(broken.json)
    assert any("returned 1" in outcome["note"] for outcome in broken.json["run"]["outcomes"])

    userdel.restore()
    userdel.hold()
    process = inv.start("resume", "--yes")
    eventually(userdel.is_held)
    # The terminal goes away, and so does whoever read our output.
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    userdel.let_go()
    assert process.wait(240) == 0
    assert newest(lab) == (run_id, "done")
    for host in HOSTS:
        assert lab.login(host, "hugh", key_of="hugo")
        assert said(lab, host, "getent", "passwd", "hugo") == ""
        assert said(lab, host, "sh", "-c", "ls -d /home/hug*") == "/home/hugh\n"
