"""Commits where a repository lies, and root's keys in it: a real checkout, edited over a real shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbooks.aliases.patches import AliasIn
from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, Status
from runbooks.systems import commits
from runbooks.systems.commits import Commit
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.root_keys import RootKeysOut
from runbooks.transport import shell as shell_module
from runbooks.transport.local import LocalChannel
from runbooks.transport.shell import Shell
from tests.systems.repositories import ENVIRONMENT

PATH = "files/root-authorized-keys"
ALICE, BOB, OTHER = (f"AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 20}" for letter in "abo")
LINES = (
    "# root's keys",
    f"ssh-ed25519 {BOB} bob@laptop",
    f'from="10.0.0.0/8" ssh-ed25519 {ALICE} alice@laptop',
    f"#ssh-ed25519 {ALICE} alice, long ago",
    f"ssh-ed25519 {OTHER} alice@desk",
)
KEPT = (*LINES[:2], *LINES[3:])
HostChange = Change[HostReader, HostWriter]


@dataclass
class Place:
    """A checkout on a host, which is this machine."""

    top: Path
    target: HostTarget

    @property
    def file(self) -> Path:
        return self.top / PATH

    def git(self, *argv: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.top), *argv], env=os.environ | ENVIRONMENT, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def write(self, *lines: str) -> None:
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def committed(self) -> list[str]:
        return self.git("show", f"HEAD:{PATH}").splitlines()

    def check(self, change: HostChange) -> Finding:
        return change.check(self.target.reader("r1"))

    def do(self, change: HostChange, before: Facts = {}) -> Finding:  # noqa: B006
        with self.target.writer("r1", 1, 1) as writer:
            change.do(writer, before)
        return self.check(change)

    def done(self, change: HostChange) -> HostChange:
        """It done, and its inverse."""
        found = self.check(change)
        assert found.status is Status.TODO, found
        assert self.do(change, found.before).status is Status.DONE
        inverse = change.inverse(found.before)
        assert inverse is not None
        return inverse


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(shell_module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(shell_module, "_LOCKED_DIR", str(tmp_path))
    top = tmp_path / "private"
    top.mkdir()
    target = HostTarget("h1", lambda: Shell("h1", LocalChannel(("/bin/sh",)), 20.0))
    made = Place(top, target)
    made.git("init", "-q")
    made.write(*LINES)
    (top / "other").write_text("1\n")
    made.git("add", "-A")
    made.git("commit", "-qm", "start")
    yield made
    target.close()


@pytest.fixture
def change(place: Place) -> Commit:
    return Commit(str(place.top), RootKeysOut(PATH, "alice", (ALICE,)), "carol")


def test_committed_in_the_operators_name_and_taken_back(place: Place, change: Commit) -> None:
    planned = place.check(change)
    assert f"-{LINES[2]}" in planned.preview
    assert "alice besides" in planned.note
    assert "alice@desk" in planned.note
    inverse = place.done(change)
    assert tuple(place.committed()) == KEPT
    assert place.git("log", "-1", "--format=%an %s") == "carol (carol) taking alice's key out of root's"
    assert place.git("status", "--porcelain") == ""
    assert place.do(inverse, place.check(inverse).before).status is Status.DONE
    assert tuple(place.committed()) == LINES
    assert place.git("log", "-1", "--format=%s") == "(carol) Revert: taking alice's key out of root's"


def test_others_changes_since_stay_when_it_is_taken_back(place: Place, change: Commit) -> None:
    inverse = place.done(change)
    place.write("# root's keys, all", *KEPT[1:])
    place.git("commit", "-qam", "words")
    assert place.do(inverse).status is Status.DONE
    assert place.committed() == ["# root's keys, all", *LINES[1:]]


def test_others_changes_to_the_same_lines_are_in_the_way(place: Place, change: Commit) -> None:
    inverse = place.done(change)
    place.write(KEPT[0], "ssh-ed25519 AAAAnew bob@new", *KEPT[3:])
    place.git("commit", "-qam", "new")
    found = place.check(inverse)
    assert found.status is Status.BLOCKED
    assert "by hand" in found.note
    with pytest.raises(CommandFailed, match="by hand"):
        place.do(inverse)


def test_what_others_put_right_behind_stays_when_it_is_taken_back(place: Place) -> None:
    """Looked at again, both changes are of the same place in the file."""
    change = Commit(str(place.top), AliasIn("aliases", "desk", ("a@b.org",), "T1"), "carol")
    (place.top / "aliases").write_text("noc: bob\n")
    place.git("add", "-A")
    place.git("commit", "-qm", "aliases")
    inverse = place.done(change)
    with (place.top / "aliases").open("a") as file:
        file.write("zoo: bob\n")
    place.git("commit", "-qam", "zoo")
    assert place.do(inverse).status is Status.DONE
    assert (place.top / "aliases").read_text() == "noc: bob\nzoo: bob\n"


def test_what_was_taken_back_by_hand_is_done(place: Place, change: Commit) -> None:
    inverse = place.done(change)
    for lines, status in ((KEPT[3:], Status.BLOCKED), ((LINES[2], *KEPT[3:]), Status.DONE)):
        place.write(KEPT[0], "ssh-ed25519 AAAAnew bob@new", *lines)
        place.git("commit", "-qam", "by hand")
        assert place.check(inverse).status is status


def test_what_somebody_is_editing_is_theirs(place: Place, change: Commit) -> None:
    place.write(*LINES, f"ssh-ed25519 {BOB}x dave@new")
    found = place.check(change)
    assert found.status is Status.BLOCKED
    assert f"somebody has edited {PATH}" in found.note
    with pytest.raises(CommandFailed, match="somebody has edited"):
        place.do(change)
    assert tuple(place.committed()) == LINES
    assert place.file.read_text().endswith("dave@new\n")


def test_others_files_are_not_swept_along(place: Place, change: Commit) -> None:
    (place.top / "other").write_text("2\n")
    place.git("add", "other")
    (place.top / "new").write_text("3\n")
    place.done(change)
    assert place.git("show", "--name-only", "--format=", "HEAD") == PATH
    assert place.git("status", "--porcelain").splitlines() == ["M  other", "?? new"]


def test_edited_and_not_committed_is_half_done(place: Place, change: Commit) -> None:
    place.write(*KEPT)
    found = place.check(change)
    assert (found.status, found.note) == (Status.TODO, "edited already, and not committed")
    assert place.do(change).status is Status.DONE
    assert tuple(place.committed()) == KEPT
    assert place.git("status", "--porcelain") == ""


def test_what_a_hook_refuses_leaves_nothing_behind(place: Place, change: Commit) -> None:
    hook = place.top / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho no commits today >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CommandFailed, match=r"^nothing was committed in \S+: no commits today$"):
        place.do(change)
    assert place.git("status", "--porcelain") == ""
    assert place.check(change).status is Status.TODO


COLLEAGUE = """#!/bin/sh
rm "$0"
git -c user.name=bob -c user.email=bob@h1 commit -qam own
"""


def test_what_a_colleague_has_committed_along_with_their_own_stays(place: Place, change: Commit) -> None:
    """Their ``commit -a`` comes right between our edit and our commit: git runs this hook when the edit is there."""
    hook = place.top / ".git/hooks/post-index-change"
    hook.write_text(COLLEAGUE)
    hook.chmod(0o755)
    (place.top / "other").write_text("2\n")
    told = r"^nothing was committed in \S+: bob has committed it meanwhile, in \w+: own$"
    with pytest.raises(CommandFailed, match=told):
        place.do(change)
    assert tuple(place.committed()) == KEPT
    assert place.git("status", "--porcelain") == "", "their line is not taken out of the file again"
    assert place.check(change).status is Status.DONE


@pytest.fixture
def meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have some shell run whenever git is called by what commits: ``$what`` is its words, ``$lock`` says that the index
    is taken, ``command git`` is the real one."""

    def stand(script: str) -> None:
        lock = f"{place.top}/.git/index.lock"
        around = f'git() {{ what=" $* " lock={lock}\n{script}\ncommand git "$@"; }}\n'
        monkeypatch.setattr(commits, "_COMMIT", around + commits._COMMIT)

    return stand


GONE_AFTERWARDS = 'command git "$@"; s=$?; rm -f "$lock"; return $s'


def test_another_git_that_is_at_work_for_a_moment_is_waited_for(
    place: Place, change: Commit, meanwhile: Callable[[str], None]
) -> None:
    meanwhile(f'case $what in *" apply "*) {GONE_AFTERWARDS};; esac')
    (place.top / ".git/index.lock").touch()
    place.done(change)
    assert place.git("status", "--porcelain") == ""


def test_what_cannot_be_committed_goes_although_another_git_is_at_work(
    place: Place, change: Commit, meanwhile: Callable[[str], None]
) -> None:
    meanwhile(
        'case $what in *" commit "*) touch "$lock"; echo no commits today >&2; return 1;;\n'
        f'*" --reverse "*) {GONE_AFTERWARDS};; esac'
    )
    with pytest.raises(CommandFailed, match=r"^nothing was committed in \S+: no commits today$"):
        place.do(change)
    assert place.git("status", "--porcelain") == ""
    assert place.check(change).status is Status.TODO


def merge_under_way(place: Place) -> None:
    place.git("checkout", "-qb", "side")
    (place.top / "elsewhere").touch()
    place.git("add", "elsewhere")
    place.git("commit", "-qm", "elsewhere")
    place.git("checkout", "-q", "-")
    place.git("merge", "--no-ff", "--no-commit", "side")


def detached(place: Place) -> None:
    place.git("checkout", "-q", "--detach")


def bisected(place: Place) -> None:
    place.git("bisect", "start")


def locked(place: Place) -> None:
    lock = place.top / ".git/index.lock"
    lock.touch()
    os.utime(lock, (0, 0))


HINDRANCES = {
    "a merge is under way": merge_under_way,
    "a bisection is under way": bisected,
    "is on no branch": detached,
    "is locked by another git": locked,
}


@pytest.mark.parametrize("what", HINDRANCES)
def test_where_nothing_can_be_committed_nothing_is_begun(place: Place, change: Commit, what: str) -> None:
    HINDRANCES[what](place)
    found = place.check(change)
    assert found.status is Status.BLOCKED
    assert what in found.note and str(place.top) in found.note
    with pytest.raises(CommandFailed, match=what):
        place.do(change)
    assert not place.git("diff", "--", PATH)


def test_nothing_of_theirs_in_there_is_done(place: Place) -> None:
    found = place.check(Commit(str(place.top), RootKeysOut(PATH, "zoe", ("AAAAzoe",)), "carol"))
    assert (found.status, found.note) == (Status.DONE, "")


def test_a_file_that_is_not_there_is_told(place: Place) -> None:
    found = place.check(Commit(str(place.top), RootKeysOut("no/such", "zoe", ("AAAAzoe",)), "carol"))
    assert found.status is Status.BLOCKED
    assert "no/such" in found.note


def test_looking_writes_nothing(place: Place, change: Commit) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.top.rglob("*")}
    os.utime(place.file)
    before[place.file] = place.file.stat().st_mtime_ns
    place.check(change)
    assert {path: path.stat().st_mtime_ns for path in place.top.rglob("*")} == before
