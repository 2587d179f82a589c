"""Witnesses for the stand-ins: Debian's fence-agents and powerman, which others wrote for the same command lines.

What they turn off and on must really go off and on. For CIMC and SMASH neither has a program in Debian.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.bmc.cli import CliBmc
from runbooks.lab.host import wait_for
from runbooks.lab.machine import find, install
from tests.oob.cli_world import PASSWORD, USER, free_port, serve

__all__ = ["serve"]

PROGRAMS = {"fence_drac5": "fence-agents", "powermand": "powerman", "ssh": "openssh-client"}
NOT_KEPT = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    def missing() -> list[str]:
        return [package for program, package in PROGRAMS.items() if not find(program)]

    if missing() and os.geteuid() == 0 and shutil.which("apt-get"):
        try:
            install(missing)
        except Blocked as error:
            pytest.skip(str(error))
    if missing():
        pytest.skip(f"missing here: {' '.join(missing())}")


def fence(agent: str, server: CliBmc, action: str, *more: str) -> str:
    """What a fence agent says; it is told everything on its standard input."""
    told = [
        "ipaddr=127.0.0.1", f"ipport={server.board.port}", f"login={USER}", f"passwd={PASSWORD}", "secure=1",
        f"ssh_options={NOT_KEPT}", "power_wait=0", "disable_timeout=true", f"action={action}", *more,
    ]  # fmt: skip
    program = find(agent)
    assert program
    done = subprocess.run([program], input="\n".join(told), capture_output=True, text=True, timeout=120, check=False)
    # For "off", its status is 2.
    assert done.returncode in (0, 2), done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("agent", "driver", "variant", "more"),
    [
        ("fence_drac5", "racadm", "drac5", ()),
        ("fence_drac5", "racadm", "drac4", ()),
        ("fence_drac5", "racadm", "", ("cmd_prompt=admin1->",)),
        ("fence_ilo_ssh", "ilo", "", ()),
        ("fence_ilo3_ssh", "ilo", "", ()),
    ],
)
def test_a_fence_agent_turns_it_off_and_on(
    serve: Callable[..., CliBmc], tmp_path: Path, agent: str, driver: str, variant: str, more: tuple[str, ...]
) -> None:
    server, chassis = serve(driver, variant=variant), tmp_path / "chassis"
    assert fence(agent, server, "status", *more) == "Status: ON"
    assert fence(agent, server, "off", *more) == "Success: Powered OFF"
    assert fence(agent, server, "status", *more) == "Status: OFF"
    assert fence(agent, server, "on", *more) == "Success: Powered ON"
    assert (chassis / "happened").read_text().split() == ["off", "on"]


def test_a_fence_agent_resets_an_ilo(serve: Callable[..., CliBmc], tmp_path: Path) -> None:
    assert fence("fence_ilo4_ssh", serve("ilo"), "reboot", "method=cycle") == "Success: Rebooted"
    assert (tmp_path / "chassis/happened").read_text().split() == ["reset"]


@pytest.fixture
def powerman(tmp_path: Path) -> Iterator[Callable[[str, CliBmc], Callable[[str], str]]]:
    """A powermand of our own for a device file of Debian's, and what to ask it with."""
    running: list[subprocess.Popen[bytes]] = []

    def start(kind: str, server: CliBmc) -> Callable[[str], str]:
        port = free_port()
        config = f'include "/etc/powerman/{kind}.dev"\nlisten "127.0.0.1:{port}"\nnode "h1" "device" "1"\n'
        door = f'device "device" "{kind}" "{door_to(tmp_path, kind, server)} |&"\n'
        (tmp_path / "powerman.conf").write_text(config.replace("node", f"{door}node"))
        argv = [str(find("powermand")), "-f", "-c", str(tmp_path / "powerman.conf")]
        with (tmp_path / "powermand.log").open("wb") as log:
            running.append(subprocess.Popen(argv, stdout=log, stderr=log))

        def ask(option: str) -> str:
            command = ["powerman", "-h", f"127.0.0.1:{port}", option, "h1"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            return " ".join(done.stdout.split())

        wait_for(lambda: ask("--query") == "on: h1 off: unknown:", 30, "powermand does not log in")
        return ask

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


def door_to(tmp_path: Path, kind: str, server: CliBmc) -> Path:
    """What powermand runs for a connection: ssh, given the password; and for iLO, whose device file is one for telnet,
    telnet's questions before it."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    asks = "printf 'Login Name:  '; read -r line; printf 'Password:    '; read -r line\n" if kind == "hpilo" else ""
    for name, lines in (
        ("askpass", f"cat {tmp_path}/password\n"),
        ("door", f"{asks}export SSH_ASKPASS={tmp_path}/askpass SSH_ASKPASS_REQUIRE=force\n"
                 f"exec ssh {NOT_KEPT} -o PubkeyAuthentication=no -p {server.board.port} {USER}@127.0.0.1\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(f"#!/bin/sh\n{lines}")
        (tmp_path / name).chmod(0o700)
    return tmp_path / "door"


@pytest.mark.parametrize(("kind", "driver"), [("ilom", "ilom"), ("hpilo", "ilo")])
def test_powerman_turns_it_off_and_on_and_resets_it(
    serve: Callable[..., CliBmc],
    powerman: Callable[[str, CliBmc], Callable[[str], str]],
    tmp_path: Path,
    kind: str,
    driver: str,
) -> None:
    ask = powerman(kind, serve(driver))
    for option, told in (
        ("--off", "Command completed successfully"),
        ("--query", "on: off: h1 unknown:"),
        ("--on", "Command completed successfully"),
        ("--query", "on: h1 off: unknown:"),
        ("--reset", "Command completed successfully"),
    ):
        assert ask(option) == told, option
    assert (tmp_path / "chassis/happened").read_text().split() == ["off", "on", "reset"]


def test_powerman_has_the_light_of_an_ilo(
    serve: Callable[..., CliBmc], powerman: Callable[[str, CliBmc], Callable[[str], str]]
) -> None:
    ask = powerman("hpilo", serve("ilo"))
    for option, seen in (("--flash", "on: h1 off: unknown:"), ("--unflash", "on: off: h1 unknown:")):
        assert ask(option) == "Command completed successfully"
        assert ask("--beacon") == seen
