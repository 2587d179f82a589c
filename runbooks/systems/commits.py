"""Commits in a repository that is edited where it lies, on a host, as root: puppet's private one is.

What is committed counts; what somebody has edited there and not committed is theirs, and is never swept along. Hooks
run, as they do for a commit by hand. Sources: git-apply(1), git-commit(1).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from runbooks.errors import CommandFailed, RegistryError
from runbooks.model import Change, Facts, Finding, blocked, done, todo
from runbooks.registry.textdiff import unified
from runbooks.systems import reads
from runbooks.systems.git import mark
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.merging import merged

# All or nothing: what cannot be committed does not stay behind as somebody's half-done edit. What a colleague's
# `commit -a` has taken along in between is theirs, and stays. It passes through the files, not through an index of our
# own, as hooks look at the files: some judge what lies there, and some bring it to where it is used. The index that
# another git has for a moment is waited for; what a hook leaves running may keep its output open: that goes to a file.
_COMMIT = """cd -- "$1" || exit 1; name=$2 email=$3 message=$4; shift 4
patch=$(mktemp) && said=$(mktemp) && trap 'rm -f -- "$patch" "$said"' EXIT && cat >"$patch" || exit 1
try() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        "$@" >"$said" 2>&1 && cat -- "$said" && return
        grep -qF index.lock -- "$said" || break
        sleep 1
    done
    cat -- "$said" >&2
    return 1
}
[ ! -s "$patch" ] || try git apply --index --whitespace=nowarn -- "$patch" || exit 1
try git -c "user.name=$name" -c "user.email=$email" commit -q -m "$message" -- "$@" && exit
if git diff --quiet HEAD -- "$@"; then
    git log -1 --format='%an has committed it meanwhile, in %h: %s' -- "$@" >&2
    exit 1
fi
[ ! -s "$patch" ] || try git apply --index --reverse --whitespace=nowarn -- "$patch"
exit 1
"""


_UNDER_WAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisection",
}


@dataclass(frozen=True)
class HeadFiles:
    """The files of a commit in a checkout on a host."""

    asker: HostReader | HostWriter
    checkout: str
    commit: str

    def read(self, path: str) -> bytes:
        """A file's contents. Raises CommandFailed where there is none."""
        return self.asker.ask(reads.checkout_blob(self.checkout, self.commit, path))


class FilePatch(Protocol):
    """What is to be changed, said by its meaning: it can be made again on a newer commit."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it may change."""
        ...

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    def edit(self, files: HeadFiles) -> Mapping[str, bytes]:
        """The new contents of its files. Raises RegistryError, CommandFailed where it does not apply."""
        ...

    def remarks(self, files: HeadFiles) -> str:
        """What the operator should know besides."""
        ...


class _Edited(Change[HostReader, HostWriter]):
    """Some files of the checkout are, in its newest commit, as they should be."""

    checkout: str
    patch: FilePatch
    operator: str

    @abstractmethod
    def _wanted(self, asker: HostReader | HostWriter, head: str) -> Mapping[str, bytes]:
        """Their contents. Raises RegistryError, CommandFailed where that cannot be said."""

    @abstractmethod
    def _message(self, run_id: str) -> str:
        """The commit message."""

    def _note(self, files: HeadFiles) -> str:  # noqa: ARG002 - for one of the two
        return ""

    def check(self, reader: HostReader) -> Finding:
        """Done where the newest commit has them; blocked where somebody is editing one of them."""
        head = reader.ask(reads.checkout_commit(self.checkout))
        try:
            wanted = self._wanted(reader, head)
            diff = self._diff(reader, head, wanted)
        except (RegistryError, CommandFailed) as error:
            return blocked(str(error))
        note = self._note(HeadFiles(reader, self.checkout, head))
        if not diff:
            return done(note)
        half_done = self._is_half_done(reader, wanted)
        if half_done is None:
            return blocked(f"{self._theirs(reader)}: commit it or take it back, then try again")
        if hindrance := self._hindrance(reader):
            return blocked(hindrance)
        lines = diff.splitlines()
        changed = [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]
        return todo(*lines, note="edited already, and not committed" if half_done else note,
                    before={"head": head}, facts={"changed": changed})  # fmt: skip

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Edit and commit, or commit what was edited. Raises CommandFailed, RegistryError."""
        head = writer.ask(reads.checkout_commit(self.checkout))
        wanted = self._wanted(writer, head)
        diff = self._diff(writer, head, wanted)
        half_done = self._is_half_done(writer, wanted)
        if half_done is None:
            raise CommandFailed(self._theirs(writer))
        if hindrance := self._hindrance(writer):
            raise CommandFailed(hindrance)
        email = f"{self.operator}@{writer.host}"
        words = (self.checkout, self.operator, email, self._message(writer.run_id), *self.patch.paths)
        feed = b"" if half_done else diff.encode("utf-8", "surrogateescape")
        try:
            writer.run("sh", "-c", _COMMIT, "sh", *words, feed=feed)
        except CommandFailed as error:
            # The whole script would be told, and what git says of it far behind.
            why = str(error).rpartition(" returned ")[2].partition(": ")[2]
            raise CommandFailed(f"nothing was committed in {self.checkout}: {why}") from error

    def _diff(self, asker: HostReader | HostWriter, head: str, wanted: Mapping[str, bytes]) -> str:
        """What leads from the newest commit there, as ``git apply`` takes it; empty where nothing does."""
        files = HeadFiles(asker, self.checkout, head)
        return "".join(unified(_text(files.read(path)), _text(content), path) for path, content in wanted.items())

    def _is_half_done(self, asker: HostReader | HostWriter, wanted: Mapping[str, bytes]) -> bool | None:
        """Whether the files lie there as wanted already, uncommitted; None where they are being edited otherwise."""
        if not asker.ask(reads.checkout_edited(self.checkout, self.patch.paths)):
            return False
        there = {path: asker.ask(reads.checkout_file(self.checkout, path)) for path in wanted}
        return True if there == dict(wanted) else None

    def _hindrance(self, asker: HostReader | HostWriter) -> str:
        match asker.ask(reads.checkout_hindrance(self.checkout)):
            case "":
                return ""
            case "HEAD":
                return (
                    f"{self.checkout} is on no branch, and a commit there would be on none: check the branch out first"
                )
            case "index.lock":
                return f"{self.checkout} is locked by another git, for more than a minute: see its index.lock"
            case name:
                return f"{_UNDER_WAY[name]} is under way in {self.checkout}: whoever began it has to end it first"

    def _theirs(self, asker: HostReader | HostWriter) -> str:
        edited = asker.ask(reads.checkout_edited(self.checkout, self.patch.paths))
        return f"somebody has edited {', '.join(edited)} in {self.checkout} and not committed it"


@dataclass(frozen=True)
class Commit(_Edited):
    """A patch is committed in a checkout on a host, in the operator's name."""

    checkout: str
    patch: FilePatch
    operator: str

    def _wanted(self, asker: HostReader | HostWriter, head: str) -> Mapping[str, bytes]:
        return self.patch.edit(HeadFiles(asker, self.checkout, head))

    def _note(self, files: HeadFiles) -> str:
        return self.patch.remarks(files)

    def _message(self, run_id: str) -> str:
        return f"({self.operator}) {self.patch.title}\n\n{mark(run_id)}"

    def inverse(self, before: Facts) -> CommitBack:
        """A commit that takes it back."""
        return CommitBack(self.checkout, self.patch, self.operator, str(before.get("head", "")))


@dataclass(frozen=True)
class CommitBack(_Edited):
    """This run's commit is taken back by another; what others have changed since stays. ``since`` is where the
    checkout was before."""

    checkout: str
    patch: FilePatch
    operator: str
    since: str

    def _wanted(self, asker: HostReader | HostWriter, head: str) -> Mapping[str, bytes]:
        commit = asker.ask(reads.checkout_marked(self.checkout, mark(asker.run_id), self.since))
        if not commit:
            return {}
        return {path: self._back(asker, path, head, commit) for path in self.patch.paths}

    def _back(self, asker: HostReader | HostWriter, path: str, head: str, commit: str) -> bytes:
        now, ours, before = (HeadFiles(asker, self.checkout, at).read(path) for at in (head, commit, f"{commit}^"))
        found = merged(now, ours, before)
        if found is None and self._is_gone(asker, path, head, now):
            # Taken back already, by us or by hand; what others have put there since is theirs.
            return now
        if found is None:
            raise CommandFailed(f"{path}: later changes touch the same lines: take the change back by hand")
        return found

    def _is_gone(self, asker: HostReader | HostWriter, path: str, head: str, now: bytes) -> bool:
        """Whether the patch would have something to change again."""
        try:
            return self.patch.edit(HeadFiles(asker, self.checkout, head)).get(path, now) != now
        except RegistryError:
            return False

    def _message(self, run_id: str) -> str:  # noqa: ARG002 - its own mark would make it look like the commit itself
        return f"({self.operator}) Revert: {self.patch.title}"


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
