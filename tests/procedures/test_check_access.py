"""Who has access, and should not: what the registry and the directory say of each other."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import CommandFailed, RegistryError, SettingsError
from runbooks.lab.directory import GROUPS, PEOPLE, TOOL, DirectoryServer, Entry
from runbooks.procedures.check_access import remarks
from runbooks.procedures.remark import Remark
from runbooks.settings import Corporate
from runbooks.site import CORPORATE_PASSWORD
from tests.registry.small import ED25519
from tests.systems.repositories import DATA, REGISTRY

from .conftest import LISTS, MORE, World

TODAY = date(2026, 3, 1)


@pytest.fixture
def no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.procedures.check_access.on_hosts", lambda *_: [])


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
        ("left behind", "old", "is absent in the registry, and still in wmf"),
        ("unregistered", "nova", "is in wmf, and not in the registry"),
        ("groups", "alice", "is in wmf and in nda: in one too many"),
        ("groups", "lynn", "is in wmf; with lynn@elsewhere.example it should be nda"),
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
    assert "is in LDAP, too (zoe)" in told[0][2]
    world.server.modify(f"dn: {dn}\nchangetype: modify\ndelete: sshPublicKey\n")


def test_a_host_that_cannot_be_looked_at_is_told(world: World) -> None:
    (told,) = remarks(world.site, 7, TODAY)
    assert isinstance(told, Remark)
    assert (told.kind, told.subject, told.hosts) == ("not looked at", "h1", ("h1",))


@pytest.mark.usefixtures("no_hosts")
def test_a_key_that_somebody_absent_has_too(world: World) -> None:
    told = found(
        world, base().replace("ssh_keys: []", f"ssh_keys:\n      - {ED25519}", 2).replace("present", "absent", 1)
    )
    assert [subject for kind, subject, _ in told if kind == "shared key"] == ["alice, bob"]


@pytest.mark.usefixtures("no_hosts")
def test_a_group_that_is_not_there_is_told(world: World) -> None:
    world.site.settings = replace(world.site.settings, ldap=replace(world.site.settings.ldap, privileged=("opz",)))
    why = f"LDAP has no such group below {GROUPS}: check ldap in the settings"
    assert found(world) == [("not looked at", "opz", why)]


TROUBLE = {
    "nobody there": ({"url": "ldap://127.0.0.1:1"}, "unreachable: ldap://127.0.0.1:1: .*refused"),
    "a wrong password": ({"bind_dn": f"uid=alice,{PEOPLE}"}, "refuses uid=alice,.*: invalidCredentials"),
}


@pytest.mark.usefixtures("no_hosts")
@pytest.mark.parametrize("case", TROUBLE)
def test_a_directory_that_cannot_be_looked_at_is_told_and_the_rest_looked_at(world: World, case: str) -> None:
    values, why = TROUBLE[case]
    world.site.settings = replace(world.site.settings, ldap=replace(world.site.settings.ldap, **values))
    silent, rule = found(world, base().replace("uid: 1003", "uid: 1002"))
    assert silent[:2] == ("not looked at", "@ldap")
    assert re.search(why, silent[2])
    assert rule[0] == "rule"


@pytest.mark.usefixtures("no_hosts")
def test_a_past_that_cannot_be_read_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CommandFailed("git log: no")

    monkeypatch.setattr("runbooks.systems.git.GitReader.past", fail)
    assert found(world) == [("not looked at", "@git", "git log: no")]


def test_a_registry_that_cannot_be_read(world: World) -> None:
    with pytest.raises(RegistryError, match="line 3: the YAML is broken"):
        found(world, "users:\n  a: [\n")


# the corporate directory

UNKNOWN = "unknown to the corporate directory"
STAFF = """\
  carl:
    ensure: present
    email: Carl.Long@Example.org
  dora:
    ensure: present
    email: dora@example.org
  emil:
    ensure: present
    email: "e(mi)l*@example.org"
  gone:
    ensure: absent
    email: gone@example.org
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryServer]:
    """Another directory, which anybody may read: alice and carl work there, dora has left."""
    server = DirectoryServer(tmp_path_factory.mktemp("corporate"))
    config = server.top / "slapd.conf"
    config.write_text(config.read_text().replace("  by users read\n  by anonymous auth\n", "  by * read\n"))
    server.start()
    people = {name: Entry(n, f"{name}@example.org") for n, name in enumerate(("alice", "carl", "dora"), start=2000)}
    server.fill(people, {})
    server.modify(f"dn: uid=carl,{PEOPLE}\nchangetype: modify\nadd: mail\nmail: carl.long@example.org\n")
    server.modify(f"dn: uid=dora,{PEOPLE}\nchangetype: modify\nadd: employeeType\nemployeeType: left\n")
    yield server
    server.kill()


@pytest.fixture
def corporate(world: World, company: DirectoryServer) -> Callable[..., list[tuple[str, str, str]]]:
    """What is found with some settings, where the registry has people of the organisation."""
    registry = base().replace("realname: Alice", "realname: Alice\n    email: alice@example.org", 1) + STAFF
    lists = registry.replace("members: [old]", "members: [old, gone]", 1)

    world.remote.push({DATA: lists}, "Staff")

    def look(**values: Any) -> list[tuple[str, str, str]]:
        chosen = {"url": company.url, "ca": company.ca, "people": PEOPLE, "answer_timeout_s": 15, **values}
        world.site.settings = replace(world.site.settings, corporate=Corporate(**chosen))
        world.site.__dict__.pop("corporate", None)
        return found(world)

    company.start()
    company.thaw()
    return look


@pytest.mark.usefixtures("no_hosts")
def test_addresses_that_nobody_has(corporate: Callable[..., Any]) -> None:
    assert corporate() == [(UNKNOWN, "emil", "e(mi)l*@example.org is nobody's there")]


@pytest.mark.usefixtures("no_hosts")
def test_addresses_of_those_who_have_left(corporate: Callable[..., Any]) -> None:
    assert corporate(gone="(employeeType=left)") == [
        (UNKNOWN, "dora", "dora@example.org is of somebody who has left"),
        (UNKNOWN, "emil", "e(mi)l*@example.org is nobody's there"),
    ]


@pytest.mark.usefixtures("no_hosts")
def test_an_address_may_be_in_any_of_some_attributes(corporate: Callable[..., Any]) -> None:
    assert [subject for _, subject, _ in corporate(mail=("uid", "cn"))] == ["alice", "carl", "dora", "emil"]
    assert [subject for _, subject, _ in corporate(mail=("uid", "mail"))] == ["emil"]


@pytest.mark.usefixtures("no_hosts")
def test_many_addresses_are_asked_about_in_few_queries(
    corporate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.systems.corporate.AT_ONCE", 2)
    assert [subject for _, subject, _ in corporate(gone="(employeeType=left)")] == ["dora", "emil"]


@pytest.mark.usefixtures("no_hosts")
def test_with_a_password_that_is_read_before_anything_is_asked(
    corporate: Callable[..., Any], company: DirectoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="the password of corporate is nowhere: set OPS_CLINIC_CORPORATE_PASSWORD"):
        corporate(bind_dn=TOOL)
    monkeypatch.setenv(CORPORATE_PASSWORD, company.password.reveal())
    assert [subject for _, subject, _ in corporate(bind_dn=TOOL)] == ["emil"]
    assert CORPORATE_PASSWORD not in os.environ


SILENT = {
    "nobody there": ({"url": "ldap://127.0.0.1:1"}, "unreachable: .*refused"),
    "no CA of ours": ({"ca": None}, "certificate verify failed"),
    "another base": ({"people": "ou=nowhere,dc=example,dc=org"}, "shows nobody with mail below ou=nowhere"),
    "an attribute that it does not have": ({"mail": ("mial",)}, "shows nobody with mial"),
    "a filter that says nothing": ({"gone": "(emploieeType=left)"}, "says neither yes nor no of uid="),
}


@pytest.mark.usefixtures("no_hosts")
@pytest.mark.parametrize("case", SILENT)
def test_a_corporate_directory_that_tells_nothing_is_never_taken_for_clean(
    corporate: Callable[..., Any], case: str
) -> None:
    values, why = SILENT[case]
    ((kind, subject, message),) = corporate(**values)
    assert (kind, subject) == ("not looked at", "@corporate")
    assert re.search(why, message)


@pytest.mark.usefixtures("no_hosts")
def test_a_corporate_directory_that_stands_still(corporate: Callable[..., Any], company: DirectoryServer) -> None:
    company.freeze()
    ((kind, subject, message),) = corporate(answer_timeout_s=1)
    company.thaw()
    assert (kind, subject) == ("not looked at", "@corporate")
    assert "timed out" in message


WRONG = {
    "no base": ({"people": ""}, "corporate.people is not set"),
    "no filter": ({"gone": "(employeeType=left"}, r"corporate.gone: \(employeeType=left is no LDAP filter"),
    "no such CA": ({"ca": Path("/nowhere.pem")}, "corporate.ca: /nowhere.pem: no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_settings_of_the_corporate_directory_that_cannot_be_used(corporate: Callable[..., Any], case: str) -> None:
    values, why = WRONG[case]
    with pytest.raises(SettingsError, match=why):
        corporate(**values)
