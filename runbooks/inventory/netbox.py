"""Hardware as Netbox records it, through its REST API and pynetbox; nothing is ever written there.

A device is found by its name. Its BMC's address is ``oob_ip`` (Netbox 3.5 and later), or, where settings say so, that
of an interface for management only. Netbox passes over filters that it does not know and answers with everything, so
each answer is held against what was asked for.

Sources: Netbox documentation 3.7 and 4.x, "REST API overview" (authentication, pagination, brief objects) and
"Filtering" (several values, ``__ie``, ``__isw``); its dcim and ipam serializers (``device_role`` until 3.5, both until
3.7, ``role`` from 4.0); pynetbox 7.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from runbooks.errors import InventoryError, LoginRefused, SettingsError, Unreachable
from runbooks.inventory.hardware import Hardware, Names, refuse_shared, told
from runbooks.inventory.names import listed, short
from runbooks.inventory.sameness import bare_address, is_address
from runbooks.secret import Secret

#: Where a BMC's address may be, in Netbox.
PLACES = ("oob_ip", "mgmt_address", "mgmt_name")
# What goes into one request: long lines are refused by web servers, mostly from 8 KiB.
_AT_ONCE = 50

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Netbox:
    """A Netbox. ``url`` is the server's, without ``/api``; ``ca`` is a file of certificates (None: the system's);
    ``bmc`` are those of PLACES where a BMC's address is looked for, in order: ``mgmt_address`` is the address of the
    device's interface with ``mgmt_only``, ``mgmt_name`` that address's ``dns_name``. ``fleet``: all hosts there are."""

    url: str
    token: Secret
    ca: Path | None = None
    timeout_s: float = 10
    bmc: tuple[str, ...] = ("oob_ip",)
    fleet: Collection[str] = ()
    name: str = "netbox"

    def look_up(self, hosts: Sequence[str]) -> Mapping[str, Hardware]:
        """The devices of hosts, a few requests for each fifty.

        Raises Unreachable, or LoginRefused for a token that Netbox does not take; SettingsError; InventoryError where
        two devices may be one host, or two have one BMC.
        """
        with self._asking():
            api = self._api()
            devices = self._devices(api, hosts)
            bmcs = self._bmcs(api, devices)
            self._refuse_others(api, devices, bmcs)
        found = {host: _hardware(device, bmcs.get(host, "")) for host, device in devices.items()}
        refuse_shared(self.name, found)
        return found

    def _api(self) -> Any:
        try:
            import pynetbox
        except ImportError as error:
            raise SettingsError("hardware.sources has netbox, which needs pynetbox: pip install pynetbox") from error
        api = pynetbox.api(self.url, token=self.token.reveal())
        api.http_session = _session(self.url, self.ca, self.timeout_s)
        return api

    def _devices(self, api: Any, hosts: Sequence[str]) -> Mapping[str, Record]:
        found: dict[int, Record] = {}
        for some in _chunks(sorted(set(hosts))):
            labels = Names(some).labels()
            without = [f"{host}." for host in some if "." not in host]
            for filters in ({"name__ie": sorted({*some, *labels})}, {"name__isw": without}):
                if all(filters.values()):
                    found.update((device["id"], device) for device in _ask(api.dcim.devices, **filters))
        by_name: dict[str, list[Record]] = {}
        for device in found.values():
            by_name.setdefault(told(device.get("name")), []).append(device)
        owners = Names(hosts, self.fleet).owners(by_name)
        candidates = {host: [one for name in names for one in by_name[name]] for host, names in owners.items()}
        for host, devices in candidates.items():
            if len(devices) > 1:
                raise InventoryError(
                    f"netbox: {host} may be {' or '.join(map(_described, devices))}: give each its whole name there"
                )
        return {host: devices[0] for host, devices in candidates.items()}

    def _bmcs(self, api: Any, devices: Mapping[str, Record]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        managed: Mapping[str, Record] | None = None
        for place in self.bmc:
            missing = {host: device for host, device in devices.items() if not found.get(host)}
            if place == "oob_ip":
                found |= {host: told(_in(device, "oob_ip", "address")) for host, device in missing.items()}
                continue
            if managed is None:
                managed = _managed(api, missing)
            key = "address" if place == "mgmt_address" else "dns_name"
            found |= {host: told(managed[host].get(key)) for host in missing if host in managed}
        return {host: bare_address(text) for host, text in found.items() if text}

    def _refuse_others(self, api: Any, devices: Mapping[str, Record], bmcs: Mapping[str, str]) -> None:
        """A BMC's address or name on another device, too, may be that one's BMC."""
        owners = {bmc: host for host, bmc in bmcs.items()}
        for some in _chunks(owners):
            for key, name in (("address", "address"), ("dns_name__ie", "dns_name")):
                asked = [bmc for bmc in some if is_address(bmc) == (name == "address")]
                for record in _ask(api.ipam.ip_addresses, **{key: asked}) if asked else ():
                    host = owners.get(bare_address(told(record.get(name))))
                    device = _in(record, "assigned_object", "device")
                    if host and isinstance(device, Mapping) and device.get("id") != devices[host]["id"]:
                        other = short(told(device.get("name") or device.get("display")))
                        raise InventoryError(
                            f"netbox: {host} and {other} have the same BMC, {bmcs[host]}: correct it there"
                        )

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except requests.exceptions.InvalidSchema as error:
            raise InventoryError(f"netbox: {self.url} sends us elsewhere: {short(str(error), 150)}") from error
        except OSError as error:
            raise Unreachable("netbox", f"{self.url}: {_why(error)}") from error
        except (SettingsError, InventoryError, Unreachable):
            raise
        except Exception as error:
            raise self._said_no(error) from error

    def _said_no(self, error: Exception) -> Exception:
        """What pynetbox raises, as an error of ours; whatever else it meets in an answer is no Netbox's."""
        answer = getattr(error, "req", None)
        status = getattr(answer, "status_code", 0)
        said = short(str(getattr(error, "error", "") or error), 200)
        if status == 401 or (status == 403 and "permission" not in said):
            return LoginRefused("netbox", f"{self.url}: the token is not taken: {said}")
        if status == 403:
            return SettingsError(f"netbox: the token may not view devices, interfaces and IP addresses: {said}")
        if status == 404:
            return SettingsError(f"netbox: {self.url} has no Netbox: set netbox.url to where its front page is")
        if status >= 500 or status == 429:
            return Unreachable("netbox", f"{self.url}: answers {status}: {said}")
        if status >= 400:
            return InventoryError(f"netbox: {self.url}: {status}: {said}")
        return InventoryError(f"netbox: {self.url} does not answer as Netbox does: {said}: check netbox.url")


class _Bounded(HTTPAdapter):
    """Requests with a bound on the time, and with our certificates; both would be lost on the way: pynetbox has no
    argument for the first, and REQUESTS_CA_BUNDLE in the environment goes over the session's own ``verify``."""

    def __init__(self, timeout_s: float, ca: Path | None) -> None:
        super().__init__()
        self.always: dict[str, Any] = {"timeout": timeout_s} | ({"verify": str(ca)} if ca else {})

    def send(self, request: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """As HTTPAdapter does."""
        return super().send(request, **kwargs | self.always)


def _session(url: str, ca: Path | None, timeout_s: float) -> requests.Session:
    session = requests.Session()
    # An entry of ~/.netrc would go over the token.
    session.auth = lambda request: request
    # The next page is where the answer says: never elsewhere, or the token would go there.
    session.adapters.clear()
    session.mount(f"{url}/", _Bounded(timeout_s, ca))
    return session


def _ask(endpoint: Any, **filters: Any) -> Iterator[Record]:
    """All pages, as plain values: pynetbox would fetch what it does not find in a record."""
    for record in endpoint.filter(**filters):
        yield dict(record)


def _managed(api: Any, devices: Mapping[str, Record]) -> Mapping[str, Record]:
    """The one address of each device's interfaces that are for management only; of several, the device's primary."""
    by_id = {device["id"]: host for host, device in devices.items()}
    interfaces: dict[int, str] = {}
    for some in _chunks(by_id):
        for record in _ask(api.dcim.interfaces, device_id=some, mgmt_only=True):
            host = by_id.get(_in(record, "device", "id"))
            if host and record.get("mgmt_only"):
                interfaces[record["id"]] = host
    found: dict[str, list[Record]] = {}
    for some in _chunks(interfaces):
        for record in _ask(api.ipam.ip_addresses, interface_id=some):
            host = interfaces.get(record.get("assigned_object_id") or 0)
            if host and record.get("assigned_object_type") == "dcim.interface":
                found.setdefault(host, []).append(record)
    return {host: _chosen(host, devices[host], records) for host, records in found.items()}


def _chosen(host: str, device: Record, records: Sequence[Record]) -> Record:
    primary = [record for record in records if record["id"] == _in(device, "primary_ip", "id")]
    chosen = records if len(records) == 1 else primary
    if len(chosen) != 1:
        addresses = listed([told(record.get("address")) for record in records], 4)
        raise InventoryError(f"netbox: {host} has several addresses for management: {addresses}: set its oob_ip there")
    return chosen[0]


def _hardware(device: Record, bmc: str) -> Hardware:
    role = device.get("role") or device.get("device_role")
    maker = _in(device, "device_type", "manufacturer")
    roles = told(_in(role, "slug") or _in(role, "name"))
    return Hardware(
        vendor=told(_in(maker, "name") or _in(maker, "slug")),
        model=told(_in(device, "device_type", "model")),
        bmc=bmc,
        rack=told(_in(device, "rack", "name")),
        asset_tag=told(device.get("asset_tag")),
        serial=told(device.get("serial")),
        roles=(roles,) if roles else (),
    )


def _described(device: Record) -> str:
    words = (told(device.get("name")), told(_in(device, "site", "slug")), told(_in(device, "status", "value")))
    return f"device {device['id']} ({', '.join(filter(None, words))})"


def _in(record: Any, *keys: str) -> Any:
    """What is inside, or None."""
    for key in keys:
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _why(error: OSError) -> str:
    """The last words of a chain of errors that urllib3 wraps in each other."""
    if isinstance(error, requests.Timeout):
        return "no answer in time (netbox.timeout_s)"
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return short(str(inner).rpartition(">: ")[2] or str(inner), 200)
