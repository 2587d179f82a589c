"""The system event log of a Redfish service: found among its logs, read to its newest entries.

Where it is: iDRAC has it under its manager, as ``Sel``, 50 entries to a page; iLO under the system, as ``IML``;
Supermicro as ``Log1`` of the system (that of the manager is about the BMC: Linuxfabrik/monitoring-plugins#866); Lenovo
as ``StandardLog``, since the SR650 V2 as ``PlatformLog`` (bb-Ricardo/check_redfish#77); OpenBMC as ``EventLog``, the
oldest entry first; AMI as ``SEL`` of the manager, while the system has one of its BIOS. What a service calls "log"
besides (dumps, audits, POST codes) is none of ours.

Sources: DMTF DSP2046 (LogService, LogEntry), DSP0266 (collections, nextLink).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urljoin

from runbooks.oob.https import plain
from runbooks.oob.model import Ability, LogEntry
from runbooks.oob.redfish_service import Json, Refused, Service, link_of, members, part_of

#: Names of logs, the likeliest to be the system event log first.
_NAMES = ("sel", "iml", "systemeventlog", "log1", "platformlog", "standardlog", "eventlog", "activelog", "log")
_MOST_PAGES = 200
# A BMC without a clock begins in 1970, or in the year it was built.
_FIRST_YEAR = 2005


def newest(service: Service, system: Json, limit: int) -> Sequence[LogEntry]:
    """So many entries, the newest first; those without a time are the last. Raises CommandFailed where there is no such
    log."""
    entries: list[LogEntry] = []
    for page in _pages(service, _log(service, system)):
        entries += [_entry(one) for one in _whole(service, page, limit)]
        # Where the newest is the first, no other page is needed.
        if len(entries) >= limit and _falls(entries):
            break
    return sorted(entries, key=_rank, reverse=True)[:limit]


def _falls(entries: Sequence[LogEntry]) -> bool:
    return entries[0].at > entries[-1].at and _number(entries[0].id) > _number(entries[-1].id)


def _rank(entry: LogEntry) -> tuple[str, int]:
    return entry.at, _number(entry.id)


def _log(service: Service, system: Json) -> str:
    """Where its entries are: a system's log goes before a manager's of the same name."""
    found = [log for owner in _owners(service, system) if (link := link_of(owner, "LogServices")) for log in
             _names(service, link)]  # fmt: skip
    known = [log for log in found if _name(log) in _NAMES]
    if not known:
        there = f" ({', '.join(map(_name, found))})" if found else ""
        raise service.failed(f"it has no system event {Ability.LOG}{there}")
    chosen = min(known, key=lambda log: _NAMES.index(_name(log)))
    return link_of(service.get(chosen), "Entries") or f"{chosen.rstrip('/')}/Entries"


def _owners(service: Service, system: Json) -> Iterator[Json]:
    yield system
    if link := link_of(system, "Links", "ManagedBy"):
        yield _get(service, link)


def _names(service: Service, link: str) -> list[str]:
    return [found for one in members(_get(service, link)) if (found := link_of(one))]


def _get(service: Service, link: str) -> Json:
    """A resource; empty where a service refers to what it has not."""
    try:
        return service.get(link)
    except Refused as error:
        if error.status != 404:
            raise
        return {}


def _name(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2].casefold()


def _pages(service: Service, link: str) -> Iterator[Json]:
    for _ in range(_MOST_PAGES):
        page = service.get(link)
        yield page
        further = page.get("Members@odata.nextLink") or page.get("@odata.nextLink")
        if not further:
            return
        link = urljoin(link, str(further))


def _whole(service: Service, page: Json, limit: int) -> Iterator[Json]:
    """Entries are members themselves; where they are only named, those with the highest numbers are fetched."""
    named = list(members(page))
    whole = [one for one in named if "Created" in one or "Message" in one]
    yield from whole
    if not whole:
        links = sorted((link_of(one) for one in named), key=lambda link: _number(_name(link)))
        yield from (service.get(link) for link in reversed(links[-limit:]) if link)


def _entry(found: Json) -> LogEntry:
    hpe = part_of(part_of(found, "Oem"), "Hpe")
    severity = plain(found.get("Severity") or found.get("MessageSeverity") or hpe.get("Severity") or "")
    message = plain(found.get("Message") or found.get("Name") or "")
    # Supermicro's text is the same for what begins and for what ends.
    if str(found.get("EntryCode")).startswith("Deassert") and "deassert" not in message.lower():
        message += " (deasserted)"
    return LogEntry(plain(found.get("Id") or ""), _utc(str(found.get("Created") or "")), severity.lower(), message)


def _utc(told: str) -> str:
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        return ""
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if found.year >= _FIRST_YEAR else ""


def _number(text: str) -> int:
    digits = re.findall(r"\d+", text)
    return int(digits[-1]) if digits else 0
