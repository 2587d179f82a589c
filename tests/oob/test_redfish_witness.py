"""An independent witness: Debian's fence_redfish (fence-agents) against the lab's BMC, in step with our driver."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from runbooks.lab.machine import find, install
from runbooks.oob.model import Action, Power
from runbooks.oob.redfish import Redfish
from tests.oob.worlds.redfish import RedfishWorld, world


@pytest.fixture(scope="module")
def witnessed() -> Iterator[RedfishWorld]:
    if not find("fence_redfish") and os.geteuid() == 0 and shutil.which("apt-get"):
        install(lambda: [] if find("fence_redfish") else ["fence-agents"])
    if not find("fence_redfish"):
        pytest.skip("no fence_redfish here: apt-get install fence-agents")
    with world() as made:
        yield made


def fence(at: RedfishWorld, action: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """It reads its options from standard input, as a cluster gives them. It takes authorities from the environment."""
    bmc = at.bmc()
    secret = at.password.reveal() if password is None else password
    options = {
        "action": action, "ip": bmc.address, "ipport": bmc.port, "username": bmc.user, "password": secret,
        "redfish_uri": "/redfish/v1", "power_wait": 0, "ssl": 1,
    }  # fmt: skip
    lines = "".join(f"{name}={value}\n" for name, value in options.items())
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "REQUESTS_CA_BUNDLE": bmc.ca, "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(find("fence_redfish"))], input=lines, capture_output=True, text=True, check=False, env=env, timeout=60
    )


@pytest.fixture
def driver(witnessed: RedfishWorld) -> Iterator[Redfish]:
    witnessed.turn(True)
    witnessed.forget()
    made = Redfish(witnessed.bmc(), witnessed.password, 30.0)
    yield made
    made.close()


def test_it_sees_what_the_driver_has_done(witnessed: RedfishWorld, driver: Redfish) -> None:
    assert fence(witnessed, "status").returncode == 0
    driver.set_power(Action.OFF)
    assert fence(witnessed, "status").returncode == 2
    driver.set_power(Action.ON)
    assert fence(witnessed, "status").returncode == 0


def test_the_driver_sees_what_it_has_done(witnessed: RedfishWorld, driver: Redfish) -> None:
    assert fence(witnessed, "off").returncode == 0
    assert driver.power() is Power.OFF and not witnessed.is_on()
    assert fence(witnessed, "on").returncode == 0
    assert driver.power() is Power.ON and witnessed.is_on()
    assert witnessed.happened() == ["off", "on"]


def test_it_too_cycles_by_off_and_on(witnessed: RedfishWorld, driver: Redfish) -> None:
    assert fence(witnessed, "reboot").returncode == 0
    assert witnessed.happened() == ["off", "on"]
    witnessed.forget()
    driver.set_power(Action.CYCLE)
    assert witnessed.happened() == ["off", "on"]


def test_a_wrong_password_opens_it_nothing(witnessed: RedfishWorld) -> None:
    witnessed.forget()
    assert fence(witnessed, "off", "not the one").returncode not in (0, 2)
    assert witnessed.is_on() and not witnessed.happened()
