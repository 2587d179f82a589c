"""Where exim has to send mail for an alias that is edited, as each mail host is asked about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbooks.aliases.targets import Kind, Target
from runbooks.systems import reads
from runbooks.systems.exim import routes_of
from runbooks.systems.host import HostReader


@dataclass(frozen=True)
class Promise:
    """What ``RoutesAsPlanned`` holds a mail host to, all by whole addresses: where mail went ``before``; what the alias
    shall lead to (``wanted``); and the ends of it that no address stands for, such as a pipe's (``kept``)."""

    before: Mapping[str, Sequence[str]]
    wanted: Mapping[str, Sequence[str]]
    kept: Mapping[str, Sequence[str]]


def promised(
    reader: HostReader,
    command: Sequence[str],
    directory: str,
    addresses: Sequence[str],
    ours: Sequence[str],
    old: Sequence[Target],
    new: Sequence[Target],
) -> Promise:
    """The promise for an alias whose addresses are ``ours``, with ``old`` targets that become ``new`` ones, beside all
    other ``addresses`` of its file. Raises Unreachable, CommandFailed."""
    qualify = reader.ask(reads.mail_qualify(command, directory))
    there = [whole for address in ours for whole in _whole(old, address, qualify)]
    routes = routes_of(reader, command, [*addresses, *there])
    before = {address: list(routes[address].shown) for address in addresses}
    kept: dict[str, Sequence[str]] = {}
    gone = tuple(target.text for target in old if target not in new)
    for address in ours if any(target.kind is not Kind.ADDRESS for target in new) else ():
        known = {end for whole in _whole(old, address, qualify) for end in routes[whole].shown}
        # What cannot be asked about stays as it is: nobody adds such a thing here, and what goes is named.
        kept[address] = [end for end in before[address] if end not in known and not end.startswith(gone)]
    # One that led nowhere was no alias to exim: nothing is to change.
    return Promise(before, {address: _whole(new, address, qualify) for address in ours if old or new}, kept)


def _whole(targets: Sequence[Target], address: str, qualify: str) -> list[str]:
    """The addresses among an alias's targets, with the domain that exim gives to those without one."""
    own = address.rpartition("@")[2]
    return [target.whole(own, qualify) for target in targets if target.kind is Kind.ADDRESS]
