"""What is said to the command lines over ssh, beyond what every driver has to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbooks.errors import Blocked, CommandFailed, LoginRefused, Unreachable
from runbooks.lab.bmc.cli import CliBmc
from runbooks.lab.host import process_stat
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Action, Bmc, BootDevice, Power
from runbooks.oob.ssh_cli import SshCli
from runbooks.oob.ssh_talk import Broken, Shell, Unasked
from runbooks.secret import Secret
from tests.oob.cli_world import PASSWORD, USER, drive, plain, serve

__all__ = ["drive", "serve"]

Serve = Callable[..., CliBmc]
Drive = Callable[..., SshCli]
DRIVERS = ("racadm", "ilo", "cimc", "ilom", "smash")


def happened(tmp_path: Path) -> list[str]:
    return (tmp_path / "chassis/happened").read_text().split()


def alone(name: str, password: str = PASSWORD) -> SshCli:
    """A driver of nothing that is there."""
    made = driver_class(name)(Bmc("h1", name, "192.0.2.1", USER), Secret(password))
    assert isinstance(made, SshCli)
    return made


# Shells


class ChannelStandin:
    """A paramiko channel on which parts come as they are written here; an empty one is a pause."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = [*parts]
        self.sent = b""
        self.closed = self.eof_received = False

    def get_pty(self, *_: object) -> None:
        """Granted."""

    def invoke_shell(self) -> None:
        """Granted."""

    def settimeout(self, seconds: float) -> None:
        """Nothing is waited for here."""

    def recv_ready(self) -> bool:
        """Nothing comes unasked."""
        return False

    def recv(self, _size: int) -> bytes:
        """The next part."""
        if not self.parts:
            return b""
        if part := self.parts.pop(0):
            return part
        raise TimeoutError

    def sendall(self, data: bytes) -> None:
        """Remember it."""
        self.sent += data


def shell(*parts: bytes, prompt: str = r"/admin1-> ?") -> Shell:
    return Shell(ChannelStandin(b"/admin1-> ", b"", *parts), prompt, 1.0)


def test_a_prompt_in_parts_is_one() -> None:
    assert shell(b"power\r\r\n", b"ON\r", b"\n/adm", b"in1", b"-> ", b"").ask("power", {}).strip() == "ON"


def test_what_looks_like_a_prompt_and_goes_on_is_none() -> None:
    said = shell(b"a\r\n/admin1-> ", b"is what it says\r\nb\r\n/admin1-> ", b"").ask("show", {})
    assert said.split("\n") == ["a", "/admin1-> is what it says", "b"]


def test_terminal_codes_are_no_words() -> None:
    parts = (b"\x1b[2J\x1b[1;32mpower\x1b[0m\r\n", b"\x1b(Bpower_state = \x1b[1mOn\x1b[m\x07\r\n/admin1-> \x1b[K", b"")
    assert shell(*parts).ask("power", {}).strip() == "power_state = On"


def test_a_pager_is_told_to_go_on() -> None:
    made = shell(b"one\r\n--More--", b"", b"\r        \rtwo\r\n/admin1-> ", b"")
    assert made.ask("list", {}).split() == ["one", "two"]


@pytest.mark.parametrize("question", [b"Sure? [y|N]", b"Sure (y/n)? ", b"Sure? (yes/no): "])
def test_a_question_gets_only_the_answer_that_is_meant_for_it(question: bytes) -> None:
    channel = ChannelStandin(b"/admin1-> ", b"", question, b"")
    with pytest.raises(Unasked, match="Sure"):
        Shell(channel, "/admin1-> ", 1.0).ask("power off", {"Really": "y"})
    assert channel.sent == b"power off\r"


def test_a_question_is_answered_once() -> None:
    channel = ChannelStandin(b"/admin1-> ", b"", b"Sure? [y|N]", b"", b"y\r\nSure? [y|N]", b"")
    with pytest.raises(Unasked):
        Shell(channel, "/admin1-> ", 1.0).ask("power off", {"Sure": "y"})
    assert channel.sent == b"power off\ry\r"


def test_an_answer_without_end_is_let_go_of() -> None:
    with pytest.raises(Broken, match="has no end"):
        shell(*[b"x" * 65536] * 40).ask("list", {})


# What each says


@pytest.mark.parametrize("name", DRIVERS)
def test_words_without_sense_are_quoted_on_one_line_without_the_password(name: str) -> None:
    driver = alone(name)
    for said in (f"what?\nno\n{PASSWORD}\nagain", "Server is on fire", "ok", "success\n" * 500):
        with pytest.raises(CommandFailed) as told:
            driver.accepted("off", said, Action.OFF)
        assert said.split("\n")[0] in plain(told.value) and len(str(told.value)) < 500


@pytest.mark.parametrize("name", ["racadm", "ilo", "ilom"])
def test_what_has_become_so_meanwhile_is_no_error(
    serve: Serve, drive: Drive, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(serve(name))
    # Another operator is quicker, after we looked.
    monkeypatch.setattr(driver, "power", lambda: Power.OFF)
    driver.set_power(Action.ON)
    monkeypatch.setattr(driver, "power", lambda: Power.ON)
    (tmp_path / "chassis/power").write_text("0\n")
    driver.set_power(Action.OFF)
    with pytest.raises(CommandFailed) as told:
        driver.set_power(Action.RESET)
    plain(told.value)
    assert not happened(tmp_path)


def test_ilo_says_success_only_in_its_wrapping() -> None:
    words = "Server powering on ......."
    completed = f"\nstatus=0\nstatus_tag=COMMAND COMPLETED\nTue Sep 17 20:40:01 2019\n\n\n\n{words}\n"
    alone("ilo").accepted("power on", completed, Action.ON)
    failed = completed.replace("=0", "=2").replace("COMPLETED", "PROCESSING FAILED")
    for said in (failed, words, completed.replace(words, "Something else."), f"{failed}error_tag=COMMAND ERROR"):
        with pytest.raises(CommandFailed):
            alone("ilo").accepted("power on", said, Action.ON)


def test_ilom_says_that_a_reset_has_failed_in_words_that_begin_like_success() -> None:
    alone("ilom").accepted("reset", "Performing hard reset on /SYS\n\n", Action.RESET)
    with pytest.raises(CommandFailed):
        said = "Performing hard reset on /SYS failed\nreset: Target already stopped\n\n"
        alone("ilom").accepted("reset", said, Action.RESET)


@pytest.mark.parametrize("variant", ["drac4", "drac5"])
def test_an_old_drac_is_talked_to_in_a_shell(serve: Serve, drive: Drive, tmp_path: Path, variant: str) -> None:
    driver = drive(serve("racadm", variant=variant))
    driver.set_power(Action.OFF)
    assert driver.power() is Power.OFF
    driver.set_power(Action.CYCLE)
    assert happened(tmp_path) == ["off", "on"]


def test_cimc_is_not_answered_what_was_not_expected(serve: Serve, drive: Drive, tmp_path: Path) -> None:
    driver = drive(serve("cimc", variant="asks more"))
    with pytest.raises(CommandFailed, match="Discard them") as told:
        driver.set_power(Action.OFF)
    plain(told.value)
    assert driver.power() is Power.ON
    assert not happened(tmp_path)


def test_ilom_that_has_system_alone(serve: Serve, drive: Drive, tmp_path: Path) -> None:
    driver = drive(serve("ilom", variant="system"))
    for action in (Action.OFF, Action.ON, Action.RESET, Action.SHUTDOWN):
        driver.set_power(action)
    driver.identify(True)
    driver.identify(False)
    assert driver.serial() == "0826QAD075"
    assert happened(tmp_path) == ["off", "on", "reset", "off"]


def test_smash_that_does_not_tell_the_power(serve: Serve, drive: Drive, tmp_path: Path) -> None:
    driver = drive(serve("smash", variant="insyde"))
    assert driver.power() is Power.UNKNOWN
    driver.set_power(Action.OFF)
    assert driver.power() is Power.UNKNOWN
    assert happened(tmp_path) == ["off"]


@pytest.mark.parametrize("name", ["racadm", "ilo", "cimc", "ilom"])
def test_a_long_log_gives_its_newest(serve: Serve, drive: Drive, name: str) -> None:
    server = serve(name)
    first = datetime(2026, 2, 1, tzinfo=UTC)
    with (server.board.folder / "log.jsonl").open("w") as log:
        for number in range(1500 if name == "racadm" else 60):
            at = (first + timedelta(minutes=number)).isoformat()
            log.write(json.dumps([at, "Critical", f"Fan {number}: it has stopped"]) + "\n")
    entries = drive(server).log(3)
    assert [entry.message for entry in entries] == [f"Fan {number - i}: it has stopped" for i in range(3)]
    newest = first + timedelta(minutes=number)
    assert entries[0].at == newest.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert entries[0].severity == {"cimc": "normal", "ilom": "minor"}.get(name, "critical")
    assert not drive(server).log(0)


@pytest.mark.parametrize("name", ["racadm", "ilom"])
def test_the_boot_device(serve: Serve, drive: Drive, name: str) -> None:
    driver = drive(serve(name))
    assert driver.boot_device() is BootDevice.NONE
    for device in BootDevice:
        driver.set_boot_device(device)
        assert driver.boot_device() is device


@pytest.mark.parametrize(
    ("name", "serial", "console"),
    [
        ("racadm", "7WXYZ42", "ssh -t AT console com2"),
        ("ilo", "CZJ1234567", "ssh -t AT vsp"),
        ("cimc", "QCI140205ZG", "ssh AT  # then type: connect host"),
        ("ilom", "0826QAD075", "ssh AT  # then type: start /SP/console"),
        ("smash", "", "ssh AT  # then type: cd /system1/sol1, and then: start"),
    ],
)
def test_serial_number_and_console(serve: Serve, drive: Drive, name: str, serial: str, console: str) -> None:
    driver = drive(serve(name))
    assert driver.serial() == serial
    assert driver.console() == console.replace("AT", f"-p {driver.place[1]} {USER}@127.0.0.1")


# Connections


@pytest.mark.parametrize("name", ["racadm", "ilom"])
def test_a_connection_that_the_bmc_has_ended_is_made_anew(
    serve: Serve, drive: Drive, tmp_path: Path, name: str
) -> None:
    server = serve(name)
    driver = drive(server)
    assert driver.power() is Power.ON
    server.kill()
    server.start()
    driver.set_power(Action.OFF)
    assert happened(tmp_path) == ["off"]


@pytest.mark.parametrize("name", ["racadm", "cimc"])
def test_nothing_was_sent_to_a_bmc_that_stands_still(serve: Serve, drive: Drive, tmp_path: Path, name: str) -> None:
    server = serve(name)
    driver = drive(server)
    assert driver.power() is Power.ON
    patience_s = driver._silence_s
    wait_no_longer_than(driver, 1.5)
    server.freeze()
    try:
        with pytest.raises(Unreachable) as told:
            driver.set_power(Action.OFF)
    finally:
        server.thaw()
    assert not isinstance(told.value, LoginRefused)
    plain(told.value)
    wait_no_longer_than(driver, patience_s)
    assert driver.power() is Power.ON
    assert not happened(tmp_path)


def wait_no_longer_than(driver: SshCli, silence_s: float) -> None:
    """From here on."""
    driver._silence_s = silence_s
    if driver._shell:
        driver._shell._silence_s = silence_s


# Stand-ins


def test_a_stand_in_is_known_by_more_than_its_number(serve: Serve) -> None:
    server = serve("smash")
    pid, file = server.pid(), server.board.folder / "pid"
    assert pid and process_stat(pid)
    # By itself: not a child of ours.
    assert os.getpid() != int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    told = file.read_text()
    _, start, boot = told.split()
    try:
        for wrong in (f"{os.getpid()} {start} {boot}", f"{pid} {start} another-boot", f"{pid} 1 {boot}", "x", ""):
            file.write_text(wrong)
            assert server.pid() is None
            server.kill()
            with pytest.raises(Unreachable, match="dead"):
                server.freeze()
            with pytest.raises(Blocked, match="is taken"):
                server.start()
    finally:
        file.write_text(told)
    assert server.pid() == pid
    assert (server.board.folder / "cli.json").stat().st_mode & 0o077 == 0
    assert PASSWORD not in Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()
