"""A repository, worked on in a bare copy of our own with git's plumbing: no work tree, no hooks, and nothing but the
files that an edit names. Sources: git-commit-tree(1), git-update-index(1), git-ls-tree(1).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runbooks.errors import CommandFailed, RegistryError, Unreachable
from runbooks.systems.gerrit import Gerrit
from runbooks.transport.quoting import command_line

NOBODY = "0" * 40
_GUESSES = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
_TIMEOUT_S = 120
_PLAIN = "100644"


class Blob(bytes):
    """A file's contents, with the mode that it has in its commit: put elsewhere, it stays executable, or a link."""

    mode: str = ""


@dataclass(frozen=True)
class Repository:
    """Where the repository is, and how to reach it; where a ``gerrit`` stands in front of it, proposals are changes
    there. ``cache`` is the bare copy, made when first needed; ``ssh`` is the command that git uses to log in, with the
    same ssh_config as everything else."""

    url: str
    branch: str
    cache: Path
    ssh: tuple[str, ...] = ("ssh", "-o", "BatchMode=yes")
    author: str = "ops-clinic"
    gerrit: Gerrit | None = None

    def git(
        self,
        *argv: str,
        feed: bytes = b"",
        env: Mapping[str, str] | None = None,
        keep: int | None = None,
        ok: tuple[int, ...] = (0,),
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
        if ended.returncode not in ok:
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
                self._make_copy()
        except (CommandFailed, OSError) as error:
            raise Unreachable("@git", f"cannot keep a copy of the repository: {error}") from error

    def _make_copy(self) -> None:
        """Made beside, and moved into place: somebody else may be doing the same."""
        self.cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = Path(tempfile.mkdtemp(dir=self.cache.parent, prefix=".new-"))
        try:
            replace(self, cache=fresh).git("init", "--quiet", "--bare", ".")
            fresh.rename(self.cache)
        except OSError:
            if not (self.cache / "HEAD").exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def refresh(self) -> None:
        """Fetch the branches. Raises Unreachable."""
        self.prepare()
        try:
            with (self.cache / "ops-clinic.fetch").open("w") as lock:
                # One fetch at a time: two would stumble over each other's refs. Git's own timeout bounds the wait.
                fcntl.flock(lock, fcntl.LOCK_EX)
                refspec = "+refs/heads/*:refs/remotes/origin/*"
                self.git("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", self.url, refspec)
        except (CommandFailed, OSError) as error:
            raise Unreachable("@git", str(error)) from error

    def fetch(self, ref: str) -> None:
        """Fetch one ref besides the branches. Raises Unreachable."""
        try:
            self.git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.url, ref)
        except CommandFailed as error:
            raise Unreachable("@git", str(error)) from error

    def tip(self, branch: str) -> str:
        """The commit a branch was at when last fetched; empty where there is none."""
        ref = f"refs/remotes/origin/{branch}"
        # The pattern also takes what lies below the name.
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)", ref).decode().splitlines()
        return next((line.split(" ")[0] for line in lines if line.split(" ", 1)[1] == ref), "")

    def at(self, commit: str) -> CommitFiles:
        """The files of a commit."""
        return CommitFiles(self, commit)

    def commit(self, parent: str, edits: Mapping[str, bytes | None], message: str) -> str:
        """A commit on top of another with some files changed (None: deleted). A Blob keeps its mode, other contents
        take that of the file they replace. Raises CommandFailed."""
        with tempfile.TemporaryDirectory() as place:
            env = {"GIT_INDEX_FILE": f"{place}/index"}
            self.git("read-tree", parent, env=env)
            lines = []
            for path, content in edits.items():
                if content is None:
                    lines.append(f"0 {NOBODY}\t{path}")
                else:
                    blob = self.git("hash-object", "-w", "--stdin", feed=content).decode().strip()
                    mode = content.mode if isinstance(content, Blob) else self._mode(parent, path)
                    lines.append(f"{mode} {blob}\t{path}")
            feed = os.fsencode("\0".join([*lines, ""]))
            self.git("update-index", "-z", "--index-info", env=env, feed=feed)
            tree = self.git("write-tree", env=env).decode().strip()
        return self.git("commit-tree", tree, "-p", parent, feed=message.encode()).decode().strip()

    def _mode(self, commit: str, path: str) -> str:
        entry = self.git("ls-tree", commit, "--", path).decode("utf-8", "replace").split()
        return entry[0] if entry else _PLAIN


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

    def read(self, path: str) -> Blob:
        """A file's contents. Raises RegistryError."""
        entry = self.repository.git("ls-tree", "-z", self.commit, "--", path).split()
        if len(entry) < 3 or entry[1] != b"blob":
            raise RegistryError(f"{path} is not in the repository at {self.commit[:12]}")
        blob = Blob(self.repository.git("cat-file", "blob", entry[2].decode()))
        blob.mode = entry[0].decode()
        return blob

    def get(self, path: str) -> Blob | None:
        """A file's contents, None where there is none."""
        try:
            return self.read(path)
        except RegistryError:
            return None

    def mentions(self, word: str) -> list[str]:
        """The paths of text files that hold a word, whole."""
        # git grep returns 1 where there is none; it names each path behind the commit.
        found = self.repository.git("grep", "-l", "-z", "-I", "-w", "-F", "-e", word, self.commit, ok=(0, 1))
        names = found.decode("utf-8", "surrogateescape").split("\0")
        return [name.partition(":")[2] for name in names if name]

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory."""
        listed = self.repository.git("ls-tree", "-r", "-z", "--name-only", self.commit, "--", directory + "/")
        return [path for path in os.fsdecode(listed).split("\0") if path]
