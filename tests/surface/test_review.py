"""What an operator does where a Gerrit stands in front of the repository: `inv`, and people who review. The puppet
server is a real host with a real checkout; Gerrit is a stand-in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from runbooks.registry import Registry
from tests.sshd import Sshd, start_sshd
from tests.surface.helpers import Ended, Inv
from tests.systems.gerrit_standin import GerritStandIn
from tests.systems.repositories import DATA, Remote, git

__all__ = ["start_sshd"]
# What the tool keeps on hosts is kept there, and not on this machine.
ALONE = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/lib && exec "$@"', "sh")
LEAVE = ("leave-group", "alice", "--groups", "other")
# What each git is called with, and what it could read in its environment.
TELLING_GIT = """#!/bin/sh
{ printf '%%s\\n' "$0 $*"; env; } >>%s
exec %s "$@"
"""


@dataclass
class World:
    """An operator's `inv`, the Gerrit, the repository behind it, and the puppet server's checkout."""

    inv: Inv
    gerrit: GerritStandIn
    remote: Remote
    checkout: Path
    top: Path

    def __call__(self, *argv: str) -> Ended:
        """A command line; the password is nowhere in what it says, keeps, or hands on."""
        ended = self.inv(*argv)
        ended.out = " ".join(ended.out.split())
        kept = [path.read_bytes() for path in self.top.glob("*.db*")]
        told = "".join([ended.out, ended.err, (self.top / "git.log").read_text()])
        assert not any(self.gerrit.password.encode() in text for text in [told.encode(), *kept])
        return ended

    def page(self, number: int) -> str:
        return f"{self.gerrit.url}/c/puppet/+/{number}"

    def newest(self) -> tuple[str, str]:
        """The newest run, and where it stands."""
        run = self("runs", "--json").json["runs"][0]
        return run["id"], run["status"]

    def is_member(self) -> bool:
        """Whether alice is in the group, on the branch; the puppet server has the same."""
        text = self.remote.show()
        assert (self.checkout / DATA).read_text() == text
        group = Registry(text).group("other")
        return group is not None and "alice" in group.members


@pytest.fixture(scope="module")
def server(start_sshd: Callable[..., Sshd]) -> Sshd:
    return start_sshd("127.0.54.1", prefix=ALONE)


@pytest.fixture
def world(server: Sshd, tmp_path: Path) -> Iterator[World]:
    remote = Remote.make(tmp_path)
    checkout, inventory = tmp_path / "checkout", tmp_path / "inventory"
    git("clone", "-q", str(remote.bare), str(checkout), at=tmp_path)
    inventory.mkdir()
    (inventory / "hosts.yaml").write_text(
        f"hosts:\n  ps1: {{address: {server.address}, port: {server.port}}}\naliases: {{puppetserver: 'D{{ps1}}'}}\n"
    )
    with GerritStandIn(remote.bare) as gerrit:
        settings = {
            "journal": f"sqlite:///{tmp_path}/journal.db",
            "ssh": {"config": str(server.config())},
            "repository": {"url": str(remote.bare), "cache": str(tmp_path / "cache")},
            "puppet": {"server_checkout": str(checkout)},
            "gerrit": {"url": gerrit.url, "project": "puppet", "user": "ops", "timeout_s": 5},
        }
        (inventory / "settings.yaml").write_text(yaml.safe_dump(settings))
        shim = tmp_path / "bin" / "git"
        shim.parent.mkdir()
        shim.write_text(TELLING_GIT % (tmp_path / "git.log", shutil.which("git")))
        shim.chmod(0o755)
        (tmp_path / "git.log").touch()
        env = {"OPS_CLINIC_GERRIT_PASSWORD": gerrit.password, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
        yield World(Inv(SimpleNamespace(inventory=inventory), env), gerrit, remote, checkout, tmp_path)


def test_a_change_is_proposed_reviewed_submitted_and_taken_back(world: World) -> None:
    before = world.remote.tree()
    planned = world(*LEAVE, "--dry-run")
    assert planned.status == 0, planned.err
    assert (
        f"submit the change of ops-clinic/leave-alice-other at {world.gerrit.url}, once it is reviewed" in planned.out
    )
    assert (world.gerrit.changes, world.remote.tree()) == ({}, before), "a dry run has changed something"

    proposed = world(*LEAVE, "--task", "T7", "--yes")
    run, status = world.newest()
    assert (proposed.status, status) == (9, "waiting"), proposed.err
    assert f"waiting for a person: review of {world.page(1)}" in proposed.out
    assert f"inv resume --run {run} " in proposed.out, "a review is nothing that an operator confirms"
    assert "refs/for/production" in world("show", run, "--outputs").out
    assert world.gerrit.changes[1].status == "NEW"
    assert world("runs", "--check").status == 1

    waits = world("resume", "--yes")
    assert waits.status == 9, waits.err
    assert f"wait for review of {world.page(1)}" in waits.out
    assert len(world.gerrit.changes[1].commits) == 1, "it was uploaded twice"
    assert world.is_member()

    world.gerrit.review(1)
    done = world("resume", "--yes", "--json")
    assert done.status == 0, done.err
    assert done.json["run"]["status"] == "done"
    assert world.gerrit.changes[1].status == "MERGED"
    assert not world.is_member()
    assert "T7" in git("log", "-1", "--format=%B", "production", at=world.remote.bare)

    undoing = world("undo", run, "--yes")
    assert undoing.status == 9, undoing.err
    assert f"{world.page(2)} waits for review" in undoing.out
    assert world("resume", "--yes").status == 9
    assert not world.is_member()
    world.gerrit.review(2)
    undone = world("resume", "--yes")
    assert undone.status == 0, undone.err
    assert world.is_member()
    assert world.remote.tree() == before
    assert [change.status for change in world.gerrit.changes.values()] == ["MERGED", "MERGED"]


def test_a_change_that_somebody_abandons_is_not_proposed_again(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    world.gerrit.abandon(1)
    refused = world("resume", "--yes")
    run, status = world.newest()
    assert (refused.status, status) == (5, "incomplete"), refused.err
    assert f"{world.page(1)} was abandoned: ask why" in refused.out
    assert len(world.gerrit.changes) == 1

    given_up = world("undo", run, "--yes")
    assert given_up.status == 0, given_up.err
    assert world.is_member()
    assert world(*LEAVE, "--yes").status == 9
    assert world.gerrit.changes[2].status == "NEW", "another run is another change"


def test_a_revert_that_somebody_abandons_is_not_proposed_again(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    world.gerrit.review(1)
    assert world("resume", "--yes").status == 0
    run, _ = world.newest()
    assert world("undo", run, "--yes").status == 9
    world.gerrit.abandon(2)
    refused = world("resume", "--yes")
    assert refused.status == 5, refused.err
    assert f"{world.page(2)} was abandoned: ask why" in refused.out
    assert not world.is_member()


def test_a_change_that_somebody_rebased(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    world.remote.push({"README": "y\n"}, "Go on")
    world.gerrit.amend(1, world.remote.tip())
    world.gerrit.review(1)
    done = world("resume", "--yes")
    assert done.status == 0, done.err
    assert len(world.gerrit.changes[1].commits) == 2, "it was uploaded once more"
    assert not world.is_member()
    assert world.remote.show("README") == "y\n"


def test_a_branch_that_moved_on_has_the_change_reviewed_again(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    world.gerrit.review(1)
    world.remote.push({"README": "y\n"}, "Go on")
    again = world("resume", "--yes")
    assert again.status == 9, again.err
    assert len(world.gerrit.changes[1].commits) == 2
    world.gerrit.review(1)
    assert world("resume", "--yes").status == 0
    assert not world.is_member()


def test_a_change_that_somebody_amended_is_left_alone(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    theirs = world.remote.show().replace("members: [alice]", "members: [zoe]")
    world.gerrit.amend(1, world.remote.tip(), {DATA: theirs})
    world.gerrit.review(1)
    refused = world("resume", "--yes")
    assert refused.status == 5, refused.err
    assert f"{world.page(1)} holds something else than this patch: somebody amended it" in refused.out
    assert world.gerrit.changes[1].status == "NEW"
    assert world.is_member()


def test_a_change_that_somebody_submitted(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    world.gerrit.review(1)
    world.gerrit.submit(1)
    done = world("resume", "--yes")
    assert done.status == 0, done.err
    assert "merged already" in done.out
    assert not world.is_member()
    run, _ = world.newest()
    assert world("undo", run, "--yes").status == 9, "it is found by the run's mark"


def test_a_change_that_waits_is_taken_back(world: World) -> None:
    assert world(*LEAVE, "--yes").status == 9
    run, _ = world.newest()
    planned = world("undo", run, "--dry-run")
    assert f"abandon the change of ops-clinic/leave-alice-other at {world.gerrit.url}" in planned.out
    assert world.gerrit.changes[1].status == "NEW"
    undone = world("undo", run, "--yes")
    assert undone.status == 0, undone.err
    assert world.gerrit.changes[1].status == "ABANDONED"


def test_what_a_person_confirms_comes_before_the_review(world: World) -> None:
    join = ("join-group", "zoe", "--groups", "other", "--moved", "2026-01-05", "--task", "T8")
    asked = world(*join, "--yes")
    while asked.status == 9 and "inv resume --confirmed" in asked.out:
        assert world.gerrit.changes == {}
        asked = world("resume", "--confirmed", "T8#1", "--yes")
    assert asked.status == 9, asked.err
    assert f"review of {world.page(1)}" in asked.out
    world.gerrit.review(1)
    assert world("resume", "--yes").status == 0
    assert "zoe" in Registry(world.remote.show()).groups()[1].members


TROUBLE = {
    "a wrong password": ({"OPS_CLINIC_GERRIT_PASSWORD": "wrong"}, 3, "401: Unauthorized"),
    "no password": ({"OPS_CLINIC_GERRIT_PASSWORD": ""}, 2, "the password of gerrit is nowhere"),
    "nobody there": ({"INVOKE_OPS_CLINIC_GERRIT_URL": "http://127.0.0.1:1"}, 3, "http://127.0.0.1:1: ConnectionError"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_with_gerrit_is_one_line(world: World, case: str) -> None:
    env, status, why = TROUBLE[case]
    world.inv.env |= env
    before = world.remote.tree()
    refused = world(*LEAVE, "--yes")
    assert refused.status == status, refused.out + refused.err
    assert why in refused.out + refused.err
    assert "Traceback" not in refused.err
    assert (world.gerrit.changes, world.remote.tree()) == ({}, before)
