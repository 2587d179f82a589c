"""What is done to a mailing list, whatever system it is on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.lists.model import ListReader, ListWriter, alike, unlike
from runbooks.model import Change, Facts, Finding, Json, blocked, done, later, todo

MOST_HELD = 20
"""How many held messages a plan shows."""
_MENTIONED = 4


def _gone(name: str, reader: ListReader) -> str:
    return f"there is no list {name}@{reader.domain} any more: find out who has removed it"


def _diff(old: Facts, new: Facts) -> Iterator[str]:
    """What becomes of settings, a line each; of lists of words only those that go and come."""
    for key, value in new.items():
        was = old.get(key)
        if isinstance(value, list | tuple) and isinstance(was, list | tuple):
            yield from (f"-{key}: {word}" for word in was if word not in value)
            yield from (f"+{key}: {word}" for word in value if word not in was)
        else:
            yield from (f"-{key}: {was}", f"+{key}: {value}")


class _Set(Change[ListReader, ListWriter]):
    """A list gets settings: those that it has otherwise are sent, and no others."""

    name: str

    @abstractmethod
    def _wanted(self, settings: Facts, before: Facts) -> dict[str, Any]:
        """What they have to be, given those that the list has, and what was seen before we began, if we have."""

    def _finding(self, settings: Facts, before: Facts) -> Finding:
        """Done where all are so; else what becomes of the others, and what they were."""
        ours = unlike(settings, self._wanted(settings, before))
        if not ours:
            return done()
        was = {key: settings.get(key) for key in ours}
        return todo(*_diff(was, ours), before={"was": was, "ours": ours}, facts={"was": was})

    def do(self, writer: ListWriter, before: Facts) -> None:
        """Send them. Raises CommandFailed, Lost."""
        settings = writer.reader.settings(self.name) or {}
        writer.configure(self.name, unlike(settings, self._wanted(settings, before)))

    def inverse(self, before: Facts) -> Restored | None:
        """What they were."""
        return Restored(self.name, before["was"], before["ours"]) if before.get("was") else None


@dataclass(frozen=True)
class Configured(_Set):
    """A list has these settings (``values``). ``fresh``: an earlier step of the same plan makes the list. Bans that
    others have set or lifted since this was begun stay so: where it was cut off, that may have been a while ago."""

    name: str
    values: Facts
    fresh: bool = False

    def check(self, reader: ListReader) -> Finding:
        """Done where all of them are so."""
        settings = reader.settings(self.name)
        if settings is None:
            lines = [f"+{key}: {word}" for key, value in self.values.items() for word in _words(value)]
            return later(*lines) if self.fresh else blocked(_gone(self.name, reader))
        return self._finding(settings, {})

    def verify(self, reader: ListReader, before: Facts) -> Finding:
        """Done where all of them are so."""
        settings = reader.settings(self.name)
        return blocked(_gone(self.name, reader)) if settings is None else self._finding(settings, before)

    def _wanted(self, settings: Facts, before: Facts) -> dict[str, Any]:
        wanted = dict(self.values)
        was, now = before.get("was", {}).get(_BANS), settings.get(_BANS)
        if _BANS in wanted and was is not None and now is not None:
            wanted[_BANS] = _merged(now, was, wanted[_BANS])
        return wanted


@dataclass(frozen=True)
class Restored(_Set):
    """Settings are again what they were (``was``), before a run made them what they are (``ours``). Of a setting that
    is a list of words only our own words are taken back: what others have put in since, or taken out, stays so. Another
    setting that somebody has changed since is left to them: it blocks."""

    name: str
    was: Facts
    ours: Facts

    def check(self, reader: ListReader) -> Finding:
        """Done where all are so; blocked where somebody else has given one another value since."""
        settings = reader.settings(self.name)
        if settings is None:
            return blocked(_gone(self.name, reader))
        if theirs := [key for key, value in self._wanted(settings, {}).items() if value is _THEIRS]:
            told = "; ".join(f"{key} is {settings.get(key)!r}, and was set to {self.ours[key]!r}" for key in theirs)
            return blocked(f"changed since by somebody else: {told}: set it to either by hand, then try again")
        return self._finding(settings, {})

    def _wanted(self, settings: Facts, before: Facts) -> dict[str, Any]:  # noqa: ARG002
        return {key: _taken_back(settings.get(key), self.ours[key], was) for key, was in self.was.items()}


_BANS = "ban_list"
_THEIRS = object()
"""In place of a value: somebody else has changed it, and it is not for us to set."""


def _taken_back(now: Json, ours: Json, was: Json) -> Any:
    """What a setting has to be so that our change is taken back: it is ``now``, we made it ``ours``, it ``was``."""
    if alike(now, was) or alike(now, ours):
        return was
    if all(isinstance(value, list | tuple) for value in (now, ours, was)):
        return _merged(now, ours, was)
    return _THEIRS


def _merged(now: Sequence[str], was: Sequence[str], then: Sequence[str]) -> list[str]:
    """What a list of words has to be ``then``, with what others have put into it, or taken out of it, since it was."""
    kept = [word for word in then if word in now or word not in was]
    found = kept + [word for word in now if word not in was and word not in then]
    # Where the system has them in order, so do we.
    return sorted(found) if list(now) == sorted(now) and list(then) == sorted(then) else found


def _words(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list | tuple) else [value]


@dataclass(frozen=True)
class HeldOut(Change[ListReader, ListWriter]):
    """No message waits for a moderator of a list; those that do are discarded, if that was asked for (``discard``)."""

    name: str
    discard: bool
    no_inverse = "what was discarded is gone"
    by_others = True

    def check(self, reader: ListReader) -> Finding:
        """Done where none waits; blocked where some do, and nobody has said that they are to go."""
        count, held = reader.oldest_held(self.name, MOST_HELD)
        if not count:
            return done()
        told = f"{count:,} held message{'s' * (count != 1)}"
        if not self.discard:
            shown = ", ".join(dict.fromkeys(f"{one.sender} ({one.subject[:60]})" for one in held[:_MENTIONED]))
            more = f" and {count - _MENTIONED:,} more" * (count > _MENTIONED)
            return blocked(f"{told}: {shown}{more}: look at them first; --discard-held throws them away")
        lines = [f"-held: {one.sender}: {one.subject}" for one in held]
        rest = [f"-held: … and {count - len(held):,} more"] if count > len(held) else []
        # A plan of yesterday throws nothing away that came since; what comes while the list is being closed does go.
        note = f"{told}, and what else is held until the list is closed"
        return todo(*lines, *rest, note=note, facts={"count": count})

    def do(self, writer: ListWriter, before: Facts) -> None:  # noqa: ARG002
        """Discard what is held by now. Raises CommandFailed, Lost."""
        writer.discard_all(self.name)


@dataclass(frozen=True)
class Created(Change[ListReader, ListWriter]):
    """There is a list."""

    name: str
    owners: tuple[str, ...]
    private: bool

    def check(self, reader: ListReader) -> Finding:
        """Done where this run has made it; blocked where somebody else has."""
        settings = reader.settings(self.name)
        if settings is None:
            if other := reader.taken(self.name):
                return blocked(f"there is a list {other}, and its server has each name once: choose another name")
            return todo(f"+list: {self.name}@{reader.domain}")
        # A run that was killed may have made it, and looks again; what is in use was not made just now.
        if reader.run_id and set(settings["owner"]) <= set(self.owners) and not reader.in_use(self.name):
            return done()
        return blocked(f"there is a list {self.name}@{reader.domain} already: choose another name")

    def do(self, writer: ListWriter, before: Facts) -> None:  # noqa: ARG002
        """Make it. Raises CommandFailed, Lost."""
        writer.create(self.name, self.owners, self.private)

    def inverse(self, before: Facts) -> Removed:  # noqa: ARG002
        """It is gone again, unless it is in use by then."""
        return Removed(self.name)


@dataclass(frozen=True)
class Removed(Change[ListReader, ListWriter]):
    """There is no such list, where it was never used."""

    name: str
    no_inverse = "there was nothing in it"

    def check(self, reader: ListReader) -> Finding:
        """Done where there is none; blocked where it has members or mail."""
        if reader.settings(self.name) is None:
            return done()
        if why := reader.in_use(self.name):
            return blocked(f"{self.name}@{reader.domain} is in use ({why}): `inv list-disable` it instead")
        return todo(f"-list: {self.name}@{reader.domain}")

    def do(self, writer: ListWriter, before: Facts) -> None:  # noqa: ARG002
        """Remove it. Raises CommandFailed, Lost."""
        writer.remove(self.name)


@dataclass(frozen=True)
class PasswordSet(Change[ListReader, ListWriter]):
    """An account has the new password that this process has made; one of an earlier process nobody knows any more."""

    name: str
    account: str
    no_inverse = "nobody knows the old password"

    def check(self, reader: ListReader) -> Finding:
        """Done where it has it."""
        return done() if reader.has_password(self.name, self.account) else todo(f"+password of {self.account}")

    def do(self, writer: ListWriter, before: Facts) -> None:  # noqa: ARG002
        """Set it. Raises CommandFailed, Lost."""
        writer.set_password(self.name, self.account)


@dataclass(frozen=True)
class WebPasswordSet(Change[ListReader, ListWriter]):
    """The same for its web log-in."""

    account: str
    no_inverse = PasswordSet.no_inverse

    def check(self, reader: ListReader) -> Finding:
        """Done where that is opened by it."""
        if reader.has_web_password(self.account):
            return done()
        return todo(f"+password of the web log-in {reader.web_account(self.account)}: {reader.web}")

    def do(self, writer: ListWriter, before: Facts) -> None:  # noqa: ARG002
        """Set it. Raises CommandFailed, Lost."""
        writer.set_web_password(self.account)
