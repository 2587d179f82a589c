"""Interrupts outside a walk: what they come too late for is told as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from runbooks.journal import Journal
from runbooks.model import RunStatus
from tests.test_journal import dead, start

ROOT = Path(__file__).parents[1]
LATE = """
import os, signal
from invoke.main import program
from runbooks.journal import Journal
abandon = Journal.abandon
def late(journal, run_id):
    run = abandon(journal, run_id)
    os.kill(os.getpid(), signal.SIGINT)
    return run
Journal.abandon = late
program.run()
"""


def test_who_gives_a_run_up_and_interrupts_that_too_late_is_told_that_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    journal = Journal(url)
    run_id = start(journal, dead()).run_id
    ours = {"INVOKE_OPS_CLINIC_JOURNAL": url, "INVOKE_OPS_CLINIC_INVENTORY": str(ROOT / "inventory")}
    argv = (sys.executable, "-c", LATE, "abandon", run_id, "--yes")
    ended = subprocess.run(argv, cwd=ROOT, env={**os.environ, **ours}, capture_output=True, text=True, check=False)
    assert journal.run(run_id).status is RunStatus.ABANDONED
    assert "nothing was changed" not in ended.stderr
    assert (ended.returncode, ended.stdout) == (0, f"run {run_id} is abandoned; `inv show {run_id}` says what it did\n")
