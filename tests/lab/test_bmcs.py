"""The hosts of a lab have BMCs that really end and start them; ipmitool is the witness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from runbooks.errors import Blocked, UsageError
from runbooks.lab import Lab, Person, commands
from runbooks.lab.host import wait_for
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Action, Bmc, Power
from runbooks.secret import Secret
from tests.lab.test_power import booted, is_dead, processes_of, silent

Factory = Callable[..., Lab]
ROOT = Path(__file__).parents[2]
PEOPLE = (Person("ann", 1001, home_files=5),)


@pytest.fixture(scope="module")
def lab(labs: Factory) -> Lab:
    """One host of each kind of BMC."""
    return labs(4, people=PEOPLE, bmcs=True)


@pytest.fixture
def host(lab: Lab) -> Iterator[str]:
    """A host that is brought back after what a test did to it and to its BMC."""
    yield "lab02"
    for name in ("lab02.mgmt", "lab02"):
        lab.kill(name)
        lab.start(name)


def row(lab: Lab, name: str) -> tuple[str, str, int]:
    """A line of the status: state, address, port."""
    return next((each.state, each.address, each.port) for each in lab.status() if each.name == name)


def ipmitool(lab: Lab, host: str, *words: str, patience_s: int = 30) -> str:
    """What ipmitool says, as one who has the password. ipmi_sim answers once the host's power is as it is to be."""
    _, address, port = row(lab, f"{host}.mgmt")
    where = ["-H", address, "-p", str(port), "-U", "root", "-E", "-C", "3", "-N", str(patience_s), "-R", "1"]
    env = os.environ | {"IPMI_PASSWORD": lab.layout.bmc_password.read_text()}
    done = subprocess.run(["ipmitool", "-I", "lanplus", *where, *words], capture_output=True, text=True, env=env)
    return (done.stdout + done.stderr).strip()


def pids(lab: Lab) -> list[int | None]:
    return [each.pid for each in lab.status()]


def marked(top: Path) -> list[str]:
    """Every process that a lab in ``top`` has started, or one that it has started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"LAB_HOST_DIR={top}/".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


# ---- there they are


def test_every_host_has_one(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (*lab.hosts, "puppet01"):
        assert ipmitool(lab, name, "chassis", "power", "status") == "Chassis Power is on"
    commands.status(lab.layout.top)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if ".mgmt" in line]
    assert [line[0] for line in lines] == [f"{name}.mgmt" for name in (*lab.hosts, "puppet01")]
    assert {line[3] for line in lines} == {"running"}


def test_the_inventory_says_how_they_are_reached(lab: Lab) -> None:
    hosts = yaml.safe_load((lab.inventory / "hosts.yaml").read_text())["hosts"]
    told = {name: hosts[name]["bmc"]["drivers"][0] for name in hosts}
    assert told == {"lab01": "redfish", "lab02": "ilo", "lab03": "smash", "lab04": "racadm", "puppet01": "ipmi"}
    assert Path(hosts["lab01"]["bmc"]["ca"]).read_text().startswith("-----BEGIN")
    assert hosts["lab02"]["bmc"]["fingerprint"].startswith("SHA256:")
    settings = yaml.safe_load((lab.inventory / "settings.yaml").read_text())["oob"]
    assert Path(settings["password_file"]).stat().st_mode & 0o777 == 0o600


def test_the_tool_reads_them_all(lab: Lab) -> None:
    argv = [sys.executable, "-m", "invoke", "power-status", "lab[01-04],puppet01"]
    env = os.environ | {"INVOKE_OPS_CLINIC_INVENTORY": str(lab.inventory)}
    lab.kill("lab03")
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=env)
    finally:
        lab.start("lab03")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert "off" in done.stdout


def test_the_password_is_nobodys_to_see(lab: Lab) -> None:
    password = lab.layout.bmc_password.read_text()
    assert password not in subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    readable = [path for path in lab.layout.top.rglob("bmc*/**/*") if path.is_file() and password in read(path)]
    assert readable, "somewhere it has to be"
    for path in readable:
        assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0, path


def read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")


# ---- what they do to their hosts


def test_off_is_a_power_cut_and_on_a_boot(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.start_process(host, "ann")
    lab.run(host, ["touch", "/var/tmp/mark"])
    ipmitool(lab, host, "chassis", "power", "off")
    assert ipmitool(lab, host, "chassis", "power", "status") == "Chassis Power is off"
    assert processes_of(lab, host) == []
    assert silent(lab, host)
    ipmitool(lab, host, "chassis", "power", "on")
    booted(lab, host, before)
    assert not lab.processes(host, 1001)
    assert lab.run(host, ["ls", "/var/tmp/mark"]).stdout


@pytest.mark.parametrize("how", ["cycle", "reset"])
def test_cycle_and_reset_boot_it_anew(lab: Lab, host: str, how: str) -> None:
    before = booted(lab, host)
    lab.freeze(host)
    said = ipmitool(lab, host, "chassis", "power", how)
    assert said == f"Chassis Power Control: {how.capitalize()}"
    booted(lab, host, before)


def test_soft_is_the_power_button(lab: Lab, host: str) -> None:
    ipmitool(lab, host, "chassis", "power", "soft")
    wait_for(lambda: is_dead(lab, host), 60, "the button did nothing")
    assert ipmitool(lab, host, "chassis", "power", "status") == "Chassis Power is off"


def test_a_host_that_its_bmc_started_is_like_any_other(lab: Lab, host: str) -> None:

    def signals() -> dict[str, int]:
        """Those that its init blocks and ignores, but for two of the C library's own (posix_spawn(3) ignores them)."""
        lines = lab.run(host, ["grep", "^Sig[BI]", "/proc/1/status"]).stdout.decode().splitlines()
        return {line.split()[0]: int(line.split()[1], 16) & ~(0b11 << 31) for line in lines}

    normal = signals()
    before = booted(lab, host)
    ipmitool(lab, host, "chassis", "power", "reset")
    booted(lab, host, before)
    assert signals() == normal
    assert lab.run(host, ["bash", "-c", "ls -l /proc/1/fd | grep -c bmc"], check=False).stdout == b"0\n"


@pytest.mark.parametrize("name", ["lab01", "lab02", "lab03", "lab04"])
def test_what_else_they_speak_acts_on_the_same_host(lab: Lab, name: str) -> None:
    told = yaml.safe_load((lab.inventory / "hosts.yaml").read_text())["hosts"][name]["bmc"]
    before = booted(lab, name)
    for spoken in told.pop("drivers"):
        bmc = Bmc(name, spoken, user="root", **told)
        driver = driver_class(spoken)(bmc, Secret(lab.layout.bmc_password.read_text()))
        driver.set_power(Action.OFF)
        wait_for(lambda: is_dead(lab, name), 60, f"{spoken}: it has power still")
        assert driver.power() is Power.OFF
        driver.set_power(Action.ON)
        before = booted(lab, name, before)
        driver.close()


# ---- what is done to them


def test_a_dead_bmc_leaves_its_host_alone(lab: Lab, host: str) -> None:
    before = booted(lab, host)
    lab.kill(f"{host}.mgmt")
    assert row(lab, f"{host}.mgmt")[0] == "dead"
    assert "on" not in ipmitool(lab, host, "chassis", "power", "status", patience_s=1).split()
    assert booted(lab, host) == before
    lab.start(f"{host}.mgmt")
    assert ipmitool(lab, host, "chassis", "power", "status") == "Chassis Power is on"


def test_a_bmc_dies_in_the_middle_of_a_command(lab: Lab, host: str) -> None:
    """What it has set going waits for the lab, which is held by whoever pulls the plug, and keeps no port."""
    with lab.layout.locked():
        cycle = _cycle(lab, host)
        folder = lab.layout.top
        wait_for(lambda: any("bmc.chassis" in line for line in marked(folder)), 60, "no cycle under way")
        lab._bmc(host).kill()
        cycle.kill()
    cycle.wait()
    wait_for(lambda: not any("bmc.chassis" in line for line in marked(folder)), 60, "the cycle has no end")


def test_a_frozen_bmc_says_nothing(lab: Lab, host: str) -> None:
    lab.freeze(f"{host}.mgmt")
    assert row(lab, f"{host}.mgmt")[0] == "frozen"
    assert row(lab, host)[0] == "running"
    assert "on" not in ipmitool(lab, host, "chassis", "power", "status", patience_s=1).split()
    lab.thaw(f"{host}.mgmt")
    assert ipmitool(lab, host, "chassis", "power", "status") == "Chassis Power is on"


def test_what_cannot_be_is_said(lab: Lab) -> None:
    with pytest.raises(Blocked, match="freeze it instead"):
        lab.cut("lab01.mgmt")
    with pytest.raises(UsageError, match="no host 'lab77'"):
        lab.kill("lab77.mgmt")


def test_up_over_a_standing_lab(lab: Lab, host: str) -> None:
    before = pids(lab)
    lab.up()
    assert pids(lab) == before
    lab.kill(f"{host}.mgmt")
    lab.up()
    assert [old == new for old, new in zip(before, pids(lab), strict=True)].count(False) == 1
    assert row(lab, f"{host}.mgmt")[0] == "running"


# ---- their end


def test_down_in_the_middle_of_everything_leaves_nothing(labs: Factory) -> None:
    lab = labs(2, people=PEOPLE)
    with pytest.raises(UsageError, match=r"no BMCs; inv lab\.up"):
        lab.kill("lab01.mgmt")
    lab.up(bmcs=True)
    directory, subnet = lab.layout.top, row(lab, "lab01.mgmt")[1].rpartition(".")[0] + "."
    # As where its start was killed before it was noted.
    (lab.layout.bmcs / "puppet01/ipmi/pid").unlink()
    lab.freeze("lab02.mgmt")
    lab.run("lab01", ["reboot", "--force"], check=False)
    with lab.layout.locked():
        cycles = [_cycle(lab, "lab01"), _cycle(lab, "puppet01")]
        wait_for(lambda: sum("bmc.chassis" in line for line in marked(directory)) == 2, 60, "no cycle under way")
        from runbooks.lab import end

        end.clear(lab.layout)
    for cycle in cycles:
        cycle.kill()
        cycle.wait()
    lab.down()
    assert marked(directory) == []
    assert not directory.exists()
    assert subnet not in subprocess.run(["ss", "-lntu"], capture_output=True, text=True, check=True).stdout


def _cycle(lab: Lab, host: str) -> subprocess.Popen[bytes]:
    _, address, port = row(lab, f"{host}.mgmt")
    where = ["-H", address, "-p", str(port), "-U", "root", "-E", "-C", "3", "-N", "30", "-R", "1"]
    env = os.environ | {"IPMI_PASSWORD": lab.layout.bmc_password.read_text()}
    return subprocess.Popen(["ipmitool", "-I", "lanplus", *where, "chassis", "power", "reset"], env=env)


def test_a_start_that_was_killed_leaves_nothing_after_down(labs: Factory) -> None:
    lab = labs(1, people=PEOPLE)
    directory = lab.layout.top
    program = "import sys, pathlib, runbooks.lab as l; l.Lab(pathlib.Path(sys.argv[1])).up(bmcs=True)"
    with subprocess.Popen([sys.executable, "-c", program, str(directory)], cwd=ROOT) as starting:
        wait_for(lambda: any("chassis" in line or "ipmi" in line for line in marked(directory)), 60, "no BMC started")
        starting.send_signal(signal.SIGKILL)
    lab.down()
    assert marked(directory) == []
    assert not directory.exists()
