"""An alias file: read as exim reads it, edited by splicing, never written anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from runbooks.aliases import style
from runbooks.aliases.entries import SPACE, Entry, entries_of
from runbooks.aliases.names import check_alias, check_remark, check_target, printable
from runbooks.aliases.targets import WHOLE, Kind, Target
from runbooks.errors import RegistryError
from runbooks.inventory.names import suggest

_Meaning = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class AliasFile:
    """The file of one domain. ``lost`` are numbers of lines that continue no entry.

    Edits give the new contents, and are held against what they are meant to do: that alias differs as it should, all
    others lead where they led. They raise UsageError for names, targets and remarks that are none, and RegistryError
    where the file is not as the edit needs it.
    """

    data: bytes
    entries: tuple[Entry, ...]
    lost: tuple[int, ...]

    @classmethod
    def parse(cls, data: bytes) -> AliasFile:
        """Read a file. Raises RegistryError, with the line, for a NUL character; everything else exim reads somehow."""
        found = list(entries_of(data))
        entries = tuple(one for one in found if isinstance(one, Entry))
        return cls(data, entries, tuple(one for one in found if isinstance(one, int)))

    @cached_property
    def _first(self) -> dict[str, Entry]:
        first: dict[str, Entry] = {}
        for entry in self.entries:
            first.setdefault(entry.name, entry)
        return first

    @property
    def names(self) -> tuple[str, ...]:
        """The aliases' names in small letters, in the order of the file, each once."""
        return tuple(self._first)

    def entry(self, name: str) -> Entry | None:
        """The entry that counts for a name, the first; case does not matter."""
        return self._first.get(name.lower())

    def entries_for(self, name: str) -> tuple[Entry, ...]:
        """All entries of a name; those behind the first count for nothing."""
        return tuple(entry for entry in self.entries if entry.name == name.lower())

    def added(self, name: str, targets: Sequence[str], remark: str = "") -> bytes:
        """With a new alias: in order where the file is sorted, else at its end, written as its neighbours are, the
        remark in a comment above. Nothing changes where it leads there already."""
        check_alias(name)
        _check_targets(targets)
        check_remark(remark)
        once = _once(targets)
        if entry := self.entry(name):
            if leads_to(entry, targets):
                return self.data
            raise RegistryError(f"line {entry.line}: {name} is an alias already, for {entry.shown()}")
        index = style.index_for(self.entries, name)
        text = style.spelled(self.data, self.entries, index, name, tuple(once.values()))
        data = style.inserted(self.data, self.entries, index, style.comment(self.data, remark) + text)
        return self._held(data, [*self.entries[:index], (name, tuple(once)), *self.entries[index:]])

    def removed(self, name: str, remark: str = "") -> bytes:
        """Without an alias. Comments above it stay, for they say who asked when, and one that says that it was removed
        takes its place, so that they don't seem to speak of the next one: only where there are no comments and no
        remark, nothing is left of it. Nothing changes where there is no such alias."""
        check_remark(remark)
        entry = self._own(name)
        if entry is None:
            return self.data
        said = f"{entry.key} removed" + (f": {remark}" if remark else "")
        mark = style.comment(self.data, said) if remark or entry.comments else b""
        data = self.data[: entry.start] + mark + self.data[entry.end :]
        return self._held(data, [other for other in self.entries if other is not entry])

    def with_targets(self, name: str, targets: Sequence[str], remark: str = "") -> bytes:
        """With more targets of an alias, behind those that it has, as far as it does not have them. Raises
        RegistryError."""
        _check_targets(targets)
        check_remark(remark)
        entry = self._there(name)
        there = {one.meaning for one in entry.targets}
        fresh = {meaning: target for meaning, target in _once(targets).items() if meaning not in there}
        if not fresh:
            return self.data
        if odd := [one for one in entry.targets if one.kind in WHOLE or one.kind is Kind.BAD]:
            raise RegistryError(
                f"line {entry.line}: {name} leads to {printable(odd[0].text)}: nothing can be added to that"
            )
        if not entry.targets:
            raise RegistryError(f"line {entry.line}: {name} leads nowhere: complete it by hand, or remove it first")
        end = entry.span(entry.targets[-1])[1]
        separator = style.separator_in(self.data, self.entries, entry)
        text = b"".join(separator + target.encode() for target in fresh.values())
        wanted = [*entry.meaning[1], *fresh]
        data = self._remarked(self.data[:end] + text + self.data[end:], entry, remark)
        return self._held(data, self._but(entry, wanted))

    def without_targets(self, name: str, targets: Sequence[str], remark: str = "") -> bytes:
        """Without some of an alias's targets, each given as it stands there or as an address, as far as it has them.
        The last one is not taken away: it is the alias that would have to go. Raises RegistryError."""
        check_remark(remark)
        entry = self._there(name)
        gone = meant(entry, targets)
        if not gone:
            return self.data
        rest = [one.meaning for one in entry.targets if one not in gone]
        if not rest:
            raise RegistryError(f"line {entry.line}: {name} would lead nowhere: remove the alias instead")
        data = style.without(self.data, entry, entry.targets.index(gone[0]))
        if len(gone) > 1:
            data = AliasFile.parse(data).without_targets(name, targets)
        return self._held(self._remarked(data, entry, remark), self._but(entry, rest))

    def _own(self, name: str) -> Entry | None:
        """The entry of a name that can be edited as a whole."""
        found = self.entries_for(name)
        if len(found) > 1:
            lines = ", ".join(str(entry.line) for entry in found)
            raise RegistryError(f"lines {lines}: {name} stands {len(found)} times; take the others out by hand first")
        for entry in found:
            if entry.lost:
                raise RegistryError(
                    f"line {entry.lost[0]}: exim does not read this line of {name}, for it is below an empty line or "
                    "a comment: put that right by hand first"
                )
        return found[0] if found else None

    def _there(self, name: str) -> Entry:
        entry = self._own(name)
        if entry is None:
            raise RegistryError(f"there is no alias {name}{suggest(name, self.names)}")
        return entry

    def _remarked(self, data: bytes, entry: Entry, remark: str) -> bytes:
        """The remark above the entry: inside of it a comment would end it."""
        if entry.comments and entry.comments[-1] == f"# {remark}":
            return data
        return data[: entry.start] + style.comment(self.data, remark) + data[entry.start :]

    def _but(self, entry: Entry, targets: Iterable[tuple[str, str]]) -> list[Entry | _Meaning]:
        return [(one.name, tuple(targets)) if one is entry else one for one in self.entries]

    def _held(self, data: bytes, wanted: Sequence[Entry | _Meaning]) -> bytes:
        """The new contents, if they mean what they shall: entries as they were, but for what is said in their place."""
        after = AliasFile.parse(data)
        same = len(after.entries) == len(wanted) and all(map(_is, after.entries, wanted))
        if not same or after._all_lost() != self._all_lost():
            raise RegistryError("the file is written in a way that is not edited: edit it by hand")
        return data

    def _all_lost(self) -> int:
        return len(self.lost) + sum(len(entry.lost) for entry in self.entries)


def leads_to(entry: Entry, texts: Sequence[str]) -> bool:
    """Whether an alias leads to these, addresses or local parts, and to nobody else."""
    return {target.meaning for target in entry.targets} == set(map(_meaning, texts))


def meant(entry: Entry, texts: Sequence[str]) -> list[Target]:
    """Which of an alias's targets are meant, each by how it stands there or by its address."""
    wanted = set(map(_meaning, texts))
    return [one for one in entry.targets if one.text in texts or one.meaning in wanted]


def mentions(data: bytes, name: str) -> list[tuple[int, str]]:
    """The comments that hold a name as a word, with their lines."""
    word = re.compile(rf"(?<![\w.+-]){re.escape(name)}(?![\w+-]|\.\w)", re.IGNORECASE)
    lines = enumerate(data.decode("utf-8", "replace").split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.startswith("#") and word.search(line)]


def _is(entry: Entry, wanted: Entry | _Meaning) -> bool:
    if isinstance(wanted, Entry):
        # Blanks at the end of a file without a line end are part of the data.
        return entry.name == wanted.name and entry.value.rstrip(SPACE) == wanted.value.rstrip(SPACE)
    return entry.meaning == wanted


def _meaning(target: str) -> tuple[str, str]:
    return Target(Kind.ADDRESS, target, target, 0, 0).meaning


def _once(targets: Sequence[str]) -> dict[tuple[str, str], str]:
    """Targets by their meaning, as they were first written."""
    found: dict[tuple[str, str], str] = {}
    for target in targets:
        found.setdefault(_meaning(target), target)
    return found


def _check_targets(targets: Sequence[str]) -> None:
    for target in targets:
        check_target(target)
    if not targets:
        raise RegistryError("an alias needs at least one target")
