"""Where aliases lead inside our own domains: to nobody, or round in circles.

A loop is none to exim: an address that is among its own ancestors is not looked up again, but left to what comes behind
the aliases, such as a mailbox (exim specification, 22.5). An alias that names itself so keeps a copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from runbooks.aliases.circles import circles
from runbooks.aliases.domains import Domains
from runbooks.aliases.file import AliasFile
from runbooks.aliases.problems import Problem, error, warning
from runbooks.aliases.targets import Kind, Target
from runbooks.inventory.names import suggest

MOST_NEAR = 50
"""For how many targets that nobody takes mail for it is told what may have been meant."""
Node = tuple[str, str]
"""An alias: the path of its file, and its name."""


@dataclass(frozen=True)
class Way:
    """Where a target of an alias leads that is ours to look after: a whole ``address``, and the alias ``to`` that it
    is, if any."""

    target: Target
    line: int
    address: str
    to: Node | None


@dataclass(frozen=True)
class Local:
    """All aliases of all domains, by the paths of their files.

    ``known`` says whether somebody else than the aliases takes mail for an address of ours. ``qualify`` is the domain
    that the mail hosts add to a target without one; without it, it is the domain of the file.
    """

    domains: Domains
    files: Mapping[str, AliasFile]
    known: Callable[[str], bool]
    qualify: str = ""

    def problems(self) -> Iterator[Problem]:
        """Targets that nobody takes mail for, and loops."""
        # A near miss is looked for among all names: not for each of thousands.
        looks = iter(range(MOST_NEAR))
        for (path, _), ways in self._ways.items():
            for way in ways:
                if way.to is None and not self.known(way.address):
                    near = self._near(way.address) if next(looks, None) is not None else ""
                    what = f"{way.target.text} is neither an alias nor known otherwise"
                    yield error(path, way.line, what, f"take it out, or add what is missing{near}")
        for circle in circles({node: self._following(node) for node in self._ways}):
            yield from self._loop(circle)

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        """Each domain's file."""
        return {name: self.domains.find(name).path for name in self.domains.names}

    @cached_property
    def _ways(self) -> Mapping[Node, Sequence[Way]]:
        return {
            (path, name): list(self._ways_of(path, name)) for path, file in self.files.items() for name in file.names
        }

    def _ways_of(self, path: str, name: str) -> Iterator[Way]:
        entry = self.files[path].entry(name)
        for target in entry.targets if entry else ():
            if target.kind is Kind.ADDRESS and (not target.domain or target.domain in self._paths):
                address = target.whole(path.rpartition("/")[2], self.qualify).lower()
                yield Way(target, entry.line_of(target) if entry else 0, address, self.alias(address))

    def alias(self, address: str) -> Node | None:
        """The alias that an address, in small letters, is."""
        local, _, domain = address.rpartition("@")
        path = self._paths.get(domain, "")
        entry = self.files[path].entry(local) if path in self.files else None
        # One that leads nowhere is none to exim.
        return (path, entry.name) if entry and entry.targets else None

    def _following(self, node: Node) -> list[Node]:
        return [way.to for way in self._ways[node] if way.to]

    def _near(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        file = self.files.get(self._paths.get(domain, ""))
        return suggest(local, [name for name in file.names if name[:1] == local[:1]]) if file else ""

    def _loop(self, circle: frozenset[Node]) -> Iterator[Problem]:
        """What is wrong with aliases that all lead to one another, or one to itself: who gets there first is left to
        the mailboxes when it comes round."""
        ways = [(node, way) for node in sorted(circle) for way in self._ways[node] if way.to in circle]
        lost = [(node, way) for node, way in ways if not self.known(way.address)]
        (path, _), way = min(lost or ways, key=lambda one: one[1].address)
        if len(circle) == 1:
            if lost:
                what = f"{way.target.text} leads to itself, and there is no mailbox {way.address}"
                yield error(path, way.line, what, "let it lead elsewhere")
            return
        what = f"a loop: {' → '.join(self._round(way, circle))}"
        if lost:
            yield error(path, way.line, f"{what}, and there is no mailbox {way.address}", "break it")
        else:
            yield warning(path, way.line, f"{what}: exim breaks it, and delivers to the mailboxes", "break it")

    def _round(self, first: Way, circle: frozenset[Node]) -> list[str]:
        """The addresses on the shortest way round that ends as it begins."""
        trails = deque([[first]])
        seen = {first.to}
        while trails:
            trail = trails.popleft()
            for way in self._ways[trail[-1].to] if trail[-1].to else ():
                if way.to == first.to:
                    return [*(one.address for one in trail), way.address]
                if way.to in circle and way.to not in seen:
                    seen.add(way.to)
                    trails.append([*trail, way])
        return [first.address]
