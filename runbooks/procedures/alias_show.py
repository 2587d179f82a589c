"""What is known of a mail alias, or of a domain's: where it stands, where it leads, who has changed it and when."""

from __future__ import annotations

from typing import Any

from runbooks.aliases.domains import Domain
from runbooks.aliases.entries import Entry
from runbooks.errors import UsageError
from runbooks.inventory.names import suggest
from runbooks.procedures.mail_aliases import PrivateRepository, domains_of, place_of, repository_of, split
from runbooks.site import Site
from runbooks.systems import reads

MOST_COMMITS = 5


def alias_show(site: Site, text: str) -> dict[str, Any]:
    """What is known of an alias (``text`` is its address) or of a domain: the ``domain``, its ``aliases`` or that one,
    and the last ``commits`` that touched that one's line. Raises UsageError, Unreachable, Blocked."""
    name, domain = split(text) if "@" in text else ("", text.lower())
    place = place_of(site)
    repository = repository_of(site, place)
    found = domains_of(site, repository, place.mail_hosts).find(domain)
    shown: dict[str, Any] = {"domain": _domain(found), "aliases": [], "commits": []}
    if not found.path:
        return shown
    file = repository.file(found.path)
    entries = file.entries_for(name) if name else file.entries
    shown["aliases"] = [_alias(entry) for entry in entries]
    shown["commits"] = _commits(repository, found.path, name) if name else []
    if name and not entries and not shown["commits"]:
        raise UsageError(f"there is no alias {text}{suggest(name, file.names)}: `inv mail-route` says where it goes")
    return shown


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "kind": str(domain.kind),
        "path": domain.path,
        "chain": list(domain.chain),
        "together": list(domain.together),
        "mentions": [f"{one}: {one.text}" for one in domain.mentions],
        "problem": domain.problem,
    }


def _alias(entry: Entry) -> dict[str, Any]:
    targets = [target.text for target in entry.targets]
    return {"name": entry.name, "line": entry.line, "targets": targets, "comments": list(entry.comments)}


def _commits(repository: PrivateRepository, path: str, name: str) -> list[dict[str, str]]:
    read = reads.checkout_history(repository.place.checkout, path, name, MOST_COMMITS)
    return [commit._asdict() for commit in repository.reader.ask(read)]
