"""``@git``: the repository that decides what puppet does, as its remote has it. The remote is asked at every look."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from runbooks.errors import Busy, CommandFailed, RegistryError, Unreachable
from runbooks.model import Reader, Target, Writer
from runbooks.systems.forge import Branches, Forge, Review
from runbooks.systems.repository import NOBODY, CommitFiles, Repository
from runbooks.transport.quoting import command_line

__all__ = ["NOBODY", "CommitFiles", "Files", "GitReader", "GitTarget", "GitWriter", "Repository", "mark"]


class Files(Protocol):
    """The files of one commit."""

    def read(self, path: str) -> bytes:
        """A file's contents. Raises RegistryError where there is none."""
        ...

    def mentions(self, word: str) -> list[str]:
        """The paths of text files that hold a word, whole."""
        ...

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory; empty where there is none."""
        ...


class GitReader(Reader):
    """The repository as its remote has it at this moment; it can be read, and not written."""

    def __init__(self, repository: Repository, run_id: str) -> None:
        repository.refresh()
        self.run_id = run_id
        self.branch = repository.branch
        self.at = repository.at
        forge = forge_of(repository)
        self.proposal = forge.commit_of
        self.waits_for = forge.waits_for
        self.foreign = forge.foreign
        self.shown = forge.shown
        self.__forge = forge
        self.__repository = repository

    def refused(self, message: str) -> str:
        """Why this run's proposal with that message cannot be made; empty where it can."""
        return self.__forge.refused(self.run_id, message.partition("\n")[0])

    @property
    def main(self) -> str:
        """The commit that the branch is at. Raises Unreachable where the remote has no such branch."""
        commit = self.__repository.tip(self.branch)
        if not commit:
            raise Unreachable("@git", f"{self.__repository.url} has no branch {self.branch}")
        return commit

    def diff(self, files: Files, edits: Mapping[str, bytes | None]) -> tuple[str, ...]:
        """A unified diff of what edits would do, line by line; a moved or binary file is only named."""
        import difflib

        lines: list[str] = []
        for path, content in edits.items():
            if content is None:
                lines.append(f"deleted: {_shown(path)}")
                continue
            try:
                old, new = files.read(path).decode(), content.decode()
            except (RegistryError, UnicodeDecodeError):
                lines.append(f"new: {_shown(path)}")
                continue
            diff = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
            lines += diff
        return tuple(lines)

    def merge_base(self, commit: str) -> str:
        """Where a commit left the branch."""
        return self.__repository.git("merge-base", commit, self.main).decode().strip()

    def changed(self, commit: str, since: str = "") -> list[str]:
        """The paths that a commit changed, compared with its parent or with an earlier commit."""
        argv = (
            "diff-tree",
            "-r",
            "-z",
            "--no-commit-id",
            "--name-only",
            "--no-renames",
            *filter(None, [since]),
            commit,
        )
        return [path for path in os.fsdecode(self.__repository.git(*argv)).split("\0") if path]

    def message(self, commit: str) -> str:
        """A commit's message."""
        return self.__repository.git("log", "-1", "--format=%B", commit).decode("utf-8", "replace")

    def past(self, path: str, heading: str) -> Iterator[str]:
        """What the branch's commits did to a file, newest first: the lines of unified diffs without context, each hunk
        headed with what ``heading``, a regular expression, has in parentheses on the last line before it. Raises
        CommandFailed."""
        with tempfile.NamedTemporaryFile("w", suffix=".attributes") as attributes:
            attributes.write("* diff=headed\n")
            attributes.flush()
            told = self.__repository.git(
                "-c",
                f"core.attributesFile={attributes.name}",
                "-c",
                f"diff.headed.xfuncname={heading}",
                "log",
                "--first-parent",
                "-m",
                "-p",
                "-U0",
                "--format=",
                "--no-ext-diff",
                "--no-textconv",
                "--no-color",
                self.main,
                "--",
                path,
            )
        yield from told.decode("utf-8", "replace").splitlines()

    def commit_of(self, mark: str, since: str) -> str:
        """The newest commit on the branch after ``since`` (empty: of all) whose message holds a mark; empty where there
        is none."""
        commits = f"{since}..{self.main}" if since else self.main
        argv = ("log", "--format=%H", "-F", f"--grep={mark}", "-n", "1", commits)
        return self.__repository.git(*argv).decode().strip()


class GitWriter(Writer):
    """Makes commits and pushes them; every push names the commit that it expects to find."""

    def __init__(self, repository: Repository, run_id: str, lock: int) -> None:
        self.run_id = run_id
        self.transcript = []
        self.reader = GitReader(repository, run_id)
        self._repository = repository
        self._forge = forge_of(repository)
        self._lock = lock

    def commit(self, parent: str, edits: Mapping[str, bytes | None], message: str) -> str:
        """A commit in our copy; nothing is pushed yet."""
        trailer = self._forge.trailer(self.run_id, message.partition("\n")[0])
        return self._repository.commit(parent, edits, f"{message}\n\n{mark(self.run_id)}{trailer}\n")

    def propose(self, topic: str, was: str, commit: str) -> None:
        """Propose a commit in place of another (empty: of none). Raises CommandFailed."""
        self._forge.propose(self.push, topic, was, commit)

    def withdraw(self, topic: str, was: str) -> None:
        """Take a proposal back. Raises CommandFailed."""
        self._forge.withdraw(self.push, topic, was)

    def land(self, topic: str, was: str, main: str, commit: str) -> None:
        """Have the main branch be at a commit instead of at ``main``, and the proposal gone. Raises CommandFailed, and
        Waiting where people have to review it first."""
        self._forge.land(self.push, topic, was, main, commit)

    def push(self, words: Sequence[str]) -> None:
        """``git push`` with these words. Raises CommandFailed."""
        argv = ("push", "--quiet", *words)
        started = time.monotonic()
        entry = {"command": command_line(["git", *argv]), "status": None, "seconds": 0.0, "output": ""}
        self.transcript.append(entry)
        try:
            self._repository.git(*argv, keep=self._lock)
            entry["status"] = 0
        except CommandFailed as error:
            entry["output"] = str(error)
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - started, 3)

    def look_again(self) -> None:
        """Fetch: the remote was not as expected. Raises Unreachable."""
        self._repository.refresh()


def _shown(path: str) -> str:
    """A path for people: bytes that are no UTF-8 cannot be printed."""
    return os.fsencode(path).decode("utf-8", "replace")


def forge_of(repository: Repository) -> Forge:
    """Where its proposals are kept."""
    return Review(repository, repository.gerrit) if repository.gerrit else Branches(repository)


def mark(run_id: str) -> str:
    """The line by which a run's commit is found again."""
    return f"Run: {run_id}"


@dataclass
class GitTarget(Target):
    """``@git``. Its lock is on our copy's directory; git inherits it, so a push whose client was killed holds it."""

    repository: Repository
    name: str = field(default="@git", init=False)

    def reader(self, run_id: str = "") -> GitReader:
        """The remote as it is now. Raises Unreachable."""
        return GitReader(self.repository, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[GitWriter]:  # noqa: ARG002
        """A writer under the copy's lock; no epoch is needed, as each push names what it expects to find. Raises
        Unreachable, Busy."""
        self.repository.prepare()
        with self._locked(max(wait_s, 5.0)) as lock:
            yield GitWriter(self.repository, run_id, lock)

    @contextmanager
    def _locked(self, wait_s: float) -> Iterator[int]:
        descriptor = os.open(self.repository.cache, os.O_RDONLY | os.O_DIRECTORY)
        deadline = time.monotonic() + wait_s
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise Busy("@git: an earlier push still runs: wait for it, then `inv resume`") from error
                    time.sleep(0.1)
            yield descriptor
        finally:
            os.close(descriptor)

    def settle(self, wait_s: float) -> None:
        """Wait for a push that still runs. Raises Busy."""
        if self.repository.cache.is_dir():
            with self._locked(wait_s):
                pass

    def close(self) -> None:
        """Nothing is held open."""
