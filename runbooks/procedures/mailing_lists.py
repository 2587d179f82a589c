"""What procedures on mailing lists have in common: which list is meant, and is it one of ours at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import UsageError
from runbooks.inventory.names import short, suggest
from runbooks.lists.model import ListReader
from runbooks.procedures.forms import is_address, is_task
from runbooks.site import Site

_NAME = re.compile(r"[a-z0-9_][a-z0-9._+=-]{0,63}")
"""What a list server takes as a name; which of them new lists may have is a setting."""


OF_LISTS = ("-admin", "-bounces", "-confirm", "-join", "-leave", "-owner", "-request", "-subscribe", "-unsubscribe")
"""What the addresses end with that each list has besides its own: of such a name, it would get another one's mail."""


@dataclass(frozen=True)
class OfList:
    """The part of a case that says which list it is about."""

    name: str
    domain: str
    task: str

    @property
    def address(self) -> str:
        """Where mail to it goes."""
        return f"{self.name}@{self.domain}"

    @property
    def on(self) -> tuple[str, ...]:
        """What its steps act on."""
        return (f"@{self.domain}",)


def meant(site: Site, text: str) -> str:
    """The address of the list that somebody means by a name or an address. Raises UsageError, SettingsError."""
    domains = [one.name for one in site.settings.lists.domains]
    if not domains:
        raise UsageError("lists.domains is not set: say in invoke.yaml where mailing lists are")
    name, at, domain = text.strip().lower().partition("@")
    if not at and len(domains) > 1:
        raise UsageError(f"{short(text)}: in which domain? There are {', '.join(domains)}: {name}@{domains[0]}")
    domain = domain or domains[0]
    if domain not in domains:
        raise UsageError(
            f"{short(text)} is none of our lists: {short(domain)} is no list domain{suggest(domain, domains)}: there "
            f"{'are' if len(domains) > 1 else 'is'} {', '.join(domains)}"
        )
    if not _NAME.fullmatch(name):
        raise UsageError(f"{short(name)!r} is no list's name: letters, digits, and . _ + = - between them")
    return f"{name}@{domain}"


def reader_of(site: Site, address: str) -> ListReader:
    """Who looks at the lists of an address's domain."""
    reader = site.targets[f"@{address.partition('@')[2]}"].reader()
    assert isinstance(reader, ListReader)
    return reader


def settings_of(reader: ListReader, name: str) -> Mapping[str, Any]:
    """The settings of a list. Raises UsageError where there is none, with those that are called nearly so."""
    settings = reader.settings(name)
    if settings is None:
        raise UsageError(f"{reader.domain} has no list {name}{near(name, reader.names())}: check the name")
    return settings


def near(name: str, names: Sequence[str]) -> str:
    """`` (did you mean …?)``: names that look alike, and names that begin or end with it."""
    if own := next((other for other in names if name.startswith(f"{other}-") and name.endswith(OF_LISTS)), ""):
        return f" (that is an address of {own}; did you mean {own}?)"
    if close := suggest(name, names):
        return close
    parts = [other for other in names if other.startswith(name) or other.endswith(name)][:2]
    return f" (did you mean {' or '.join(parts)}?)" if parts else ""


def shown(place: str) -> str:
    """A note: how a new password is handed over, in a file or on the terminal."""
    how = f"written to {place}" if place else "shown once"
    return f"the new password is {how}, at the end, and kept nowhere else"


def check_task(task: str) -> None:
    """Raise UsageError for what is no ticket."""
    if task and not is_task(task):
        raise UsageError(f"{task!r} is no task: T and digits, as T123")


def addresses(texts: Sequence[str], option: str) -> tuple[str, ...]:
    """Mail addresses, in small letters, none twice. Raises UsageError."""
    found = []
    for text in texts:
        if not is_address(text):
            raise UsageError(f"{option} {short(text)!r} is no mail address")
        if (address := text.lower()) in found:
            raise UsageError(f"{option}: {address} is named twice")
        found.append(address)
    return tuple(found)


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The list, by its address."""
    return (f"list:{arguments['list']}",)
