"""Hosts from a directory of YAML files.

Every ``*.yaml`` file may hold ``hosts:``, ``aliases:`` and ``sites:``; ``settings.yaml`` holds only settings for this
fleet::

    hosts:
      lab01: {address: 198.18.7.11, port: 22, site: east, rack: a1, vendor: dell, roles: [web]}
      lab02: {vendor: hpe, model: DL360 Gen10, serial: AB12, asset_tag: T17, bmc: {address: 198.18.8.12, driver: ilo}}
      db[1001-1010]: {site: east, roles: [db]}      # a range: each is reached by its name
    aliases:
      web: "O{role:web}"
    sites:
      east: {jump: gate-east}                       # its hosts are reached through this one
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.nodes import Node

from runbooks.errors import InventoryError
from runbooks.inventory.bmc import read_bmc
from runbooks.inventory.hosts import Host
from runbooks.inventory.jumps import Hops, read_site, refuse_unknown_sites
from runbooks.inventory.names import address_problem, host_problem, short, suggest, user_problem
from runbooks.inventory.sameness import bare_address
from runbooks.inventory.source import Contents
from runbooks.inventory.words import expand
from runbooks.inventory.yaml_file import YamlFile

SETTINGS_FILE = "settings.yaml"

# The characters that Cumin's grammar takes after `A:`.
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def _checked(problem: Callable[[str], str | None]) -> Callable[[YamlFile, Node, str], str]:
    def read(file: YamlFile, node: Node, what: str) -> str:
        text = file.text(node, what)
        if wrong := problem(text):
            raise file.fail(node, f"{what}: {short(text)} {wrong}")
        return text

    return read


def _port(file: YamlFile, node: Node, what: str) -> int:
    return file.whole(node, what, 1, 65535)


def _mapping(file: YamlFile, node: Node, what: str) -> Any:
    value = file.plain(node, what)
    if not isinstance(value, Mapping):
        raise file.fail(node, f"{what} must be a mapping (key: value)")
    return value


_FIELDS: Mapping[str, Callable[[YamlFile, Node, str], Any]] = {
    "address": _checked(address_problem),
    "port": _port,
    "user": _checked(user_problem),
    "site": YamlFile.text,
    "rack": YamlFile.text,
    "vendor": YamlFile.text,
    "model": YamlFile.text,
    "serial": YamlFile.text,
    "asset_tag": YamlFile.text,
    "roles": YamlFile.texts,
    "groups": YamlFile.texts,
    "bmc": read_bmc,
}
# What is one machine's alone.
_SINGLE = ("address", "serial", "asset_tag")


@dataclass
class _Gathered:
    """What has been read so far, and where each name was written."""

    hosts: dict[str, Host] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    host_places: dict[str, str] = field(default_factory=dict)
    alias_places: dict[str, str] = field(default_factory=dict)
    jumps: dict[str, Hops] = field(default_factory=dict)
    jump_places: dict[str, str] = field(default_factory=dict)
    addresses: dict[tuple[str, int], str] = field(default_factory=dict)
    bmcs: dict[str, dict[int, str]] = field(default_factory=dict)


class YamlSource:
    """The YAML files of one directory, read together."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self) -> Contents:
        """Read all files, in the order of their names."""
        with _without_collector():
            gathered = self._gathered()
        if not gathered.hosts:
            raise InventoryError(f"{self.directory}: no file names a host: begin hosts.yaml with 'hosts:'")
        refuse_unknown_sites(gathered.jump_places, gathered.hosts.values())
        return Contents(gathered.hosts, gathered.aliases, gathered.settings, gathered.alias_places, gathered.jumps)

    def settings(self) -> Mapping[str, Any]:
        """Read the settings alone: many a command needs no host."""
        return next((_settings(path) for path in self._files() if path.name == SETTINGS_FILE), {})

    def _gathered(self) -> _Gathered:
        # The trees of the files end with this method: none is left for the collector to walk when it is back.
        gathered = _Gathered()
        for path in self._files():
            if path.name == SETTINGS_FILE:
                gathered.settings = _settings(path)
            else:
                _read_file(YamlFile(path), gathered)
        return gathered

    def _files(self) -> list[Path]:
        try:
            entries = sorted(path for path in self.directory.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise InventoryError(
                f"{self.directory}: no inventory can be read there ({error.strerror}): set ops_clinic.inventory"
            ) from error
        for path in entries:
            if path.suffix.lower() in (".yml", ".json") or (path.suffix.lower() == ".yaml" and path.suffix != ".yaml"):
                raise InventoryError(f"{path}: would be ignored, only *.yaml is read: rename it")
        return [path for path in entries if path.suffix == ".yaml"]


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector out: over 10,000 hosts, none of them garbage, it takes as long as the reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _settings(path: Path) -> Mapping[str, Any]:
    file = YamlFile(path)
    settings: Mapping[str, Any] = _mapping(file, file.root, "the settings") if file.root else {}
    return settings


def _read_file(file: YamlFile, gathered: _Gathered) -> None:
    for section, section_node, node in file.items(file.root, "an inventory file"):
        if section == "hosts":
            for word, word_node, fields in file.items(node, "hosts"):
                _read_hosts(file, word, word_node, fields, gathered)
        elif section == "aliases":
            for name, name_node, value in file.items(node, "aliases"):
                _read_alias(file, name, name_node, value, gathered)
        elif section == "sites":
            for site, site_node, fields in file.items(node, "sites"):
                _read_site(file, site, site_node, fields, gathered)
        else:
            known = ("hosts", "aliases", "sites")
            hint = suggest(section, known) or ": hosts, aliases and sites are (settings go into settings.yaml)"
            raise file.fail(section_node, f"{section} is no section of an inventory file{hint}")


def _read_hosts(file: YamlFile, word: str, word_node: Node, fields: Node, gathered: _Gathered) -> None:
    """Read one entry of ``hosts``: a name, or a range of names that share their fields."""
    values: dict[str, Any] = {}
    place = file.place(word_node)
    for key, key_node, node in file.items(fields, f"host {word}"):
        if key not in _FIELDS:
            hint = suggest(key, _FIELDS)
            raise file.fail(key_node, f"host {word}: {key} is no field{hint}: {', '.join(_FIELDS)} are")
        values[key] = _FIELDS[key](file, node, f"host {word}: {key}")
        shared = "bmc address" if key == "bmc" and "address" in values[key] else key
        if "[" in word and shared in (*_SINGLE, "bmc address"):
            raise file.fail(key_node, f"host {word}: a range of hosts can't share one {shared}: write the hosts singly")
    for name in expand(word, place):
        _add_host(name, values, place, gathered)


def _add_host(name: str, values: Mapping[str, Any], place: str, gathered: _Gathered) -> None:
    if wrong := host_problem(name):
        raise InventoryError(f"{place}: {short(name)} {wrong}")
    if name in gathered.hosts:
        raise InventoryError(f"{place}: host {name} stands twice, first in {gathered.host_places[name]}")
    host = Host(**{"name": name, "address": name, **values})
    # Two names for one machine would have each step done there twice, side by side: most likely a slip of copying.
    twin = gathered.addresses.setdefault((host.address, host.port), name)
    if twin != name:
        raise InventoryError(
            f"{place}: host {name} has the address of {twin} ({host.address} port {host.port}, "
            f"{gathered.host_places[twin]}): one machine, one host"
        )
    gathered.hosts[name] = host
    gathered.host_places[name] = place
    if "address" in host.bmc:
        _add_bmc(host, place, gathered)


def _add_bmc(host: Host, place: str, gathered: _Gathered) -> None:
    """Keep whose a BMC is. Two hosts with the same one would be switched off for each other; without a port nobody can
    tell them apart."""
    address, port = bare_address(host.bmc["address"]), host.bmc.get("port", 0)
    ports = gathered.bmcs.setdefault(address, {})
    twin = ports.get(port) or (next(iter(ports.values()), "") if port == 0 else ports.get(0))
    if twin:
        raise InventoryError(
            f"{place}: host {host.name} has the BMC of {twin} ({address}{f' port {port}' if port else ''}, "
            f"{gathered.host_places[twin]}): one machine, one BMC"
        )
    ports[port] = host.name


def _read_site(file: YamlFile, site: str, site_node: Node, fields: Node, gathered: _Gathered) -> None:
    if site in gathered.jumps:
        raise file.fail(site_node, f"site {short(site)} stands twice, first in {gathered.jump_places[site]}")
    gathered.jumps[site] = read_site(file, site, fields)
    gathered.jump_places[site] = file.place(site_node)


def _read_alias(file: YamlFile, name: str, name_node: Node, value: Node, gathered: _Gathered) -> None:
    if not _ALIAS.fullmatch(name):
        raise file.fail(name_node, f"alias {short(name)}: a name is made of letters, digits, '_', '.', '+' and '-'")
    if name in gathered.aliases:
        raise file.fail(name_node, f"alias {name} stands twice, first in {gathered.alias_places[name]}")
    gathered.aliases[name] = file.text(value, f"alias {name}")
    gathered.alias_places[name] = file.place(name_node)
