"""What `inv power-status`, `sel` and `hardware` say of a lab, and what two sources that differ do to a power cycle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runbooks.lab import Lab
from tests.inventory.netbox_standin import TOKEN, Standin, serving
from tests.surface.helpers import Inv

from .conftest import Machine, well

QUICK = {"INVOKE_OPS_CLINIC_OOB_TIMEOUT_S": "2", "INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "2"}


@pytest.fixture
def four(lab: Lab) -> Iterator[list[Machine]]:
    made = [Machine(lab, name) for name in lab.hosts]
    yield made
    for one in made:
        well(one)


def test_a_fleets_power_is_a_line_for_all_that_are_alike(inv: Inv, lab: Lab, four: list[Machine]) -> None:
    lab.kill("lab02")
    four[2].bmc().freeze()
    done = inv("power-status", "lab*", "--driver", "ipmi", env=QUICK)
    assert done.status == 8
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "on lab[01,04] 2 hosts ipmi"
    assert lines[1] == "off lab02 1 host ipmi"
    assert lines[2].startswith("unknown lab03 1 host ipmi 127.") and "no answer; it also has smash" in " ".join(lines)
    assert lines[-1] == "4 machines: 2 on, 1 off, 1 unknown"


def test_it_is_a_document_with_json_and_every_driver_says_the_same(inv: Inv, lab: Lab, four: list[Machine]) -> None:
    lab.kill(four[0].name)
    ways = [("lab*", []), ("lab*", ["--driver", "ipmi"]), ("lab*", ["--driver", "ipmitool"])]
    for query, options in ways:
        rows = inv("power-status", query, *options, "--json").json["machines"]
        assert {row["host"]: row["power"] for row in rows} == {
            "lab01": "off", "lab02": "on", "lab03": "on", "lab04": "on",
        }  # fmt: skip
        assert all(row["note"] == "" for row in rows)


def test_a_dead_bmc_holds_nobody_up(inv: Inv, four: list[Machine]) -> None:
    four[0].bmc().kill()
    started = time.monotonic()
    done = inv("power-status", "lab*", "--driver", "ipmi", "--json")
    assert done.status == 8
    powers = {row["host"]: row["power"] for row in done.json["machines"]}
    assert powers == {"lab01": "unknown", "lab02": "on", "lab03": "on", "lab04": "on"}
    assert time.monotonic() - started < 60


def test_an_event_log_has_the_newest_first(inv: Inv, four: list[Machine]) -> None:
    assert inv("powercycle", four[3].name, "--driver", "racadm", "--confirm", "lab04").status == 0
    entries = inv("sel", "lab04", "--json").json["entries"]
    assert len(entries) >= 2
    times = [entry["at"] for entry in entries if entry["at"]]
    assert times == sorted(times, reverse=True)
    assert len(inv("sel", "lab04", "--limit", "1", "--json").json["entries"]) == 1
    assert "no event log: try --driver ipmi" in inv("sel", "lab03").err


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["power-status", "nosuch"], 2, "nosuch"),
        (["power-status", "lab*", "--driver", "redfsh"], 2, "did you mean redfish?"),
        (["sel", "lab*"], 2, "an event log is one machine's"),
        (["sel", "lab01", "--limit", "0"], 2, "from 1 to 10000"),
        (["sel", "lab01", "--limit", "x"], 2, "from 1 to 10000"),
        (["powercycle", "nosuch", "--yes"], 2, "nosuch"),
        (["powercycle", "lab01", "--on", "--off"], 2, "one of --off, --on, --reset and --status"),
        (["powercycle", "lab01", "--on", "--graceful"], 2, "nothing to end gracefully"),
        (["powercycle", "lab01", "--off", "--puppet"], 2, "no system to run it"),
        (["powercycle", "lab01", "--driver", "ilo2"], 2, "did you mean ilo or ilom?"),
        (["powercycle", "lab01", "--batch-size", "0"], 2, "batch size"),
        (["reboot", "nosuch", "--yes"], 2, "nosuch"),
        (["reboot", "lab01"], 3, "give --yes"),
        (["hardware", "nosuch"], 2, "nosuch"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_is_one_line_and_nothing_happens(
    inv: Inv, lab: Lab, command: list[str], status: int, words: str
) -> None:
    boots = [Machine(lab, name).boot() for name in lab.hosts]
    inv(*command).refuses(status, words)
    assert [Machine(lab, name).boot() for name in lab.hosts] == boots


def test_a_serial_number_that_is_another_machines_blocks(inv: Inv, lab: Lab, four: list[Machine]) -> None:
    before = four[0].boot()
    with edited(lab, serial="ZZ99999"):
        done = inv("powercycle", "lab01", "--driver", "ipmi", "--confirm", "lab01")
        assert done.status == 3
        assert "whose BMC is 127." in done.err
        assert "the inventory says ZZ99999" in done.err
    assert four[0].boot() == before


@pytest.fixture
def netbox() -> Iterator[tuple[Standin, dict[str, str]]]:
    with serving(Standin(page=50)) as standin:
        yield (
            standin,
            {
                "INVOKE_OPS_CLINIC_HARDWARE_SOURCES": "yaml,netbox",
                "INVOKE_OPS_CLINIC_NETBOX_URL": standin.url,
                "OPS_CLINIC_NETBOX_TOKEN": TOKEN,
            },
        )


def test_two_sources_that_contradict_each_other_block_and_are_shown(
    inv: Inv, four: list[Machine], netbox: tuple[Standin, dict[str, str]]
) -> None:
    standin, env = netbox
    address = four[0].bmc().address
    standin.device("lab01", "Dell Inc.", serial="LAB0001", rack="E1", role="web", bmc=f"{address}/24")
    standin.device("lab04", "Dell Inc.", serial="QQ77777", role="cache", bmc=f"{four[3].bmc().address}/24")
    before = four[3].boot()
    done = inv("powercycle", "lab04", "--confirm", "lab04", env=env)
    assert done.status == 3
    assert "serial: yaml says LAB0004, netbox says QQ77777" in done.err
    assert four[3].boot() == before
    shown = inv("hardware", "lab0[1,4]", env=env)
    assert shown.status == 8
    assert "QQ77777" in shown.out
    # Written otherwise is no contradiction; and who is down is named, with the way around it.
    assert inv("powercycle", "lab01", "--dry-run", env=env).status == 0
    standin.trouble = "502"
    down = inv("powercycle", "lab01", "--dry-run", env=env)
    assert down.status == 3
    assert "INVOKE_OPS_CLINIC_HARDWARE_SOURCES=yaml inv" in down.err
    assert inv("powercycle", "lab01", "--dry-run").status == 0


class edited:
    """The inventory says something else of lab01, meanwhile."""

    def __init__(self, lab: Lab, **fields: str) -> None:
        self.path = Path(lab.inventory) / "hosts.yaml"
        self.fields = fields

    def __enter__(self) -> None:
        self.text = self.path.read_text()
        rows = yaml.safe_load(self.text)
        rows["hosts"]["lab01"].update(self.fields)
        self.path.write_text(yaml.safe_dump(rows, sort_keys=False))

    def __exit__(self, *_: object) -> None:
        self.path.write_text(self.text)
