"""Proposals as changes under review: the same Propose, Merge and Revert as on branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.errors import CommandFailed, Unreachable, Waiting
from runbooks.model import Status
from runbooks.secret import Secret
from runbooks.systems.gerrit import Gerrit
from runbooks.systems.git import GitTarget
from runbooks.systems.proposals import Merge, Propose, Withdraw

from .gerrit_standin import NEEDED, GerritStandIn
from .repositories import BRANCH, DATA, PATCH, REGISTRY, Remote, git

PROPOSE, MERGE, WITHDRAW = Propose(PATCH, BRANCH), Merge(PATCH, BRANCH), Withdraw(PATCH, BRANCH)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.make(tmp_path)


@pytest.fixture
def gerrit(remote: Remote) -> Iterator[GerritStandIn]:
    with GerritStandIn(remote.bare) as standin:
        behind(remote, Gerrit(standin.url, "puppet", "ops", Secret(standin.password), timeout_s=30))
        yield standin


def behind(remote: Remote, gerrit: Gerrit) -> None:
    remote.target = GitTarget(replace(remote.target.repository, gerrit=gerrit))


def voting(remote: Remote) -> None:
    behind(remote, replace(remote.target.repository.gerrit, votes=NEEDED))


def test_a_change_is_proposed_reviewed_and_submitted(remote: Remote, gerrit: GerritStandIn) -> None:
    with pytest.raises(Waiting, match=rf"review of {gerrit.url}/c/puppet/\+/1"):
        remote.do(PROPOSE, {})
    assert remote.check(PROPOSE).preview == (f"wait for review of {gerrit.url}/c/puppet/+/1",)
    with pytest.raises(Waiting):
        remote.do(PROPOSE, {})
    assert len(gerrit.changes[1].commits) == 1, "it was uploaded twice"
    gerrit.review(1)
    assert remote.check(PROPOSE).status is Status.DONE
    before = remote.apply(MERGE)
    assert gerrit.changes[1].status == "MERGED"
    assert "  robert:" in remote.show()
    assert "Run: run1\nChange-Id: I" in git("log", "-1", "--format=%B", "production", at=remote.bare)

    revert = MERGE.inverse(before)
    with pytest.raises(Waiting):
        remote.do(revert, remote.check(revert).before)
    gerrit.review(2)
    remote.apply(revert)
    assert remote.show() == REGISTRY


def test_where_we_may_vote_nobody_is_waited_for(remote: Remote, gerrit: GerritStandIn) -> None:
    voting(remote)
    remote.apply(PROPOSE)
    remote.apply(MERGE)
    assert gerrit.changes[1].status == "MERGED"


def test_a_branch_that_moved_on_takes_another_patch_set(remote: Remote, gerrit: GerritStandIn) -> None:
    voting(remote)
    remote.apply(PROPOSE)
    before = remote.check(MERGE).before
    remote.push({"README": "y\n"}, "Go on")
    remote.do(MERGE, before)
    assert (len(gerrit.changes), len(gerrit.changes[1].commits)) == (1, 2)
    assert remote.check(MERGE).status is Status.DONE


def test_a_change_is_withdrawn(remote: Remote, gerrit: GerritStandIn) -> None:
    voting(remote)
    remote.apply(PROPOSE)
    remote.apply(WITHDRAW)
    assert gerrit.changes[1].status == "ABANDONED"
    assert remote.check(WITHDRAW).status is Status.DONE
    assert f"{gerrit.url}/c/puppet/+/1 was abandoned" in remote.check(PROPOSE).note
    remote.run_id = "run2"
    remote.apply(PROPOSE)
    assert gerrit.changes[2].status == "NEW"


def test_somebody_elses_change_of_the_topic_is_left_alone(remote: Remote, gerrit: GerritStandIn) -> None:
    change = "I" + "0" * 40
    remote.push({DATA: REGISTRY.replace("Bob", "Bobby")}, f"Theirs\n\nChange-Id: {change}", branch="mine")
    git("push", "-q", "origin", f"HEAD:refs/for/production%topic={BRANCH}", at=remote.clone)
    assert "holds something else than this patch" in remote.check(PROPOSE).note
    assert gerrit.changes[1].status == "NEW"


def test_what_gerrit_refuses_is_told(remote: Remote, gerrit: GerritStandIn) -> None:
    voting(remote)
    remote.apply(PROPOSE)
    gerrit.may_vote = False
    with pytest.raises(CommandFailed, match="403: Applying label"):
        remote.do(MERGE, {})
    assert remote.show() == REGISTRY


TROUBLE = {
    "a wrong password": ({"password": Secret("wrong")}, CommandFailed, "401: Unauthorized"),
    "nobody there": ({"url": "http://127.0.0.1:1"}, Unreachable, "ConnectionError"),
    "another page": ({"url": "{url}/elsewhere"}, CommandFailed, "404: Not found"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_with_the_server(remote: Remote, gerrit: GerritStandIn, case: str) -> None:
    values, error, why = TROUBLE[case]
    values = {name: v.format(url=gerrit.url) if isinstance(v, str) else v for name, v in values.items()}
    behind(remote, replace(remote.target.repository.gerrit, **values))
    with pytest.raises(error, match=why) as raised:
        remote.check(PROPOSE)
    assert gerrit.password not in str(raised.value)


def test_an_answer_that_is_none(remote: Remote, gerrit: GerritStandIn) -> None:
    gerrit.garbled = True
    with pytest.raises(CommandFailed, match="no JSON came back"):
        remote.check(PROPOSE)
