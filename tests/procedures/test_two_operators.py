"""Two operators at once: on one account the second is refused, on two accounts no edit of either is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from runbooks.engine import Engine
from runbooks.errors import Blocked, Drift, Owned
from runbooks.model import Batch, Event, Run, RunStatus
from runbooks.procedure import find
from runbooks.site import Site
from tests.systems.repositories import DATA, git

from .conftest import World

NOVA = {"name": "nova", "group": "wmf", "realname": "Nova Nym", "email": "nova@example.org"}
ZORA = {"name": "zora", "group": "wmf", "realname": "Zora Zed", "email": "zora@example.org"}


@pytest.fixture
def colleague(world: World) -> Iterator[World]:
    """Somebody else at the same journal, repository and directory, with a copy of the repository of their own."""
    settings = world.site.settings
    copy = replace(settings.repository, cache=settings.repository.cache.with_name("theirs"))
    site = Site(replace(settings, repository=copy), "colleague")
    site.directory = world.site.directory  # the password can be had from the environment once
    yield World(site, world.remote, world.server)
    site.close()


def meanwhile(world: World, when: Callable[[Event], bool], act: Callable[[], Any], arguments: dict[str, str]) -> Run:
    """A grant during which something else is done, once, right after an event."""
    left = [act]

    def observe(event: Event) -> None:
        if left and when(event):
            left.pop()()

    draft = find("grant-ldap").draft(world.site, arguments)
    engine = Engine(world.site.journal, world.site.targets, "operator", observe, patience_s=0)
    return engine.apply(engine.plan(draft), draft, Batch())


@pytest.mark.parametrize("procedure", ["revoke-ldap", "grant-ldap"])
def test_one_account_is_in_one_run_at_a_time(world: World, colleague: World, procedure: str) -> None:
    refused: list[str] = []

    def intrude() -> None:
        more = NOVA if procedure == "grant-ldap" else {"name": "nova", "group": "wmf"}
        with pytest.raises(Owned, match="user:nova") as owned:
            colleague.run(procedure, **more)
        refused.append(f"{owned.value.exit_status}: {owned.value}")

    run = meanwhile(world, lambda event: event.kind == "begin", intrude, NOVA)
    assert run.status is RunStatus.DONE
    assert refused and refused[0].startswith("7: ") and run.id in refused[0]
    assert len(world.site.journal.runs()) == 1


MOMENTS = {
    "before the proposal is made": ("begin", 0),
    "before the merge": ("outcome", 0),
    "in the merge": ("begin", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_merge_under_a_proposal_loses_no_edit(world: World, colleague: World, moment: str) -> None:
    """The main branch moves on, in the very lines beside ours: our patch is made again on top."""
    kind, step = MOMENTS[moment]
    theirs: list[Run] = []

    def act() -> None:
        theirs.append(colleague.run("grant-ldap", **ZORA))

    ours = meanwhile(world, lambda event: (event.kind, event.step) == (kind, step), act, NOVA)
    assert (ours.status, theirs[0].status) == (RunStatus.DONE, RunStatus.DONE)
    registry = world.registry()
    assert registry.ldap_only("nova") and registry.ldap_only("zora")
    assert registry.validate() == []
    assert int(git("rev-list", "--count", "production", at=world.remote.bare)) == 3
    assert [line for line in git("branch", at=world.remote.bare).split() if "ops-clinic" in line] == []


def test_a_merge_between_plan_and_apply_is_drift(world: World, colleague: World) -> None:
    draft = find("grant-ldap").draft(world.site, NOVA)
    plan = world.engine().plan(draft)
    assert colleague.run("grant-ldap", **ZORA).status is RunStatus.DONE
    with pytest.raises(Drift, match="base was"):
        world.engine().apply(plan, draft, Batch())
    assert world.registry().ldap_only("nova") is None
    assert world.run("grant-ldap", **NOVA).status is RunStatus.DONE


@pytest.mark.parametrize("first", ["nova", "zora"])
def test_each_takes_back_what_is_theirs(world: World, colleague: World, first: str) -> None:
    """The two entries are neighbours; what cannot be told apart is refused, and nothing is lost."""
    before = world.remote.show(DATA)
    runs = {"nova": (world, world.run("grant-ldap", **NOVA)), "zora": (colleague, colleague.run("grant-ldap", **ZORA))}
    for name in sorted(runs, key=lambda name: name != first):
        place, run = runs[name]
        assert place.undo(run).status is RunStatus.DONE
        assert world.registry().ldap_only(name) is None
    assert world.remote.show(DATA) == before


def test_a_colleagues_hand_in_our_entry_stays(world: World) -> None:
    run = world.run("grant-ldap", **NOVA)
    text = world.remote.show(DATA).replace("Nova Nym", "Nova Nymph")
    world.remote.push({DATA: text}, "She writes it otherwise")
    with pytest.raises(Blocked, match="take the change back by hand"):
        world.undo(run)
    assert (world.remote.show(DATA), len(world.members("wmf"))) == (text, 1)
