"""A patch to the repository that decides what puppet does: propose it on a branch, unmerged; merge it; revert it.

A patch is said by its meaning, so it can be made again on a newer commit. Sources: git-merge-file(1), git-push(1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from runbooks.errors import CommandFailed, RegistryError, Waiting
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems.git import Files, GitReader, GitWriter, mark
from runbooks.systems.merging import merged

_ATTEMPTS = 3


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

    def remarks(self, files: Files) -> str:
        """What the operator should know besides."""
        ...

    def applied(self, files: Files) -> bool:
        """Whether its intent holds."""
        ...

    def taken_back(self, files: Files) -> bool:
        """Whether what was before holds."""
        ...

    def refuse_unsound(self, files: Files, edits: Mapping[str, bytes | None]) -> None:
        """Raises RegistryError where edits would break rules that the files keep."""
        ...


def _holds(reader: GitReader, patch: Patch, tip: str) -> bool:
    """Whether a branch is the patch on top of some commit of the main branch, and nothing besides."""
    try:
        base = reader.merge_base(tip)
        edits = patch.edit(reader.at(base))
    except (RegistryError, CommandFailed):
        return False
    return _is_made_of(reader, tip, base, edits)


def _is_made_of(reader: GitReader, tip: str, base: str, edits: Mapping[str, bytes | None]) -> bool:
    """Whether a commit on top of another one is these edits, and nothing besides."""
    files = reader.at(tip)
    return set(reader.changed(tip, base)) == set(edits) and all(files.get(path) == edits[path] for path in edits)


def _land(writer: GitWriter, topic: str, commit: Callable[[], str]) -> None:
    """Bring the main branch to what ``commit`` makes of the remote as it is now (empty: there is nothing to do any
    more), a few times if it has moved on meanwhile. Raises CommandFailed, Waiting."""
    for attempt in range(_ATTEMPTS):
        main = writer.reader.main
        if not (wanted := commit()):
            return
        try:
            writer.land(topic, writer.reader.proposal(topic), main, wanted)
            return
        except CommandFailed:
            writer.look_again()
            if attempt == _ATTEMPTS - 1 or writer.reader.main == main:
                raise


@dataclass(frozen=True)
class Propose(Change[GitReader, GitWriter]):
    """Put a patch on a branch of its own, unmerged, made so that it merges."""

    patch: Patch
    branch: str

    def check(self, reader: GitReader) -> Finding:
        """Done when the branch holds this patch on top of the newest commit, or it is merged already."""
        main, files = reader.main, reader.at(reader.main)
        try:
            if self.patch.applied(files):
                return done("merged already")
            edits = self.patch.edit(files)
        except RegistryError as error:
            return blocked(str(error))
        tip = reader.proposal(self.branch)
        if tip and not _holds(reader, self.patch, tip):
            return blocked(reader.foreign(self.branch))
        if not tip and (why := reader.refused(self.patch.message)):
            return blocked(why)
        if tip and reader.merge_base(tip) == main:
            waits = reader.waits_for(self.branch)
            return (
                todo(f"wait for {waits}", facts={"base": main})
                if waits
                else done(f"on branch {self.branch}", base=main)
            )
        preview, note = reader.diff(files, edits), self.patch.remarks(files)
        return todo(*preview, note=note, before={"main": main}, facts={"base": main})

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Commit and propose. Raises CommandFailed, and Waiting where people have to review it first."""
        reader = writer.reader
        main, tip = reader.main, reader.proposal(self.branch)
        if tip and not _holds(reader, self.patch, tip):
            raise CommandFailed(reader.foreign(self.branch))
        if not tip or reader.merge_base(tip) != main:
            commit = writer.commit(main, self.patch.edit(reader.at(main)), self.patch.message)
            writer.propose(self.branch, tip, commit)
        if waits := reader.waits_for(self.branch):
            raise Waiting(f"{waits}: `inv resume` once it can be merged")

    def inverse(self, before: Facts) -> Withdraw:  # noqa: ARG002
        """The branch goes."""
        return Withdraw(self.patch, self.branch)


@dataclass(frozen=True)
class Withdraw(Change[GitReader, GitWriter]):
    """Delete a proposal's branch, if it holds that proposal and nothing else."""

    patch: Patch
    branch: str

    def check(self, reader: GitReader) -> Finding:
        """Done when there is no such branch."""
        tip = reader.proposal(self.branch)
        if not tip:
            return done()
        if not _holds(reader, self.patch, tip):
            return blocked(reader.foreign(self.branch))
        return todo(reader.shown(self.branch))

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Delete it. Raises CommandFailed."""
        if tip := writer.reader.proposal(self.branch):
            if not _holds(writer.reader, self.patch, tip):
                raise CommandFailed(writer.reader.foreign(self.branch))
            writer.withdraw(self.branch, tip)


@dataclass(frozen=True)
class Merge(Change[GitReader, GitWriter]):
    """Merge a proposal, fast-forward only. Where the branch has moved on meanwhile, the patch is made again on top of
    what is there now, checked again, and refused if it no longer applies."""

    patch: Patch
    branch: str
    by_others = True

    def check(self, reader: GitReader) -> Finding:
        """Done when the main branch says what the patch means; later without a proposal."""
        preview = reader.shown(self.branch, reader.branch)
        try:
            if self.patch.applied(reader.at(reader.main)):
                return done(f"merged: {reader.branch} is at {reader.main[:12]}")
        except RegistryError as error:
            return blocked(str(error))
        tip = reader.proposal(self.branch)
        if not tip:
            return later(preview)
        if not _holds(reader, self.patch, tip):
            return blocked(reader.foreign(self.branch))
        return todo(preview, before={"main": reader.main})

    def do(self, writer: GitWriter, before: Facts) -> None:  # noqa: ARG002
        """Move the main branch onto the proposal, and the proposal's branch away, in one push. Raises CommandFailed."""

        def commit() -> str:
            reader = writer.reader
            if self.patch.applied(reader.at(reader.main)):
                return ""
            return self._commit(writer, reader.main, reader.proposal(self.branch))

        _land(writer, self.branch, commit)

    def _commit(self, writer: GitWriter, main: str, proposal: str) -> str:
        """The proposal's commit, or where that is not on top of the main branch, or another run's, a new one."""
        reader = writer.reader
        if proposal and not _holds(reader, self.patch, proposal):
            raise CommandFailed(reader.foreign(self.branch))
        # An undo finds the commit by the mark of its own run.
        if proposal and reader.merge_base(proposal) == main and mark(writer.run_id) in reader.message(proposal):
            return proposal
        try:
            edits = self.patch.edit(reader.at(main))
        except RegistryError as error:
            raise CommandFailed(f"{reader.branch} has moved on, and the patch no longer applies: {error}") from error
        return writer.commit(main, edits, self.patch.message)

    def inverse(self, before: Facts) -> Revert:
        """A commit that takes it back."""
        return Revert(self.patch, str(before.get("main", "")))


@dataclass(frozen=True)
class Revert(Change[GitReader, GitWriter]):
    """Take a merged patch back by a commit of its own; other people's later changes stay. ``since`` is where the
    main branch was before the merge; empty where it was not us who merged it, but somebody else, or nobody."""

    patch: Patch
    since: str

    def check(self, reader: GitReader) -> Finding:
        """Done when the main branch says what was before; blocked when neither that nor the patch holds, or where
        later changes touch the same lines or build on them."""
        files = reader.at(reader.main)
        try:
            commit = reader.commit_of(mark(reader.run_id), self.since)
            if self.patch.taken_back(files) or not (self.since or commit):
                return done(f"{reader.branch} is at {reader.main[:12]}")
            if not self.patch.applied(files):
                return blocked("somebody has changed these entries since: take the change back by hand")
            if not commit:
                return blocked(f"no commit of run {reader.run_id} on {reader.branch}: take the change back by hand")
            if not reader.proposal(_topic(commit)) and (why := reader.refused(self._title)):
                return blocked(why)
            edits = self._edits(reader, commit)
        except (RegistryError, CommandFailed) as error:
            return blocked(str(error))
        return todo(f"$ git revert {commit}", *reader.diff(files, edits), before={"commit": commit})

    def do(self, writer: GitWriter, before: Facts) -> None:
        """Commit the revert and push it. Raises CommandFailed, RegistryError where later changes are in the way."""
        reverted = str(before["commit"])
        topic = _topic(reverted)

        def commit() -> str:
            reader = writer.reader
            main, proposal = reader.main, reader.proposal(topic)
            if self.patch.taken_back(reader.at(main)):
                return ""
            edits = self._edits(reader, reverted)
            # One that was reviewed is not made anew.
            if proposal and reader.merge_base(proposal) == main and _is_made_of(reader, proposal, main, edits):
                return proposal
            return writer.commit(main, edits, f"{self._title}\n\nThis reverts commit {reverted}.")

        _land(writer, topic, commit)

    @property
    def _title(self) -> str:
        return f"Revert: {self.patch.title}"

    def _edits(self, reader: GitReader, commit: str) -> Mapping[str, bytes | None]:
        now = reader.at(reader.main)
        edits = {path: self._reverted(reader, path, commit) for path in reader.changed(commit)}
        self.patch.refuse_unsound(now, edits)
        return edits

    @staticmethod
    def _reverted(reader: GitReader, path: str, commit: str) -> bytes | None:
        places = (reader.main, commit, f"{commit}^")
        current, ours, before = (reader.at(place).get(path) for place in places)
        if current == ours:
            return before
        if current is None or ours is None or before is None:
            raise CommandFailed(f"{path} was changed since: take the change back by hand")
        found = merged(current, ours, before)
        if found is None:
            raise CommandFailed(f"{path}: later changes touch the same lines: take the change back by hand")
        return found


def _topic(reverted: str) -> str:
    return f"ops-clinic/revert-{reverted[:12]}"
