"""`inv revoke-key` on a lab: by real log-ins, before and after, on hosts that are there and on one that comes back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.lab import Lab
from runbooks.lab.inventory import CHECKOUT
from tests.surface.helpers import QUICK, Inv, eventually

HOSTS = ("lab01", "lab02")


def fingerprint(lab: Lab, name: str) -> str:
    shown = subprocess.run(["ssh-keygen", "-lf", f"{lab.layout.person_key(name)}.pub"], capture_output=True, check=True)
    return shown.stdout.decode().split()[1]


def public(lab: Lab, name: str) -> str:
    return Path(f"{lab.layout.person_key(name)}.pub").read_text()


@pytest.fixture
def own_key(lab: Lab) -> Iterator[None]:
    """erin has a key of her own making in her home: the one that is frank's elsewhere, for want of another."""
    line = public(lab, "frank")
    for host in HOSTS:
        script = (
            "install -d -m 700 -o erin -g 500 /home/erin/.ssh; cat >/home/erin/.ssh/authorized_keys; "
            "chown erin:500 /home/erin/.ssh/authorized_keys"
        )
        lab.run(host, ["sh", "-c", script], input=line.encode())
    yield
    for host in HOSTS:
        lab.run(host, ["rm", "-rf", "/home/erin/.ssh"])


@pytest.mark.usefixtures("own_key")
def test_one_key_and_the_others_still_work(lab: Lab, inv: Inv) -> None:
    assert all(lab.login(host, "erin") and lab.login(host, "erin", key_of="frank") for host in HOSTS)
    planned = inv("revoke-key", "erin", "--key", fingerprint(lab, "erin"), "--dry-run")
    assert planned.status == 0, planned.err
    assert "Take the key SHA256:" in planned.out
    assert all(lab.login(host, "erin") for host in HOSTS), "a dry run has changed something"

    done = inv("revoke-key", "erin", "--key", fingerprint(lab, "erin"), "--task", "T9", "--yes", "--json")
    assert done.status == 0, done.err + done.out
    for host in HOSTS:
        assert not lab.login(host, "erin")
        assert lab.login(host, "erin", key_of="frank")
        assert lab.login(host, "frank")
    assert "T9" in lab.run("puppet01", ["git", "-C", CHECKOUT, "log", "-1"]).stdout.decode()

    run = done.json["run"]["id"]
    undone = inv("undo", run, "--yes")
    assert undone.status == 0, undone.err + undone.out
    assert all(lab.login(host, "erin") for host in HOSTS)


def test_all_keys_and_a_host_that_comes_back(lab: Lab, inv: Inv) -> None:
    lab.kill("lab02")
    try:
        done = inv("revoke-key", "grace", "--end-sessions", "--yes", "--json", env=QUICK)
        assert done.status == 5, done.err + done.out
        document = done.json
        pending = {(o["host"], o["status"]) for o in document["run"]["outcomes"] if o["status"] != "done"}
        assert pending == {("lab02", "pending")}
        assert not lab.login("lab01", "grace")
    finally:
        lab.start("lab02")
    eventually(lambda: lab.login("lab02", "grace"))
    resumed = inv("resume", "--yes", env=QUICK)
    assert resumed.status == 0, resumed.err + resumed.out
    assert not lab.login("lab02", "grace")
    assert lab.login("lab02", "frank")


def test_refusals(inv: Inv, unchanged: None) -> None:  # noqa: ARG001
    inv("revoke-key", "nobody-here", "--yes").refuses(2, "nobody-here is not in users")
    inv("revoke-key", "dave", "--key", "SHA256:none", "--yes").refuses(2, "dave", "has no key SHA256:none")
    inv("revoke-key", "dave", "--key", "ssh-ed25519 AAAA", "--yes").refuses(2, "the key")
    inv("revoke-key", "root", "--yes").refuses(2, "system account")
    inv("revoke-key", "dave", "--task", "9", "--yes").refuses(2, "'9' is no task")
