"""What procedures on mailing lists have in common: which list the operator means, and whether there is such a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.errors import UsageError
from runbooks.inventory.names import short, suggest
from runbooks.lists.model import ListReader
from runbooks.site import Site

_NAME = re.compile(r"[a-z0-9_][a-z0-9._+=-]{0,63}")
"""What a list server takes as a name; which of them new lists may have is a setting."""


SUBADDRESSES = ("-admin", "-bounces", "-confirm", "-join", "-leave", "-owner", "-request", "-subscribe", "-unsubscribe")
"""How the other addresses of a list end: cats-owner@ is the address of cats' owners, so no list may be called so."""


@dataclass(frozen=True)
class OfList:
    """The part of a case that says which list it is about, and on which ticket."""

    name: str
    domain: str
    task: str

    @property
    def address(self) -> str:
        """Where mail to it goes."""
        return f"{self.name}@{self.domain}"

    @property
    def on(self) -> tuple[str, ...]:
        """What its steps act on: the list domain, as a system."""
        return (f"@{self.domain}",)


def meant(site: Site, text: str) -> str:
    """The address of the list that somebody means by a name, an address or a list's id. Raises UsageError."""
    domains = [one.name for one in site.settings.lists.domains]
    if not domains:
        raise UsageError("lists.domains is not set: say in invoke.yaml where mailing lists are")
    name, at, domain = text.strip().lower().partition("@")
    if domain_of_id := next((one for one in domains if not at and name.endswith(f".{one}")), ""):
        # A list's id, as mail has it in its List-Id header.
        name, at, domain = name.removesuffix(f".{domain_of_id}"), "@", domain_of_id
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


def resolve(site: Site, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ``list`` that is meant, in place of its ``name``. Raises UsageError, SettingsError."""
    return {key: value for key, value in given.items() if key != "name"} | {"list": meant(site, given["name"])}


def reader_of(site: Site, address: str) -> ListReader:
    """The Reader for the list domain of an address. Raises SettingsError."""
    reader = site.targets[f"@{address.partition('@')[2]}"].reader()
    assert isinstance(reader, ListReader)
    return reader


def settings_of(reader: ListReader, name: str) -> Mapping[str, Any]:
    """The settings of a list. Raises UsageError where there is no such list; the message names those that are called
    nearly so."""
    settings = reader.settings(name)
    if settings is None:
        raise UsageError(f"{reader.domain} has no list {name}{near(name, reader.names())}: check the name")
    return settings


def is_disabled(site: Site, reader: ListReader, settings: Mapping[str, Any]) -> bool:
    """Whether a list is disabled: its description says so, or some of its settings are a closed list's."""
    return str(settings["description"]).startswith(site.settings.lists.disabled) or bool(reader.reopened(settings))


def near(name: str, names: Sequence[str]) -> str:
    """`` (did you mean …?)``, or nothing: names that look alike, and names that begin or end with it."""
    if own := next((other for other in names if name.startswith(f"{other}-") and name.endswith(SUBADDRESSES)), ""):
        return f" (that is an address of {own}; did you mean {own}?)"
    if close := suggest(name, names):
        return close
    parts = [other for other in names if other.startswith(name) or other.endswith(name)][:2]
    return f" (did you mean {' or '.join(parts)}?)" if parts else ""


def note_of_password(place: str) -> str:
    """A note for the operator: where the new password will be, in a file (``place``) or on the terminal."""
    how = f"written to {place}" if place else "shown once"
    return f"the new password is {how} as soon as it is set, and kept nowhere else"


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run owns: the list, by its address."""
    return (f"list:{arguments['list']}",)
