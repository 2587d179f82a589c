"""Two operators, two machines, one journal on a real PostgreSQL, and a real fleet."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from machines import on
from postgresql_server import Server

from runbooks.lab import Lab
from tests.waiting import eventually

from .helpers import ROOT, Ended, Inv, Userdel, command, finish, said

LEASE = {"INVOKE_OPS_CLINIC_LEASE_EXPIRES_S": "12", "INVOKE_OPS_CLINIC_LEASE_HEARTBEAT_S": "1"}
PASSWORD = "geheim"


@dataclass
class Operator:
    """Somebody at a machine."""

    inv: Inv
    name: str
    machine: str

    def start(self, *argv: str) -> subprocess.Popen[str]:
        env = self.inv.environment({"SUDO_USER": self.name})
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(on(self.machine, *command(*argv)), cwd=ROOT, env=env, text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def __call__(self, *argv: str) -> Ended:
        return finish(self.start(*argv))


@pytest.fixture
def team(inv: Inv, postgresql: Server, tmp_path: Path) -> Iterator[Inv]:
    """A journal of the team's, whose password nothing but libpq reads."""
    postgresql.execute(f"CREATE ROLE team LOGIN PASSWORD '{PASSWORD}'")
    postgresql.execute("CREATE DATABASE team OWNER team")
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{postgresql.port}:team:team:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    url = postgresql.tcp("team", "team")
    yield Inv(inv.lab, {"INVOKE_OPS_CLINIC_JOURNAL": url, "PGPASSFILE": str(tmp_path / "pgpass"), **LEASE})
    postgresql.start()
    postgresql.hang_up()
    postgresql.execute("DROP DATABASE team")
    postgresql.execute("DROP ROLE team")


@pytest.fixture
def holds(lab: Lab) -> Iterator[tuple[Userdel, Userdel]]:
    """What userdel waits for on each host."""
    both = Userdel(lab, "lab01"), Userdel(lab, "lab02")
    yield both
    for one in both:
        one.restore()


def test_two_operators_and_a_server_that_is_lost(
    team: Inv, lab: Lab, postgresql: Server, holds: tuple[Userdel, Userdel]
) -> None:
    olga, nina = Operator(team, "olga", "mgmt1"), Operator(team, "nina", "mgmt2")
    rename = ("rename-user", "--old", "grace", "--new", "gracie", "--yes")
    everything: list[str] = []
    userdel, other = holds

    # The second sees the first's run, and keeps off it.
    userdel.hold()
    first = olga.start(*rename)
    eventually(userdel.is_held)
    (run,) = nina("runs", "--json").json["runs"]
    run_id, status = run["id"], run["status"]
    assert status == "running"
    assert "olga" in nina("runs").out
    nina(*rename).refuses(7, "user:grace", run_id, "olga", "on mgmt1", "running")
    nina("resume", "--yes").refuses(7, run_id, "olga", "on mgmt1", "last heard of")

    # The first dies; what was sent to the host goes on; once its lease has expired, the second goes on.
    first.kill()
    first.communicate()
    ended: list[Ended] = []
    other.hold()
    userdel.let_go()
    resumed: list[subprocess.Popen[str]] = []

    def taken_over() -> bool:
        if not resumed or resumed[-1].poll() is not None:
            resumed.append(nina.start("resume", "--yes"))
        return other.is_held()

    eventually(taken_over)
    assert {process.wait() for process in resumed[:-1]} <= {7}

    # The server is lost while the second is at it: what is under way ends, and nothing is begun.
    postgresql.stop(signal.SIGKILL)
    other.let_go()
    lost = finish(resumed[-1])
    everything += [lost.out, lost.err]
    assert lost.status == 5, lost.err
    (line,) = (line for line in lost.err.splitlines() if not re.match(r"[0-9]+/[0-9]+ ", line))
    assert line.startswith(f"inv: run {run_id}: the journal postgresql://team@127.0.0.1:")
    assert f"`inv resume --run {run_id}` goes on" in line
    gone = nina("runs", "--check")
    gone.refuses(2, "journal postgresql://team@127.0.0.1:", "cannot be used", "see that it is up")

    # It comes back, and either of them goes on.
    postgresql.start()
    show = olga("show", run_id, "--json")
    assert "unknown" in {outcome["status"] for outcome in show.json["run"]["outcomes"]}
    eventually(lambda: ended.append(olga("resume", "--yes", "--json")) or ended[-1].status != 7)
    assert ended[-1].status == 0, ended[-1].err
    assert ended[-1].json["run"]["status"] == "done"
    for host in ("lab01", "lab02"):
        assert lab.login(host, "gracie", key_of="grace")
        assert said(lab, host, "getent", "passwd", "grace") == ""

    everything += [
        part for end in (show, gone, nina("show", run_id, "--outputs"), *ended) for part in (end.out, end.err)
    ]
    dump = subprocess.run(["pg_dump", "--inserts"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PGHOST": str(postgresql.top), "PGPORT": str(postgresql.port),
                               "PGUSER": "postgres", "PGDATABASE": "team"}).stdout  # fmt: skip
    assert run_id in dump and PASSWORD not in "".join(everything) + dump
