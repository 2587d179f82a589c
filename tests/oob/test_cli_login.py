"""How a BMC is logged in to over ssh: host keys, greetings that take their time, ways to give the password, old ssh."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from invoke import config

from runbooks.errors import LoginRefused, Unreachable
from runbooks.lab.bmc.cli import CliBmc
from runbooks.oob import ssh_login
from runbooks.oob.ilo import Ilo
from runbooks.oob.model import Action, Bmc, Power
from runbooks.oob.ssh_cli import SshCli
from runbooks.secret import Secret
from tests.oob.cli_world import PASSWORD, USER, bmc_of, drive, plain, serve
from tests.sshd import Sshd, start_sshd

__all__ = ["drive", "serve", "start_sshd"]

Serve = Callable[..., CliBmc]
Drive = Callable[..., SshCli]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with an ssh folder; what was read of another is forgotten."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    ssh_login._shared.cache_clear()
    yield tmp_path
    ssh_login._shared.cache_clear()


def ssh_keygen(*options: object) -> str:
    return subprocess.run(["ssh-keygen", *map(str, options)], capture_output=True, text=True, check=True).stdout


def test_a_host_key_is_pinned_as_ssh_writes_it_or_in_hexadecimal_digits(serve: Serve, drive: Drive) -> None:
    server = serve("racadm")
    key = server.board.folder / "host_key"
    told = ssh_keygen("-l", "-E", "sha256", "-f", key).split()[1]
    digits = hashlib.sha256(base64.b64decode(ssh_keygen("-y", "-f", key).split()[1])).hexdigest()
    assert told == server.fingerprint
    for pin in (told, digits, digits.upper(), ":".join(digits[at : at + 2] for at in range(0, 64, 2))):
        assert drive(server, replace(bmc_of(server), fingerprint=pin)).power() is Power.ON


@pytest.mark.parametrize("pin", ["SHA256:" + 43 * "A", 64 * "0", "SHA256:short", "none"])
def test_another_host_key_than_the_pinned_one_is_told_and_refused(
    serve: Serve, drive: Drive, tmp_path: Path, pin: str
) -> None:
    server = serve("racadm")
    with pytest.raises(Unreachable) as told:
        drive(server, replace(bmc_of(server), fingerprint=pin)).set_power(Action.OFF)
    assert not isinstance(told.value, LoginRefused)
    shows = f"not the pinned one: look why before anything else (it shows ssh-rsa {server.fingerprint})"
    assert shows in plain(told.value)
    assert not (tmp_path / "chassis/happened").read_text()


def test_without_a_pin_known_hosts_decides(serve: Serve, drive: Drive, home: Path) -> None:
    server, known = serve("racadm"), home / ".ssh/known_hosts"
    bmc, place = bmc_of(server, pinned=False), f"[127.0.0.1]:{server.board.port}"
    with pytest.raises(Unreachable, match="not known: add it to known_hosts") as told:
        drive(server, bmc).power()
    assert server.fingerprint in plain(told.value) and "or pin it in the inventory" in str(told.value)
    ssh_keygen("-q", "-t", "rsa", "-N", "", "-f", home / "other")
    known.write_text(f"{place} {(home / 'other.pub').read_text()}")
    ssh_login._shared.cache_clear()
    with pytest.raises(Unreachable, match="not the known one: look why") as told:
        drive(server, bmc).power()
    plain(told.value)
    assert drive(server, bmc_of(server, insecure=True)).power() is Power.ON
    known.write_text(f"{place} {ssh_keygen('-y', '-f', server.board.folder / 'host_key')}")
    ssh_login._shared.cache_clear()
    assert drive(server, bmc).power() is Power.ON


def test_bmcs_behind_a_jump_host_are_reached_through_one_log_in_to_it(
    serve: Serve, drive: Drive, start_sshd: Callable[..., Sshd], home: Path
) -> None:
    server, gate = serve("ilo"), start_sshd("127.0.53.9", LogLevel="VERBOSE")
    jump = f"Host 127.0.0.1\n  ProxyJump root@{gate.address}:{gate.port}\n"
    (home / ".ssh/config").write_text(jump + gate.config().read_text())
    for _ in range(2):
        assert drive(server).power() is Power.ON
    assert (gate.home / "log").read_text().count("Accepted publickey") == 1


def test_a_slow_greeting_is_waited_for(serve: Serve, drive: Drive) -> None:
    assert drive(serve("ilo", banner_s=5.0), timeout_s=4.0).power() is Power.ON


def test_a_greeting_that_does_not_come_is_not_waited_for_long(serve: Serve, drive: Drive) -> None:
    with pytest.raises(Unreachable, match="stays silent") as told:
        drive(serve("ilo", banner_s=60.0), timeout_s=0.5).power()
    plain(told.value)


def test_a_bmc_that_asks_for_the_password_gets_it(serve: Serve, drive: Drive) -> None:
    server = serve("racadm", asks=True)
    assert drive(server).power() is Power.ON
    with pytest.raises(LoginRefused) as told:
        drive(server, password="another").power()
    assert f"user {USER} or its password is wrong" in plain(told.value)


def test_many_log_ins_at_once_do_not_disturb_each_other(
    serve: Serve, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fabric empties a Config and fills it anew whenever something is written into it; here that takes a while."""
    server = serve("smash")
    assert drive(server).power() is Power.ON
    fill = config.merge_dicts
    monkeypatch.setattr(config, "merge_dicts", lambda *dicts: (time.sleep(0.01), fill(*dicts))[1])
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda driver: driver.power(), [drive(server) for _ in range(4)])) == {Power.ON}


def old_sshd(start: Callable[..., Sshd], place: Path, exchange: str, kind: str) -> Sshd:
    """A real one with nothing but these."""
    ssh_keygen("-q", "-t", kind, "-N", "", "-f", place / "host")
    words = {"rsa": "ssh-rsa", "dsa": "ssh-dss"}[kind]
    return start(
        "127.0.53.9", HostKey=place / "host", KexAlgorithms=exchange, HostKeyAlgorithms=words,
        PasswordAuthentication="yes", PermitRootLogin="yes",
    )  # fmt: skip


@pytest.mark.parametrize("exchange", ["diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"])
def test_a_real_sshd_with_nothing_but_old_algorithms_is_logged_in_to(
    start_sshd: Callable[..., Sshd], tmp_path: Path, exchange: str
) -> None:
    sshd = old_sshd(start_sshd, tmp_path, exchange, "rsa")
    pin = ssh_keygen("-l", "-E", "sha256", "-f", tmp_path / "host").split()[1]
    bmc = Bmc("h1", "ilo", sshd.address, "root", sshd.port, fingerprint=pin)
    # The key exchange and the host key's signature are behind us when it refuses the password.
    with pytest.raises(LoginRefused) as told:
        Ilo(bmc, Secret(PASSWORD), 20.0).power()
    plain(told.value)
    with pytest.raises(Unreachable, match="not the pinned one"):
        Ilo(replace(bmc, fingerprint=64 * "0"), Secret(PASSWORD), 20.0).power()


def test_a_bmc_with_old_ssh_is_talked_to(serve: Serve, drive: Drive) -> None:
    server = serve("racadm", old=True)
    # What OpenSSH does not do any more, unless it is told to.
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    place = ["-p", str(server.board.port), f"{USER}@127.0.0.1"]
    assert b"no matching key exchange method" in subprocess.run([*argv, *place], capture_output=True).stderr
    assert drive(server).power() is Power.ON


def test_ssh_that_is_too_old_is_told_in_one_line(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    sshd = old_sshd(start_sshd, tmp_path, "diffie-hellman-group14-sha1", "dsa")
    with pytest.raises(
        Unreachable, match=r"its ssh is too old .*: take another driver, or update its firmware"
    ) as told:
        Ilo(Bmc("h1", "ilo", sshd.address, "root", sshd.port, insecure=True), Secret(PASSWORD), 20.0).power()
    plain(told.value)


def test_a_host_that_takes_no_passwords_is_told(start_sshd: Callable[..., Sshd]) -> None:
    sshd = start_sshd("127.0.53.9", KbdInteractiveAuthentication="no")
    with pytest.raises(Unreachable, match="it takes no passwords, but publickey") as told:
        Ilo(Bmc("h1", "ilo", sshd.address, "root", sshd.port, insecure=True), Secret(PASSWORD), 20.0).power()
    assert not isinstance(told.value, LoginRefused)
    plain(told.value)
