"""Hardware as RackTables records it, read from its MySQL or MariaDB database in one read-only transaction.

What is read: ``Object`` (name, asset number), ``AttributeValue`` with ``Dictionary`` (OEM S/N 1, HW type, FQDN),
``RackSpace`` and ``EntityLink`` (the rack, also as Zero-U or through a chassis), ``IPv4Allocation`` and
``IPv6Allocation`` (the BMC's address, by the name of its interface), ``TagStorage`` and ``TagTree`` (roles). A user
with this right is enough, and should have no other::

    GRANT SELECT ON racktables.* TO 'ops-clinic'@'%';

Sources: RackTables 0.20 to 0.22, ``wwwroot/inc/install.php`` (schema, attributes), ``dictionary.php`` (object types;
models such as ``[[Dell PowerEdge%GPASS%R610 | http://...]]``), ``parseWikiLink``, ``execGMarker`` in ``functions.php``.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from runbooks.errors import InventoryError, LoginRefused, RunbookError, SettingsError, Unreachable
from runbooks.inventory import racktables_queries as queries
from runbooks.inventory.hardware import Hardware, Names, refuse_shared, told
from runbooks.inventory.names import listed, short
from runbooks.inventory.sameness import bare_address, split_vendor
from runbooks.secret import Secret

_AT_ONCE = 500
# MySQL's numbers: who may not log in; no such database; may not read a table; a table or column that is not there.
_REFUSED, _NO_DATABASE, _NO_RIGHT, _NO_TABLE = {1045, 1044, 1698}, {1049}, {1142, 1143}, {1146, 1054}

Read = Callable[..., Sequence[tuple[Any, ...]]]
"""Rows of a query, which gets lists; none where a list is empty."""


@dataclass(frozen=True)
class RackTables:
    """The database of a RackTables. ``host`` is a name, an address, or the path of a socket; with ``ca``, a file of
    certificates, it is reached by TLS or not at all. ``bmc``: names of interfaces. ``fleet``: all hosts there are."""

    host: str
    user: str
    password: Secret
    port: int = 3306
    database: str = "racktables"
    ca: Path | None = None
    timeout_s: int = 10
    bmc: tuple[str, ...] = ("bmc", "idrac", "ilo", "ipmi", "mgmt", "oob")
    fleet: Collection[str] = ()
    name: str = "racktables"

    def look_up(self, hosts: Sequence[str]) -> Mapping[str, Hardware]:
        """The objects of hosts, some ten queries for each five hundred.

        Raises Unreachable, or LoginRefused for a user who may not log in; SettingsError; InventoryError where two
        objects may be one host, or two have one BMC.
        """
        found: dict[str, Hardware] = {}
        with self._reading() as read:
            for some in _chunks(sorted(set(hosts))):
                found |= _hardware(read, _objects(read, some, self.fleet), self.bmc)
        refuse_shared(self.name, found)
        return found

    @contextmanager
    def _reading(self) -> Iterator[Read]:
        try:
            import pymysql
        except ImportError as error:
            raise SettingsError("hardware.sources has racktables: it needs PyMySQL: pip install PyMySQL") from error
        try:
            connection = pymysql.connect(**self._how())
            try:
                with connection.cursor() as cursor:
                    cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

                    def read(query: str, *lists: Collection[Any]) -> Sequence[tuple[Any, ...]]:
                        if not all(lists):
                            return ()
                        cursor.execute(query, tuple(map(tuple, lists)))
                        return list(cursor.fetchall())

                    yield read
            finally:
                connection.close()
        except (pymysql.MySQLError, OSError) as error:
            raise self._said_no(error) from error

    def _how(self) -> dict[str, Any]:
        where = {"unix_socket": self.host} if self.host.startswith("/") else {"host": self.host, "port": self.port}
        try:
            secured = {"ssl": ssl.create_default_context(cafile=str(self.ca))} if self.ca else {}
        except (ssl.SSLError, OSError) as error:
            raise SettingsError(f"racktables.ca: {self.ca} holds no certificate that can be read") from error
        timeouts = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), self.timeout_s)
        who = {"user": self.user, "password": self.password.reveal(), "database": self.database}
        return {**where, **secured, **timeouts, **who, "charset": "utf8mb4", "local_infile": False}

    def _said_no(self, error: Exception) -> RunbookError:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = short(str(error.args[-1] if error.args else error), 200)
        place = self.host if self.host.startswith("/") else f"{self.host}:{self.port}"
        if number in _REFUSED:
            return LoginRefused("racktables", f"{place}: {said}")
        if number in _NO_DATABASE:
            return SettingsError(f"racktables: {place}: {said}: set racktables.database")
        if number in _NO_RIGHT:
            return SettingsError(f"racktables: {place}: {said}: GRANT SELECT ON {self.database}.* to that user")
        if number in _NO_TABLE:
            return SettingsError(f"racktables: {place}: {self.database} is no RackTables of 0.20 or later: {said}")
        return Unreachable("racktables", f"{place}: {said}")


def parse_model(text: str) -> tuple[str, str]:
    """Vendor and model of a value of the dictionary: ``Dell``, ``PowerEdge R610`` for ``Dell PowerEdge%GPASS%R610``.

    A wiki link is its text; ``%L2,8V%`` (the slots of a chassis) is nothing. What stands before a marker begins with
    the vendor; without one, only a vendor that is known is taken for one.
    """
    link = re.fullmatch(r"\[\[(.+)\]\]", text.strip())
    plain = link[1].partition("|")[0] if link else text
    plain = re.sub(r"%L\d+,\d+[HV]?%", "", plain)
    family, rest = (told(part) for part in re.split(r"%GPASS%|%GSKIP%", f"{plain}%GPASS%")[:2])
    if not rest:
        return ("", "") if family.casefold() in ("noname/unknown", "unknown") else split_vendor(family)
    vendor, line = split_vendor(family)
    if not vendor:
        vendor, _, line = family.partition(" ")
    return vendor, told(f"{line} {rest}")


def _objects(read: Read, hosts: Sequence[str], fleet: Collection[str]) -> Mapping[str, tuple[int, str]]:
    """The one object of each host: its number and asset number."""
    names = Names(hosts, fleet)
    rows: dict[str, list[tuple[int, str]]] = {}
    for number, name, asset in read(queries.OBJECTS, names.labels()):
        rows.setdefault(told(name), []).append((number, told(asset)))
    candidates = {
        host: [(name, *row) for name in own for row in rows[name]] for host, own in names.owners(rows).items()
    }
    for host, found in candidates.items():
        if len(found) > 1:
            which = " or ".join(f"object {number} ({short(name)})" for name, number, _ in found)
            raise InventoryError(f"racktables: {host} may be {which}: give each its whole name there")
    return {host: found[0][1:] for host, found in candidates.items()}


def _hardware(read: Read, objects: Mapping[str, tuple[int, str]], interfaces: Sequence[str]) -> dict[str, Hardware]:
    numbers = {host: number for host, (number, _) in objects.items()}
    ids = list(numbers.values())
    values = {(number, kind): told(text) for number, kind, text in read(queries.ATTRIBUTES, ids)}
    racks, roles, bmcs = _racks(read, ids), _roles(read, ids), _bmcs(read, numbers, interfaces)
    found = {}
    for host, (number, asset) in objects.items():
        vendor, model = parse_model(values.get((number, queries.MODEL), ""))
        serial = values.get((number, queries.SERIAL), "")
        rack = ", ".join(racks.get(number, ()))
        found[host] = Hardware(vendor, model, bmcs.get(host, ""), rack, asset, serial, roles.get(number, ()))
    return found


def _racks(read: Read, ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """The racks of objects; of one that is in none, those of what it is a part of."""
    racks = _grouped(read(queries.RACKS, ids, ids))
    parents = _grouped(read(queries.PARENTS, [number for number in ids if number not in racks]))
    theirs = _grouped(read(queries.RACKS, *[sorted({one for some in parents.values() for one in some})] * 2))
    through = {number: [rack for one in some for rack in theirs.get(one, ())] for number, some in parents.items()}
    return {number: sorted({told(rack) for rack in some}) for number, some in (racks | through).items()}


def _roles(read: Read, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    """The tags of objects, and those that they stand under: RackTables takes them for given."""
    tree = {number: (parent, told(tag)) for number, parent, tag in read(queries.TREE)}
    found: dict[int, dict[str, None]] = {}
    for number, tag in read(queries.TAGS, ids):
        seen = found.setdefault(number, {})
        while tag in tree and tree[tag][1] not in seen:
            tag, name = tree[tag]
            seen[name] = None
    return {number: tuple(filter(None, tags)) for number, tags in found.items()}


def _bmcs(read: Read, numbers: Mapping[str, int], interfaces: Sequence[str]) -> Mapping[str, str]:
    """The addresses of BMCs: of an interface with such a name, or else of the management interface that is linked with
    the object, or else that one's FQDN. IPv4 goes before IPv6."""
    linked = _grouped(read(queries.MANAGERS, numbers.values(), numbers.values()))
    managers = [one for some in linked.values() for one in some]
    names = {number: told(text) for number, kind, text in read(queries.ATTRIBUTES, managers) if kind == queries.FQDN}
    rows = _addresses(read, [*numbers.values(), *managers])
    wanted = {name.casefold() for name in interfaces}
    own = [(number, ip) for number, ip, name in rows if told(name).casefold() in wanted]
    theirs = [(number, ip) for number, ip, _ in rows if number in set(managers)]
    found = {}
    for host, number in numbers.items():
        managing = linked.get(number, ())
        choices = (
            [ip for one, ip in own if one == number],
            [ip for one, ip in theirs if one in managing],
            [bare_address(names[one]) for one in managing if names.get(one)],
        )
        if several := next(filter(None, choices), []):
            found[host] = _only(host, several)
    _refuse_others(read, numbers, linked, found)
    return found


def _addresses(read: Read, ids: Collection[int]) -> Sequence[tuple[int, str, str]]:
    four, six = (read(queries.ADDRESSES[table], ids) for table in ("IPv4Allocation", "IPv6Allocation"))
    return [(number, str(ipaddress.ip_address(ip)), name) for number, ip, name in (*four, *six)]


def _only(host: str, addresses: Sequence[str]) -> str:
    four = [text for text in addresses if ":" not in text] or addresses
    if len(set(four)) > 1:
        raise InventoryError(f"racktables: {host} has several addresses for management: {listed(four, 4)}: leave one")
    return four[0]


def _refuse_others(
    read: Read, numbers: Mapping[str, int], linked: Mapping[int, Sequence[int]], bmcs: Mapping[str, str]
) -> None:
    """A BMC's address or name on another object, too, may be that one's BMC."""
    owners = {bmc: host for host, bmc in bmcs.items()}
    rows = [(bare_address(told(name)), *rest) for name, *rest in read(queries.OTHERS_NAMED, list(owners))]
    for table, version in (("IPv4Allocation", 4), ("IPv6Allocation", 6)):
        found = read(queries.OTHERS[table], _packed(owners, version))
        rows += [(str(ipaddress.ip_address(ip)), *rest) for ip, *rest in found]
    for bmc, number, name in rows:
        host = owners.get(bmc, "")
        if host and number != numbers[host] and number not in linked.get(numbers[host], ()):
            other = short(told(name)) or f"object {number}"
            raise InventoryError(f"racktables: {host} and {other} have the same BMC, {bmc}: correct it there")


def _packed(texts: Iterable[str], version: int) -> list[Any]:
    """Addresses of one version as the tables have them: numbers, or sixteen bytes."""
    found: list[Any] = []
    for text in texts:
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            continue
        if ip.version == version:
            found.append(int(ip) if version == 4 else ip.packed)
    return found


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for number, value in rows:
        found.setdefault(number, []).append(value)
    return found


def _chunks(hosts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(hosts)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
