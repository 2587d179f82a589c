"""Edits of alias files as commits, said by their meaning: they can be made again on a newer commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runbooks.aliases.entries import Entry
from runbooks.aliases.file import AliasFile, mentions
from runbooks.aliases.names import check_alias, check_remark, check_target, printable
from runbooks.errors import RegistryError
from runbooks.systems.commits import HeadFiles


@dataclass(frozen=True)
class _Edited:
    """An alias in the file at ``path``, which is named after its domain if no other ``domain`` is given. ``remark`` is
    put in a comment, such as ``T123 (alice)``.

    ``was``: the alias's targets when the edit was planned, as they stand in the file. Where they are others now,
    somebody else has edited the same alias since, and the edit is refused; other aliases are none of its business.
    """

    path: str
    name: str
    targets: tuple[str, ...] = ()
    remark: str = ""
    domain: str = ""
    was: tuple[str, ...] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The one file."""
        return (self.path,)

    @property
    def address(self) -> str:
        """The alias's own address."""
        return f"{self.name}@{self.domain or PurePosixPath(self.path).name}"

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
    """An alias is there, with these targets. One that leads elsewhere is refused; with ``more`` it gets those of the
    targets that it does not have. Raises UsageError for a name, target or remark that is none."""

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

    def edit(self, files: HeadFiles) -> Mapping[str, bytes]:
        """The file with the alias. Raises RegistryError, CommandFailed."""
        file = self._file(files)
        entry = file.entry(self.name)
        try:
            if not self.more:
                return {self.path: file.added(self.name, self.targets, self.remark)}
            after = file.with_targets(self.name, self.targets, self.remark)
        except RegistryError as error:
            raise RegistryError(f"{self.path}: {error}") from error
        if after != file.data:
            self._refuse_others(entry)
        return {self.path: after}

    def remarks(self, files: HeadFiles) -> str:
        """Comments that speak of the alias: what was with it before."""
        file = self._file(files)
        return "" if self.more or file.entry(self.name) else "; ".join(_comments(file, self.name))


@dataclass(frozen=True)
class AliasOut(_Edited):
    """An alias is not there; or, with ``targets``, none of these among its own. Raises UsageError for a remark that is
    none."""

    def __post_init__(self) -> None:
        check_remark(self.remark)

    @property
    def title(self) -> str:
        """One line for people."""
        if self.targets:
            return f"removing {', '.join(self.targets)} from alias {self.address}"
        return f"removing alias {self.address}"

    def edit(self, files: HeadFiles) -> Mapping[str, bytes]:
        """The file without it. Raises RegistryError, CommandFailed."""
        file = self._file(files)
        entry = file.entry(self.name)
        if entry is None:
            return {self.path: file.data}
        try:
            after = self._without(file)
        except RegistryError as error:
            raise RegistryError(f"{self.path}: {error}") from error
        if after != file.data:
            self._refuse_others(entry)
        return {self.path: after}

    def _without(self, file: AliasFile) -> bytes:
        if not self.targets:
            return file.removed(self.name, self.remark)
        return file.without_targets(self.name, self.targets, self.remark)

    def remarks(self, files: HeadFiles) -> str:
        """Other aliases of the file that lead to one that goes."""
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
