"""Where proposals are kept until they are merged: on branches of their own, or as changes under review in Gerrit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Protocol

from runbooks.errors import CommandFailed, Waiting
from runbooks.systems.gerrit import Gerrit
from runbooks.systems.repository import NOBODY, Repository

Push = Callable[[Sequence[str]], None]
"""Pushes with these words behind ``git push``. Raises CommandFailed."""


class Forge(Protocol):
    """What is done with proposals. A topic names one; all of it raises CommandFailed and Unreachable."""

    def commit_of(self, topic: str) -> str:
        """The commit that is proposed; empty where none is."""
        ...

    def waits_for(self, topic: str) -> str:
        """What has to happen before it can be merged; empty where nothing has."""
        ...

    def trailer(self, run_id: str, title: str) -> str:
        """What a proposed commit's message ends with."""
        ...

    def propose(self, push: Push, topic: str, was: str, commit: str) -> None:
        """Propose a commit in place of another (empty: of none)."""
        ...

    def withdraw(self, push: Push, topic: str, was: str) -> None:
        """Take a proposal back."""
        ...

    def land(self, push: Push, topic: str, was: str, main: str, commit: str) -> None:
        """Have the main branch, which is at ``main``, be at a commit, and the proposal gone. Raises Waiting, too."""
        ...


@dataclass(frozen=True)
class Branches:
    """Each proposal on a branch that is called like its topic; whoever may push may merge."""

    repository: Repository

    def commit_of(self, topic: str) -> str:
        """The branch's tip."""
        return self.repository.tip(topic)

    def waits_for(self, topic: str) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def trailer(self, run_id: str, title: str) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def propose(self, push: Push, topic: str, was: str, commit: str) -> None:
        """Move the branch."""
        self._move(push, {topic: (was or NOBODY, commit)})

    def withdraw(self, push: Push, topic: str, was: str) -> None:
        """Delete the branch."""
        self._move(push, {topic: (was, NOBODY)})

    def land(self, push: Push, topic: str, was: str, main: str, commit: str) -> None:
        """Move the main branch, and the proposal's away, in one push."""
        gone = {topic: (was, NOBODY)} if was else {}
        self._move(push, {self.repository.branch: (main, commit)} | gone)

    def _move(self, push: Push, moves: Mapping[str, tuple[str, str]]) -> None:
        """Move branches in one go, each from a commit to another (NOBODY: it is not there), or none of them where one
        is not where it was expected."""
        leases = [f"--force-with-lease=refs/heads/{name}:{was}" for name, (was, _) in moves.items()]
        specs = [f"{'' if to == NOBODY else to}:refs/heads/{name}" for name, (_, to) in moves.items()]
        push(["--atomic", *leases, self.repository.url, *specs])


@dataclass(frozen=True)
class Review:
    """Each proposal a change with its topic; who may submit it, and after which votes, Gerrit decides."""

    repository: Repository
    gerrit: Gerrit

    def commit_of(self, topic: str) -> str:
        """The change's newest commit, fetched."""
        change = self.gerrit.open_change(self.repository.branch, topic)
        if change is None:
            return ""
        self.repository.fetch(change.ref)
        return change.commit

    def waits_for(self, topic: str) -> str:
        """A review."""
        change = self.gerrit.open_change(self.repository.branch, topic)
        if change is None or change.is_submittable or self.gerrit.votes:
            return ""
        return f"review of {self.gerrit.page(change)}"

    def trailer(self, run_id: str, title: str) -> str:
        """The Change-Id: the same for all commits that a run makes for one proposal."""
        return f"\nChange-Id: I{sha1(f'{run_id} {title}'.encode(), usedforsecurity=False).hexdigest()}"

    def propose(self, push: Push, topic: str, was: str, commit: str) -> None:  # noqa: ARG002
        """Upload a change, or its next patch set."""
        push([self.repository.url, f"{commit}:refs/for/{self.repository.branch}%topic={topic}"])

    def withdraw(self, push: Push, topic: str, was: str) -> None:  # noqa: ARG002
        """Abandon the change."""
        if change := self.gerrit.open_change(self.repository.branch, topic):
            self.gerrit.abandon(change, "Withdrawn.")

    def land(self, push: Push, topic: str, was: str, main: str, commit: str) -> None:  # noqa: ARG002
        """Submit the change."""
        if was != commit:
            self.propose(push, topic, was, commit)
        change = self.gerrit.open_change(self.repository.branch, topic)
        if change is None or change.commit != commit:
            raise CommandFailed(f"{self.gerrit.url}: the change of {topic} is not at {commit[:12]}: look there")
        if not (change.is_submittable or self.gerrit.votes):
            raise Waiting(f"{self.gerrit.page(change)} waits for review: `inv resume` once it can be submitted")
        self.gerrit.submit(change)
