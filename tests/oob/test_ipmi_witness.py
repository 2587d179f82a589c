"""Other people's programs against the lab's IPMI BMCs: what they do is really done, and the drivers see it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.bmc.ipmi_pyghmi import IpmiPyghmi
from runbooks.lab.bmc.ipmi_sim import IpmiSim
from runbooks.lab.machine import CLEAN, find, install
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Power
from tests.oob.ipmi_world import PASSWORD, USER, IpmiWorld, world_of

#: Told a word, and the world: its whole output.
Witness = Callable[[str, IpmiWorld], str]


def need(program: str, package: str) -> None:
    if not find(program) and os.geteuid() == 0 and find("apt-get"):
        try:
            install(lambda: [] if find(program) else [package])
        except Blocked as error:
            pytest.skip(str(error))
    if not find(program):
        pytest.skip(f"missing here: {program}; apt-get install {package}")


def run(*argv: str, told: str = "", **env: str) -> str:
    done = subprocess.run(argv, input=told, capture_output=True, text=True, check=False, env=CLEAN | env, timeout=120)
    return f"{done.stdout}{done.stderr}".lower()


def by_ipmitool(word: str, world: IpmiWorld) -> str:
    need("ipmitool", "ipmitool")
    where = ("-I", "lanplus", "-H", "127.0.0.1", "-p", str(world.server.board.port), "-U", USER, "-E", "-C", "3")
    once = ("-N", "30", "-R", "1")
    return run("ipmitool", *where, *once, "chassis", "power", word, IPMI_PASSWORD=PASSWORD)


# Nothing is sent a second time because a busy machine's BMC is slow: it would be a second power cycle.
_ONCE = "session-timeout 60000\nretransmission-timeout 30000\n"


def by_freeipmi(word: str, world: IpmiWorld) -> str:
    """``opensesspriv``: ipmi_sim does not tell which privilege it gives (ipmi-power(8), workarounds)."""
    need("ipmi-power", "freeipmi-tools")
    file = Path(world.server.folder, "freeipmi.conf")
    file.touch(mode=0o600)
    file.write_text(f"username {USER}\npassword {PASSWORD}\ndriver-type LAN_2_0\ncipher-suite-id 3\n{_ONCE}")
    where = ("--config-file", str(file), "-W", "opensesspriv", "-h", f"127.0.0.1:{world.server.board.port}")
    return run("ipmi-power", *where, {"status": "--stat"}.get(word, f"--{word}"))


def by_fence_agent(word: str, world: IpmiWorld) -> str:
    """It is told on its standard input, as a cluster does."""
    need("fence_ipmilan", "fence-agents")
    told = (
        f"ip=127.0.0.1\nipport={world.server.board.port}\nusername={USER}\npassword={PASSWORD}\nlanplus=1\ncipher=3\n"
        "ipmitool_timeout=30\ndisable_timeout=true\n"
    )
    action = "action=reboot\nmethod=cycle\npower_wait=2\n" if word == "cycle" else f"action={word}\npower_wait=0\n"
    return run("fence_ipmilan", told=told + action, PYTHONWARNINGS="ignore")


@pytest.fixture(scope="module", params=[IpmiSim, IpmiPyghmi])
def world_of_kind(request: pytest.FixtureRequest) -> Iterator[IpmiWorld]:
    with world_of("ipmi", request.param) as made:
        yield made


@pytest.fixture
def world(world_of_kind: IpmiWorld) -> IpmiWorld:
    world_of_kind.turn(True)
    world_of_kind.forget()
    return world_of_kind


def seen(world: IpmiWorld) -> set[Power]:
    """What the drivers see."""
    found = set()
    for name in ("ipmi", "ipmitool"):
        driver = driver_class(name)(world.bmc(), world.password, 30.0)
        driver.connect_s = 30.0
        found.add(driver.power())
        driver.close()
    return found


@pytest.mark.parametrize("witness", [by_ipmitool, by_freeipmi, by_fence_agent])
def test_what_others_do_is_done_and_seen(witness: Witness, world: IpmiWorld) -> None:
    assert "on" in witness("status", world).replace("connection", "").split(":")[-1]
    witness("off", world)
    assert (world.is_on(), world.happened(), seen(world)) == (False, ["off"], {Power.OFF})
    assert "off" in witness("status", world)
    witness("on", world)
    assert (world.is_on(), world.happened(), seen(world)) == (True, ["off", "on"], {Power.ON})


@pytest.mark.parametrize("witness", [by_ipmitool, by_freeipmi, by_fence_agent])
def test_a_cycle_by_others_is_an_off_and_an_on(witness: Witness, world: IpmiWorld) -> None:
    said = witness("cycle", world)
    assert world.happened()[:1] == ["off"], said
    wait_for_power(world)
    assert world.happened() == ["off", "on"]


def wait_for_power(world: IpmiWorld) -> None:
    """ipmi_sim gives the power back a second later."""
    from runbooks.lab.host import wait_for

    wait_for(world.is_on, 60, "the power does not come back")
