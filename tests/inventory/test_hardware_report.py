"""`inv hardware` as a process: what each source says, contradictions, exit status."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from netbox_standin import TOKEN, Standin, serving

from tests.surface.helpers import ROOT, Ended, command

HOSTS = """
hosts:
  lab01: {vendor: dell, model: R450, serial: AB12, rack: a1, roles: [web], bmc: {address: 198.18.8.1}}
  lab02: {vendor: hpe, rack: a1, bmc: {address: 198.18.8.2, password_file: geheim}}
  lab03: {}
"""
Run = Callable[..., Ended]


@pytest.fixture
def standin() -> Iterator[Standin]:
    with serving(Standin()) as found:
        found.device("lab01", vendor="Dell Inc.", serial="AB 12", bmc="198.18.8.1/24", rack="A1", role="db")
        found.device("lab02", vendor="HPE", model="ProLiant DL360 Gen10", bmc="198.18.8.22/24", rack="A1")
        yield found


@pytest.fixture
def run(tmp_path: Path, standin: Standin) -> Run:
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("INVOKE_", "OPS_CLINIC_"))}

    def inv(*words: str, sources: str = "yaml,netbox", **more: str) -> Ended:
        settings = {
            "INVOKE_OPS_CLINIC_INVENTORY": str(tmp_path),
            "INVOKE_OPS_CLINIC_HARDWARE_SOURCES": sources,
            "INVOKE_OPS_CLINIC_NETBOX_URL": standin.url,
            "OPS_CLINIC_NETBOX_TOKEN": TOKEN,
        }
        env = ours | settings | more
        done = subprocess.run(command(*words), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert TOKEN not in done.stdout + done.stderr and "geheim" not in done.stdout + done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return inv


def test_what_each_source_says_stands_side_by_side_and_contradictions_below(run: Run) -> None:
    shown = run("hardware", "lab[01-03]")
    assert (shown.status, shown.err) == (8, "")
    assert [" ".join(line.split()) for line in shown.out.splitlines()] == [
        "host source vendor model bmc rack serial roles",
        "lab01 yaml dell R450 198.18.8.1 a1 AB12 web",
        "netbox Dell Inc. PowerEdge R450 198.18.8.1 A1 AB 12 db",
        "lab02 yaml hpe - 198.18.8.2 ! a1 - -",
        "netbox HPE ProLiant DL360 Gen10 198.18.8.22 ! A1 - db",
        "bmc: yaml says 198.18.8.2, netbox says 198.18.8.22",
        "lab03 yaml - - - - - -",
        "netbox - - - - - -",
        "3 hosts looked up in yaml, netbox: of 1 host they say different things",
    ]
    assert all(len(line) <= 100 for line in shown.out.splitlines())


def test_without_contradictions_the_status_is_0(run: Run) -> None:
    shown = run("hardware", "lab01")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.splitlines()[-1] == "1 host looked up in yaml, netbox: no contradictions"


def test_one_json_document(run: Run) -> None:
    found = run("hardware", "lab0[1-2]", "--json")
    lab01, lab02 = found.json["hosts"]["lab01"], found.json["hosts"]["lab02"]
    assert found.status == 8 and not found.err
    assert lab01["hardware"]["roles"] == ["web", "db"] and lab01["told_by"]["roles"] == "yaml, netbox"
    assert lab01["said"]["netbox"]["vendor"] == "Dell Inc." and not lab01["contradictions"]
    assert lab02["contradictions"] == ["bmc: yaml says 198.18.8.2, netbox says 198.18.8.22"]
    assert lab02["hardware"]["model"] == "ProLiant DL360 Gen10" and lab02["told_by"]["model"] == "netbox"


def test_a_source_that_is_down_is_one_line_and_can_be_left_out(run: Run, standin: Standin) -> None:
    standin.trouble = "502"
    run("hardware", "lab01").refuses(3, "netbox: unreachable", "INVOKE_OPS_CLINIC_HARDWARE_SOURCES=yaml inv ...")
    left_out = run("hardware", "lab01", sources="yaml")
    assert (left_out.status, left_out.out.splitlines()[-1]) == (0, "1 host looked up in yaml: no contradictions")
    document = run("hardware", "lab01", "--json").json
    assert document["error"]["kind"] == "unreachable"


def test_bad_input_is_one_line(run: Run) -> None:
    run("hardware", "lab09").refuses(2, "lab09")
    run("hardware", "lab01", OPS_CLINIC_NETBOX_TOKEN="falsch").refuses(3, "the token is not taken")
    run("hardware", "lab01", OPS_CLINIC_NETBOX_TOKEN="").refuses(2, "the token of netbox is nowhere")
    run("hardware", "lab01", sources="yml").refuses(2, "environment", "hardware.sources must be yaml or netbox or rack")
