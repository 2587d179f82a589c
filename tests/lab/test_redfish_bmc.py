"""The lab's BMC that speaks Redfish: it is a server of its own, and tells the truth about its machine."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.errors import Blocked, Unreachable
from runbooks.lab.bmc import Board
from runbooks.lab.bmc.redfish import RedfishBmc
from runbooks.lab.host import living, record
from runbooks.oob.model import Action, Bmc, BootDevice, Power
from runbooks.oob.redfish import Redfish
from runbooks.oob.redfish_service import Refused
from runbooks.secret import Secret
from tests.oob.chassis import Chassis
from tests.oob.https_server import ADDRESS
from tests.oob.worlds.redfish import free_port

pytest.importorskip("sushy_tools", reason="no sushy-tools here: pip install 'ops-clinic[dev]'")
PASSWORD = Secret("geheim, in der Tat")


@pytest.fixture(scope="module")
def chassis(tmp_path_factory: pytest.TempPathFactory) -> Chassis:
    return Chassis(tmp_path_factory.mktemp("chassis"))


@pytest.fixture(scope="module")
def server(chassis: Chassis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedfishBmc]:
    folder = tmp_path_factory.mktemp("bmc")
    made = RedfishBmc(Board("db1001", ADDRESS, free_port(), "root", PASSWORD, chassis.command, folder))
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def driver(server: RedfishBmc, chassis: Chassis) -> Iterator[Redfish]:
    server.start()
    chassis.turn(True)
    bmc = Bmc("db1001", "redfish", ADDRESS, "root", server.board.port, str(server.ca))
    made = Redfish(bmc, PASSWORD, 30.0)
    yield made
    made.close()


def test_a_machine_that_dies_by_itself_is_off(driver: Redfish, chassis: Chassis) -> None:
    assert driver.power() is Power.ON
    chassis.turn(False)
    assert driver.power() is Power.OFF
    assert driver.log(1)[0].message == "Power is off"


def test_what_is_asked_of_it_is_in_its_event_log(driver: Redfish) -> None:
    driver.set_power(Action.CYCLE)
    requests = [one for one in driver.log(9) if "requested" in one.message][:2]
    assert [one.message for one in requests] == ["On requested through Redfish", "ForceOff requested through Redfish"]
    assert all(one.at.endswith("Z") and one.severity == "ok" for one in requests)


def test_it_has_no_power_cycle(driver: Redfish) -> None:
    with pytest.raises(Refused, match="501: Power state PowerCycle is not supported") as told:
        driver._service.post(f"{driver._link}/Actions/ComputerSystem.Reset", {"ResetType": "PowerCycle"})
    assert told.value.status == 501


def test_a_boot_device(driver: Redfish) -> None:
    driver.set_boot_device(BootDevice.NETWORK)
    assert driver.boot_device() is BootDevice.NETWORK


def test_it_is_no_child_of_ours_and_a_second_start_leaves_it_alone(server: RedfishBmc) -> None:
    server.start()
    pid = server.pid()
    assert pid is not None and os.getsid(pid) == pid
    assert f"PPid:\t{os.getpid()}" not in Path(f"/proc/{pid}/status").read_text()
    server.start()
    assert RedfishBmc(server.board).pid() == pid
    assert f"LAB_HOST_DIR={server.board.folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_frozen_it_does_not_answer(driver: Redfish, server: RedfishBmc) -> None:
    hasty = Redfish(driver.bmc, PASSWORD, 0.5)
    server.freeze()
    try:
        assert server.frozen()
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            hasty.power()
    finally:
        server.thaw()
        hasty.close()
    assert not server.frozen() and driver.power() is Power.ON


def test_killed_and_started_it_is_the_same_one(driver: Redfish, server: RedfishBmc, chassis: Chassis) -> None:
    ca = server.ca.read_bytes()
    driver.set_boot_device(BootDevice.NETWORK)
    server.kill()
    assert server.pid() is None and chassis.is_on()
    server.kill()
    with pytest.raises(Unreachable, match="its BMC is dead"):
        server.freeze()
    server.start()
    assert server.ca.read_bytes() == ca and driver.boot_device() is BootDevice.NETWORK


def test_the_password_is_nowhere_in_its_files(server: RedfishBmc) -> None:
    for path in server.board.folder.iterdir():
        assert PASSWORD.reveal().encode() not in path.read_bytes(), path
    assert stat.S_IMODE(server.board.folder.stat().st_mode) == 0o700
    assert PASSWORD.reveal() not in repr(server)


def test_a_number_of_another_life_is_left_alone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    record(os.getpid(), pid)
    assert living(pid) == os.getpid()
    number, start, boot = pid.read_text().split()
    for text in (f"{number} {int(start) + 1} {boot}", f"{number} {start} another", "", "x y z", f"{number}"):
        pid.write_text(text)
        assert living(pid) is None
    board = Board("db1001", ADDRESS, free_port(), "root", PASSWORD, ("true",), tmp_path)
    pid.write_text(f"{number} {int(start) + 1} {boot}")
    RedfishBmc(board).kill()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server((ADDRESS, 0)) as other:
        board = Board("db1001", ADDRESS, other.getsockname()[1], "root", PASSWORD, ("true",), tmp_path)
        with pytest.raises(Blocked, match=rf"lab: db1001: {ADDRESS}:{board.port} is taken"):
            RedfishBmc(board).start()


def test_without_sushy_tools_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.lab.bmc.redfish.find_spec", lambda _: None)
    board = Board("db1001", ADDRESS, free_port(), "root", PASSWORD, ("true",), tmp_path)
    with pytest.raises(Blocked, match="missing here: sushy-tools"):
        RedfishBmc(board).start()


def test_what_it_cannot_start_with_is_told(tmp_path: Path) -> None:
    board = Board("db1001", "192.0.2.1", free_port(), "root", PASSWORD, ("true",), tmp_path)
    with pytest.raises(Blocked, match=r"lab: db1001: its BMC did not start: .*"):
        RedfishBmc(board).start()


def test_a_chassis_that_makes_no_sense_is_told(tmp_path: Path) -> None:
    board = Board("db1001", ADDRESS, free_port(), "root", PASSWORD, ("echo", "nonsense"), tmp_path)
    server = RedfishBmc(board)
    try:
        server.start()
        driver = Redfish(Bmc("db1001", "redfish", ADDRESS, "root", board.port, str(server.ca)), PASSWORD, 30.0)
        with pytest.raises(Refused, match="500: The chassis says 'nonsense get power"):
            driver.power()
        driver.close()
    finally:
        server.kill()
