"""`inv revoke-key` on a lab: by real log-ins, before and after, on hosts that are there and on one that comes back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.lab import Lab
from runbooks.lab.inventory import CHECKOUT, PRIVATE, ROOT_KEYS
from tests.surface.helpers import QUICK, Inv
from tests.waiting import eventually

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


@pytest.fixture
def roots(lab: Lab) -> Iterator[None]:
    """dave is one of root's, everywhere: in the private repository, and where puppet puts it."""
    line = public(lab, "dave")
    script = f'cd {PRIVATE}; cat >>{ROOT_KEYS}; git commit -qm "(root) dave" {ROOT_KEYS}'
    lab.run("puppet01", ["sh", "-ec", script], input=line.encode())
    for host in HOSTS:
        assert lab.puppet(host).returncode in (0, 2)
    yield
    lab.run("puppet01", ["sh", "-ec", f"cd {PRIVATE}; sed -i /dave@/d {ROOT_KEYS}; git commit -qam clean || true"])


@pytest.mark.usefixtures("roots")
def test_roots_keys_go_from_the_private_repository_and_every_host(lab: Lab, inv: Inv) -> None:
    assert all(lab.login(host, "root", key_of="dave") for host in HOSTS)
    done = inv("revoke-key", "dave", "--yes", "--json")
    assert done.status == 0, done.err + done.out
    kept = [
        o["note"] for o in done.json["run"]["outcomes"] if o["step"].startswith("Look again") and o["host"] in HOSTS
    ]
    assert kept == ["sshd refuses it for dave, root"] * 2
    assert not any(lab.login(host, user, key_of="dave") for host in HOSTS for user in ("dave", "root"))
    assert "dave" not in lab.run("puppet01", ["git", "-C", PRIVATE, "show", f"HEAD:{ROOT_KEYS}"]).stdout.decode()
    assert lab.puppet("lab01").returncode in (0, 2)
    assert not lab.login("lab01", "root", key_of="dave"), "puppet brought it back"

    undone = inv("undo", done.json["run"]["id"], "--yes", "--json")
    assert undone.status == 0, undone.err + undone.out
    told = {o["host"]: o["note"] for o in undone.json["run"]["outcomes"] if o["step"] == "Put the keys back"}
    assert told == {"lab01": "not there any more, as when puppet has run: /etc/ssh/userkeys/dave", "lab02": ""}
    assert lab.puppet("lab01").returncode in (0, 2)
    assert all(lab.login(host, user, key_of="dave") for host in HOSTS for user in ("dave", "root"))


def test_what_sshd_takes_from_elsewhere_is_not_called_done(lab: Lab, inv: Inv) -> None:
    """A command gives sshd the key: no file has it, and it opens the door all the same."""
    config, line = "/etc/ssh/sshd_config", public(lab, "erin").strip()
    lab.run("lab01", ["cp", "-a", config, "/root/sshd_config"])
    command = f"AuthorizedKeysCommand /bin/echo {line}\nAuthorizedKeysCommandUser root\n"
    script = f"cat >>{config}; kill -HUP $(cat /run/sshd.pid)"
    lab.run("lab01", ["sh", "-ec", script], input=command.encode())
    try:
        eventually(lambda: "erin" in lab.run("lab01", ["/usr/sbin/sshd", "-T"]).stdout.decode())
        done = inv("revoke-key", "erin", "--yes", "--json")
        assert done.status == 5, done.err + done.out
        wrong = [o for o in done.json["run"]["outcomes"] if o["status"] != "done"]
        assert {(o["host"], o["step"].partition(":")[0]) for o in wrong} == {("lab01", "Look again")}
        assert "AuthorizedKeysCommand" in wrong[0]["note"]
    finally:
        lab.run("lab01", ["sh", "-ec", f"mv /root/sshd_config {config}; kill -HUP $(cat /run/sshd.pid)"])
    resumed = inv("resume", "--yes")
    assert resumed.status == 0, resumed.err + resumed.out


def test_refusals(inv: Inv, unchanged: None) -> None:  # noqa: ARG001
    inv("revoke-key", "nobody-here", "--yes").refuses(2, "nobody-here is not in users")
    inv("revoke-key", "dave", "--key", "SHA256:none", "--yes").refuses(2, "dave", "has no key SHA256:none")
    inv("revoke-key", "dave", "--key", "ssh-ed25519 AAAA", "--yes").refuses(2, "the key")
    inv("revoke-key", "dave", "--key", "SHA256:none", "--all", "--yes").refuses(2, "--key and --all")
    many = {"INVOKE_OPS_CLINIC_ASK_ABOVE": "1"}
    inv("revoke-key", "dave", "--yes", env=many).refuses(3, "give --confirm dave")
    inv("revoke-key", "dave", "--yes", "--confirm", "erin", env=many).refuses(3, "it has to be dave")
    inv("revoke-key", "root", "--yes").refuses(2, "system account")
    inv("revoke-key", "dave", "--task", "9", "--yes").refuses(2, "'9' is no task")
