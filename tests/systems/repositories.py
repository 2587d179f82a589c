"""Real repositories for the tests of proposals."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runbooks.model import Change, Facts, Finding, Status
from runbooks.registry.patches import RenamePatch
from runbooks.systems.git import GitReader, GitTarget, GitWriter
from runbooks.systems.repository import Repository

DATA = "modules/admin/data/data.yaml"
HOMES = "modules/admin/files/home"
BRANCH = "ops-clinic/rename-bob-to-robert"
PATCH = RenamePatch(DATA, "bob", "robert", "T1")
REGISTRY = """\
groups:
  ops:
    gid: 700
    description: roots
    members: [bob, alice]
  other:
    gid: 701
    description: others
    members: [alice]
  absent:
    description: gone
    members: []
users:
  alice:
    ensure: present
    gid: 500
    uid: 1001
    realname: Alice
    ssh_keys: []
  bob:
    ensure: present
    gid: 500
    uid: 1002
    realname: Bob
    ssh_keys: []
  zoe:
    ensure: present
    gid: 500
    uid: 1003
    realname: Zoe
    ssh_keys: []
"""
GitChange = Change[GitReader, GitWriter]
ENVIRONMENT = {
    **{f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


def git(*argv: str, at: Path, feed: bytes | None = None, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(at), *argv], input=feed, capture_output=True, check=False, env={**os.environ, **ENVIRONMENT}
    )
    assert not check or done.returncode == 0, done.stderr.decode()
    return os.fsdecode(done.stdout)


@dataclass
class Remote:
    """A bare repository, the tool's copy of it, and a colleague's clone."""

    bare: Path
    clone: Path
    target: GitTarget
    run_id: str = "run1"

    @classmethod
    def make(cls, top: Path, registry: str = REGISTRY) -> Remote:
        bare, clone = top / "origin.git", top / "clone"
        bare.mkdir(parents=True)
        git("init", "-q", "--bare", "-b", "production", ".", at=bare)
        git("clone", "-q", str(bare), str(clone), at=top)
        remote = cls(bare, clone, GitTarget(Repository(str(bare), "production", top / "copy")))
        remote.push({DATA: registry, "README": "x\n"}, "Start")
        return remote

    def push(self, files: Mapping[str, str | None], message: str, branch: str = "production") -> str:
        """A colleague's commit on a branch; None deletes."""
        git("fetch", "-q", at=self.clone)
        if f"origin/{branch}" in git("branch", "-r", at=self.clone):
            git("checkout", "-q", "-B", branch, f"origin/{branch}", at=self.clone)
        else:
            git("checkout", "-q", "-B", branch, at=self.clone)
        for path, text in files.items():
            place = self.clone / path
            if text is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        git("add", "-A", at=self.clone)
        git("commit", "-qm", message, at=self.clone)
        git("push", "-q", "origin", f"HEAD:{branch}", at=self.clone)
        return self.tip(branch)

    def tip(self, branch: str = "production") -> str:
        return git("rev-parse", "-q", "--verify", f"refs/heads/{branch}", at=self.bare, check=False).strip()

    def show(self, path: str = DATA, at: str = "production") -> str:
        return git("show", f"{at}:{path}", at=self.bare)

    def tree(self, at: str = "production") -> str:
        return git("ls-tree", "-r", at, at=self.bare)

    def check(self, change: GitChange) -> Finding:
        return change.check(self.target.reader(self.run_id))

    def do(self, change: GitChange, before: Facts) -> None:
        with self.target.writer(self.run_id, 1, 0) as writer:
            change.do(writer, before)

    def apply(self, change: GitChange) -> Facts:
        finding = self.check(change)
        assert finding.status is Status.TODO, finding
        self.do(change, finding.before)
        seen = self.check(change)
        assert seen.status is Status.DONE, seen
        return finding.before
