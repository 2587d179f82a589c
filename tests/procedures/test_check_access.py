"""Who has access, and should not: what the registry and the directory say of each other."""

from __future__ import annotations

from datetime import date

import pytest

from runbooks.lab.directory import GROUPS, PEOPLE
from runbooks.procedures.check_access import Remark, remarks
from tests.registry.small import ED25519
from tests.systems.repositories import DATA, REGISTRY

from .conftest import LISTS, MORE, World

TODAY = date(2026, 3, 1)


@pytest.fixture
def no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.procedures.check_access._hosts", lambda *_: [])


def found(world: World, registry: str = "", within: int = 7) -> list[tuple[str, str, str]]:
    if registry:
        world.remote.push({DATA: registry}, "Another registry")
    return [(one.kind, one.subject, one.message) for one in remarks(world.site, within, TODAY)]


def base() -> str:
    return REGISTRY.replace("users:", LISTS, 1) + MORE


def put(world: World, group: str, *names: str) -> None:
    members = "".join(f"member: uid={name},{PEOPLE}\n" for name in names)
    world.server.modify(f"dn: cn={group},{GROUPS}\nchangetype: modify\nadd: member\n{members}")


@pytest.mark.usefixtures("no_hosts")
def test_all_is_as_it_should_be(world: World) -> None:
    put(world, "wmf", "alice")
    put(world, "nda", "lynn")
    assert found(world) == []


@pytest.mark.usefixtures("no_hosts")
def test_groups_of_the_directory(world: World) -> None:
    put(world, "wmf", "alice", "lynn", "nova", "old")
    put(world, "nda", "alice")
    assert found(world) == [
        ("groups", "alice", "is in wmf and in nda: in one too many"),
        ("groups", "lynn", "is in wmf; with lynn@elsewhere.example it should be nda"),
        ("left behind", "old", "is absent in the registry, and still in wmf"),
        ("unregistered", "nova", "is in wmf, and not in the registry"),
    ]


@pytest.mark.usefixtures("no_hosts")
def test_rules_days_and_keys(world: World) -> None:
    key = f"ssh_keys:\n      - {ED25519}"
    registry = base().replace("ssh_keys: []", key, 2)
    registry += '    expiry_date: "2026-03-05"\n    expiry_contact: bob\n'
    registry = registry.replace("uid: 1003", "uid: 1002")
    told = found(world, registry)
    assert ("expiry", "lynn", "access expires on 2026-03-05: ask bob") in told
    assert [subject for kind, subject, _ in told if kind == "shared key"] == ["alice, bob"]
    assert [message for kind, _, message in told if kind == "rule"] == ["users.zoe: uid 1002 is also bob's"]
    assert not [one for one in found(world, within=3) if one[0] == "expiry"]


@pytest.mark.usefixtures("no_hosts")
def test_a_key_that_opens_other_doors(world: World) -> None:
    dn = f"uid=zoe,{PEOPLE}"
    world.server.modify(f"dn: {dn}\nchangetype: modify\nreplace: sshPublicKey\nsshPublicKey: {ED25519}\n")
    told = found(world, base().replace("ssh_keys: []", f"ssh_keys:\n      - {ED25519}", 1))
    assert [(kind, subject) for kind, subject, _ in told] == [("shared key", "alice")]
    assert "zoe's in LDAP" in told[0][2]
    world.server.modify(f"dn: {dn}\nchangetype: modify\ndelete: sshPublicKey\n")


def test_a_host_that_cannot_be_looked_at_is_told(world: World) -> None:
    told = remarks(world.site, 7, TODAY)
    assert [(one.kind, one.subject) for one in told] == [("not looked at", "h1")]
    assert isinstance(told[0], Remark)
