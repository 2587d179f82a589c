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

    def foreign(self, topic: str) -> str:
        """That a proposal is not what we would propose, and what to do."""
        ...

    def refused(self, run_id: str, title: str) -> str:
        """Why a run's proposal cannot be made, and what to do; empty where it can."""
        ...

    def shown(self, topic: str, to: str = "") -> str:
        """How a proposal gets onto branch ``to``, or away, as a plan shows it."""
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

    def foreign(self, topic: str) -> str:
        """The branch."""
        return f"branch {topic} holds something else than this patch: look, and delete it"

    def refused(self, run_id: str, title: str) -> str:  # noqa: ARG002
        """Nobody refuses a branch."""
        return ""

    def shown(self, topic: str, to: str = "") -> str:
        """A push."""
        return f"$ git push origin {topic}:{to}    # fast-forward" if to else f"$ git push --delete origin {topic}"

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

    def foreign(self, topic: str) -> str:
        """The change's page."""
        change = self.gerrit.open_change(self.repository.branch, topic)
        page = self.gerrit.page(change) if change else f"{self.gerrit.url}: the change of {topic}"
        return f"{page} holds something else than this patch: somebody amended it; put it right there, or abandon it"

    def refused(self, run_id: str, title: str) -> str:
        """Somebody has given up the change: Gerrit takes none with the same Change-Id, and a person has decided."""
        change = self.gerrit.abandoned(self.repository.branch, _change_id(run_id, title))
        if change is None:
            return ""
        page = self.gerrit.page(change)
        return f"{page} was abandoned: ask why; restore it there, or give the run up (`inv abandon`)"

    def shown(self, topic: str, to: str = "") -> str:
        """A submit, or an abandoned change."""
        where = f"the change of {topic} at {self.gerrit.url}"
        if not to:
            return f"abandon {where}"
        return f"submit {where}" if self.gerrit.votes else f"submit {where}, once it is reviewed"

    def trailer(self, run_id: str, title: str) -> str:
        """The Change-Id: the same for all commits that a run makes for one proposal."""
        return f"\nChange-Id: {_change_id(run_id, title)}"

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


def _change_id(run_id: str, title: str) -> str:
    return f"I{sha1(f'{run_id} {title}'.encode(), usedforsecurity=False).hexdigest()}"
