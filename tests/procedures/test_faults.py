"""Whole runs whose directory is lost, or changed, at every moment: told as it is, and ended right afterwards.

Each way at each moment, the procedures in turn; with ALL_FAULTS set, with every procedure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from runbooks.engine import Draft
from runbooks.errors import Blocked, Drift, Unreachable
from runbooks.lab.directory import PEOPLE
from runbooks.model import Batch, Result, Run, RunStatus
from runbooks.procedure import find
from runbooks.verdicts import exit_status
from runbooks.walker import Stop
from tests.systems.repositories import DATA, git

from .conftest import World
from .trouble import MOMENTS, WAYS, Strike, Wire, set_members

ALICE, NOVA, LYNN = (f"uid={name},{PEOPLE}" for name in ("alice", "nova", "lynn"))
NEW = {"name": "nova", "group": "wmf", "realname": "Nova Nym", "email": "nova@example.org"}


@dataclass(frozen=True)
class Deed:
    """A procedure, and who is in wmf before and after it; ``commits`` it makes."""

    procedure: str
    arguments: dict[str, str]
    before: frozenset[str]
    after: frozenset[str]
    commits: int = 0

    @property
    def member(self) -> str:
        return next(iter(self.before | self.after))


NOBODY: frozenset[str] = frozenset()
DEEDS = {
    "grant": Deed(
        "grant-ldap", {"name": "alice", "group": "wmf", "email": "alice@example.org"}, NOBODY, frozenset({ALICE})
    ),
    "grant, new": Deed("grant-ldap", NEW, NOBODY, frozenset({NOVA}), commits=1),
    "revoke": Deed("revoke-ldap", {"name": "alice", "group": "wmf"}, frozenset({ALICE}), NOBODY),
    "remove": Deed("remove-account", {"name": "lynn"}, frozenset({LYNN}), NOBODY, commits=1),
}
# What is told of the step at the directory, or of the whole where it was refused, by moment.
TOLD = {
    # way:             planning  agreed   between  begun    connected answered written     verifying
    "killed":         "blocked  blocked  pending  pending  unknown   unknown  unknown     unknown",
    "restarted":      "done     done     done     done     unknown   done     done        done",
    "frozen":         "blocked  blocked  pending  pending  unknown   unknown  unknown     unknown",
    "another CA":     "blocked  blocked  pending  pending  unknown   unknown  unknown     unknown",
    "other password": "blocked  pending  pending  pending  done      done     done        done",
    "may not write":  "failed   failed   failed   failed   unknown   done     done        done",
    "may not read":   "blocked  drift    pending  unknown  unknown   unknown  unknown     unknown",
    "sees nobody":    "blocked  drift    pending  unknown  unknown   unknown  unknown     unknown",
    "no group":       "blocked  drift    pending  failed   failed    unknown  unverified  unverified",
    "somebody else":  "done     drift    pending  done     done      unknown  unverified  unverified",
}  # fmt: skip
EXITS = {"done": 0, "blocked": 3, "drift": 4, "pending": 5, "unknown": 5, "failed": 5, "unverified": 6}
ALL = bool(os.environ.get("ALL_FAULTS"))


def cases(moments: tuple[str, ...], deeds: Callable[[str], list[str]], every: int) -> Iterator[Any]:
    """Ways, moments and deeds: each pair of the former once in ``every``, the deeds in turn."""
    for number, way in enumerate(TOLD):
        for turn, moment in enumerate(moments):
            able = deeds(moment)
            chosen = able if ALL else [able[(number + turn) % len(able)]] if (number + turn) % every == 0 else []
            yield from (pytest.param(way, moment, deed, id=f"{way}-{moment}-{deed}") for deed in chosen)


def with_a_step_before(moment: str) -> list[str]:
    return [name for name, deed in DEEDS.items() if deed.commits or moment != "between"]


@dataclass
class Struck:
    """A world in which a deed is done, and what befalls it meanwhile."""

    world: World
    deed: Deed
    strike: Strike

    def told(self, draft: Callable[[], Draft]) -> tuple[Run | None, str, int]:
        """The run, if there is one; what is told of the step at the directory, or of all; and the exit status."""
        try:
            self.strike.now("planning")
            run, number = self._run(draft())
        except (Blocked, Drift, Unreachable) as refused:
            return None, "drift" if isinstance(refused, Drift) else "blocked", refused.exit_status
        outcome = run.outcomes()[number, "@ldap"]
        assert outcome.note or outcome.result is Result.DONE
        assert self.world.server.password.reveal() not in f"{run.events} {run.plan.to_record()}"
        return run, str(outcome.result), exit_status(run, Stop())

    def _run(self, draft: Draft) -> tuple[Run, int]:
        number = next(n for n, step in enumerate(draft.steps) if step.on == ("@ldap",))
        engine = self.world.engine()
        object.__setattr__(engine, "observer", lambda event: self.strike.observe(event, number))
        plan = engine.plan(draft)
        self.strike.now("agreed")
        return engine.apply(plan, draft, Batch()), number

    def commits(self) -> int:
        return int(git("rev-list", "--count", "production", at=self.world.remote.bare)) - 1


@contextmanager
def struck(world: World, deed: Deed, way: str, moment: str, patch: pytest.MonkeyPatch) -> Iterator[Struck]:
    """While it may strike; afterwards all is well again."""
    server = world.server

    def toggle() -> None:
        there = world.site.targets["@ldap"].reader().members("wmf")
        set_members(server, "wmf", *([] if deed.member in there else [deed.member]))

    world.site.targets["@ldap"].close()  # so that it is connected to under our eyes
    strike = Strike(moment, toggle if way == "somebody else" else lambda: WAYS[way].strike(server), way == "frozen")
    wire = Wire(server.port)
    try:
        with patch.context() as inside:
            strike.lie_in_wait(inside, wire if moment == "answered" else None)
            yield Struck(world, deed, strike)
        assert strike.struck, "it never came to that moment"
        assert strike.writes <= 1, "a write was sent twice"
    finally:
        wire.close()
        if strike.struck and way in WAYS:
            WAYS[way].heal(server)


@pytest.mark.parametrize(("way", "moment", "name"), [*cases(MOMENTS, with_a_step_before, 2)])
def test_a_run(world: World, monkeypatch: pytest.MonkeyPatch, way: str, moment: str, name: str) -> None:
    deed, text = DEEDS[name], world.remote.show(DATA)
    set_members(world.server, "wmf", *deed.before)
    with struck(world, deed, way, moment, monkeypatch) as story:
        run, told, status = story.told(lambda: find(deed.procedure).draft(world.site, deed.arguments))
    expected = TOLD[way].split()[MOMENTS.index(moment)]
    assert (told, status) == (expected, EXITS[expected])
    if run is None:
        assert (world.site.journal.runs(), world.remote.show(DATA)) == ([], text), "refused, and yet not as before"
        run = world.run(deed.procedure, **deed.arguments)
    elif run.status is not RunStatus.DONE:
        assert run.status is RunStatus.INCOMPLETE
        run = world.resume(run)
    assert run.status is RunStatus.DONE
    assert (world.members("wmf"), story.commits()) == (deed.after, deed.commits)

    theirs = way == "somebody else" and moment in ("planning", "agreed", "between")
    if theirs and not deed.commits:
        with pytest.raises(Blocked, match="has begun nothing"):
            world.undo(run)
    else:
        assert world.undo(run).status is RunStatus.DONE
        assert world.site.journal.run(run.id).status is RunStatus.UNDONE
    assert world.members("wmf") == (deed.after if theirs else deed.before)
    assert world.remote.show(DATA) == text


UNDO_MOMENTS = tuple(moment for moment in MOMENTS if moment != "between")


@pytest.mark.parametrize(("way", "moment", "name"), [*cases(UNDO_MOMENTS, lambda _: list(DEEDS), 5)])
def test_an_undo(world: World, monkeypatch: pytest.MonkeyPatch, way: str, moment: str, name: str) -> None:
    deed, text = DEEDS[name], world.remote.show(DATA)
    set_members(world.server, "wmf", *deed.before)
    run = world.run(deed.procedure, **deed.arguments)
    merged = world.remote.show(DATA)
    original = find(deed.procedure).again(run.plan.case, run.plan.arguments)
    with struck(world, deed, way, moment, monkeypatch) as story:
        undo, told, status = story.told(lambda: world.engine().undo(run, original, {}))
    expected = TOLD[way].split()[MOMENTS.index(moment)]
    assert (told, status) == (expected, EXITS[expected])
    if undo is None:
        assert (len(world.site.journal.runs()), world.remote.show(DATA)) == (1, merged)
        undo = world.undo(run)
    elif undo.status is not RunStatus.DONE:
        undo = world.resume_undo(undo, run)
    assert undo.status is RunStatus.DONE
    assert world.site.journal.run(run.id).status is RunStatus.UNDONE
    assert (world.members("wmf"), world.remote.show(DATA)) == (deed.before, text)
    assert story.commits() == 2 * deed.commits
