"""Hosts that die, freeze or are cut off at every step of a rename, and drivers that are stopped and wake up late."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.machine import look
from tests.campaign.campaign import ROOT, Campaign, fleet
from tests.waiting import eventually

BACK = {"kill": "start", "freeze": "thaw", "cut": "uncut"}
# Short, so that a host that fell silent is given up soon; but a run of puppet takes its time on a busy machine.
PATIENCE = {
    "INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "6",
    "INVOKE_OPS_CLINIC_SSH_KEEPALIVE_S": "1",
    "INVOKE_OPS_CLINIC_SSH_COMMAND_TIMEOUT_S": "12",
    "INVOKE_OPS_CLINIC_PUPPET_RUN_TIMEOUT_S": "180",
    "INVOKE_OPS_CLINIC_LEASE_EXPIRES_S": "10",
    "INVOKE_OPS_CLINIC_LEASE_HEARTBEAT_S": "1",
}
CHANGES = {2: "Stop", 3: "Delete", 7: "Run puppet", 8: "Move", 9: "Carry", 10: "Let puppet", 11: "once more"}
"""The steps of a rename that change hosts, by number: a fault can hit between their begin and their command."""


@pytest.fixture(scope="module")
def campaign(monkeymodule: pytest.MonkeyPatch) -> Iterator[Campaign]:
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    for key, value in PATIENCE.items():
        monkeymodule.setenv(key, value)
    with fleet(5, quick=True) as lab:
        yield Campaign(lab, random.Random(0))


@pytest.fixture(scope="module")
def monkeymodule() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def newest(campaign: Campaign) -> dict[str, object]:
    """The newest run, with all its outcomes."""
    listed = json.loads(campaign.inv("none", ["runs", "--json"]).stdout)["runs"]
    run: dict[str, object] = json.loads(campaign.inv("none", ["show", listed[0]["id"], "--json"]).stdout)["run"]
    return run


@pytest.mark.parametrize("first", range(3) if os.environ.get("ALL_FAULTS") else range(1))
def test_a_host_lost_at_any_step_stops_the_run_which_names_it_and_goes_on_once_it_is_back(
    campaign: Campaign, first: int
) -> None:
    """At each step the host dies, freezes or is cut off, in turn; with ALL_FAULTS set, each at every step."""
    lab = campaign.lab
    old, new = campaign.names()
    before = campaign.look(old)
    command = [*campaign.rename(old, new), "--batch-size", "1"]
    broken = lab.hosts[-1]  # the last in order: the others have the stage behind them by then
    for turn, (step, name) in enumerate(CHANGES.items(), first):
        fault = list(BACK)[turn % len(BACK)]
        ended = campaign.inv(f"begin:{step}:{broken}:{fault}", command)
        getattr(lab, BACK[fault])(broken)
        assert ended.returncode == 5, f"{name}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        assert broken in ended.stdout, f"{name}: the summary does not name {broken}:\n{ended.stdout}"
        run = newest(campaign)
        assert run["status"] == "incomplete"
        command = ["resume", "--run", str(run["id"]), "--yes"]
    ended = campaign.inv("none", command)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    campaign.compare("faults", before, old, new)
    assert not campaign.tally.wrong, "\n".join(campaign.tally.wrong)


def test_a_driver_that_was_stopped_and_lost_its_run_does_nothing_more_when_it_wakes_up(campaign: Campaign) -> None:
    lab = campaign.lab
    old, new = campaign.names()
    before = campaign.look(old)
    point = f"begin:3:{lab.hosts[0]}:stop"
    argv = [sys.executable, "-m", "tests.campaign.child", point, "--", *campaign.rename(old, new)]
    sleeper = subprocess.Popen(
        argv,
        cwd=ROOT,
        env=campaign.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(lambda: is_stopped(sleeper.pid) or sleeper.poll() is not None)
        assert sleeper.poll() is None, "the driver never came to the step"
        tried: list[subprocess.CompletedProcess[str]] = []

        def taken_over() -> bool:
            tried.append(campaign.inv("none", ["resume", "--yes"]))
            assert tried[-1].returncode != 7 or str(sleeper.pid) in tried[-1].stderr, tried[-1].stderr
            return tried[-1].returncode != 7

        eventually(taken_over)
        assert tried[-1].returncode == 0, tried[-1].stdout + tried[-1].stderr
        campaign.compare("taken over", before, old, new)
        finished = newest(campaign)
        os.kill(sleeper.pid, signal.SIGCONT)
        said, _ = sleeper.communicate(timeout=180)
        assert sleeper.returncode == 7, (len(tried), sleeper.returncode, said.decode())
        assert newest(campaign) == finished
        campaign.compare("after the sleeper woke up", before, old, new)
        assert not campaign.tally.wrong, "\n".join(campaign.tally.wrong)
    finally:
        if sleeper.poll() is None:
            sleeper.kill()
            sleeper.communicate()


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
