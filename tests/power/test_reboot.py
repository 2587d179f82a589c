"""Reboots of real lab hosts through their own systems; one that hangs, and its power button."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.lab import Lab
from tests.alertmanager_server import AlertmanagerServer, NoServer
from tests.surface.helpers import Inv, finish
from tests.waiting import eventually

from .conftest import Machine, outcomes, said, well

# Long enough for a host that does come back on a busy machine.
SHORT = {"INVOKE_OPS_CLINIC_REBOOT_BOOT_S": "20", "INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "5"}


@pytest.fixture
def three(lab: Lab) -> Iterator[list[Machine]]:
    made = [Machine(lab, name) for name in ("lab01", "lab02", "lab03")]
    yield made
    for one in made:
        well(one)


def test_each_is_rebooted_and_comes_back_in_another_boot(inv: Inv, three: list[Machine]) -> None:
    before = [(one.boot(), one.boots()) for one in three]
    looked = inv("reboot", "lab[01-03]", "--dry-run", "--json")
    assert looked.status == 0
    assert [(one.boot(), one.boots()) for one in three] == before
    done = inv("reboot", "lab[01-03]", "--yes", "--puppet", "--task", "T7", "--reason", "new kernel")
    assert done.status == 0, done.out + done.err
    assert all(one.boot() != boot for one, (boot, _) in zip(three, before, strict=True))
    assert [one.boots() for one in three] == [boots + 1 for _, boots in before]
    assert "For the ticket T7:" in done.out
    assert "lab[01-03]: all steps done" in done.out


def test_a_host_that_hangs_is_told_the_next_one_is_left_alone_and_its_power_button_helps(
    inv: Inv, three: list[Machine]
) -> None:
    _, second, third = three
    second.fault("lab-hangs-on-reboot", True)
    before, last = second.boot(), third.boots()
    done = inv("reboot", "lab[01-03]", "--yes", "--json", env=SHORT)
    assert done.status == 6
    assert "what is left is its power button: `inv powercycle lab02`" in said(done.json)
    assert outcomes(done.json)["Reboot, and wait until the system is back lab01"] == "done"
    assert third.boots() == last
    # It owns the machine until it is resumed, or given up.
    assert inv("powercycle", "lab02", "--yes", env=SHORT).status == 7
    run = done.json["run"]["id"]
    assert inv("abandon", run, "--yes").status == 0
    assert second.state() == "running"
    done = inv("powercycle", "lab02", "--yes", env=SHORT)
    assert done.status == 0, done.out + done.err
    assert second.boot() != before


def test_what_came_back_meanwhile_is_done(inv: Inv, lab: Lab, three: list[Machine]) -> None:
    three[0].fault("lab-hangs-on-reboot", True)
    assert inv("reboot", "lab[01-02]", "--yes", env=SHORT).status == 6
    lab.kill("lab01")
    three[0].fault("lab-hangs-on-reboot", False)
    lab.start("lab01")
    boots = three[0].boots()
    done = inv("resume", "--yes", "--json", env=SHORT)
    assert done.status == 0, done.out + done.err
    assert three[0].boots() == boots, "it was not rebooted again"


def test_a_dead_host_is_in_the_way_and_named(inv: Inv, lab: Lab, three: list[Machine]) -> None:
    lab.kill("lab02")
    boots = three[0].boots()
    done = inv("reboot", "lab[01-03]", "--yes", env=SHORT)
    assert done.status == 3
    assert "lab02: unreachable" in done.err
    assert "its power button: `inv powercycle lab02`" in done.err
    assert three[0].boots() == boots


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerServer]:
    try:
        server = AlertmanagerServer(tmp_path_factory.mktemp("alertmanager"))
    except NoServer as missing:
        pytest.skip(str(missing))
    server.start()
    yield server
    server.close()


@pytest.fixture
def silencing(alertmanager: AlertmanagerServer) -> dict[str, str]:
    alertmanager.start()
    alertmanager.clear()
    for host in ("lab01", "lab011"):
        alertmanager.fire("HostDown", instance=f"{host}:9100")
    return {"INVOKE_OPS_CLINIC_ALERTMANAGER_URL": alertmanager.url}


@pytest.mark.parametrize("command", [["powercycle", "--confirm", "lab01"], ["reboot", "--yes"]], ids=lambda c: c[0])
def test_its_alerts_are_silenced_around_it_and_heard_again(
    inv: Inv, three: list[Machine], alertmanager: AlertmanagerServer, silencing: dict[str, str], command: list[str]
) -> None:
    three[0].fault("lab-does-not-boot", True)
    name, *options = command
    process = inv.start(name, "lab01", *options, "--task", "T9", "--reason", "no ssh", env=silencing)
    eventually(lambda: alertmanager.states().get("lab01:9100") == "suppressed")
    assert alertmanager.states()["lab011:9100"] == "active"
    (silence,) = alertmanager.silences()
    assert "no ssh" in silence["comment"] and "T9" in silence["comment"]
    eventually(lambda: not three[0].lab._host("lab01").greets())
    three[0].fault("lab-does-not-boot", False)
    ended = finish(process)
    assert ended.status == 0, ended.out + ended.err
    eventually(lambda: alertmanager.states()["lab01:9100"] == "active")
    assert not alertmanager.silences()


def test_a_machine_that_stays_away_stays_silenced_until_its_time_is_over(
    inv: Inv, three: list[Machine], alertmanager: AlertmanagerServer, silencing: dict[str, str]
) -> None:
    three[0].fault("lab-does-not-boot", True)
    env = silencing | SHORT | {"INVOKE_OPS_CLINIC_OOB_BOOT_S": "4"}
    done = inv("powercycle", "lab01", "--confirm", "lab01", env=env)
    assert done.status == 6
    assert len(alertmanager.silences()) == 1
    three[0].fault("lab-does-not-boot", False)
    eventually(lambda: three[0].lab._host("lab01").greets())
    done = inv("resume", "--confirm", "lab01", env=silencing)
    assert done.status == 0, done.out + done.err
    assert not alertmanager.silences()


def test_without_its_alertmanager_nothing_is_done_unless_it_is_left_out(
    inv: Inv, three: list[Machine], alertmanager: AlertmanagerServer, silencing: dict[str, str]
) -> None:
    alertmanager.stop()
    boots = three[0].boots()
    refused = inv("reboot", "lab01", "--yes", env=silencing)
    assert refused.status == 3
    assert "--no-silence goes on without" in refused.err
    assert three[0].boots() == boots
    done = inv("reboot", "lab01", "--yes", "--no-silence", env=silencing)
    assert done.status == 0, done.out + done.err


def test_the_page_of_a_power_cycle(inv: Inv, three: list[Machine], tmp_path: Path) -> None:
    done: Any = inv("powercycle", "lab01", "--driver", "ipmi", "--confirm", "lab01", "--json").json
    page = tmp_path / "page.html"
    assert inv("show", done["run"]["id"], "--html", str(page)).status == 0
    text = page.read_text()
    assert "Turn the power off" in text
    assert f"before: {done['plan']['steps'][2]['findings']['lab01']['facts']['boot'][:8]}" in text
    assert three[0].lab.layout.bmc_password.read_text().strip() not in text
