"""The comparison with other tools: the loopback fleet is many real hosts, what is measured is the whole tree, and only
right answers count. Never timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.compare import WORKLOADS, Bench, Row
from benchmarks.fleet import Fleet, hosts
from benchmarks.tools import ENGINE, TOOLS, Job
from runbooks.errors import Blocked

OURS = ("ops-clinic", ENGINE)
SIZE = 5
METER = Path(compare.__file__).with_name("meter.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Bench]:
    try:
        with compare.bench(SIZE, folder) as bench:
            yield bench
    except Blocked as missing:
        pytest.skip(str(missing))


def on(fleet: Fleet, number: int, command: str) -> subprocess.Popen[str]:
    argv = ["ssh", "-F", str(fleet.ssh_config(curve=True)), hosts(SIZE)[number].address, command]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_our_rows_are_right_on_every_host_and_are_written_down(
    made: Bench,  # noqa: ARG001 - skips where there can be no fleet
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools = [tool for tool in TOOLS if tool.name in OURS]
    rows = compare.compare(tools, [SIZE], 1, folder / "results.json", folder)
    assert [(row.workload, row.tool) for row in rows] == [(workload, name) for workload in WORKLOADS for name in OURS]
    assert all((row.hosts, row.correct) == (SIZE, SIZE) for row in rows)
    assert all(row.cpu_ms_per_host > 0 and row.wall_s > 0 and row.peak_mb > 0 for row in rows)
    written = json.loads((folder / "results.json").read_text())
    assert [Row(**row) for row in written] == rows
    assert {tuple(row) for row in written} == {tuple(field.name for field in fields(Row))}
    about = json.loads((folder / "results.meta.json").read_text())
    assert all("25519" in about["key_exchange"][name] for name in OURS)
    printed = capsys.readouterr().out
    assert all(name in printed for name in OURS) and "1.00" in printed


def test_hosts_are_each_their_own_and_have_nothing_of_this_machines_root(made: Bench) -> None:
    made.fleet.reset(hosts(SIZE))
    with on(made.fleet, 0, "exec 9</root; flock 9; echo held; ls -A /root; cat") as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        tries = [
            on(made.fleet, number, "flock -n /root cat /root/name; echo $SHELL").communicate() for number in (0, 1)
        ]
        assert [out for out, _ in tries] == ["/bin/sh\n", "h0002\n/bin/sh\n"]
        holder.stdin.close()
        assert holder.stdout.read().split() == ["mark", "name", "ops-clinic"]


def test_only_a_host_that_answers_and_shows_it_counts(made: Bench, tmp_path: Path) -> None:
    some = hosts(SIZE)
    made.fleet.reset(some)
    job = Job(made.fleet, some, 2, tmp_path, tmp_path)
    good = {host.address: [f"{host.name} 1\n", f"{host.name} 2"] for host in some}
    assert job.right(good) == 0
    for host in some[:-1]:
        (made.fleet.top / "hosts" / host.address / "mark").write_text("2\n")
    assert job.right(good) == SIZE - 1
    twisted = {some[0].address: good[some[1].address], some[1].address: good[some[1].address][::-1]}
    assert job.right(good | twisted | {some[2].address: good[some[2].address][:1]}) == 1


def measured(tmp_path: Path, script: str, timeout_s: float = 60.0) -> dict[str, float | None]:
    files = [str(tmp_path / name) for name in ("stdout", "stderr")]
    argv = [sys.executable, "-I", "-S", str(METER), str(timeout_s), *files, "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as meter:
        assert meter.stdout is not None
        return dict(json.loads(meter.stdout.read()))


def test_a_daemon_that_is_left_behind_counts_and_is_ended(tmp_path: Path) -> None:
    pid, ready = tmp_path / "pid", tmp_path / "ready"
    work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    daemon = f"setsid sh -c 'echo $$ >{pid}; {work}; : >{ready}; exec sleep 600' &"
    figures = measured(tmp_path, f"{daemon} while [ ! -e {ready} ]; do sleep 0.05; done")
    alone = measured(tmp_path, "sleep 0.05")
    assert figures["status"] == 0 and figures["cpu_s"] > 2 * alone["cpu_s"]  # type: ignore[operator]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_what_hangs_is_ended_and_told(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert measured(tmp_path, f"trap '' TERM; echo $$ >{pid}; while :; do sleep 1; done", 3.0)["status"] is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
