"""Which file holds a domain's aliases, and which domains change with it.

A domain's file is named after it. It lies in the private repository; or it is a link to another domain's, in the
repository or made by puppet on the mail hosts; or only a manifest knows what it is. Files and links are given as
mappings from a name to what its link says, None for a file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from runbooks.errors import UsageError
from runbooks.inventory.names import host_problem, suggest

Files = Mapping[str, "str | None"]


class DomainKind(StrEnum):
    """What there is of a domain."""

    OWN = "own file"
    LINK = "link"
    MANIFEST = "manifest"


@dataclass(frozen=True)
class Mention:
    """A line of a manifest that names a domain; lines count from 1."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Domain:
    """What is known of a domain.

    ``path`` is the file in the repository that is edited for it, empty where there is none; ``chain`` is the domain and
    where its links lead, one after the other; ``together`` are all domains that change with the file, itself included;
    ``mentions`` where manifests name it; ``problem`` says what keeps mail from being routed, or the file from being
    edited, or nothing.
    """

    name: str
    kind: DomainKind
    path: str
    chain: tuple[str, ...]
    together: tuple[str, ...]
    mentions: tuple[Mention, ...]
    problem: str = ""

    def __str__(self) -> str:
        return " → ".join(self.chain)


@dataclass(frozen=True)
class Domains:
    """All domains of a mail system. ``files`` are the repository's below ``directory``; ``deployed`` what a mail host
    has below ``host_directory``; ``manifests`` the text of each by its path."""

    directory: str
    files: Files
    deployed: Files = field(default_factory=dict)
    host_directory: str = "/etc/exim4/aliases"
    manifests: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The domains that have a file or a link, sorted."""
        return tuple(sorted(name for name in {*self.files, *self.deployed} if "." in name and not host_problem(name)))

    def find(self, name: str) -> Domain:
        """A domain. Raises UsageError, with near misses, for one that is none of ours."""
        if problem := host_problem(name):
            raise UsageError(f"the domain {name!r} {problem}")
        mentions = self.mentions(name)
        if name not in self.names:
            if not mentions:
                raise UsageError(f"{name} is no mail domain of ours{suggest(name, self._known)}")
            where = ", ".join(map(str, mentions))
            problem = f"{name} has no alias file: {where} may say what it is"
            return Domain(name, DomainKind.MANIFEST, "", (name,), (name,), mentions, problem)
        chain, problem = self._chains[name]
        end = chain[-1]
        path = posixpath.join(self.directory, end) if not problem and self._link(end) is None else ""
        together = tuple(one for one in self.names if self._chains[one][0][-1] == end)
        kind = DomainKind.LINK if len(chain) > 1 else DomainKind.OWN if path else DomainKind.MANIFEST
        return Domain(name, kind, path, chain, together, mentions, problem or self._contradiction(chain))

    def mentions(self, name: str) -> tuple[Mention, ...]:
        """Where manifests name a domain, other than in comments."""
        word = re.compile(rf"(?<![\w.@-]){re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)
        return tuple(one for one in self._lines if name.lower() in one.text.lower() and word.search(one.text))

    def problems(self) -> tuple[Domain, ...]:
        """The domains that something is wrong with."""
        return tuple(domain for domain in map(self.find, self.names) if domain.problem)

    @cached_property
    def _lines(self) -> tuple[Mention, ...]:
        return tuple(
            Mention(path, number, line.strip())
            for path, text in sorted(self.manifests.items())
            for number, line in enumerate(text.splitlines(), start=1)
            if not line.lstrip().startswith("#")
        )

    @cached_property
    def _known(self) -> set[str]:
        quoted = re.compile(r"[\"'/]([a-z0-9-]+(?:\.[a-z0-9-]+)+)[\"']")
        return {*self.names, *(name for text in self.manifests.values() for name in quoted.findall(text))}

    @cached_property
    def _chains(self) -> Mapping[str, tuple[tuple[str, ...], str]]:
        return {name: self._chain(name) for name in self.names}

    def _link(self, name: str) -> str | None:
        """What a name's link says; the repository's word counts where both have one."""
        return self.files[name] if name in self.files else self.deployed.get(name)

    def _chain(self, name: str) -> tuple[tuple[str, ...], str]:
        """Where a name's links lead, and what is wrong there."""
        chain = [name]
        while (link := self._link(chain[-1])) is not None:
            place = self._named(link)
            chain.append(place)
            shown = " → ".join(chain)
            if place in chain[:-1]:
                return tuple(chain), f"the links lead in a circle: {shown}"
            if "/" in place:
                return tuple(chain), f"the link leads out of the directory: {shown}"
            if place not in self.files and place not in self.deployed:
                return tuple(chain), f"the link leads nowhere: {shown}, and there is no {place}"
        end = chain[-1]
        if end in self.files:
            return tuple(chain), ""
        where = ", ".join(map(str, self.mentions(end)))
        made = f"{where} may say what makes it" if where else "nobody knows what made it"
        return tuple(chain), f"the file {end} is on the mail hosts and not in the repository: {made}"

    def _named(self, link: str) -> str:
        """The name that a link leads to, in the directory; else the path."""
        for directory in (self.directory, self.host_directory):
            whole = posixpath.normpath(posixpath.join(directory, link))
            if posixpath.dirname(whole) == posixpath.normpath(directory):
                return posixpath.basename(whole)
        return link

    def _contradiction(self, chain: tuple[str, ...]) -> str:
        """What the mail hosts have otherwise than the repository."""
        for name in chain:
            if (
                name in self.files
                and name in self.deployed
                and self._read(self.files, name) != self._read(self.deployed, name)
            ):
                found = self._read(self.deployed, name)
                what = f"a link to {found}" if found else "a file of its own"
                return f"the mail hosts have {what} for {name}, the repository has not: has puppet run there?"
        return ""

    def _read(self, files: Files, name: str) -> str:
        link = files[name]
        return "" if link is None else self._named(link)
