"""What is known of a machine's hardware: from several sources, field by field, and where they contradict each other.

A wrong BMC address would switch another machine off. So whatever two sources say differently is told, and blocks; and
so does a BMC that one source gives to this machine, and another source to another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from runbooks.errors import InventoryError
from runbooks.inventory.hosts import Host
from runbooks.inventory.names import address_problem, listed, short
from runbooks.inventory.sameness import Resolve, addresses_of, bare_address, same

SOURCES = ("yaml", "netbox", "racktables")
#: The fields of ``Hardware`` with one value each, in the order in which they are shown.
FIELDS = ("vendor", "model", "bmc", "rack", "asset_tag", "serial")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one source, or all together, know of a machine; empty: not told. ``bmc`` is an address or a name."""

    vendor: str = ""
    model: str = ""
    bmc: str = ""
    rack: str = ""
    asset_tag: str = ""
    serial: str = ""
    roles: tuple[str, ...] = ()


class HardwareSource(Protocol):
    """Somewhere that hardware is recorded: ``yaml``, ``netbox`` or ``racktables``."""

    @property
    def name(self) -> str:
        """How settings and messages call it."""
        ...

    def look_up(self, hosts: Sequence[str]) -> Mapping[str, Hardware]:
        """What it knows of hosts; those that it doesn't know are left out. Raises Unreachable where it cannot be asked,
        SettingsError where it is not set up, InventoryError where what it says can't be."""
        ...


@dataclass(frozen=True)
class LookedUp:
    """One machine, as all sources together know it.

    ``hardware`` has of each field what the first source says that tells it, and the roles of all. ``told_by``: field to
    source (roles: sources, with commas). ``contradictions``: one line each, ``serial: yaml says AB12, netbox says
    CD34``. ``said``: what each source said.
    """

    hardware: Hardware
    told_by: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    said: Mapping[str, Hardware] = field(default_factory=dict)


def look_up(
    sources: Sequence[HardwareSource], hosts: Sequence[str], resolve: Resolve = addresses_of
) -> Mapping[str, LookedUp]:
    """Ask all sources about hosts. Every host is in the answer; one that nobody knows has empty hardware.

    ``resolve`` is asked where one source has a BMC's name and another its address. Raises what the sources raise.
    """
    answers = {source.name: _checked(source.name, source.look_up(hosts)) for source in sources}
    shared = _shared(answers)
    found = {}
    for host in hosts:
        said = {name: known[host] for name, known in answers.items() if host in known}
        lines = [line for name in FIELDS if (line := _contradiction(name, said, resolve))]
        found[host] = LookedUp(*_merged(said), (*lines, *shared.get(host, ())), said)
    return found


def told(text: object) -> str:
    """What a source says, on one line and without control characters; None is nothing, and so is what has neither
    letter nor digit (``-``)."""
    plain = "".join(each if each.isprintable() else " " for each in str(text if text is not None else ""))
    line = " ".join(plain.split())
    return line if any(map(str.isalnum, line)) else ""


def _checked(source: str, answers: Mapping[str, Hardware]) -> Mapping[str, Hardware]:
    """With addresses of BMCs that can be connected to. Raises InventoryError for what is none."""
    checked = {}
    for host, hardware in answers.items():
        bmc = bare_address(hardware.bmc)
        if bmc and (wrong := address_problem(bmc)):
            raise InventoryError(f"{source}: {host}: the BMC's address {short(bmc)} {wrong}: correct it there")
        checked[host] = replace(hardware, bmc=bmc)
    return checked


def refuse_shared(source: str, answers: Mapping[str, Hardware]) -> None:
    """Raise InventoryError where a source gives two hosts the same BMC."""
    owners: dict[str, str] = {}
    for host, hardware in answers.items():
        if hardware.bmc and (other := owners.setdefault(bare_address(hardware.bmc), host)) != host:
            raise InventoryError(f"{source}: {other} and {host} have the same BMC, {hardware.bmc}: correct it there")


def _merged(said: Mapping[str, Hardware]) -> tuple[Hardware, dict[str, str]]:
    values: dict[str, str] = {}
    told_by: dict[str, str] = {}
    for name in FIELDS:
        for source, hardware in said.items():
            if value := getattr(hardware, name):
                values[name], told_by[name] = value, source
                break
    # In every spelling: that of a setting (oob.critical) may be any of them.
    roles = dict.fromkeys(role for hardware in said.values() for role in hardware.roles)
    if tellers := [source for source, hardware in said.items() if hardware.roles]:
        told_by["roles"] = ", ".join(tellers)
    return Hardware(**values, roles=tuple(roles)), told_by


def _contradiction(name: str, said: Mapping[str, Hardware], resolve: Resolve) -> str:
    """What the sources say of a field, if two of them differ: each is held against each, since a short name may be the
    beginning of two long ones."""
    values = [(source, getattr(hardware, name)) for source, hardware in said.items() if getattr(hardware, name)]
    pairs = ((one, other) for n, (_, one) in enumerate(values) for _, other in values[n + 1 :])
    if all(same(name, one, other, resolve) for one, other in pairs):
        return ""
    return f"{name}: " + ", ".join(f"{source} says {short(value, 100)}" for source, value in values)


def _shared(answers: Mapping[str, Mapping[str, Hardware]]) -> Mapping[str, list[str]]:
    """Lines about BMCs that two sources give to two hosts, under both."""
    owners: dict[str, dict[str, set[str]]] = {}
    for source, known in answers.items():
        for host, hardware in known.items():
            if hardware.bmc:
                owners.setdefault(bare_address(hardware.bmc), {}).setdefault(host, set()).add(source)
    lines: dict[str, list[str]] = {}
    for bmc, hosts in owners.items():
        if len(hosts) > 1 and len({source for sources in hosts.values() for source in sources}) > 1:
            words = (f"{listed(sources)} says it is that of {host}" for host, sources in hosts.items())
            line = f"bmc: {short(bmc, 100)}: {', '.join(words)}"
            for host in hosts:
                lines.setdefault(host, []).append(line)
    return lines


@dataclass(frozen=True)
class YamlHardware:
    """What the YAML inventory says of its hosts; it has refused BMCs that two share when it was read."""

    hosts: Mapping[str, Host]
    name: str = "yaml"

    def look_up(self, hosts: Sequence[str]) -> Mapping[str, Hardware]:
        """Hosts that the inventory has."""
        return {name: _of_host(self.hosts[name]) for name in hosts if name in self.hosts}


def _of_host(host: Host) -> Hardware:
    values = {name: told(getattr(host, name)) for name in FIELDS if name != "bmc"}
    return Hardware(**values, bmc=told(host.bmc.get("address")), roles=host.roles)


@dataclass(frozen=True)
class Names:
    """Which of the hosts asked for a name in a source is; ``fleet`` are all hosts that there are.

    A name is a host's when it is the same, or one is the other without its domain. Where two hosts of the fleet have
    the same name but for the domain, only the whole name counts.
    """

    hosts: Sequence[str]
    fleet: Iterable[str] = ()

    def labels(self) -> list[str]:
        """The first label of each host, in small letters, each once."""
        return sorted({_label(host) for host in self.hosts})

    def owners(self, names: Iterable[str]) -> Mapping[str, list[str]]:
        """Host to those of ``names`` that are its own; all of them, so that more than one can be refused."""
        by_label: dict[str, list[str]] = {}
        for host in {*self.hosts, *self.fleet}:
            by_label.setdefault(_label(host), []).append(host)
        asked = set(self.hosts)
        found: dict[str, list[str]] = {}
        for name in names:
            alike = by_label.get(_label(name), [])
            whole = bare_address(name)
            hosts = [host for host in alike if host == whole]
            if not hosts and len(alike) == 1 and ("." not in whole or "." not in alike[0]):
                hosts = alike
            for host in hosts:
                if host in asked:
                    found.setdefault(host, []).append(name)
        return found


def _label(name: str) -> str:
    return bare_address(name).partition(".")[0]
