"""Access to the directory's groups, by the engine, on a real slapd and a real repository."""

from __future__ import annotations

from typing import Any

import pytest

from runbooks.errors import Blocked, RegistryError, RunbookError, UsageError
from runbooks.lab.directory import PEOPLE
from runbooks.model import Batch, RunStatus
from runbooks.procedure import find
from tests.systems.repositories import DATA, git

from .conftest import World
from .trouble import set_members

ALICE, NOVA, LYNN = (f"uid={name},{PEOPLE}" for name in ("alice", "nova", "lynn"))
GRANT = {"name": "nova", "group": "wmf", "realname": "Nova Nym", "email": "nova@example.org", "task": "T12"}


def test_somebody_new_is_in_the_registry_first(world: World) -> None:
    before = world.remote.show(DATA)
    run = world.run("grant-ldap", **GRANT)
    assert run.status is RunStatus.DONE
    assert world.members("wmf") == {NOVA}
    entry = world.registry().ldap_only("nova")
    assert (entry.realname, entry.email, entry.present) == ("Nova Nym", "nova@example.org", True)
    assert "Bug: T12" in git("log", "-1", "--format=%B", "production", at=world.remote.bare)
    assert [step.name for step in run.plan.steps][-1] == "Put nova into wmf"

    assert world.undo(run).status is RunStatus.DONE
    assert world.members("wmf") == set()
    assert world.remote.show(DATA) == before


def test_who_has_a_shell_needs_no_edit(world: World) -> None:
    tip = world.remote.tip()
    run = world.run("grant-ldap", name="alice", group="wmf", email="alice@example.org")
    assert (run.status, len(run.plan.steps), world.members("wmf")) == (RunStatus.DONE, 1, {ALICE})
    assert world.remote.tip() == tip
    assert "is in the registry already" in run.plan.notes[0]


def test_an_nda_is_confirmed_by_a_person_first(world: World) -> None:
    run = world.run("grant-ldap", name="lynn", group="nda")
    assert run.status is RunStatus.WAITING
    assert world.members("nda") == set()
    world.site.targets["@person"].where = "T12#34"
    run = world.resume(run)
    assert run.status is RunStatus.DONE
    assert world.members("nda") == {f"uid=lynn,{PEOPLE}"}


REFUSED: dict[str, tuple[dict[str, str], type[RunbookError], str]] = {
    "no name": ({"name": "nova)(uid=*", "group": "wmf"}, UsageError, "is no account name"),
    "no group of these": ({"name": "alice", "group": "ops"}, UsageError, "the group is wmf or nda"),
    "nothing known": ({"name": "nova", "group": "wmf"}, UsageError, "give --realname and --email"),
    "absent": ({"name": "old", "group": "wmf"}, Blocked, "old is absent in the registry"),
    "a guest in staff": ({"name": "lynn", "group": "wmf"}, Blocked, "lynn@elsewhere.example is no address of example"),
    "staff among guests": (GRANT | {"group": "nda"}, Blocked, "staff belongs into wmf"),
    "half an expiry": (GRANT | {"expires": "2099-01-01"}, UsageError, "--expires and --contact come together"),
    "a day that is over": (GRANT | {"expires": "2020-01-01", "contact": "bob"}, UsageError, "2020-01-01 is over"),
    "no day": (GRANT | {"expires": "tomorrow", "contact": "bob"}, UsageError, "'tomorrow' is no date"),
    "another end": (
        {"name": "lynn", "group": "nda", "expires": "2099-01-01", "contact": "bob"},
        UsageError,
        r"lynn is in the registry \(line \d+\) with no expiry_date, not '2099-01-01': `inv extend-access`",
    ),
    "another address": (
        {"name": "lynn", "group": "wmf", "email": "lynn@example.org"},
        UsageError,
        r"lynn is in the registry \(line \d+\) with email 'lynn@elsewhere.example', not 'lynn@example.org'",
    ),
    "no task": (GRANT | {"task": "12"}, UsageError, "'12' is no task"),
    "two lines": (GRANT | {"realname": "Nova\nuid: 0"}, RegistryError, "is not one line of text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything(world: World, case: str) -> None:
    arguments, error, why = REFUSED[case]
    tip = world.remote.tip()
    with pytest.raises(error, match=why):
        world.run("grant-ldap", **arguments)
    assert (world.remote.tip(), world.members("wmf"), world.site.journal.runs()) == (tip, set(), [])


def test_another_uid_blocks(world: World) -> None:
    with pytest.raises(Blocked, match="zoe has UID 9999 in LDAP and 1003 in the registry"):
        world.run("grant-ldap", name="zoe", group="wmf", email="zoe@example.org")


def test_both_groups_are_too_many(world: World) -> None:
    world.run("grant-ldap", name="alice", group="wmf", email="alice@example.org")
    with pytest.raises(Blocked, match="alice is in wmf, which excludes nda"):
        world.run("grant-ldap", name="alice", group="nda")


def test_out_again(world: World) -> None:
    world.run("grant-ldap", name="alice", group="wmf", email="alice@example.org")
    run = world.run("revoke-ldap", name="alice", group="wmf")
    assert (run.status, world.members("wmf")) == (RunStatus.DONE, set())
    assert world.undo(run).status is RunStatus.DONE
    assert world.members("wmf") == {ALICE}


def test_who_has_come_into_the_other_group_is_not_put_back(world: World) -> None:
    world.run("grant-ldap", name="alice", group="wmf", email="alice@example.org")
    out = world.run("revoke-ldap", name="alice", group="wmf")
    set_members(world.server, "nda", ALICE)
    with pytest.raises(Blocked, match="alice is in nda, which excludes wmf"):
        world.undo(out)
    assert (world.members("wmf"), world.members("nda")) == (set(), {ALICE})


def test_who_was_in_both_groups_is_put_back_into_both(world: World) -> None:
    for group in ("wmf", "nda"):
        set_members(world.server, group, LYNN)
    run = world.run("remove-account", name="lynn")
    assert (run.status, world.members("wmf") | world.members("nda")) == (RunStatus.DONE, set())
    assert world.undo(run).status is RunStatus.DONE
    assert world.members("wmf") == world.members("nda") == {LYNN}


def test_a_server_that_dies_before_the_membership(world: World) -> None:
    """The registry is merged by then; the run is incomplete, and a resume puts the member in."""
    procedure = find("grant-ldap")
    draft = procedure.draft(world.site, GRANT)
    engine = world.engine()
    plan = engine.plan(draft)

    def observe(event: Any) -> None:
        if event.kind == "outcome" and event.step == len(draft.steps) - 2:
            world.server.kill()

    object.__setattr__(engine, "observer", observe)
    run = engine.apply(plan, draft, Batch())
    assert run.status is RunStatus.INCOMPLETE
    assert world.registry().ldap_only("nova")
    world.server.start()
    assert world.resume(run).status is RunStatus.DONE
    assert world.members("wmf") == {NOVA}


def test_who_has_no_address_is_not_taken_for_staff(world: World) -> None:
    with pytest.raises(Blocked, match=r"no address is known, and wmf is for example\.org: give --email"):
        world.run("grant-ldap", name="alice", group="wmf")
    assert world.members("wmf") == set()
