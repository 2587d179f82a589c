"""`inv check-access` on a lab: people who are gone, and whom a host still lets in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY
from runbooks.registry.account_keys import fingerprint_of
from tests.surface.helpers import QUICK, Inv

ABSENT = "is absent in the registry, and has"


def told(document: dict) -> list[tuple[str, str, str, list[str]]]:
    return [(one["kind"], one["subject"], one["message"], one["hosts"]) for one in document["remarks"]]


@pytest.fixture
def lost(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """A key that mallory had in the registry, and has no more."""
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    line = (tmp_path / "key.pub").read_text().strip()
    registry = lab.show()
    start = registry.index("  mallory:")
    held = registry[:start] + registry[start:].replace("ssh_keys: []", f"ssh_keys:\n      - {line}", 1)
    assert held != registry
    lab.commit({REGISTRY: held}, "A key")
    lab.commit({REGISTRY: registry}, "No key")
    yield line
    lab.run("lab02", ["sed", "-i", "/of-old/d", "/root/.ssh/authorized_keys"])
    lab.run("lab01", ["rm", "-rf", "/home/frank/.ssh"])


def test_who_was_left_behind(lab: Lab, inv: Inv, tmp_path: Path) -> None:
    clean = inv("check-access", "--json")
    assert clean.status == 0, clean.err + clean.out
    assert clean.json == {"remarks": [], "exit": 0}
    key = Path(f"{lab.layout.person_key('frank')}.pub").read_text()
    lab.run("lab02", ["sh", "-c", "cat >/etc/ssh/userkeys/mallory"], input=key.encode())
    for host in ("lab01", "lab02"):
        lab.run(host, ["useradd", "-M", "-u", "1099", "mallory"])
    try:
        page = tmp_path / "access.html"
        found = inv("check-access", "--json", "--html", str(page))
        assert found.status == 8, found.err + found.out
        assert told(found.json) == [
            ("left behind", "mallory", f"{ABSENT} a key in /etc/ssh/userkeys/mallory", ["lab02"]),
            ("left behind", "mallory", f"{ABSENT} an account", ["lab01", "lab02"]),
        ]
        assert "lab[01-02] (2)" in page.read_text()
        shown = inv("check-access")
        assert shown.status == 8
        assert "left behind (2)" in shown.out
        assert f"mallory  {ABSENT} an account on lab[01-02] (2)" in shown.out
        assert "3 hosts: 2 found" in shown.out
    finally:
        lab.run("lab02", ["rm", "/etc/ssh/userkeys/mallory"])
        for host in ("lab01", "lab02"):
            lab.run(host, ["userdel", "mallory"])


def test_a_key_is_known_by_its_bytes_in_anybodys_file(lab: Lab, inv: Inv, lost: str) -> None:
    kind, blob, *_ = lost.split()
    line = f'no-pty,command="a b" {kind} {blob} of-old\n'.encode()
    lab.run("lab02", ["sh", "-c", "cat >>/root/.ssh/authorized_keys"], input=line)
    lab.run("lab01", ["sh", "-c", "mkdir /home/frank/.ssh; cat >/home/frank/.ssh/authorized_keys"], input=line)
    found = inv("check-access", "--json")
    assert found.status == 8, found.err + found.out
    has = f"{ABSENT} the key {fingerprint_of(lost)} in"
    assert told(found.json) == [
        ("left behind", "mallory", f"{has} /home/frank/.ssh/authorized_keys", ["lab01"]),
        ("left behind", "mallory", f"{has} /root/.ssh/authorized_keys", ["lab02"]),
    ]


def test_hosts_that_cannot_be_looked_at(lab: Lab, inv: Inv) -> None:
    for host in lab.hosts:
        lab.kill(host)
    try:
        found = inv("check-access", "--json", env=QUICK)
        shown = inv("check-access", env=QUICK)
    finally:
        for host in lab.hosts:
            lab.start(host)
    assert (found.status, shown.status) == (8, 8), found.err + found.out
    ((kind, subject, message, hosts),) = told(found.json)
    assert (kind, subject, hosts) == ("not looked at", "lab[01-02]", ["lab01", "lab02"])
    assert f"  lab[01-02]  {message}\n" in shown.out


def test_members_of_the_directory_who_should_be_none(lab: Lab, inv: Inv) -> None:
    lab.directory.join("wmf", ["mallory", "nina"])
    try:
        found = inv("check-access", "--json")
    finally:
        lab.directory.leave("wmf", ["mallory", "nina"])
    assert found.status == 8, found.err + found.out
    assert told(found.json) == [
        ("left behind", "mallory", "is absent in the registry, and still in wmf", []),
        ("unregistered", "nina", "is in wmf, and not in the registry", []),
    ]


@pytest.mark.parametrize("days", ["-1", "x", "1.5", "", "999999", "٣"])
def test_days_that_are_none(inv: Inv, days: str) -> None:
    inv("check-access", f"--within={days}").refuses(2, f"--within: {days!r} is no number of days")


def test_a_registry_that_is_none(lab: Lab, inv: Inv) -> None:
    registry = lab.show()
    lab.commit({REGISTRY: "users: ]\n"}, "Break it")
    try:
        inv("check-access").refuses(2, "line 1", "the YAML is broken", "repair it by hand first")
    finally:
        lab.commit({REGISTRY: registry}, "Mend it")
