"""The IPMI drivers beyond the conformance suite: packets lost, event log, cipher suites, many at once, nothing kept."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import pytest
from pyghmi.ipmi.private import simplesession

from runbooks.errors import CommandFailed, Lost, Unreachable
from runbooks.lab.bmc.ipmi_pyghmi import IpmiPyghmi
from runbooks.lab.bmc.ipmi_sim import IpmiBmc, IpmiSim
from runbooks.lab.host import wait_for
from runbooks.oob.drivers import driver_class
from runbooks.oob.ipmi import Ipmi
from runbooks.oob.ipmi_common import older
from runbooks.oob.ipmi_session import Session
from runbooks.oob.ipmitool import Ipmitool
from runbooks.oob.model import Action, Bmc, BootDevice, Driver, LogEntry, Power
from runbooks.secret import Secret
from tests.oob.chassis import Chassis
from tests.oob.ipmi_world import PASSWORD, USER, IpmiWorld, board, running, world_of
from tests.oob.world import Trouble

NAMES = ("ipmi", "ipmitool")


@pytest.fixture(scope="module")
def world_of_kind() -> Iterator[IpmiWorld]:
    with world_of("ipmi") as made:
        yield made


@pytest.fixture
def world(world_of_kind: IpmiWorld) -> IpmiWorld:
    world_of_kind.turn(True)
    world_of_kind.forget()
    return world_of_kind


def patient(name: str, world: IpmiWorld, timeout_s: float = 30.0) -> Driver:
    """A driver to which a BMC is not dead because this machine is busy."""
    made = driver_class(name)(world.bmc(), world.password, timeout_s)
    made.connect_s = timeout_s
    return made


@pytest.fixture(params=NAMES)
def driver(request: pytest.FixtureRequest, world: IpmiWorld) -> Iterator[Driver]:
    made = patient(request.param, world)
    yield made
    made.close()


@pytest.fixture
def pyghmi(world: IpmiWorld) -> Iterator[Ipmi]:
    made = patient("ipmi", world)
    assert isinstance(made, Ipmi)
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_power_command_is_sent_once(name: str, world: IpmiWorld) -> None:
    """Both wait longer than they would before they send a question again."""
    driver = patient(name, world, 8.0)
    driver.power()
    with world.broken(Trouble.HANGS), pytest.raises(Lost):
        driver.set_power(Action.RESET)
    driver.close()
    assert world.happened() == ["reset"]


def test_a_lost_answer_is_asked_for_again(pyghmi: Ipmi, world: IpmiWorld) -> None:
    pyghmi.power()
    with lossy(world, lambda _: "any"):
        assert pyghmi.power() is Power.ON


@pytest.mark.parametrize("stage", [0x11, 0x13, 0x15])
def test_a_log_in_survives_a_lost_packet(pyghmi: Ipmi, world: IpmiWorld, stage: int) -> None:
    """RMCP+ open session, RAKP 2 and RAKP 4."""
    with lossy(world, lambda packet: packet[5] if packet[4] == 6 else None, {stage}):
        assert pyghmi.power() is Power.ON


def lossy(
    world: IpmiWorld, kind: Callable[[bytes], object], kinds: Collection[object] = ("any",)
) -> AbstractContextManager[object]:
    """The first answer of each of those kinds is lost."""
    left = set(kinds)

    def change(packet: bytes) -> bytes | None:
        if kind(packet) in left:
            left.discard(kind(packet))
            return None
        return packet

    def back() -> None:
        world.relay.answer = lambda packet: packet
        assert not left

    world.relay.answer = change
    stack = ExitStack()
    stack.callback(back)
    return stack


def test_an_answer_to_an_earlier_attempt_is_no_wrong_password(pyghmi: Ipmi, world: IpmiWorld) -> None:
    """RAKP 2 comes when the driver has begun anew, and in place of the new one."""
    held: list[bytes] = []

    def change(packet: bytes) -> bytes | None:
        if packet[4] == 6 and packet[5] == 0x13 and len(held) < 2:
            held.append(packet)
            return held[0] if len(held) == 2 else None
        return packet

    world.relay.answer = change
    try:
        assert pyghmi.power() is Power.ON
    finally:
        world.relay.answer = lambda packet: packet
    assert len(held) == 2


def test_a_strangers_packet_is_not_taken_for_the_bmcs(pyghmi: Ipmi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer to whoever had the port before."""
    new_socket = Session._assignsocket

    def with_mail() -> socket.socket:
        made: socket.socket = new_socket()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(bytes.fromhex("0600ff07") + bytes(30), ("127.0.0.1", made.getsockname()[1]))
        return made

    monkeypatch.setattr(Session, "_assignsocket", staticmethod(with_mail))
    assert pyghmi.power() is Power.ON


def test_suite_3_is_found_once(driver: Driver, world: IpmiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """ipmi_sim refuses 17. pyghmi keeps its session, ipmitool remembers."""
    # Nothing is asked twice because the answer is late.
    monkeypatch.setattr("runbooks.oob.ipmi_session._FIRST_PAUSE_S", 60.0)
    asked: list[int] = []

    def look(packet: bytes) -> bytes | None:
        if packet[4] == 6 and packet[5] & 0x3F == 0x10:
            asked.append(packet[28])
        return packet

    world.relay.question = look
    try:
        for _ in range(3):
            driver.power()
    finally:
        world.relay.question = lambda packet: packet
    assert asked == ([3, 1] if isinstance(driver, Ipmi) else [3, 1, 1, 1])


def test_a_bmc_that_knows_only_ipmi_15_is_called_that(driver: Driver, world: IpmiWorld) -> None:
    with world.broken(Trouble.DIALECT), pytest.raises(Unreachable, match=r"IPMI 1\.5|does not support IPMI v2"):
        driver.power()


def test_a_session_that_the_bmc_has_forgotten_is_begun_anew(pyghmi: Ipmi, world: IpmiWorld) -> None:
    pyghmi.power()
    world.server.kill()
    world.server.start()
    pyghmi._used_at -= 60
    pyghmi.set_power(Action.OFF)
    assert world.happened() == ["off"]


def raw(world: IpmiWorld, *data: int) -> None:
    """By ipmitool, once: storage commands that the drivers do not have."""
    where = ["-H", "127.0.0.1", "-p", str(world.server.board.port), "-U", USER, "-E", "-C", "3"]
    argv = ["ipmitool", "-I", "lanplus", *where, "-N", "30", "-R", "1", "raw", "0x0a", *map(hex, data)]
    subprocess.run(argv, check=True, capture_output=True, env={"PATH": os.environ["PATH"], "IPMI_PASSWORD": PASSWORD})


def set_clock(world: IpmiWorld, seconds: int) -> None:
    raw(world, 0x49, *seconds.to_bytes(4, "little"))


def add(world: IpmiWorld, *rest: int, kind: int = 2) -> None:
    """A record; the BMC gives it id and time."""
    raw(world, 0x44, 0, 0, kind, *rest)


TIME, GENERATOR = (0, 0, 0, 0), (0x41, 0, 4)
#: 2026-01-31T03:04:05Z
CLOCK = 1769828645


@pytest.fixture(scope="module")
def logged() -> Iterator[IpmiWorld]:
    """A BMC with a log: from before its clock was set, four entries of which one is deleted, and two of a vendor's."""
    with world_of("ipmi") as made:
        set_clock(made, 1000)
        add(made, *TIME, *GENERATOR, 0x07, 0x31, 0x6F, 0x01, 0xFF, 0xFF)
        set_clock(made, CLOCK)
        add(made, *TIME, *GENERATOR, 0x09, 0x01, 0x6F, 0x00, 0xFF, 0xFF)
        add(made, *TIME, *GENERATOR, 0x01, 0x0B, 0x01, 0x59, 0x50, 0x4B)
        add(made, *TIME, *GENERATOR, 0x0C, 0x20, 0x6F, 0x01, 0xFF, 0xFF)
        raw(made, 0x46, 0, 0, 3, 0)
        add(made, *TIME, 0xA2, 0x02, 0x00, 1, 2, 3, 4, 5, 6, kind=0xC1)
        add(made, *range(0x41, 0x4E), kind=0xE2)
        yield made


def entries(name: str, world: IpmiWorld, limit: int) -> list[LogEntry]:
    driver = patient(name, world)
    try:
        return list(driver.log(limit))
    finally:
        driver.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_event_log_newest_first_in_utc(name: str, logged: IpmiWorld) -> None:
    found = entries(name, logged, 10)
    assert [entry.id for entry in found] == ["6", "5", "4", "2", "1"]
    assert [entry.at[:16] for entry in found] == ["", *["2026-01-31T03:04"] * 3, ""]
    assert re.fullmatch(r"2026-01-31T03:04:\d\dZ", found[1].at)
    messages = [entry.message.lower() for entry in found]
    assert "4142434445" in messages[0].replace(" ", "")
    assert "c1" in messages[1] or "010203" in messages[1]
    assert "memory" in messages[2] and "uncorrectable" in messages[2]
    assert "power unit #0x01" in messages[3] and "power off" in messages[3]
    assert "processor #0x31" in messages[4] and "thermal trip" in messages[4]


@pytest.mark.parametrize("name", NAMES)
def test_the_event_log_is_no_longer_than_asked_for(name: str, logged: IpmiWorld) -> None:
    assert [entry.id for entry in entries(name, logged, 2)] == ["6", "5"]
    assert entries(name, logged, 0) == []


def test_ids_in_steps_and_ids_that_began_anew() -> None:
    def answer(following: int, number: int) -> bytes:
        return following.to_bytes(2, "little") + number.to_bytes(2, "little") + bytes(14)

    assert list(older(answer(2, 1), answer(0xFFFF, 5), 2)) == [4, 3, 2, 1]
    assert list(older(answer(40, 20), answer(0xFFFF, 100), 10)) == [80, 60, 40, 20]
    assert list(older(answer(0xFFFF, 7), answer(0xFFFF, 7), 10)) == []
    assert list(older(answer(0xFFF1, 0xFFF0), answer(0xFFFF, 3), 10)) == [2, 1]


def test_the_labs_bmc_logs_its_power(pyghmi: Ipmi) -> None:
    """It looks at the power once a second: before that it has seen nothing."""
    pyghmi.set_power(Action.ON)
    wait_for(lambda: not _says_off(pyghmi), 30, "the sensor does not see that it is on")
    before = len(pyghmi.log(100))
    pyghmi.set_power(Action.OFF)
    wait_for(lambda: len(pyghmi.log(100)) == before + 1, 60, "no event")
    assert "Power off" in pyghmi.log(1)[0].message


def _says_off(driver: Ipmi) -> bool:
    """What the sensor of the power unit has seen last: Get Sensor Reading (35.14)."""
    with driver._asked("sensor") as session:
        return bool(session.ask(0x04, 0x2D, (1,))[2] & 1)


def test_the_serial_number(driver: Driver, world: IpmiWorld) -> None:
    assert driver.serial() == world.server.serial == "LAB-db1001"


@pytest.mark.parametrize("name", NAMES)
def test_what_pyghmis_bmc_has_and_has_not(name: str) -> None:
    """No event log, no FRU; the boot device can be read back, unlike ipmi_sim's, whose flags are never valid."""
    with world_of(name, IpmiPyghmi) as world:
        driver = patient(name, world)
        for device in BootDevice:
            driver.set_boot_device(device)
            assert driver.boot_device() is device
        assert driver.serial() == ""
        with pytest.raises(CommandFailed, match="Invalid command"):
            driver.log(3)
        driver.set_power(Action.CYCLE)
        assert world.happened() == ["off", "on"]
        driver.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_bmc_that_refuses_what_is_so_already(name: str) -> None:
    """pyghmi's does. Nothing that the machine is told in vain is an error, and nothing is done twice."""
    with world_of(name, IpmiPyghmi) as world:
        driver = patient(name, world)
        driver.set_power(Action.ON)
        assert world.happened() == []
        for action in (Action.CYCLE, Action.RESET, Action.SHUTDOWN, Action.OFF):
            world.turn(False)
            world.forget()
            driver.set_power(action)
            assert world.happened() == (["on"] if action in (Action.CYCLE, Action.RESET) else [])
        driver.close()


def test_the_boot_device_arrives(driver: Driver, world: IpmiWorld) -> None:
    words = dict(zip(BootDevice, ("none", "default", "pxe", "cdrom", "bios"), strict=True))
    for device in reversed(BootDevice):
        driver.set_boot_device(device)
        assert (world.server.folder / "boot").read_text().strip() == words[device]


def test_the_identify_light_stays_on_until_it_is_switched_off(driver: Driver, world: IpmiWorld) -> None:
    """ipmi_sim's words: for how many seconds, and whether for ever."""
    driver.identify(True)
    assert (world.server.folder / "identify").read_text().split()[-1] == "1"
    driver.identify(False)
    assert (world.server.folder / "identify").read_text().split() == ["0", "0"]


def test_the_console_line_names_a_port_of_its_own(driver: Driver) -> None:
    port = driver.bmc.port
    assert driver.console() == f"ipmitool -I lanplus -H 127.0.0.1 -p {port} -U {USER} -a sol activate"
    usual = type(driver)(Bmc("db1001", driver.name, "10.0.0.1", "root"), driver.password)
    assert usual.console() == "ipmitool -I lanplus -H 10.0.0.1 -U root -a sol activate"


def test_the_password_is_in_no_argv(world: IpmiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """ipmitool waits for a BMC that stands still, and is looked at; it would hide a password, but late."""
    started: list[str] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda argv, **more: (started.extend(argv), run(argv, **more))[1])
    driver = Ipmitool(world.bmc(), world.password, 10.0)
    world.server.freeze()
    try:
        with ThreadPoolExecutor(1) as one:
            asked, argvs = one.submit(driver.power), list[list[str]]()
            wait_for(lambda: argvs.extend(running_ipmitools(world)) or bool(argvs) or asked.done(), 60, "no ipmitool")
            assert argvs and all("-E" in argv for argv in argvs)
            assert not any(PASSWORD in word for argv in [*argvs, started] for word in argv)
            world.server.thaw()
            with suppress(Unreachable):
                asked.result()
    finally:
        world.server.thaw()


def running_ipmitools(world: IpmiWorld) -> list[list[str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (folder / "cmdline").read_bytes().decode().split("\0")
            if argv[0] == "ipmitool" and str(world.relay.port) in argv:
                found.append(argv)
    return found


def test_a_missing_ipmitool_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("runbooks.oob.ipmitool._ENVIRONMENT", {"PATH": str(tmp_path)})
    with pytest.raises(Unreachable, match="db1001: unreachable: ipmitool is missing here: apt-get install ipmitool"):
        Ipmitool(Bmc("db1001", "ipmitool", "127.0.0.1", USER), Secret(PASSWORD)).power()


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[IpmiBmc]]:
    with ExitStack() as stack:
        made: list[IpmiBmc] = []
        for number in range(10):
            top = tmp_path_factory.mktemp("bmc")
            chassis = Chassis(top / "chassis")
            chassis.turn(number % 2 == 0)
            made.append(stack.enter_context(running(IpmiSim(board(chassis, top / "bmc", f"db10{number:02}")))))
        yield made


def driver_of(server: IpmiBmc, timeout_s: float) -> Ipmi:
    place = server.board
    made = Ipmi(Bmc(place.name, "ipmi", place.address, USER, place.port), Secret(PASSWORD), timeout_s)
    made.connect_s = timeout_s
    return made


def test_many_at_once_and_a_dead_one_holds_up_nobody(ten: list[IpmiBmc]) -> None:
    """50 threads, each with a session; who asks the dead one is told last, and nothing stays open."""
    open_before, threads_before = open_files(), set(threading.enumerate())
    ended: list[str] = []

    def ask(server: IpmiBmc) -> Power | None:
        driver = driver_of(server, 15.0)
        try:
            found = [driver.power() for _ in range(3)]
            assert len(set(found)) == 1
            return found[0]
        except Unreachable:
            return None
        finally:
            driver.close()
            ended.append(server.board.name)

    ten[3].freeze()
    try:
        with ThreadPoolExecutor(50) as pool:
            found = list(pool.map(ask, [ten[number % 10] for number in range(50)]))
    finally:
        ten[3].thaw()
    assert found == [None if number % 10 == 3 else [Power.ON, Power.OFF][number % 2] for number in range(50)]
    assert set(ended[-5:]) == {"db1003"}
    assert open_files() <= open_before
    assert set(threading.enumerate()) <= threads_before
    assert not simplesession.Session.keepalive_sessions


def open_files() -> set[tuple[str, str]]:
    """By number and what is open; what others let go of meanwhile is missing later, and nothing is new."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        # The folder itself is open while it is read.
        with suppress(OSError):
            found.add((entry.name, str(entry.readlink())))
    return {(number, what) for number, what in found if not what.endswith("/fd")}


def test_a_session_works_beyond_1024_open_files(pyghmi: Ipmi) -> None:
    """Where select() cannot look."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip(f"no more than {hard} files can be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.enter_context(Path(os.devnull).open())
        assert pyghmi.power() is Power.ON
        pyghmi.close()


@pytest.mark.parametrize("password", ["geheim-und-lang", "not the one"])
def test_what_fails_to_log_in_leaves_no_socket(ten: list[IpmiBmc], password: str) -> None:
    before = open_files()
    place = ten[0].board
    driver = Ipmi(Bmc("db1000", "ipmi", place.address, "nobody", place.port), Secret(password), 3.0)
    with pytest.raises(Unreachable):
        driver.power()
    assert open_files() <= before
