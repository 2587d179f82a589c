"""A lab host has hardware: a boot id for each boot, a restart from inside, a power switch and a button."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from runbooks.errors import Unreachable
from runbooks.lab import Lab
from runbooks.lab.bmc.hosts import chassis
from runbooks.lab.host import process_stat, wait_for
from runbooks.lab.layout import FILES

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def ssh(lab: Lab, host: str, command: str, connect_s: int = 30) -> str:
    """What it prints, over ssh; a connection that ends meanwhile is no error here."""
    argv = ["ssh", "-F", str(lab.ssh_config), "-o", f"ConnectTimeout={connect_s}", host, command]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


def booted(lab: Lab, host: str, *before: str) -> str:
    """The boot id that it answers with over ssh, once it is another one than ``before``."""
    found: list[str] = []

    def answered() -> bool:
        found.append(ssh(lab, host, f"cat {BOOT_ID}", connect_s=2).strip())
        return found[-1] not in ("", *before)

    wait_for(answered, 90, f"{host} did not come up with a new boot id")
    return found[-1]


def state(lab: Lab, host: str) -> str:
    return next(row.state for row in lab.status() if row.name == host)


def is_dead(lab: Lab, host: str) -> bool:
    return state(lab, host) == "dead"


def silent(lab: Lab, host: str) -> bool:
    return not lab._host(host).greets()


def processes_of(lab: Lab, host: str) -> list[str]:
    """What runs on this machine for a host: what power.sh and boot.sh are started with is marked."""
    mark = f"LAB_HOST_DIR={lab.layout.host(host)}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def power(lab: Lab, host: str, *words: str) -> str:
    """What the host's chassis answers, as a BMC asks it."""
    argv = [*chassis(lab.layout.top, host), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def host(lab: Lab) -> Iterator[str]:
    """A host that runs, and that is brought back with nothing wrong after what a test did to it."""
    yield "lab02"
    lab.kill("lab02")
    for flag in ("lab-hangs-on-reboot", "lab-does-not-boot"):
        (lab.upper("lab02") / "etc" / flag).unlink(missing_ok=True)
    lab.start("lab02")


def test_each_boot_has_an_id_of_its_own(lab: Lab, host: str) -> None:
    first = booted(lab, host)
    assert first == lab.run(host, ["cat", BOOT_ID]).stdout.decode().strip()
    assert len({first, booted(lab, "lab01"), booted(lab, "puppet01"), Path(BOOT_ID).read_text().strip()}) == 4
    began = time.monotonic()
    lab.kill(host)
    lab.start(host)
    assert booted(lab, host) != first
    age_s = int(ssh(lab, host, "ps -o etimes= -p 1"))
    assert age_s <= time.monotonic() - began + 1, "its first process is as old as its boot"


@pytest.mark.parametrize(
    "command", ["reboot", "shutdown -r now", "systemctl reboot", "reboot -f", "sudo -u clinic sudo reboot"]
)
def test_a_host_restarts_itself(lab: Lab, host: str, command: str) -> None:
    before, pid = booted(lab, host), lab._host(host).pid()
    old = lab.start_process(host, "bob")
    lab.run(host, ["bash", "-c", f"kill -0 {old} && touch /var/tmp/mark && mkdir /run/mark"])
    ssh(lab, host, command)
    booted(lab, host, before)
    assert lab._host(host).pid() not in (None, pid)
    assert state(lab, host) == "running"
    assert not lab.processes(host, 1002)
    assert lab.run(host, ["ls", "-d", "/var/tmp/mark", "/run/mark"], check=False).stdout == b"/var/tmp/mark\n"
    lab.freeze(host)
    assert state(lab, host) == "frozen"


@pytest.mark.parametrize("command", ["poweroff", "shutdown -h now", "systemctl poweroff", "halt --force"])
def test_a_host_that_ends_itself_stays_off(lab: Lab, host: str, command: str) -> None:
    before = booted(lab, host)
    ssh(lab, host, command)
    wait_for(lambda: is_dead(lab, host), 60, "it did not end")
    assert processes_of(lab, host) == []
    with pytest.raises(OSError) as error:
        socket.create_connection((lab._host(host).address, lab._host(host).port), timeout=0.5).close()
    on_loopback = lab._state().network == "loopback"
    assert isinstance(error.value, ConnectionRefusedError) == on_loopback, "a switched-off machine refuses nothing"
    lab.start(host)
    assert booted(lab, host) != before


def test_nobody_else_may_restart_it(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.run(host, ["runuser", "-u", "bob", "--", "reboot"], check=False)
    lab.run(host, ["runuser", "-u", "bob", "--", "reboot", "--force"], check=False)
    assert lab.run(host, ["shutdown", "+5"], check=False).returncode == 1
    assert booted(lab, host) == before


def test_a_shutdown_ends_what_does_not_want_to_end(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    stubborn = "trap '' TERM; touch /run/stubborn; while :; do sleep 1; done"
    lab.run(host, ["bash", "-c", 'setsid -f bash -c "$1" </dev/null >/dev/null 2>&1', "-", stubborn])
    wait_for(lambda: lab.run(host, ["test", "-e", "/run/stubborn"], check=False).returncode == 0, 60, "not stubborn")
    ssh(lab, host, "reboot")
    booted(lab, host, before)


def test_a_host_can_hang_at_shutdown(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.run(host, ["touch", "/etc/lab-hangs-on-reboot"])
    ssh(lab, host, "reboot")
    # At two processes the second one may still be sshd.
    quiet = "its services did not end"
    wait_for(lambda: silent(lab, host) and len(lab._host(host).processes()) <= 2, 60, quiet)
    assert (state(lab, host), power(lab, host, "get", "power")) == ("running", "power:1")
    power(lab, host, "set", "shutdown", "1")
    power(lab, host, "set", "reset", "1")
    booted(lab, host, before)


def test_a_host_can_be_stuck_in_its_boot(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.run(host, ["touch", "/etc/lab-does-not-boot"])
    power(lab, host, "set", "reset", "1")
    console = lab.upper(host) / "var/log/console.log"
    wait_for(lambda: "stuck" in console.read_text(), 60, "it is not stuck")
    assert silent(lab, host)
    assert (state(lab, host), power(lab, host, "get", "power")) == ("running", "power:1")
    lab.run(host, ["rm", "/etc/lab-does-not-boot"])
    booted(lab, host, before)


def test_whoever_enters_it_in_its_boot_finds_the_host_and_not_the_machine(
    lab: Lab, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = shutil.copytree(FILES, tmp_path / "files") / "boot.sh"
    slow.write_text(slow.read_text().replace("\npivot_root", "\nsleep 2\npivot_root"))
    monkeypatch.setattr("runbooks.lab.host.FILES", slow.parent)
    lab.kill(host)
    lab.start(host, wait=False)
    seen: list[str] = []

    def entered() -> bool:
        with suppress(Unreachable):
            seen.append(lab.run(host, ["cat", "/etc/hostname"], check=False).stdout.decode().strip())
        return bool(seen)

    wait_for(entered, 40, "it cannot be entered")
    assert seen == [host]


@pytest.mark.parametrize("_again", range(10))
def test_the_plug_is_stronger_than_a_restart(lab: Lab, host: str, _again: int) -> None:
    pid = lab._host(host).pid()
    lab.run(host, ["reboot", "--force"], check=False)
    if _again % 2:
        wait_for(lambda: lab._host(host).pid() != pid, 60, "it did not end")
    lab.kill(host)
    assert processes_of(lab, host) == []
    assert is_dead(lab, host)


def test_a_frozen_host_hears_no_button(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.freeze(host)
    power(lab, host, "set", "shutdown", "1")
    assert (state(lab, host), power(lab, host, "get", "power")) == ("frozen", "power:1")
    power(lab, host, "set", "reset", "1")
    booted(lab, host, before)


def test_a_cut_host_stays_cut_when_it_restarts(lab: Lab, host: str) -> None:
    if lab._state().network == "loopback":
        pytest.skip("this lab is on loopback: no cable to pull")
    before = inside(lab, host)
    with cut(lab, host):
        lab.run(host, ["reboot"], check=False)
        wait_for(lambda: inside(lab, host) not in ("", before), 60, "it did not restart")
        assert (state(lab, host), silent(lab, host)) == ("cut", True)
    booted(lab, host, before)


def inside(lab: Lab, host: str) -> str:
    """Its boot id without ssh; empty while there is none."""
    try:
        return lab.run(host, ["cat", BOOT_ID], check=False).stdout.decode().strip()
    except Unreachable:
        return ""


@contextmanager
def cut(lab: Lab, host: str) -> Iterator[None]:
    lab.cut(host)
    try:
        yield
    finally:
        lab.uncut(host)


def test_the_chassis_switches_the_power(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    assert power(lab, host, "get", "power") == "power:1"
    assert power(lab, host, "set", "power", "1") == ""
    assert booted(lab, host) == before, "on when it is on is nothing"
    power(lab, host, "set", "power", "0")
    power(lab, host, "set", "power", "0")
    power(lab, host, "set", "shutdown", "1")
    assert power(lab, host, "get", "power") == "power:0"
    assert processes_of(lab, host) == []
    power(lab, host, "set", "power", "1")
    assert power(lab, host, "get", "power") == "power:1"
    second = booted(lab, host, before)
    power(lab, host, "set", "reset", "1")
    booted(lab, host, before, second)
    power(lab, host, "set", "shutdown", "1")
    wait_for(lambda: power(lab, host, "get", "power") == "power:0", 60, "the button did nothing")
    assert is_dead(lab, host)


@pytest.mark.parametrize(("noted", "said"), [("{0} {1} {2}", "1"), ("{0} 7 {2}", "0"), ("{0} {1} 7", "0"), ("", "0")])
def test_between_two_boots_there_is_power(tmp_path: Path, noted: str, said: str) -> None:
    folder = tmp_path / "hosts/x"
    folder.mkdir(parents=True)
    seen = process_stat(os.getpid())
    assert seen
    boot = Path(BOOT_ID).read_text().strip()
    (folder / "power").write_text(noted.format(os.getpid(), seen[1], boot) + "\n")
    (folder / "pid").write_text(f"{os.getpid()} 7 {boot}\n")
    done = subprocess.run([*chassis(tmp_path, "x"), "get", "power"], capture_output=True, text=True, check=True)
    assert done.stdout == f"power:{said}\n"


@pytest.mark.parametrize("words", [("power", "1"), ("reset", "1")])
def test_two_hands_on_one_switch(lab: Lab, host: str, words: tuple[str, str]) -> None:
    lab.kill(host)
    argv = [*chassis(lab.layout.top, host), "set", *words]
    for each in [subprocess.Popen(argv) for _ in range(3)]:
        assert each.wait() == 0
    booted(lab, host)
    assert sum("power.sh" in line and line.startswith("sh ") for line in processes_of(lab, host)) == 1
