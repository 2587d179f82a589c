"""A repository that decides what puppet does: propose a patch on a branch, unmerged; merge it; revert it.

It is worked on in a bare copy of our own, with git's plumbing: no work tree, no hooks, and nothing but the files that
a patch names. The remote is asked at every look. Sources: git-commit-tree(1), git-merge-file(1), git-push(1).
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runbooks.errors import Busy, CommandFailed, RegistryError, Unreachable
from runbooks.model import Change, Facts, Finding, Reader, Target, Writer, blocked, done, later, todo
from runbooks.transport.shell import command_line

NOBODY = "0" * 40
_TIMEOUT_S = 120
_GUESSES = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)


class Patch(Protocol):
    """What is to be changed in the repository, said by its meaning: it can be made again on a newer commit."""

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    @property
    def message(self) -> str:
        """The commit message: the title, and what goes with it."""
        ...

    def edit(self, files: Files) -> Mapping[str, bytes | None]:
        """The files that it changes, with their new contents (None: deleted). Raises RegistryError where it does not
        apply."""
        ...

    def applied(self, files: Files) -> bool:
        """Whether its intent holds."""
        ...

    def taken_back(self, files: Files) -> bool:
        """Whether what was before holds."""
        ...


class Files(Protocol):
    """The files of one commit."""

    def read(self, path: str) -> bytes:
        """A file's contents. Raises RegistryError where there is none."""
        ...

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory; empty where there is none."""
        ...


@dataclass(frozen=True)
class Repository:
    """Where the repository is, and how to reach it. ``cache`` is the bare copy, made when first needed; ``ssh`` is the
    command that git uses to log in, with the same ssh_config as everything else."""

    url: str
    branch: str
    cache: Path
    ssh: tuple[str, ...] = ("ssh", "-o", "BatchMode=yes")
    author: str = "ops-clinic"

    def git(
        self, *argv: str, feed: bytes = b"", env: Mapping[str, str] | None = None, keep: int | None = None
    ) -> bytes:
        """Run git in the copy; what it printed. Raises CommandFailed with git's own last words.

        ``keep`` is a descriptor that the child inherits: the lock, which so lasts as long as a push does, even if we
        are killed.
        """
        try:
            ended = subprocess.run(
                ["git", "-C", str(self.cache), *argv],
                input=feed,
                capture_output=True,
                timeout=_TIMEOUT_S,
                env=self._environment() | dict(env or {}),
                pass_fds=() if keep is None else (keep,),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"git {argv[0]}: no answer from {self.url} within {_TIMEOUT_S} s") from error
        if ended.returncode:
            raise CommandFailed(f"git {argv[0]} ({self.url}): {_said(ended.stderr) or ended.returncode}")
        return ended.stdout

    def _environment(self) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in self._person()}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        return (
            kept
            | who
            | {
                "GIT_SSH_COMMAND": command_line(self.ssh),
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
                "GIT_CONFIG_NOSYSTEM": "1",
            }
        )

    def _person(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return ("NAME", self.author), ("EMAIL", f"{self.author}@{os.uname().nodename}")

    def prepare(self) -> None:
        """Make the copy, empty, if there is none. Raises Unreachable."""
        try:
            if not (self.cache / "HEAD").exists():
                self.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.git("init", "--quiet", "--bare", ".")
        except (CommandFailed, OSError) as error:
            raise Unreachable("@git", f"cannot keep a copy of the repository: {error}") from error

    def refresh(self) -> None:
        """Fetch the branches. Raises Unreachable."""
        self.prepare()
        try:
            refspec = "+refs/heads/*:refs/remotes/origin/*"
            self.git("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", self.url, refspec)
        except CommandFailed as error:
            raise Unreachable("@git", str(error)) from error

    def tip(self, branch: str) -> str:
        """The commit a branch was at when last fetched; empty where there is none."""
        line = self.git("for-each-ref", "--format=%(objectname)", f"refs/remotes/origin/{branch}").decode().split()
        return line[0] if line else ""

    def at(self, commit: str) -> CommitFiles:
        """The files of a commit."""
        return CommitFiles(self, commit)

    def commit(self, parent: str, edits: Mapping[str, bytes | None], message: str) -> str:
        """A commit on top of another with some files changed. Raises CommandFailed."""
        with tempfile.TemporaryDirectory() as place:
            env = {"GIT_INDEX_FILE": f"{place}/index"}
            self.git("read-tree", parent, env=env)
            lines = []
            for path, content in edits.items():
                if content is None:
                    lines.append(f"0 {NOBODY}\t{path}")
                else:
                    blob = self.git("hash-object", "-w", "--stdin", feed=content).decode().strip()
                    lines.append(f"{self._mode(parent, path)} {blob}\t{path}")
            self.git("update-index", "-z", "--index-info", env=env, feed="\0".join([*lines, ""]).encode())
            tree = self.git("write-tree", env=env).decode().strip()
        return self.git("commit-tree", tree, "-p", parent, feed=message.encode()).decode().strip()

    def _mode(self, commit: str, path: str) -> str:
        entry = self.git("ls-tree", commit, "--", path).decode().split()
        return entry[0] if entry else "100644"

    def tree(self, commit: str) -> str:
        """A commit's tree."""
        return self.git("rev-parse", f"{commit}^{{tree}}").decode().strip()


def _said(stderr: bytes) -> str:
    """What git and ssh said, on one line, without git's guess at the reason when ssh gave the reason itself."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    told = [line for line in lines if line not in _GUESSES]
    return "; ".join(line.removeprefix("fatal: ").removeprefix("remote: ") for line in (told or lines))[:500]


@dataclass(frozen=True)
class CommitFiles:
    """The files of one commit (``Files``)."""

    repository: Repository
    commit: str

    def read(self, path: str) -> bytes:
        """A file's contents. Raises RegistryError."""
        try:
            return self.repository.git("cat-file", "blob", f"{self.commit}:{path}")
        except CommandFailed as error:
            raise RegistryError(f"{path} is not in the repository at {self.commit[:12]}") from error

    def get(self, path: str) -> bytes | None:
        """A file's contents, None where there is none."""
        try:
            return self.read(path)
        except RegistryError:
            return None

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory."""
        listed = self.repository.git("ls-tree", "-r", "-z", "--name-only", self.commit, "--", directory + "/")
        return [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]


class GitReader(Reader):
    """The repository as its remote has it at this moment; it can be read, and not written."""

    def __init__(self, repository: Repository, run_id: str) -> None:
        repository.refresh()
        self.run_id = run_id
        self.branch = repository.branch
        self.tip = repository.tip
        self.at = repository.at
        self.tree: Callable[[str], str] = repository.tree
        self.__repository = repository

    @property
    def main(self) -> str:
        """The commit that the branch is at. Raises Unreachable where the remote has no such branch."""
        commit = self.tip(self.branch)
        if not commit:
            raise Unreachable("@git", f"{self.__repository.url} has no branch {self.branch}")
        return commit

    def diff(self, files: Files, edits: Mapping[str, bytes | None]) -> tuple[str, ...]:
        """A unified diff of what edits would do, line by line; a moved or binary file is only named."""
        import difflib

        lines: list[str] = []
        for path, content in edits.items():
            if content is None:
                lines.append(f"deleted: {path}")
                continue
            try:
                old, new = files.read(path).decode(), content.decode()
            except (RegistryError, UnicodeDecodeError):
                lines.append(f"new: {path}")
                continue
            diff = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
            lines += diff
        return tuple(lines)

    def merge_base(self, commit: str) -> str:
        """Where a commit left the branch."""
        return self.__repository.git("merge-base", commit, self.main).decode().strip()

    def changed(self, commit: str) -> list[str]:
        """The paths that a commit changed."""
        argv = ("diff-tree", "-r", "-z", "--no-commit-id", "--name-only", "--no-renames", commit)
        return [path for path in self.__repository.git(*argv).decode().split("\0") if path]

    def commit_of(self, mark: str, since: str) -> str:
        """The newest commit on the branch after ``since`` whose message holds a mark; empty where there is none."""
        argv = ("log", "--format=%H", "-F", f"--grep={mark}", "-n", "1", f"{since}..{self.main}")
        return self.__repository.git(*argv).decode().strip()


class GitWriter(Writer):
    """Makes commits and pushes them; every push names the commit that it expects to find."""

    def __init__(self, repository: Repository, run_id: str, lock: int) -> None:
        self.run_id = run_id
        self.transcript = []
        self.reader = GitReader(repository, run_id)
        self._repository = repository
        self._lock = lock

    def commit(self, parent: str, edits: Mapping[str, bytes | None], message: str) -> str:
        """A commit in our copy; nothing is pushed yet."""
        return self._repository.commit(parent, edits, f"{message}\n\n{mark(self.run_id)}\n")

    def push(self, moves: Mapping[str, tuple[str, str]]) -> None:
        """Move branches in one go, each from a commit to another (NOBODY: it is not there). Raises CommandFailed, with
        nothing pushed, where one of them is not where it was expected."""
        leases = [f"--force-with-lease=refs/heads/{name}:{was}" for name, (was, _) in moves.items()]
        specs = [f"{'' if to == NOBODY else to}:refs/heads/{name}" for name, (_, to) in moves.items()]
        argv = ("push", "--quiet", "--atomic", *leases, self._repository.url, *specs)
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

    def merge_file(self, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
        """A three-way merge of one file; None on a conflict."""
        with tempfile.TemporaryDirectory() as place:
            paths = [Path(place) / name for name in ("ours", "base", "theirs")]
            for path, content in zip(paths, (ours, base, theirs), strict=True):
                path.write_bytes(content)
            try:
                return self._repository.git("merge-file", "-p", *(str(path) for path in paths))
            except CommandFailed:
                return None


def mark(run_id: str) -> str:
    """The line by which a run's commit is found again."""
    return f"Run: {run_id}"


@dataclass
class GitTarget(Target):
    """``@git``. Its lock is on our copy's directory; git inherits it, so a push whose client was killed holds it."""

    repository: Repository
    name: str = field(default="@git", init=False)

    @contextmanager
    def reader(self, run_id: str = "") -> Iterator[GitReader]:
        """The remote as it is now. Raises Unreachable."""
        yield GitReader(self.repository, run_id)

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


@dataclass(frozen=True)
class Propose(Change[GitReader, GitWriter]):
    """Put a patch on a branch of its own, unmerged, made so that it merges."""

    patch: Patch
    branch: str

    def check(self, reader: GitReader) -> Finding:
        """Done when the branch holds this patch on top of the newest commit, or it is merged already."""
        main, files = reader.main, reader.at(reader.main)
        if self.patch.applied(files):
            return done("merged already")
        try:
            edits = self.patch.edit(files)
        except RegistryError as error:
            return blocked(str(error))
        preview = reader.diff(files, edits)
        tip = reader.tip(self.branch)
        if tip and not self._is_ours(reader, tip):
            return blocked(f"branch {self.branch} is there and holds something else: look, and delete it")
        if tip and self._matches(reader, tip, main, edits):
            return done(f"on branch {self.branch}", base=main)
        return todo(*preview, before={"main": main}, facts={"base": main})

    def _is_ours(self, reader: GitReader, tip: str) -> bool:
        return self.patch.applied(reader.at(tip))

    def _matches(self, reader: GitReader, tip: str, main: str, edits: Mapping[str, bytes | None]) -> bool:
        files = reader.at(tip)
        if reader.merge_base(tip) != main:
            return False
        return all(files.get(path) == content for path, content in edits.items())

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Commit and push the branch. Raises CommandFailed."""
        reader = writer.reader
        main = reader.main
        commit = writer.commit(main, self.patch.edit(reader.at(main)), self.patch.message)
        writer.push({self.branch: (reader.tip(self.branch) or NOBODY, commit)})

    def inverse(self, before: Facts) -> Withdraw:  # noqa: ARG002
        """The branch goes."""
        return Withdraw(self.patch, self.branch)


@dataclass(frozen=True)
class Withdraw(Change[GitReader, GitWriter]):
    """Delete a proposal's branch, if it still holds that proposal."""

    patch: Patch
    branch: str

    def check(self, reader: GitReader) -> Finding:
        """Done when there is no such branch."""
        tip = reader.tip(self.branch)
        if not tip:
            return done()
        if not self.patch.applied(reader.at(tip)):
            return blocked(f"branch {self.branch} holds something else by now: look, and delete it")
        return todo(f"$ git push --delete origin {self.branch}")

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Delete it. Raises CommandFailed."""
        if tip := writer.reader.tip(self.branch):
            writer.push({self.branch: (tip, NOBODY)})


@dataclass(frozen=True)
class Merge(Change[GitReader, GitWriter]):
    """Merge a proposal, fast-forward only. Where the branch has moved on meanwhile, the patch is made again on top of
    what is there now, checked again, and refused if it no longer applies."""

    patch: Patch
    branch: str

    def check(self, reader: GitReader) -> Finding:
        """Done when the main branch says what the patch means; later without a proposal."""
        preview = f"$ git push origin {self.branch}:{reader.branch}    # fast-forward"
        if self.patch.applied(reader.at(reader.main)):
            return done(f"merged: {reader.branch} is at {reader.main[:12]}")
        if not reader.tip(self.branch):
            return later(preview)
        return todo(preview, before={"main": reader.main})

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Move the main branch onto the proposal, and the proposal's branch away, in one push. Raises CommandFailed."""
        for attempt in range(3):
            reader = writer.reader
            main, proposal = reader.main, reader.tip(self.branch)
            files = reader.at(main)
            if self.patch.applied(files):
                return
            commit = proposal
            if not proposal or reader.merge_base(proposal) != main:
                commit = writer.commit(main, self._again(files), self.patch.message)
            try:
                writer.push({reader.branch: (main, commit), self.branch: (proposal or NOBODY, NOBODY)})
                return
            except CommandFailed:
                writer.look_again()
                if attempt == 2 or writer.reader.main == main:
                    raise

    def _again(self, files: Files) -> Mapping[str, bytes | None]:
        try:
            return self.patch.edit(files)
        except RegistryError as error:
            raise CommandFailed(f"the branch has moved on, and the patch no longer applies: {error}") from error

    def inverse(self, before: Facts) -> Revert:
        """A commit that takes it back."""
        return Revert(self.patch, str(before.get("main", "")))


@dataclass(frozen=True)
class Revert(Change[GitReader, GitWriter]):
    """Take a merged patch back by a commit of its own; other people's later changes stay. ``since`` is where the
    main branch was before the merge."""

    patch: Patch
    since: str

    def check(self, reader: GitReader) -> Finding:
        """Done when the main branch says what was before; blocked when neither that nor the patch holds."""
        files = reader.at(reader.main)
        if self.patch.taken_back(files):
            return done(f"{reader.branch} is at {reader.main[:12]}")
        if not self.patch.applied(files):
            return blocked("somebody has changed these entries since: take the change back by hand")
        commit = reader.commit_of(mark(reader.run_id), self.since)
        if not commit:
            return blocked(f"no commit of run {reader.run_id} on {reader.branch}: take the change back by hand")
        return todo(f"$ git revert {commit}", before={"commit": commit})

    def do(self, writer: GitWriter, before: Facts) -> None:
        """Commit the revert and push it. Raises CommandFailed on a conflict with later changes."""
        reader = writer.reader
        if self.patch.taken_back(reader.at(reader.main)):
            return
        commit, main = str(before["commit"]), reader.main
        edits: dict[str, bytes | None] = {}
        now, merged, earlier = reader.at(main), reader.at(commit), reader.at(f"{commit}^")
        for path in reader.changed(commit):
            edits[path] = self._reverted(writer, path, now, merged, earlier)
        title = f"Revert: {self.patch.title}"
        new = writer.commit(main, edits, f"{title}\n\nThis reverts commit {commit}.")
        writer.push({reader.branch: (main, new)})

    @staticmethod
    def _reverted(writer: GitWriter, path: str, *commits: CommitFiles) -> bytes | None:
        current, ours, before = (files.get(path) for files in commits)
        if current == ours:
            return before
        if current is None or ours is None or before is None:
            raise CommandFailed(f"{path} was changed since: take the change back by hand")
        merge = writer.merge_file(current, ours, before)
        if merge is None:
            raise CommandFailed(f"{path}: later changes touch the same lines: take the change back by hand")
        return merge
