"""New accounts, their groups and keys, by the engine, on a real slapd and a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Blocked, RegistryError, RunbookError, UsageError
from runbooks.lab.directory import PEOPLE
from runbooks.model import Run, RunStatus
from tests.systems.repositories import DATA

from .conftest import World

MOVED = "2026-01-05"


def key_file(top: Path, name: str, *options: str) -> Path:
    options = options or ("-t", "ed25519")
    subprocess.run(["ssh-keygen", "-q", *options, "-N", "", "-C", f"{name}@laptop", "-f", top / name], check=True)
    return top / f"{name}.pub"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path, "fresh")


def confirmed(world: World, run: Run) -> tuple[Run, list[str]]:
    """Confirm all that it waits for, one after another; the questions."""
    asked: list[str] = []
    while run.status is RunStatus.WAITING:
        waiting = next(o for o in run.outcomes().values() if "waiting for a person" in o.note)
        asked.append(waiting.note)
        world.site.targets["@person"].where = "T7#1"
        run = world.resume(run)
    return run, asked


def new(key: Path, **more: Any) -> dict[str, Any]:
    person = {"name": "nova", "key": str(key), "realname": "Nova Nym", "email": "nova@example.org", "moved": MOVED}
    return person | {"task": "T7"} | more


def test_a_new_user_by_the_page(world: World, key: Path) -> None:
    before = world.remote.show(DATA)
    run, asked = confirmed(world, world.run("create-user", **new(key, groups=("other",))))
    assert run.status is RunStatus.DONE
    user = world.registry().user("nova")
    assert (user.uid, user.gid, user.realname, user.present) == (1010, 500, "Nova Nym", True)
    assert user.ssh_keys == (key.read_text().strip(),)
    assert world.registry().groups_of("nova") == ("other",)
    words = ("direct supervisor", "approved of nova in other", "responsibilities", "an NDA of nova", "SHA256:")
    assert [word for word, question in zip(words, asked, strict=True) if word not in question] == []
    assert world.undo(run).status is RunStatus.DONE
    assert world.remote.show(DATA) == before


def test_nothing_is_merged_before_all_is_confirmed(world: World, key: Path) -> None:
    tip = world.remote.tip()
    run = world.run("create-user", **new(key))
    assert run.status is RunStatus.WAITING
    assert world.remote.tip() == tip


def test_somebody_with_ldap_access_gets_a_shell(world: World, key: Path) -> None:
    run, _ = confirmed(
        world, world.run("promote-user", name="lynn", key=str(key), groups=("ops",), moved=MOVED, task="T7")
    )
    assert run.status is RunStatus.DONE
    registry = world.registry()
    assert registry.ldap_only("lynn") is None
    assert (registry.user("lynn").uid, registry.user("lynn").email) == (1011, "lynn@elsewhere.example")
    assert "lynn" in registry.group("ops").members


def test_three_days_without_sudo(world: World, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import date

    import runbooks.systems.person as person

    monkeypatch.setattr(person.PersonReader, "today", lambda _self: date(2026, 1, 7))
    with pytest.raises(Blocked, match="3 days have to pass for the security review, until 2026-01-08"):
        world.run("create-user", **new(key))
    monkeypatch.setattr(person.PersonReader, "today", lambda _self: date(2026, 1, 8))
    assert world.run("create-user", **new(key)).status is RunStatus.WAITING


def test_keys_come_and_go(world: World, tmp_path: Path, key: Path) -> None:
    run, asked = confirmed(world, world.run("add-key", name="alice", key=str(key)))
    assert (run.status, len(asked)) == (RunStatus.DONE, 1)
    first = key.read_text().strip()
    assert world.registry().user("alice").ssh_keys == (first,)
    other = key_file(tmp_path, "other", "-t", "rsa", "-b", "3072")
    run, _ = confirmed(world, world.run("replace-key", name="alice", key=str(other)))
    assert world.registry().user("alice").ssh_keys == (other.read_text().strip(),)
    assert world.undo(run).status is RunStatus.DONE
    assert world.registry().user("alice").ssh_keys == (first,)


def test_groups_come_and_go(world: World) -> None:
    _, asked = confirmed(world, world.run("join-group", name="bob", groups=("other",), moved=MOVED, task="T7"))
    assert world.registry().groups_of("bob") == ("ops", "other")
    assert len(asked) == 4
    assert world.run("leave-group", name="bob", groups=("other", "ops")).status is RunStatus.DONE
    assert world.registry().groups_of("bob") == ()


def test_access_until_later(world: World) -> None:
    run = world.run("extend-access", name="lynn", until_day="2099-01-31", contact="alice")
    entry = world.registry().ldap_only("lynn")
    assert (entry.expiry_date, entry.expiry_contact) == ("2099-01-31", "alice")
    assert world.undo(run).status is RunStatus.DONE
    assert world.registry().ldap_only("lynn").expiry_date is None


REFUSED: dict[str, tuple[str, dict[str, Any], type[RunbookError], str]] = {
    "not in LDAP": ("create-user", {"name": "ghost"}, Blocked, "ghost has no UID in LDAP"),
    "there already": ("create-user", {"name": "alice"}, RegistryError, r"alice is already in users \(line \d+\)"),
    "LDAP access": ("create-user", {"name": "lynn"}, UsageError, "promote-user lynn"),
    "no such group": ("create-user", {"groups": ("none",)}, Blocked, "none is no group"),
    "no day": ("create-user", {"moved": ""}, UsageError, "give --moved"),
    "a day to come": ("create-user", {"moved": "2099-01-01"}, UsageError, "still to come"),
    "no name": ("create-user", {"realname": ""}, UsageError, "give --realname"),
    "a reserved name": ("create-user", {"name": "root"}, UsageError, "system account"),
    "nobody to promote": ("promote-user", {"name": "nova"}, RegistryError, "nova is not in ldap_only_users"),
    "somebody unknown": ("add-key", {"name": "ghost"}, RegistryError, "ghost is not in users"),
    "no key to replace": ("replace-key", {"name": "alice"}, UsageError, "no key to be replaced"),
    "no such old key": ("replace-key", {"name": "alice", "old": "SHA256:x"}, RegistryError, "no key 'SHA256:x'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything(world: World, key: Path, case: str) -> None:
    procedure, changes, error, why = REFUSED[case]
    arguments = new(key) | changes
    if procedure not in ("create-user", "promote-user"):
        arguments = {"key": str(key)} | changes
    tip = world.remote.tip()
    with pytest.raises(error, match=why):
        world.run(procedure, **arguments)
    assert (world.remote.tip(), world.site.journal.runs()) == (tip, [])


KEYS = {
    "short": (("-t", "rsa", "-b", "2048"), "an RSA key of 2048 bits: 3072 is the least"),
    "another kind": (
        (
            "-t",
            "ecdsa",
        ),
        "make an ed25519 key",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys_that_are_not_taken(world: World, tmp_path: Path, case: str) -> None:
    options, why = KEYS[case]
    with pytest.raises(UsageError, match=why):
        world.run("add-key", name="alice", key=str(key_file(tmp_path, "bad", *options)))


TEXTS = {
    "": "0 keys",
    "ssh-ed25519 AAAA\n": "key",
    'from="*" {key}': "comes with options",
    "{key}\n{key}\n": "2 keys",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n": "a PRIVATE key",
}


@pytest.mark.parametrize("text", TEXTS)
def test_files_that_are_not_taken(world: World, tmp_path: Path, key: Path, text: str) -> None:
    place = tmp_path / "handed-in"
    place.write_text(text.format(key=key.read_text().strip()))
    with pytest.raises(UsageError, match=TEXTS[text]):
        world.run("add-key", name="alice", key=str(place))


def test_a_key_that_somebody_else_has(world: World, key: Path) -> None:
    confirmed(world, world.run("add-key", name="alice", key=str(key)))
    for name, why in (("alice", "alice has it already"), ("bob", "alice has it ")):
        with pytest.raises(Blocked, match=why):
            world.run("add-key", name=name, key=str(key))


def test_a_key_that_is_used_in_the_directory(world: World, key: Path) -> None:
    line = key.read_text().strip()
    dn = f"uid=zoe,{PEOPLE}"
    world.server.modify(f"dn: {dn}\nchangetype: modify\nreplace: sshPublicKey\nsshPublicKey: {line} again\n")
    with pytest.raises(Blocked, match="is zoe's in LDAP: one for servers is used for nothing else"):
        world.run("add-key", name="zoe", key=str(key))
    world.server.modify(f"dn: {dn}\nchangetype: modify\ndelete: sshPublicKey\n")
