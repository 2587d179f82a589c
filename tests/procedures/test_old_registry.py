"""A repository with ``manifests/admins.pp``: the same procedures, by the engine, on real git and a real slapd."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbooks.errors import Blocked, RegistryError, RunbookError, UsageError
from runbooks.lab.directory import GROUPS, PEOPLE
from runbooks.model import Batch, RunStatus
from runbooks.procedure import find
from runbooks.procedures.access_on_hosts import Unwanted, _on
from runbooks.procedures.check_access import remarks
from runbooks.registry import AccountRegistry, Registry
from runbooks.registry.manifest import Manifest
from runbooks.registry.manifest.registry import PATH as ADMINS
from tests.registry.manifests import OLD, key_line
from tests.registry.small import changed

from .conftest import World
from .test_accounts import MOVED, confirmed, key_file

ALICE = key_line(1, "alice@laptop")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path, "fresh")


def new(key: Path, **more: Any) -> dict[str, Any]:
    return {"name": "nova", "key": str(key), "realname": "Nova Nym", "moved": MOVED, "task": "T7"} | more


def lines(world: World) -> tuple[list[str], list[str]]:
    """What main has lost and got, blanks left out."""
    gone, come = changed(OLD, world.remote.show(ADMINS))
    return [" ".join(line.split()) for line in gone], [" ".join(line.split()) for line in come]


def test_a_lost_key_is_absent_and_the_run_is_undone(old_world: World) -> None:
    run = old_world.run("revoke-key", name="alice")
    assert run.status is RunStatus.INCOMPLETE, "the host is down, and pending"
    assert lines(old_world) == (["ensure => present,"], ["ensure => absent,"])
    assert old_world.undo(run).status is RunStatus.DONE
    assert old_world.remote.show(ADMINS) == OLD


def test_one_key_by_its_fingerprint(old_world: World) -> None:
    with pytest.raises(UsageError, match=r"alice \(line 53\) has no key SHA256:x"):
        old_world.run("revoke-key", name="alice", key="SHA256:x")
    old_world.run("revoke-key", name="alice", key=ALICE)
    assert old_world.registry().user("alice").ssh_keys == ()  # type: ignore[union-attr]


def test_a_removed_account_stays_included(old_world: World) -> None:
    draft = find("remove-account").draft(old_world.site, {"name": "alice"})
    assert draft.notes == ("home and account of alice stay; puppet takes the keys at its next run",)
    run = old_world.engine().apply(old_world.engine().plan(draft), draft, Batch())
    assert lines(old_world) == (["ensure => present,"], ["ensure => absent,", '$enabled = "false"'])
    registry = old_world.registry()
    assert (registry.user("alice").present, registry.groups_of("alice")) == (False, ())  # type: ignore[union-attr]
    assert old_world.undo(run).status is RunStatus.DONE
    assert old_world.remote.show(ADMINS) == OLD


def test_what_puppet_leaves_on_hosts_stands_in_the_plan(old_world: World) -> None:
    draft = find("leave-group").draft(old_world.site, {"name": "erin", "groups": ("roots",)})
    plan = old_world.engine().plan(draft)
    assert "puppet takes nothing of erin from the hosts" in str(plan)


def test_somebody_new_by_the_page(old_world: World, key: Path) -> None:
    run, asked = confirmed(old_world, old_world.run("create-user", **new(key, groups=("mortals",))))
    assert run.status is RunStatus.DONE
    user = old_world.registry().user("nova")
    assert (user.uid, user.realname, user.present) == (1010, "Nova Nym", True)  # type: ignore[union-attr]
    assert user.ssh_keys == (key.read_text().strip(),)  # type: ignore[union-attr]
    assert "mortals" in old_world.registry().groups_of("nova")
    assert [question for question in asked if "Does none of the groups give sudo?" in question]
    assert lines(old_world)[0] == []
    assert old_world.undo(run).status is RunStatus.DONE
    assert old_world.remote.show(ADMINS) == OLD


def test_without_a_word_on_sudo_the_three_days_count_too(
    old_world: World, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.systems.person.PersonReader.today", lambda _self: date(2026, 1, 7))
    with pytest.raises(Blocked, match="until 2026-01-08"):
        old_world.run("create-user", **new(key))


def test_keys_come_and_are_replaced(old_world: World, tmp_path: Path, key: Path) -> None:
    run, _ = confirmed(old_world, old_world.run("add-key", name="erin", key=str(key)))
    assert run.status is RunStatus.DONE
    other = key_file(tmp_path, "other")
    run, _ = confirmed(old_world, old_world.run("replace-key", name="erin", key=str(other)))
    assert run.status is RunStatus.DONE
    assert old_world.registry().user("erin").ssh_keys == (other.read_text().strip(),)  # type: ignore[union-attr]
    assert old_world.remote.show(ADMINS).count("ensure\t=> absent") == OLD.count("ensure\t=> absent") + 2


def test_groups_come_and_go(old_world: World) -> None:
    confirmed(old_world, old_world.run("join-group", name="alice", groups=("mortals",), moved=MOVED, task="T7"))
    assert lines(old_world) == ([], ["include accounts::alice"])
    assert old_world.run("leave-group", name="alice", groups=("mortals",)).status is RunStatus.DONE
    assert old_world.remote.show(ADMINS) == OLD


def test_a_colleague_who_edits_the_same_file_is_kept(old_world: World, key: Path) -> None:
    run = old_world.run("add-key", name="erin", key=str(key))
    theirs = Manifest(OLD).join("alice", ["mortals"]).text
    old_world.remote.push({ADMINS: theirs}, "alice deploys")
    run, _ = confirmed(old_world, run)
    assert run.status is RunStatus.DONE
    assert "mortals" in old_world.registry().groups_of("alice")
    assert key.read_text().split()[1] in old_world.remote.show(ADMINS)


def test_ldap_access_of_somebody_with_an_account(old_world: World) -> None:
    run, _ = confirmed(old_world, old_world.run("grant-ldap", name="alice", group="nda"))
    assert run.status is RunStatus.DONE
    assert old_world.remote.show(ADMINS) == OLD


REFUSED: dict[str, tuple[str, dict[str, Any], type[RunbookError], str]] = {
    "LDAP access": ("grant-ldap", {"name": "lynn", "group": "nda", "realname": "L", "email": "l@x"}, RegistryError,
                    r"lynn: the old registry \(admins.pp\) has no people without a shell"),
    "an expiry": ("extend-access", {"name": "alice", "until_day": "2099-01-31", "contact": "bob"}, RegistryError,
                  "alice: the old registry .* has no expiry"),
    "a rename": ("rename-user", {"old": "alice", "new": "alicia"}, RegistryError, "has no stub"),
    "an unsure one": ("remove-account", {"name": "dave"}, RegistryError, r"dave \(line 122\): \$enabled is not simply"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(old_world: World, case: str) -> None:
    procedure, arguments, error, why = REFUSED[case]
    tip = old_world.remote.tip()
    with pytest.raises(error, match=why) as told:
        old_world.run(procedure, **arguments)
    assert "\n" not in str(told.value)
    assert (old_world.remote.tip(), old_world.site.journal.runs()) == (tip, [])


PEOPLE_REFUSED: dict[str, tuple[str, dict[str, Any], type[RunbookError], str]] = {
    "an address": ("create-user", {"email": "nova@example.org"}, RegistryError, "has no e-mail"),
    "no name": ("create-user", {"realname": ""}, UsageError, "nova is new to the registry: give --realname$"),
    "a promotion": ("promote-user", {"name": "lynn"}, RegistryError, "`inv create-user lynn` makes an account"),
}


@pytest.mark.parametrize("case", PEOPLE_REFUSED)
def test_new_people_refused_in_one_line(old_world: World, key: Path, case: str) -> None:
    procedure, changes, error, why = PEOPLE_REFUSED[case]
    with pytest.raises(error, match=why):
        old_world.run(procedure, **new(key) | changes)


def test_a_key_that_somebody_has(old_world: World, key: Path) -> None:
    confirmed(old_world, old_world.run("add-key", name="erin", key=str(key)))
    with pytest.raises(Blocked, match=r"erin has it \(line \d+\)"):
        old_world.run("create-user", **new(key))


def test_a_report_knows_what_the_old_style_cannot_say(old_world: World) -> None:
    old_world.remote.push({ADMINS: Manifest(OLD).absent("alice").text}, "alice left")
    members = "".join(f"member: uid={name},{PEOPLE}\n" for name in ("lynn", "alice"))
    old_world.server.modify(f"dn: cn=nda,{GROUPS}\nchangetype: modify\nadd: member\n{members}")
    found = [(one.kind, one.subject) for one in remarks(old_world.site, 30, date(2026, 1, 1))]
    assert found == [("not looked at", "h1"), ("left behind", "alice"), ("rule", "line 123")]


class AnAccountWithoutKeys:
    """Stands in for a host: the lab's puppet knows the new style alone, so no real one has such an account."""

    def __getitem__(self, _host: str) -> AnAccountWithoutKeys:
        return self

    def reader(self) -> AnAccountWithoutKeys:
        return self

    def ask_all(self, _commands: object) -> list[Any]:
        return [[SimpleNamespace(name="alice")], set[str]()]

    def ask(self, _command: object) -> list[Any]:
        return []


@pytest.mark.parametrize("kind", [Manifest, Registry])
def test_an_account_that_puppet_leaves_is_nothing_to_report(kind: type[AccountRegistry]) -> None:
    site: Any = SimpleNamespace(targets=AnAccountWithoutKeys())
    registry: Any = SimpleNamespace(purges=kind.purges)
    found = list(_on(site, "h1", registry, Unwanted(frozenset({"alice"}), {})))
    assert [one.message for one in found] == ["is absent in the registry, and has an account"] * (kind is Registry)
