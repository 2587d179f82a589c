"""Propose, Withdraw, Merge, Revert against real repositories in which colleagues go on working."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.errors import Busy, CommandFailed, RegistryError, Unreachable
from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY as LAB_REGISTRY
from runbooks.model import Status
from runbooks.registry.patches import RenamePatch
from runbooks.systems.forge import Branches
from runbooks.systems.git import GitTarget
from runbooks.systems.proposals import Merge, Propose, Revert, Withdraw
from runbooks.systems.repository import NOBODY, Repository
from tests.waiting import eventually

from .repositories import BRANCH, DATA, HOMES, PATCH, REGISTRY, Remote, git

PROPOSE, MERGE, WITHDRAW = Propose(PATCH, BRANCH), Merge(PATCH, BRANCH), Withdraw(PATCH, BRANCH)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.make(tmp_path)


def revert_of(remote: Remote) -> Revert:
    """Proposed, merged; what takes it back."""
    remote.apply(PROPOSE)
    return MERGE.inverse(remote.apply(MERGE))


# ---- propose


def test_a_proposal_is_one_commit_on_a_branch_and_production_stays(remote: Remote) -> None:
    main = remote.tip()
    finding = remote.check(PROPOSE)
    assert "-  bob:" in finding.preview and "+  robert:" in finding.preview
    assert finding.facts == {"base": main}
    remote.apply(PROPOSE)
    assert remote.tip() == main
    assert git("rev-parse", f"{BRANCH}^", at=remote.bare).strip() == main
    assert "robert:" in remote.show(at=BRANCH)
    message = git("log", "-1", "--format=%B", BRANCH, at=remote.bare)
    assert message.startswith("admin: rename bob to robert\n") and "Bug: T1" in message and "Run: run1" in message
    assert remote.check(PROPOSE) == remote.check(PROPOSE)


def test_looking_pushes_nothing_and_changes_nothing(remote: Remote) -> None:
    before = git("for-each-ref", at=remote.bare)
    for change in (PROPOSE, MERGE, WITHDRAW, Revert(PATCH, remote.tip())):
        remote.check(change)
    assert git("for-each-ref", at=remote.bare) == before


def test_a_proposal_on_an_older_commit_is_made_again(remote: Remote) -> None:
    remote.apply(PROPOSE)
    old = remote.tip(BRANCH)
    remote.push({"README": "y\n"}, "Go on")
    assert remote.check(PROPOSE).status is Status.TODO
    remote.apply(PROPOSE)
    assert remote.tip(BRANCH) != old
    assert git("rev-parse", f"{BRANCH}^", at=remote.bare).strip() == remote.tip()


@pytest.mark.parametrize("files", [{"README": "z\n"}, {DATA: REGISTRY.replace("Alice", "Alicia")}, {"new": "n\n"}])
def test_a_branch_with_something_else_is_blocked_and_kept(remote: Remote, files: dict[str, str]) -> None:
    theirs = remote.push(files, "Theirs", BRANCH)
    for change in (PROPOSE, WITHDRAW, MERGE):
        found = remote.check(change)
        assert (found.status, "something else" in found.note) == (Status.BLOCKED, True)
        with pytest.raises(CommandFailed, match="something else"):
            remote.do(change, {})
    assert remote.tip(BRANCH) == theirs


@pytest.mark.parametrize("files", [{"README": "backdoor\n"}, {DATA: None}])
def test_a_commit_on_top_of_the_proposal_is_not_merged_unseen(remote: Remote, files: dict[str, str | None]) -> None:
    remote.apply(PROPOSE)
    remote.push(files, "One more", BRANCH)
    main = remote.tip()
    assert remote.check(PROPOSE).status is Status.BLOCKED
    assert remote.check(MERGE).status is Status.BLOCKED
    assert remote.check(WITHDRAW).status is Status.BLOCKED
    with pytest.raises(CommandFailed, match="something else"):
        remote.do(MERGE, {})
    assert remote.tip() == main


def test_branches_below_the_name_are_not_the_branch(remote: Remote) -> None:
    remote.push({"README": "z\n"}, "Theirs", f"{BRANCH}/part")
    assert remote.check(WITHDRAW).status is Status.DONE


def test_unrelated_histories_are_something_else(remote: Remote) -> None:
    git("checkout", "-q", "--orphan", "alone", at=remote.clone)
    git("commit", "-qm", "Alone", at=remote.clone)
    git("push", "-q", "origin", f"HEAD:{BRANCH}", at=remote.clone)
    assert remote.check(PROPOSE).status is Status.BLOCKED


def test_a_broken_registry_is_blocked_with_the_line(remote: Remote) -> None:
    remote.push({DATA: REGISTRY.replace("    gid: 701", "   gid: [701")}, "Break it")
    for change in (PROPOSE, MERGE, Revert(PATCH, remote.tip())):
        found = remote.check(change)
        assert (found.status, "line" in found.note) == (Status.BLOCKED, True), found


def test_a_rename_that_does_not_apply_is_blocked(remote: Remote) -> None:
    remote.push({DATA: REGISTRY.replace("  zoe:", "  robert:")}, "Robert is taken")
    assert remote.check(PROPOSE).status is Status.BLOCKED
    assert "robert" in remote.check(PROPOSE).note


def test_withdrawn_the_branch_is_gone(remote: Remote) -> None:
    before = remote.apply(PROPOSE)
    inverse = PROPOSE.inverse(before)
    assert inverse == WITHDRAW
    remote.apply(WITHDRAW)
    assert remote.tip(BRANCH) == ""
    remote.do(WITHDRAW, {})


# ---- merge


def test_a_merge_is_a_fast_forward_to_the_proposal_and_its_branch_goes(remote: Remote) -> None:
    assert remote.check(MERGE).status is Status.LATER
    remote.apply(PROPOSE)
    proposal = remote.tip(BRANCH)
    remote.apply(MERGE)
    assert remote.tip() == proposal
    assert remote.tip(BRANCH) == ""
    assert remote.check(PROPOSE).note == "merged already"
    assert remote.check(MERGE).note == f"merged: production is at {proposal[:12]}"
    remote.do(MERGE, {})
    assert remote.tip() == proposal


def test_production_moved_between_the_look_and_the_merge(remote: Remote) -> None:
    remote.apply(PROPOSE)
    before = remote.check(MERGE).before
    theirs = remote.push({"README": "y\n", DATA: REGISTRY.replace("Alice", "Alicia")}, "Go on")
    remote.do(MERGE, before)
    assert git("rev-parse", "production^", at=remote.bare).strip() == theirs
    assert "Alicia" in remote.show() and "robert:" in remote.show()


def test_production_moves_during_the_push(remote: Remote) -> None:
    """Between our fetch and our push: the push names what it expects, is refused, and the edit is made again."""
    remote.apply(PROPOSE)
    with remote.target.writer("run1", 1, 0) as writer:
        theirs = remote.push({"README": "y\n"}, "Quicker")
        MERGE.do(writer, {})
        assert [entry["status"] for entry in writer.transcript] == [None, 0]
    assert git("rev-parse", "production^", at=remote.bare).strip() == theirs
    assert remote.check(MERGE).status is Status.DONE


def test_production_moved_to_where_the_patch_no_longer_applies(remote: Remote) -> None:
    remote.apply(PROPOSE)
    before = remote.check(MERGE).before
    remote.push({DATA: REGISTRY.replace("  zoe:", "  robert:")}, "Robert is taken")
    with pytest.raises(CommandFailed, match=r"has moved on, and the patch no longer applies: .*robert"):
        remote.do(MERGE, before)
    assert remote.tip(BRANCH)


def test_merged_by_somebody_else_is_done(remote: Remote) -> None:
    remote.apply(PROPOSE)
    git("fetch", "-q", at=remote.clone)
    git("push", "-q", "origin", f"origin/{BRANCH}:production", at=remote.clone)
    assert remote.check(MERGE).status is Status.DONE


def test_a_proposal_of_an_earlier_run_is_merged_so_that_ours_can_take_it_back(remote: Remote) -> None:
    remote.apply(PROPOSE)
    remote.run_id = "run2"
    assert remote.check(PROPOSE).status is Status.DONE
    before = remote.apply(MERGE)
    remote.apply(MERGE.inverse(before))
    assert "  bob:" in remote.show()


def test_a_stale_lease_is_refused(remote: Remote) -> None:
    main, move = remote.tip(), Branches(remote.target.repository)._move
    with remote.target.writer("run1", 1, 0) as writer:
        commit = writer.commit(main, {"README": b"ours\n"}, "Ours")
        theirs = remote.push({"README": "theirs\n"}, "Theirs")
        with pytest.raises(CommandFailed):
            move(writer.push, {"production": (main, commit), "other": (NOBODY, commit)})
        with pytest.raises(CommandFailed):
            move(writer.push, {"production": (NOBODY, commit)})
    assert remote.tip() == theirs
    assert remote.tip("other") == "", "all of it, or nothing"


def test_a_remote_that_refuses_leaves_everything(remote: Remote) -> None:
    remote.apply(PROPOSE)
    hook = remote.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    main = remote.tip()
    with pytest.raises(CommandFailed, match="git push"):
        remote.do(MERGE, {})
    assert (remote.tip(), bool(remote.tip(BRANCH))) == (main, True)


# ---- revert


def test_a_revert_brings_back_what_was(remote: Remote) -> None:
    revert = revert_of(remote)
    finding = remote.check(revert)
    assert "+  bob:" in finding.preview
    remote.apply(revert)
    assert remote.show() == REGISTRY
    remote.do(revert, finding.before)
    assert (
        git("log", "-1", "--format=%s", "production", at=remote.bare).strip() == "Revert: admin: rename bob to robert"
    )
    assert git("rev-list", "--count", "production", at=remote.bare).strip() == "3"


def test_later_commits_of_others_stay(remote: Remote) -> None:
    revert = revert_of(remote)
    remote.push({"README": "later\n", DATA: remote.show().replace("realname: Zoe", "realname: Zoé")}, "Later")
    remote.apply(revert)
    assert remote.show() == REGISTRY.replace("realname: Zoe", "realname: Zoé")
    assert remote.show("README") == "later\n"


def test_a_later_change_of_the_same_lines_is_refused(remote: Remote) -> None:
    revert = revert_of(remote)
    remote.push({DATA: remote.show().replace("members: [robert, alice]", "members: [robert, alice, zoe]")}, "Later")
    found = remote.check(revert)
    assert (found.status, "touch the same lines" in found.note) == (Status.BLOCKED, True)
    merged = git("log", "--format=%H", "--grep=Run: run1", "production", at=remote.bare).split()[0]
    with pytest.raises(CommandFailed, match="touch the same lines"):
        remote.do(revert, {"commit": merged})


def test_a_later_use_of_the_new_name_is_refused(remote: Remote) -> None:
    """It merges line by line, and would leave a group with a member whom nobody knows."""
    revert = revert_of(remote)
    text = remote.show().replace("    members: [alice]", "    members: [alice, robert]")
    remote.push({DATA: text}, "Robert joins")
    found = remote.check(revert)
    assert (found.status, "would break the registry" in found.note) == (Status.BLOCKED, True)
    assert "robert" in found.note


def test_production_moves_during_the_revert(remote: Remote) -> None:
    revert = revert_of(remote)
    before = remote.check(revert).before
    with remote.target.writer("run1", 1, 0) as writer:
        remote.push({"README": "y\n"}, "Quicker")
        revert.do(writer, before)
    assert remote.show() == REGISTRY
    assert remote.show("README") == "y\n"


def test_what_others_made_of_the_entries_is_theirs(remote: Remote) -> None:
    revert = revert_of(remote)
    remote.push(
        {DATA: remote.show().replace("  robert:\n    ensure: present", "  robert:\n    ensure: absent")}, "Gone"
    )
    assert "somebody has changed these entries since" in remote.check(revert).note
    remote.push({DATA: REGISTRY}, "By hand")
    assert remote.check(revert).status is Status.DONE


def test_a_commit_of_another_run_is_not_ours_to_revert(remote: Remote) -> None:
    revert = revert_of(remote)
    remote.run_id = "run9"
    assert "no commit of run run9" in remote.check(revert).note


# ---- dot files


def dot_files(remote: Remote, name: str) -> list[str]:
    rows = [row.split("\t") for row in remote.tree().splitlines()]
    return sorted(f"{meta[:6]} {path}" for meta, path in rows if f"{HOMES}/{name}/" in path)


def test_dot_files_move_and_move_back_with_their_modes(remote: Remote) -> None:
    bob = remote.clone / HOMES / "bob"
    (bob / "bin").mkdir(parents=True)
    (bob / "bin/tool").write_text("#!/bin/sh\n")
    (bob / "bin/tool").chmod(0o755)
    (bob / ".vimrc").write_text("set number\n")
    (bob / ".vim").symlink_to(".vimrc")
    (bob / "two words").write_bytes(b"\0\xff")
    Path(os.fsdecode(os.fsencode(bob) + b"/caf\xe9")).write_text("latin")
    remote.push({f"{HOMES}/bobby/.vimrc": "other\n"}, "Dot files")
    tree, before = remote.tree(), dot_files(remote, "bob")
    assert len(before) == 5
    finding = remote.check(PROPOSE)
    assert f"new: {HOMES}/robert/.vimrc" in finding.preview
    "\n".join(finding.preview).encode()
    revert = revert_of(remote)
    assert dot_files(remote, "robert") == [row.replace("/bob/", "/robert/") for row in before]
    assert dot_files(remote, "bob") == []
    assert len(dot_files(remote, "bobby")) == 1
    remote.apply(revert)
    assert remote.tree() == tree


def test_dot_files_under_the_new_name_are_somebodys(remote: Remote) -> None:
    remote.push({f"{HOMES}/robert/.vimrc": "an earlier robert\n", f"{HOMES}/bob/.vimrc": "bob\n"}, "Dot files")
    found = remote.check(PROPOSE)
    assert (found.status, f"{HOMES}/robert/.vimrc is in the repository already" in found.note) == (Status.BLOCKED, True)


def test_dot_files_that_were_changed_since_are_not_thrown_away(remote: Remote) -> None:
    remote.push({f"{HOMES}/bob/.vimrc": "one\n"}, "Dot files")
    revert = revert_of(remote)
    remote.push({f"{HOMES}/robert/.vimrc": "two\n"}, "Later")
    assert f"{HOMES}/robert/.vimrc was changed since" in remote.check(revert).note


# ---- the remote and the copy


def test_a_remote_that_cannot_be_reached(remote: Remote) -> None:
    remote.apply(PROPOSE)
    remote.bare.rename(remote.bare.with_suffix(".away"))
    for change in (PROPOSE, MERGE):
        with pytest.raises(Unreachable, match="@git"):
            remote.check(change)
    with pytest.raises(Unreachable):
        remote.do(MERGE, {})


def test_a_remote_without_the_branch_or_without_the_registry(tmp_path: Path) -> None:
    remote = Remote.make(tmp_path)
    elsewhere = GitTarget(Repository(str(remote.bare), "main", tmp_path / "copy2"))
    with pytest.raises(Unreachable, match="no branch main"):
        PROPOSE.check(elsewhere.reader())
    remote.push({DATA: None}, "No registry")
    found = remote.check(PROPOSE)
    assert (found.status, "is not in the repository" in found.note) == (Status.BLOCKED, True)


def test_a_push_that_still_runs_is_waited_for(remote: Remote) -> None:
    """git has inherited the lock: it is held as long as the push of a killed client runs."""
    remote.check(PROPOSE)
    lock = os.open(remote.target.repository.cache, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    lingering = subprocess.Popen(["sleep", "30"], pass_fds=[lock])
    os.close(lock)
    with pytest.raises(Busy, match="an earlier push still runs"):
        remote.target.settle(0.3)
    started = time.monotonic()
    threading.Timer(0.7, lingering.kill).start()
    remote.apply(PROPOSE)
    assert time.monotonic() - started > 0.4
    lingering.wait()
    remote.target.settle(0)


def test_a_push_keeps_the_lock_when_its_client_is_gone(remote: Remote) -> None:
    hook, under_way, go = (remote.bare / name for name in ("hooks/pre-receive", "under-way", "go"))
    hook.write_text(f"#!/bin/sh\n: >{under_way}\nuntil [ -e {go} ]; do sleep 0.05; done\n")
    hook.chmod(0o755)
    remote.check(PROPOSE)
    child = os.fork()
    if child == 0:
        try:
            remote.do(PROPOSE, {})
        finally:
            os._exit(0)
    try:
        eventually(under_way.exists)
        os.kill(child, 9)
        os.waitpid(child, 0)
        with pytest.raises(Busy):
            remote.target.settle(0)
    finally:
        go.touch()
    remote.target.settle(60)
    assert remote.check(PROPOSE).status is Status.DONE


def test_two_lookers_at_once(remote: Remote) -> None:
    """A plan is made while another run's copy is fetched: neither is told that the remote is unreachable."""
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(3):
                remote.check(PROPOSE)
        except BaseException as error:
            failures.append(error)

    for number in range(3):
        remote.push({"README": f"{number}\n"}, "Go on")
        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_the_operators_own_git_settings_do_not_matter(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    remote.apply(PROPOSE)


def test_the_same_over_ssh(lab: Lab, tmp_path: Path) -> None:
    ssh = ("ssh", "-o", "BatchMode=yes", "-F", str(lab.ssh_config))
    target = GitTarget(Repository(lab.origin, "production", tmp_path / "copy", ssh, "clinic"))
    patch = RenamePatch(LAB_REGISTRY, "lena", "lenka")
    before = lab.show()
    remote = Remote(tmp_path, tmp_path, target)
    propose, merge = Propose(patch, "ops-clinic/lena"), Merge(patch, "ops-clinic/lena")
    remote.apply(propose)
    revert = merge.inverse(remote.apply(merge))
    assert "lenka" in lab.show()
    assert "number" in lab.show(f"{HOMES}/lenka/.vimrc")
    remote.apply(revert)
    assert lab.show() == before
    away = replace(target.repository, url="ssh://nowhere.invalid/x", cache=tmp_path / "copy3")
    with pytest.raises(Unreachable):
        GitTarget(away).reader()


def test_the_patch_says_what_it_is() -> None:
    assert PATCH.title == "admin: rename bob to robert"
    with pytest.raises(RegistryError):
        PATCH.refuse_unsound(_Files(b"users: ["), {DATA: b"x"})


class _Files:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, path: str) -> bytes:
        assert path == DATA
        return self.data

    def below(self, directory: str) -> list[str]:
        return [directory][:0]
