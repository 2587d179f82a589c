"""Two operators on two machines, real processes, one PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from machines import on
from postgresql_server import Server

from runbooks.driver import Driver
from runbooks.errors import Fenced, Owned
from runbooks.journal import Journal
from runbooks.lease import Lease
from runbooks.model import RunStatus

ROOT = Path(__file__).parents[1]
ALICE = ("user:alice",)
DRIVER = """
import sys, time
from runbooks.driver import Driver
from runbooks.journal import Journal
from runbooks.model import Event, Plan, PlannedStep
plan = Plan("rename-user", {"old": "alice"}, (PlannedStep("Delete it", "hosts", ("h1",), {}),))
lease = Journal(sys.argv[1]).create(plan, ("user:alice",), Driver.this(), "olga", {})
lease.record(Event("begin", time.time(), 0, "h1", {"before": {"uid": 7}}))
print(lease.run_id, flush=True)
for _ in sys.stdin:
    lease.beat()
    print("beaten", flush=True)
"""


def inv(url: str, *argv: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("INVOKE_")}
    ours = {"JOURNAL": url, "INVENTORY": str(ROOT / "inventory"), "LEASE_EXPIRES_S": "3600"}
    ours = {f"INVOKE_OPS_CLINIC_{name}": value for name, value in ours.items()}
    argv = (sys.executable, "-m", "invoke", *argv)
    return subprocess.run(argv, cwd=ROOT, env=kept | ours, capture_output=True, text=True, check=False)


def test_they_see_each_others_runs_and_locks(postgresql: Server) -> None:
    url = postgresql.fresh()
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    olga = subprocess.Popen(on("mgmt1", sys.executable, "-c", DRIVER, url), **pipes)
    run_id = olga.stdout.readline().strip()  # type: ignore[union-attr]
    journal = Journal(url, expires_s=3600)

    (seen,) = json.loads(inv(url, "runs", "--json").stdout)["runs"]
    assert (seen["id"], seen["status"], seen["operator"]) == (run_id, "running", "olga")
    assert f"{run_id} (rename-user, running, olga)" in inv(url, "runs", "--check").stdout
    for argv in (("abandon", run_id, "--yes"), ("undo", run_id, "--yes"), ("resume", "--yes")):
        refused = inv(url, *argv)
        assert refused.returncode == 7, refused.stderr
        assert f"run {run_id} is being driven by olga, pid 1 on mgmt1, last heard of " in refused.stderr
    with pytest.raises(
        Owned, match=rf"user:alice belongs to run {run_id} of olga \(pid 1 on mgmt1\), which is running"
    ):
        create(journal)

    olga.kill()
    olga.wait()
    # It has ended, but of another machine's process that is never known: only its silence counts.
    with pytest.raises(Owned, match="on mgmt1"):
        journal.take_over(run_id, Driver.this())
    impatient = Journal(url, expires_s=0.5)
    time.sleep(0.6)
    lease = impatient.take_over(run_id, Driver.this())
    assert journal.run(run_id).befores() == {(0, "h1"): {"uid": 7}}
    lease.finish(RunStatus.DONE)
    create(journal)


def create(journal: Journal) -> Lease:
    return journal.create(journal.run(journal.runs()[0].id).plan, ALICE, Driver.this(), "nina", {})


def test_who_is_silent_for_too_long_loses_the_run_and_can_do_nothing_more(postgresql: Server) -> None:
    url = postgresql.fresh()
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    olga = subprocess.Popen(on("mgmt1", sys.executable, "-c", DRIVER, url), cwd=ROOT, **pipes)
    run_id = olga.stdout.readline().strip()  # type: ignore[union-attr]
    time.sleep(0.6)
    lease = Journal(url, expires_s=0.5).take_over(run_id, Driver.this())
    _, said = olga.communicate("beat\n")
    assert "Fenced: run " in said and Fenced.exit_status == 7
    lease.beat()


def test_a_server_that_is_not_there_is_one_line(postgresql: Server) -> None:
    url = postgresql.tcp("ops", password="geheim")
    postgresql.stop()
    for argv in (("runs", "--check"), ("resume", "--yes"), ("runs", "--json")):
        refused = inv(url, *argv)
        assert refused.returncode == 2
        (line,) = (refused.stdout if "--json" in argv else refused.stderr).splitlines()[:1]
        said = json.loads(refused.stdout)["error"]["message"] if "--json" in argv else line
        assert len(refused.stderr.splitlines()) == ("--json" not in argv)
        where = f"postgresql://ops:***@127.0.0.1:{postgresql.port}/postgres"
        assert f"journal {where}: cannot be used: " in said and "Connection refused: see that it is up" in said
        assert "geheim" not in refused.stdout + refused.stderr
