"""Mail hosts are real: exim answers there, and what is committed in the private repository comes to it by puppet."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from runbooks.errors import Blocked, UsageError
from runbooks.lab import Lab, Person, fleet
from runbooks.lab.host import wait_for
from runbooks.lab.inventory import PRIVATE
from runbooks.lab.layout import SERVER
from runbooks.lab.machine import Machine
from runbooks.lab.mail import hosts as mail
from tests.labs import small_lab

PEOPLE = (Person("alice", 1001, home_files=8), Person("bob", 1002, ("ops",), home_files=8, odd_names=False))
MAIL_HOSTS = ("lab01", "lab02")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two mail hosts, and one that is none."""
    with small_lab(3, PEOPLE, mx=True) as made:
        yield made


def state(lab: Lab) -> Any:
    found = lab.layout.load()
    assert found
    return found


def sh(lab: Lab, host: str, script: str, *words: str) -> str:
    return lab.run(host, ["bash", "-c", script, "-", *words], check=False).stdout.decode()


def route(lab: Lab, host: str, address: str) -> str:
    return sh(lab, host, 'exim4 -bt "$1"', address)


def edit(lab: Lab, path: str, script: str) -> None:
    """Change a file of the private repository by ``sed``, and commit it."""
    sh(lab, SERVER, f'cd {PRIVATE} && sed -i "$2" "$1" && git commit -qam "(test) edit"', path, script)


def puppet(lab: Lab, status: int) -> None:
    """A run on both, which ends with that status: 0 changed nothing, 2 something."""
    ended: list[int] = []
    fleet.side_by_side(lambda host: ended.append(lab.puppet(host).returncode), MAIL_HOSTS)
    assert ended == [status] * 2


def greets(lab: Lab, host: str) -> bool:
    return mail.greets(fleet.host_of(lab.layout, state(lab), host), state(lab))


def test_two_hosts_are_mail_hosts_and_the_inventory_says_so(lab: Lab) -> None:
    rows = yaml.safe_load((lab.inventory / "hosts.yaml").read_text())["hosts"]
    assert [name for name, row in rows.items() if "mx" in row["roles"]] == list(MAIL_HOSTS)
    aliases = yaml.safe_load((lab.inventory / "aliases.yaml").read_text())["aliases"]
    assert aliases["mx"] == "O{role:mx}"
    assert aliases["all"] == "D{lab[01-03],puppet01}"
    settings = yaml.safe_load((lab.inventory / "settings.yaml").read_text())["aliases"]
    assert settings["host_directory"] == mail.DIRECTORY
    assert settings["mail_hosts"] == "A:mx"
    assert sh(
        lab, SERVER, 'ls -d "$1" "$2"', f"{PRIVATE}/{settings['directory']}", f"{PRIVATE}/{settings['manifests']}"
    )
    wait_for(lambda: all(greets(lab, host) for host in MAIL_HOSTS), 60, "no exim")
    assert not greets(lab, "lab03")
    assert sh(lab, "lab03", "ls -d /etc/exim4; pgrep exim4") == ""


def test_puppet_brings_files_links_and_what_the_manifest_holds(lab: Lab) -> None:
    for host in MAIL_HOSTS:
        there = sh(lab, host, "cd /etc/exim4/aliases && for f in *; do echo $f $(readlink $f); done").splitlines()
        assert there == [
            "example.biz example.com",
            "example.com",
            "example.edu example.org",
            "example.info example.org",
            "example.museum",
            "example.org",
            "www.example.org example.org",
        ]
        for domain in ("example.org", "example.info", "example.edu", "www.example.org"):
            assert f"bob@lab.example.org\n    <-- noc@{domain}" in route(lab, host, f"noc@{domain}")
        assert "<-- info@example.com\n    <-- visit@example.museum" in route(lab, host, "visit@example.museum")
        assert "router = outside, transport = nowhere" in route(lab, host, "sales@example.biz")
        assert "this desk is closed" in route(lab, host, "old-desk@example.info")
        assert "discarded" in route(lab, host, "noreply@example.org")
    puppet(lab, 0)


def test_an_edit_in_the_private_repository_comes_with_puppet_and_counts_at_once(lab: Lab) -> None:
    path = f"{mail.REPOSITORY_FILES}/example.org"
    edit(lab, path, "$ a helpdesk: alice, desk@example.net")
    assert "undeliverable" in route(lab, "lab01", "helpdesk@example.org"), "puppet has not run yet"
    puppet(lab, 2)
    for host in MAIL_HOSTS:
        for domain in ("example.org", "example.info", "example.edu"):
            assert f"desk@example.net\n    <-- helpdesk@{domain}" in route(lab, host, f"helpdesk@{domain}")
    edit(lab, path, "/^helpdesk/d")
    edit(lab, f"{mail.REPOSITORY_MANIFESTS}/init.pp", "s/'example.edu', //; s/^visit:/welcome:/; s/nvisit:/nwelcome:/")
    puppet(lab, 2)
    for host in MAIL_HOSTS:
        assert "undeliverable" in route(lab, host, "helpdesk@example.org")
        assert "undeliverable" in route(lab, host, "noc@example.edu"), "a link that is gone from the manifest"
        assert "@lab.example.org" in route(lab, host, "welcome@example.museum")


def test_mail_is_taken_delivered_and_never_let_out(lab: Lab) -> None:
    current = state(lab)
    with smtplib.SMTP(current.hosts["lab01"], mail.port(current), timeout=60) as client:
        refused = client.sendmail(
            "x@example.net",
            ["security@example.info", "office@example.org", "nobody@example.org", "nobody@elsewhere.test"],
            "Subject: a letter to two\n\nHello.\n",
        )
    assert set(refused) == {"nobody@example.org", "nobody@elsewhere.test"}
    wait_for(lambda: sh(lab, "lab01", "exim4 -bpc") == "0\n", 90, "mail waits in the queue")
    for name in ("alice", "bob"):
        assert "letter to two" in sh(lab, "lab01", f"cat /var/mail/{name}")
        assert sh(lab, "lab01", f"stat -c '%U %G %a' /var/mail/{name}") == f"{name} mail 660\n"
    assert "office@example.net" in (log := sh(lab, "lab01", "grep '=> office@' /var/log/exim4/mainlog"))
    assert "T=nowhere" in log


def test_a_mail_host_that_died_has_exim_again_when_it_is_revived(lab: Lab) -> None:
    lab.kill("lab02")
    assert not greets(lab, "lab02")
    lab.start("lab02")
    wait_for(lambda: greets(lab, "lab02"), 60, "no exim after a start")
    assert "bob@lab.example.org" in route(lab, "lab02", "noc@example.org")
    lab.kill("lab02")
    lab.up()
    wait_for(lambda: greets(lab, "lab02"), 60, "no exim after lab.up")
    assert state(lab).mx == list(MAIL_HOSTS)


def test_mail_hosts_are_only_made_with_a_lab(lab: Lab) -> None:
    lab.up(mx=True)
    kept = state(lab)
    without = state(lab)
    without.mx = []
    lab.layout.save(without)
    try:
        with pytest.raises(UsageError, match=r"stands already, without mail hosts; lab\.down first"):
            lab.up(mx=True)
    finally:
        lab.layout.save(kept)
    with pytest.raises(Blocked, match="mail hosts need root"):
        mail.need(Machine(rootless=True))
