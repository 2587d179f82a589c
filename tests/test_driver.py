"""Which processes are known to have ended, and who the operator is."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace

import pytest

from runbooks import driver
from runbooks.driver import Driver, operator


def test_this_process_lives() -> None:
    this = Driver.this()
    assert not this.is_dead()
    assert Driver.from_text(this.to_text()) == this


def test_another_start_time_is_another_process() -> None:
    this = Driver.this()
    assert replace(this, started=this.started - 1).is_dead()


def test_a_process_that_was_killed_is_dead_also_as_a_zombie() -> None:
    child = subprocess.Popen(["sleep", "300"])
    its = replace(Driver.this(), pid=child.pid, started=driver._start_time(child.pid))
    assert not its.is_dead()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert its.is_dead()
    child.wait()
    assert its.is_dead()


def test_of_another_machine_nothing_is_known() -> None:
    assert not Driver("another boot pid:[1]", "mgmt2", 1, 1).is_dead()


def test_an_earlier_boot_of_this_machine_is_dead_but_a_clone_of_it_may_live() -> None:
    identity, _boot, namespace = driver._machine().split(" ")
    earlier = Driver(f"{identity} earlier {namespace}", socket.gethostname(), 1, 1)
    assert earlier.is_dead()
    assert not replace(earlier, machine_name="a-clone").is_dead()


def test_another_pid_namespace_of_this_boot_is_not_looked_into() -> None:
    identity, boot, _namespace = driver._machine().split(" ")
    assert not Driver(f"{identity} {boot} pid:[1]", socket.gethostname(), os.getpid(), 1).is_dead()


def test_a_process_that_proc_hides_may_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """hidepid=2 hides other users' processes: kill(2) still tells that they are there."""
    this = Driver.this()
    monkeypatch.setattr(driver, "_start_time", lambda _pid: 0)
    monkeypatch.setattr(driver.Path, "exists", lambda _path: False)
    assert not this.is_dead()

    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(driver.os, "kill", refused)
    assert not this.is_dead()


def test_a_command_name_with_spaces_and_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_read", lambda _path: "7 (a) b (c)) S " + " ".join(str(n) for n in range(4, 40)))
    assert driver._start_time(7) == 22


@pytest.mark.parametrize(
    ("loginuid", "sudo_user", "expected"),
    [
        ("0", "alice", "alice"),
        ("4294967295", "alice", "alice"),
        ("", "", "root"),
        ("0", "", "root"),
        ("", "al\udcffice", "al\\udcffice"),
    ],
)
def test_the_operator_is_the_person(
    monkeypatch: pytest.MonkeyPatch, loginuid: str, sudo_user: str, expected: str
) -> None:
    monkeypatch.setattr(driver, "_read", lambda _path: loginuid)
    monkeypatch.setattr(driver.os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", sudo_user)
    assert operator() == expected


def test_the_login_uid_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_read", lambda _path: "65534")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert operator() == "nobody"
    monkeypatch.setattr(driver, "_read", lambda _path: "999888")
    assert operator() == "999888"
