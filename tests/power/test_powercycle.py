"""Power cycles of real lab hosts, through every driver, and whatever may go wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.lab import Lab
from tests.surface.helpers import Inv, finish
from tests.waiting import eventually

from .conftest import Machine, outcomes, said, unfinished, well

CYCLES = [
    ("lab01", "redfish"), ("lab01", "ipmi"), ("lab02", "ilo"), ("lab03", "smash"), ("lab03", "ipmitool"),
    ("lab04", "racadm"),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "driver"), CYCLES, indirect=["machine"])
def test_a_machine_is_cycled_through_each_driver_and_is_back_in_another_boot(
    inv: Inv, machine: Machine, driver: str
) -> None:
    before, boots = machine.boot(), machine.boots()
    done = inv("powercycle", machine.name, "--driver", driver, "--confirm", machine.name, "--json")
    assert done.status == 0, done.out + done.err
    assert machine.boot() != before
    assert set(outcomes(done.json).values()) == {"done"}
    assert f"before: {before[:8]}" in said(done.json)
    assert machine.boots() == boots + 1


def test_without_a_driver_the_inventorys_first_is_taken_and_a_dry_run_does_nothing(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    done = inv("powercycle", machine.name, "--dry-run", "--json")
    assert done.status == 0
    steps = {step["name"]: step["findings"]["lab01"] for step in done.json["plan"]["steps"]}
    assert steps["Turn the power off"]["status"] == "todo"
    assert steps["Turn the power off"]["preview"][0].startswith("$ redfish 127.")
    assert steps["Look whether the system answers"]["facts"] == {"boot": before}
    assert machine.boot() == before
    assert done.json["run"] is None


def test_a_healthy_hosts_name_has_to_be_typed(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    done = inv("powercycle", "lab01", "--yes")
    assert done.status == 3
    assert "give --confirm lab01; nothing was changed" in done.err
    assert "well, as it answers by ssh; this interrupts it: lab01" in done.out
    assert inv("powercycle", "lab01", "--confirm", "lab02").status == 3
    assert inv.on_terminal("powercycle", "lab01", answer=b"y\n").status == 3
    assert machine.boot() == before
    assert inv.on_terminal("powercycle", "lab01", answer=b"lab01\n").status == 0
    assert machine.boot() != before


def test_a_hung_machine_is_cycled_on_a_yes(inv: Inv, lab: Lab, machine: Machine) -> None:
    before = machine.boot()
    lab.freeze("lab01")
    done = inv("powercycle", "lab01", "--yes", "--reason", "hangs", env=QUICK_SSH)
    assert done.status == 0, done.out + done.err
    assert machine.boot() != before
    assert "reason: hangs" in done.out


QUICK_SSH = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "2"}


def test_a_critical_role_is_typed_even_where_the_machine_is_dead(inv: Inv, lab: Lab, machine: Machine) -> None:
    lab.freeze("lab01")
    settings = lab.inventory / "settings.yaml"
    text = settings.read_text()
    assert "oob:\n" in text
    settings.write_text(text.replace("oob:\n", "oob:\n  critical: [web]\n"))
    try:
        done = inv("powercycle", "lab01", "--yes", env=QUICK_SSH)
    finally:
        settings.write_text(text)
    assert done.status == 3
    assert "lab01 is critical: web" in done.out
    assert "give --confirm lab01" in done.err
    assert machine.state() == "frozen"


def test_off_and_on_and_what_the_status_says(inv: Inv, machine: Machine) -> None:
    assert inv("powercycle", "lab01", "--off", "--confirm", "lab01").status == 0
    assert machine.state() == "dead"
    assert inv("powercycle", "--status", "lab01", "--json").json["machines"][0]["power"] == "off"
    assert "Nothing to do" in inv("powercycle", "lab01", "--off", "--yes", env=QUICK_SSH).out
    done = inv("powercycle", "lab01", "--on", "--yes", env=QUICK_SSH)
    assert done.status == 0, done.out + done.err
    assert machine.state() == "running"


def test_a_reset_is_a_new_boot_too(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    done = inv("powercycle", "lab01", "--reset", "--confirm", "lab01")
    assert done.status == 0, done.out + done.err
    assert machine.boot() != before


def test_a_graceful_end_lets_the_system_end_by_itself(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    done = inv("powercycle", "lab01", "--graceful", "--confirm", "lab01", "--json")
    assert done.status == 0, done.out + done.err
    assert "ended by itself" in said(done.json)
    assert machine.boot() != before


@pytest.mark.parametrize("machine", ["lab03"], indirect=True)
def test_a_graceful_end_that_a_board_cannot_do_is_said_before(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    done = inv("powercycle", "lab03", "--graceful", "--confirm", "lab03")
    assert done.status == 3
    assert "cannot ask a system to end" in done.err
    assert machine.boot() == before


def test_a_run_that_is_killed_between_off_and_on_turns_it_on_and_never_cycles_twice(
    inv: Inv, lab: Lab, machine: Machine
) -> None:
    boots = machine.boots()
    process = inv.start("powercycle", "lab01", "--confirm", "lab01")
    eventually(lambda: machine.state() == "dead")
    process.send_signal(signal.SIGKILL)
    finish(process)
    (run,) = unfinished(lab)
    done = inv("resume", "--run", run, "--confirm", "lab01", "--json", env=QUICK_SSH)
    assert done.status == 0, done.out + done.err
    assert machine.state() == "running"
    assert machine.boots() == boots + 1


def test_a_machine_that_does_not_boot_is_told_and_a_resume_waits_without_cycling_again(
    inv: Inv, machine: Machine
) -> None:
    boots = machine.boots()
    machine.fault("lab-does-not-boot", True)
    done = inv("powercycle", "lab01", "--confirm", "lab01", "--json", env={"INVOKE_OPS_CLINIC_OOB_BOOT_S": "4"})
    assert done.status == 6
    assert "not back after 4 s: power on" in said(done.json)
    assert "its console: `ipmitool -I lanplus -H 127." in said(done.json)
    machine.fault("lab-does-not-boot", False)
    # The resume waits no longer than the run did.
    eventually(lambda: machine.lab._host("lab01").greets())
    again = inv("resume", "--confirm", "lab01", "--json", env=QUICK_SSH)
    assert again.status == 0, again.out + again.err
    assert machine.boots() == boots + 1


def test_the_first_that_does_not_come_back_is_the_last_that_is_touched(inv: Inv, lab: Lab, machine: Machine) -> None:
    second = Machine(lab, "lab02")
    before = second.boot()
    machine.fault("lab-does-not-boot", True)
    named = "lab[01-02]"
    done = inv("powercycle", named, "--confirm", named, "--json", env={"INVOKE_OPS_CLINIC_OOB_BOOT_S": "4"})
    assert done.status == 6
    assert second.boot() == before
    assert outcomes(done.json)["Turn the power off lab02"] == "pending"


@pytest.mark.parametrize("machine", ["lab02"], indirect=True)
def test_where_the_first_driver_cannot_connect_the_next_is_offered_and_not_used(inv: Inv, machine: Machine) -> None:
    before = machine.boot()
    machine.bmc().servers["ilo"].kill()
    done = inv("powercycle", "lab02", "--confirm", "lab02")
    assert done.status == 3
    assert "this machine also has ipmi: --driver ipmi" in done.err
    assert machine.boot() == before
    done = inv("powercycle", "lab02", "--driver", "ipmi", "--confirm", "lab02")
    assert done.status == 0, done.out + done.err
    assert machine.boot() != before


@pytest.mark.parametrize(("driver", "words"), [("redfish", "401"), ("ipmi", "password")])
def test_a_wrong_password_is_told_and_nothing_happens(inv: Inv, machine: Machine, driver: str, words: str) -> None:
    before = machine.boot()
    env = {"OPS_CLINIC_BMC_PASSWORD": "not-the-one", "INVOKE_OPS_CLINIC_OOB_TIMEOUT_S": "3"}
    done = inv("powercycle", "lab01", "--driver", driver, "--confirm", "lab01", env=env)
    assert done.status == 3
    assert words in done.err.lower() or "refus" in done.err.lower()
    assert "not-the-one" not in done.out + done.err
    assert machine.boot() == before


def test_somebody_else_has_to_wait_until_it_is_done(inv: Inv, machine: Machine) -> None:
    machine.fault("lab-does-not-boot", True)
    process = inv.start("powercycle", "lab01", "--confirm", "lab01", env={"INVOKE_OPS_CLINIC_OOB_BOOT_S": "240"})
    eventually(lambda: not machine.lab._host("lab01").greets() or process.poll() is not None)
    for command in (["powercycle", "lab[01-02]"], ["reboot", "lab01"]):
        other = inv(*command, "--confirm", "lab01", env=QUICK_SSH)
        assert other.status == 7, other.err
    machine.fault("lab-does-not-boot", False)
    assert finish(process).status == 0


def test_a_certificate_that_nobody_knows_is_refused_unless_it_is_said_and_then_recorded(
    inv: Inv, lab: Lab, machine: Machine
) -> None:
    before = machine.boot()
    hosts = lab.inventory / "hosts.yaml"
    text = hosts.read_text()
    lines = [line for line in text.splitlines(keepends=True) if "ca.pem" not in line]
    hosts.write_text("".join(lines))
    try:
        refused = inv("powercycle", "lab01", "--confirm", "lab01")
        believed = inv("powercycle", "lab01", "--confirm", "lab01", "--insecure", "--json")
    finally:
        hosts.write_text(text)
    assert refused.status == 3
    assert "certificate" in refused.err and "--insecure" in refused.err
    assert believed.status == 0, believed.err
    assert machine.boot() != before
    assert believed.json["plan"]["arguments"]["insecure"] is True


def test_the_password_is_in_no_file_of_the_run(inv: Inv, lab: Lab, machine: Machine) -> None:
    secret = lab.layout.bmc_password.read_text().strip()
    done = inv("powercycle", machine.name, "--confirm", machine.name, "--debug")
    assert done.status == 0
    assert secret not in done.out + done.err
    for file in (lab.layout.top / "journal.db", lab.layout.top / "journal.db-wal"):
        assert not file.exists() or secret.encode() not in file.read_bytes()


@pytest.fixture
def pair(lab: Lab) -> Iterator[tuple[Machine, Machine]]:
    made = Machine(lab, "lab03"), Machine(lab, "lab04")
    yield made
    for one in made:
        well(one)


def test_several_at_once_by_option(inv: Inv, pair: tuple[Machine, Machine]) -> None:
    before = [one.boot() for one in pair]
    named = "lab[03-04]"
    done = inv("powercycle", named, "--confirm", named, "--batch-size", "2", "--puppet", "--json")
    assert done.status == 0, done.out + done.err
    assert all(one.boot() != boot for one, boot in zip(pair, before, strict=True))
    assert "nothing failed" in said(done.json)


def test_a_saved_plan_is_applied_as_it_was_seen_or_refused(
    inv: Inv, lab: Lab, machine: Machine, tmp_path: Path
) -> None:
    plan = str(tmp_path / "plan.json")
    assert inv("powercycle", "lab01", "--dry-run", "--save", plan).status == 0
    assert inv("apply", plan, "--yes").status == 3, "its name has to be typed here, too"
    before = machine.boot()
    assert inv("apply", plan, "--confirm", "lab01").status == 0
    assert machine.boot() != before
    # It is another boot now, which somebody may have brought about on purpose.
    boots = machine.boots()
    assert inv("apply", plan, "--confirm", "lab01").status == 4
    lab.kill("lab01")
    assert inv("apply", plan, "--confirm", "lab01", env=QUICK_SSH).status in (3, 4)
    assert machine.boots() == boots


def test_what_was_turned_off_is_turned_on_again_by_an_undo(inv: Inv, machine: Machine) -> None:
    done = inv("powercycle", "lab01", "--off", "--confirm", "lab01", "--json").json
    assert machine.state() == "dead"
    undone = inv("undo", done["run"]["id"], "--yes", env=QUICK_SSH)
    assert undone.status == 0, undone.out + undone.err
    assert machine.state() == "running"
