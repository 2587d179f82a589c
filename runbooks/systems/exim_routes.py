"""Where exim sends what comes for an address, as it says itself in its address testing mode (``exim4 -bt``).

Asked on its standard input, it answers one address after another, each answer behind its prompt: so every line belongs
to one address for certain, and none can be taken for an option. Sources: the Exim specification, "The Exim command
line" (-bt), and what verify_address() and get_stdinput() of exim 4.92 to 4.96 print.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

_PROMPT = "> "
_REWRITTEN = "Address rewritten as: "
_REFUSED = ("syntax error: ", "A domain is required for ")
_PARENT = "    <-- "
_FAILED = re.compile(r"(.+?) (is undeliverable|cannot be resolved at this time)(?:: (.*))?", re.DOTALL)
_DISCARDED = re.compile(r"mail to .+ is discarded")
_MADE = re.compile(r"(.+?) -> ([|/].*|mail .*)")
_FORBIDDEN = " *** forbidden ***"
_NOT_SET_UP = "*** Error in setting up pipe, file, or autoreply:"
_ROUTER = re.compile(r"  router = (\S+), transport = (\S+)")
_TRANSPORT = re.compile(r"  transport = (\S+)")
_HOST = re.compile(r"  host (\S+)")
# Whoever was asked about before counts as delivered to: that says nothing of the address.
_DUPLICATE = "   [duplicate, would not be delivered]"


class Fate(StrEnum):
    """What becomes of mail, the best first."""

    ROUTED = "routed"
    DISCARDED = "discarded"
    UNDELIVERABLE = "undeliverable"
    DEFERRED = "deferred"
    ERROR = "error"


REACHES = (Fate.ROUTED, Fate.DISCARDED)
"""Mail gets where it is to."""
_FROM_WORDS = {"is undeliverable": Fate.UNDELIVERABLE, "cannot be resolved at this time": Fate.DEFERRED}
_ORDER = list(Fate)


@dataclass(frozen=True, slots=True)
class End:
    """One place where mail for an address ends: ``address`` is who, what file or pipe gets it, or what has no further
    way. ``hosts`` are names, sorted: their addresses may change from one answer of the DNS to the next. ``parents`` are
    the aliases that lead there, the nearest first; for a pipe or a file exim names the nearest alone."""

    address: str
    fate: Fate
    router: str = ""
    transport: str = ""
    hosts: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    why: str = ""

    @property
    def shown(self) -> str:
        """What tells it from another end, for people. Why an address has to wait may change from look to look."""
        match self.fate:
            case Fate.ROUTED:
                by = "/".join(filter(None, (self.router, self.transport)))
                at = f" at {', '.join(self.hosts)}" if self.hosts else ""
                return f"{self.address} by {by}{at}"
            case Fate.DISCARDED:
                return "discarded"
            case Fate.DEFERRED:
                return f"{self.address} cannot be resolved at this time"
        return f"{self.address}: {self.fate}{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of mail for an address; ``text`` is what exim printed."""

    address: str
    ends: tuple[End, ...]
    text: str

    @property
    def fate(self) -> Fate:
        """That of its worst end."""
        return max((end.fate for end in self.ends), key=_ORDER.index)

    @property
    def why(self) -> str:
        """What exim says of its worst end."""
        return next((end.why for end in self.ends if end.fate is self.fate and end.why), "")

    @property
    def shown(self) -> tuple[str, ...]:
        """Its ends, whatever their order and way, as ``End.shown`` gives them: two routes that are shown alike lead to
        the same."""
        return tuple(sorted({end.shown for end in self.ends}))

    @property
    def is_by_alias(self) -> bool:
        """Whether some alias has a hand in it."""
        return any(end.parents or end.fate is Fate.DISCARDED for end in self.ends)


def parse_routes(addresses: Sequence[str], text: str) -> Mapping[str, Route]:
    """What exim answered for each address. An answer that is not understood is an error of its address. Raises
    ValueError where the answers are not as many as the addresses: then none can be told whose it is."""
    before, *answers = f"\n{text.rstrip()} ".split(f"\n{_PROMPT}")
    last = answers.pop() if answers else "no prompt"
    if before or last or len(answers) != len(addresses):
        raise ValueError(f"{len(answers)} answers for {len(addresses)} addresses: {text.strip()[-200:]!r}")
    return {address: _route(address, answer.rstrip("\n")) for address, answer in zip(addresses, answers, strict=True)}


def _route(address: str, text: str) -> Route:
    try:
        ends = _Lines(address, text).ends()
    except ValueError as error:
        ends = (End(address, Fate.ERROR, why=str(error)),)
    return Route(address, ends, text)


class _Lines:
    """The lines of one answer, taken from the top."""

    def __init__(self, address: str, text: str) -> None:
        self._address = address
        self._lines = text.split("\n")

    def ends(self) -> tuple[End, ...]:
        """All of them. Raises ValueError for a line that is none of exim's."""
        if self._lines[0].startswith(_REWRITTEN):
            self._lines.pop(0)
        found = []
        while self._lines:
            found.append(self._end(self._lines.pop(0)))
        return tuple(found) or self._not_understood("")

    def _end(self, head: str) -> End:
        if head.startswith(_REFUSED):
            return End(self._address, Fate.ERROR, why=head)
        parents = self._parents()
        if router := self._next(_ROUTER):
            address = head.removesuffix(_DUPLICATE)
            return End(address, Fate.ROUTED, router[1], router[2], self._hosts(), parents)
        if failed := _FAILED.fullmatch(head):
            return End(failed[1], _FROM_WORDS[failed[2]], parents=parents, why=failed[3] or "")
        if parents:
            self._not_understood(head)
        if _DISCARDED.fullmatch(head):
            return End(self._address, Fate.DISCARDED)
        if made := _MADE.fullmatch(head):
            return self._made(made[1], made[2])
        return self._not_understood(head)

    def _made(self, parent: str, what: str) -> End:
        """A pipe, a file or an automatic reply."""
        if what.endswith(_FORBIDDEN):
            return End(what.removesuffix(_FORBIDDEN), Fate.ERROR, parents=(parent,), why="forbidden")
        if transport := self._next(_TRANSPORT):
            return End(what, Fate.ROUTED, transport=transport[1], parents=(parent,))
        if len(self._lines) > 1 and self._lines[0] == _NOT_SET_UP:
            self._lines.pop(0)
            return End(what, Fate.ERROR, parents=(parent,), why=self._lines.pop(0))
        return self._not_understood(f"{parent} -> {what}")

    def _parents(self) -> tuple[str, ...]:
        found = []
        while self._lines and self._lines[0].startswith(_PARENT):
            found.append(self._lines.pop(0).removeprefix(_PARENT))
        return tuple(found)

    def _hosts(self) -> tuple[str, ...]:
        found = set()
        while host := self._next(_HOST):
            found.add(host[1])
        return tuple(sorted(found))

    def _next(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        found = wanted.match(self._lines[0]) if self._lines else None
        if found:
            self._lines.pop(0)
        return found

    def _not_understood(self, line: str) -> NoReturn:
        raise ValueError(f"exim's answer is not understood: {line or self._address!r}")
