"""Edits of alias files, to be committed. An edit is kept as what it means (noc leads to bob, too) and not as a diff, so
that it can be made again on a newer commit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runbooks.aliases.entries import Entry
from runbooks.aliases.file import AliasFile, mentions
from runbooks.aliases.names import check_alias, check_remark, check_target, printable
from runbooks.errors import RegistryError
from runbooks.systems.commits import HeadFiles


@dataclass(frozen=True)
class _Edited(ABC):
    """An edit of the alias ``name`` in the file at ``path``, which is named after its domain. ``remark`` is put in a
    comment, such as ``T123 (alice)``.

    ``was``: the alias's targets when the edit was planned, as they stand in the file. Where they are others now,
    somebody else has edited the same alias since, and the edit is refused; other aliases do not matter.
    """

    path: str
    name: str
    targets: tuple[str, ...] = ()
    remark: str = ""
    was: tuple[str, ...] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The one file."""
        return (self.path,)

    @property
    def address(self) -> str:
        """The alias's own address."""
        return f"{self.name}@{PurePosixPath(self.path).name}"

    @abstractmethod
    def after(self, file: AliasFile) -> bytes:
        """The contents of the file once it is edited; the same where nothing is to do. Raises RegistryError."""

    def edit(self, files: HeadFiles) -> Mapping[str, bytes]:
        """The file, edited. Raises RegistryError, CommandFailed."""
        file = self._file(files)
        try:
            after = self.after(file)
        except RegistryError as error:
            raise RegistryError(f"{self.path}: {error}") from error
        if after != file.data:
            self._refuse_others(file.entry(self.name))
        return {self.path: after}

    def _file(self, files: HeadFiles) -> AliasFile:
        try:
            return AliasFile.parse(files.read(self.path))
        except RegistryError as error:
            raise RegistryError(f"{self.path}: {error}") from error

    def _refuse_others(self, entry: Entry | None) -> None:
        now = tuple(target.text for target in entry.targets) if entry else ()
        if self.was is not None and set(now) != set(self.was):
            found = f"leads to {entry.shown()}" if entry else "is gone"
            raise RegistryError(f"{self.path}: somebody has edited {self.name} meanwhile: it {found}: look again")


@dataclass(frozen=True)
class AliasIn(_Edited):
    """The alias is there, with these targets. One that is there and leads elsewhere is refused; with ``more`` it has to
    be there, and gets those of the targets that it lacks. Raises UsageError for a name, target or remark that cannot
    be."""

    more: bool = False

    def __post_init__(self) -> None:
        if not self.more:
            check_alias(self.name)
        for target in self.targets:
            check_target(target)
        check_remark(self.remark)

    @property
    def title(self) -> str:
        """One line for people."""
        if self.more:
            return f"adding {', '.join(self.targets)} to alias {self.address}"
        return f"adding alias {self.address}"

    def after(self, file: AliasFile) -> bytes:
        """With the alias, or with its new targets. Raises RegistryError."""
        change = file.with_targets if self.more else file.added
        return change(self.name, self.targets, self.remark)

    def remarks(self, files: HeadFiles) -> str:
        """What comments in the file say of an alias that is new: why it was removed, say."""
        file = self._file(files)
        return "" if self.more or file.entry(self.name) else "; ".join(_comments(file, self.name))


@dataclass(frozen=True)
class AliasOut(_Edited):
    """The alias is not there; or, with ``targets``, it does not lead to these. Raises UsageError for a remark that
    cannot be."""

    def __post_init__(self) -> None:
        check_remark(self.remark)

    @property
    def title(self) -> str:
        """One line for people."""
        if self.targets:
            return f"removing {', '.join(self.targets)} from alias {self.address}"
        return f"removing alias {self.address}"

    def after(self, file: AliasFile) -> bytes:
        """Without the alias, or without these of its targets. Raises RegistryError."""
        if not self.targets or file.entry(self.name) is None:
            return file.removed(self.name, self.remark)
        return file.without_targets(self.name, self.targets, self.remark)

    def remarks(self, files: HeadFiles) -> str:
        """Which other aliases of the file still lead to one that is removed."""
        file = self._file(files)
        if self.targets or file.entry(self.name) is None:
            return ""
        found = [entry.name for entry in file.entries if self._leads_here(entry) and entry.name != self.name.lower()]
        return f"{', '.join(found)} still lead{'s' if len(found) == 1 else ''} to {self.name}" if found else ""

    def _leads_here(self, entry: Entry) -> bool:
        ours = {self.name.lower(), self.address.lower()}
        return any(target.address.lower() in ours for target in entry.targets)


def _comments(file: AliasFile, name: str) -> Sequence[str]:
    return [f"line {number} says: {printable(text.lstrip('# '))}" for number, text in mentions(file.data, name)]
