"""The lab's IPMI BMCs as servers: they outlive who starts them, and are known again."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.errors import Blocked, LoginRefused, Unreachable
from runbooks.lab.bmc import ipmi_sim
from runbooks.lab.bmc.hosts import ipmi_bmc
from runbooks.lab.bmc.ipmi_pyghmi import IpmiPyghmi
from runbooks.lab.bmc.ipmi_sim import IpmiBmc, IpmiSim
from runbooks.lab.host import process_stat
from runbooks.oob.ipmi import Ipmi
from runbooks.oob.model import Action, Bmc, Power
from runbooks.secret import Secret
from tests.oob.chassis import Chassis
from tests.oob.ipmi_world import PASSWORD, USER, board, free_port, ipmi_sim_or_skip, running

ROOT = Path(__file__).parents[2]


@pytest.fixture
def chassis(tmp_path: Path) -> Chassis:
    return Chassis(tmp_path / "chassis")


@pytest.fixture(params=[IpmiSim, IpmiPyghmi])
def server(request: pytest.FixtureRequest, tmp_path: Path, chassis: Chassis) -> Iterator[IpmiBmc]:
    with running(request.param(board(chassis, tmp_path / "bmc"))) as made:
        yield made


def client(server: IpmiBmc, password: str = PASSWORD, timeout_s: float = 30.0) -> Ipmi:
    place = server.board
    made = Ipmi(Bmc(place.name, "ipmi", place.address, USER, place.port), Secret(password), timeout_s)
    made.connect_s = timeout_s
    return made


def power(server: IpmiBmc, timeout_s: float = 30.0) -> Power:
    driver = client(server, timeout_s=timeout_s)
    try:
        return driver.power()
    finally:
        driver.close()


def test_it_answers_as_soon_as_it_is_started_and_is_started_once(server: IpmiBmc) -> None:
    pid = server.pid()
    assert power(server) is Power.ON
    server.start()
    assert server.pid() == pid
    assert type(server)(server.board).pid() == pid


def test_it_is_killed_and_started_again(server: IpmiBmc, chassis: Chassis) -> None:
    server.kill()
    assert server.pid() is None
    server.kill()
    with pytest.raises(Unreachable):
        server.freeze()
    with pytest.raises(Unreachable):
        power(server, timeout_s=2.0)
    chassis.turn(False)
    server.start()
    assert power(server) is Power.OFF


def test_it_stands_still_and_goes_on(server: IpmiBmc) -> None:
    server.freeze()
    assert server.frozen()
    with pytest.raises(Unreachable):
        power(server, timeout_s=2.0)
    server.thaw()
    assert not server.frozen()
    assert power(server) is Power.ON


def test_it_outlives_who_starts_it(tmp_path: Path, chassis: Chassis) -> None:
    server = IpmiSim(board(chassis, tmp_path / "bmc"))
    ipmi_sim_or_skip()
    code = (
        "import os, sys; from pathlib import Path; from runbooks.lab.bmc.ipmi_sim import IpmiSim;"
        "from runbooks.lab.bmc.board import Board; from runbooks.secret import Secret;"
        f"IpmiSim(Board('db1001', '127.0.0.1', {server.board.port}, {USER!r}, Secret(os.environ['IT']),"
        f" {server.board.chassis!r}, Path({str(server.folder)!r}))).start()"
    )
    try:
        # A pipe that it held open would not end.
        env = {**os.environ, "IT": PASSWORD, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=env, timeout=60)
        pid = server.pid()
        assert pid and os.getsid(pid) == pid
        assert power(server) is Power.ON
    finally:
        server.kill()


def test_a_number_that_somebody_else_has_by_now_is_not_killed(server: IpmiBmc) -> None:
    pid_file = server.folder / "pid"
    ours = pid_file.read_text()
    other = subprocess.Popen(["sleep", "60"])
    try:
        seen = process_stat(other.pid)
        assert seen
        _, start, boot = ours.split()
        for told in (f"{other.pid} {start} {boot}", f"{other.pid} {seen[1]} 0-0-0", "", "nonsense"):
            pid_file.write_text(told)
            assert server.pid() is None
            server.kill()
        assert other.poll() is None
        pid_file.write_text(f"{other.pid} {seen[1]} {boot}")
        assert server.pid() == other.pid
    finally:
        pid_file.write_text(ours)
        other.send_signal(signal.SIGKILL)
        other.wait()


def test_the_password_is_in_a_file_of_its_owner_alone(server: IpmiBmc) -> None:
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    holding = [path for path in server.folder.rglob("*") if path.is_file() and PASSWORD in path.read_text("latin-1")]
    assert holding and all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in holding)
    assert PASSWORD.encode() not in Path(f"/proc/{server.pid()}/cmdline").read_bytes()
    assert PASSWORD not in (server.folder / "log").read_text()
    with pytest.raises(LoginRefused):
        client(server, "not the one").power()


def test_a_taken_port_is_refused(tmp_path: Path, chassis: Chassis) -> None:
    server = IpmiPyghmi(board(chassis, tmp_path / "bmc"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", server.board.port))
        with pytest.raises(Blocked, match=f"lab: db1001: port {server.board.port} of 127.0.0.1 is taken"):
            server.start()
    assert not server.folder.exists()


def test_an_address_of_another_machine_is_refused(tmp_path: Path, chassis: Chassis) -> None:
    server = IpmiPyghmi(replace(board(chassis, tmp_path / "bmc"), address="192.0.2.1"))
    with pytest.raises(Blocked, match=r"lab: db1001: 192\.0\.2\.1 port .*: Cannot assign"):
        server.start()


def test_what_ipmi_sim_cannot_be_told_is_refused(tmp_path: Path, chassis: Chassis) -> None:
    ipmi_sim_or_skip()
    server = IpmiSim(replace(board(chassis, tmp_path / "bmc"), password=Secret('with "quotes"')))
    with pytest.raises(Blocked, match="quotation marks") as told:
        server.start()
    assert "with" not in str(told.value)


def test_one_that_does_not_start_says_why(tmp_path: Path, chassis: Chassis, monkeypatch: pytest.MonkeyPatch) -> None:
    server = IpmiPyghmi(board(chassis, tmp_path / "bmc"))
    monkeypatch.setattr(IpmiPyghmi, "prepare", lambda _: [sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(Blocked, match="lab: db1001: pyghmi did not start: no luck"):
        server.start()


def test_each_has_a_guid_of_its_own(server: IpmiBmc) -> None:
    driver = client(server)
    driver.power()
    assert driver._session
    assert driver._session.ask(6, 0x37) in (server.guid.bytes, server.guid.bytes_le)
    driver.close()
    assert type(server)(replace(server.board, name="db1002", port=free_port())).guid != server.guid


def test_pyghmis_stands_in_where_ipmi_sim_cannot_be_had(
    tmp_path: Path, chassis: Chassis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> None:
        raise Blocked("lab: missing here: openipmi")

    place = board(chassis, tmp_path / "bmc")
    monkeypatch.setattr(ipmi_sim, "need_ipmi_sim", nothing)
    assert isinstance(ipmi_bmc(place), IpmiPyghmi)
    monkeypatch.setattr(ipmi_sim, "need_ipmi_sim", lambda: None)
    assert isinstance(ipmi_bmc(place), IpmiSim)


def test_it_acts_on_the_chassis(server: IpmiBmc, chassis: Chassis) -> None:
    driver = client(server)
    for action, done in ((Action.OFF, "off"), (Action.ON, "on"), (Action.RESET, "reset"), (Action.SHUTDOWN, "off")):
        chassis.forget()
        driver.set_power(action)
        assert chassis.happened() == [done]
    driver.close()
