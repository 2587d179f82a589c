"""A stand-in for Netbox, which needs PostgreSQL, Redis and a build of its own: its REST API as far as it is read.

Shapes from the documentation and serializers of 3.7 and 4.x: ``{"count", "next", "previous", "results"}`` with absolute
links, ``limit=0`` for as many as a page may have; nested objects are brief; ``device_role`` beside ``role`` in 3.7
alone; ``Authorization: Token ...``, 403 with ``{"detail": "Invalid token"}``; a filter that it does not know changes
nothing.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"
Record = dict[str, Any]
HTML = "<!DOCTYPE html><html><head><title>Page not found</title></head><body><h1>Page not found</h1></body></html>"


def _same_ip(record: Record, text: str) -> bool:
    try:
        return ipaddress.ip_interface(record["address"]).ip == ipaddress.ip_interface(text).ip
    except ValueError:
        return False


# Where a filter has several values, one of them suffices.
FILTERS: Mapping[str, Mapping[str, Callable[[Record, str], bool]]] = {
    "dcim/devices": {
        "name__ie": lambda record, text: record["name"].lower() == text.lower(),
        "name__isw": lambda record, text: record["name"].lower().startswith(text.lower()),
    },
    "dcim/interfaces": {
        "device_id": lambda record, text: record["device"]["id"] == int(text),
        "mgmt_only": lambda record, text: record["mgmt_only"] == (text == "True"),
    },
    "ipam/ip-addresses": {
        "interface_id": lambda record, text: record["assigned_object_id"] == int(text),
        "address": _same_ip,
        "dns_name__ie": lambda record, text: record["dns_name"].lower() == text.lower(),
    },
}


@dataclass
class Standin:
    """A Netbox with what tests put into it. ``page`` is the most that a page holds; ``trouble`` replaces answers."""

    version: str = "4.1"
    page: int = 2
    url: str = ""
    trouble: str = ""
    unknown_filters: frozenset[str] = frozenset()
    records: dict[str, list[Record]] = field(default_factory=lambda: {name: [] for name in FILTERS})
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def brief(self, kind: str, number: int, **values: Any) -> Record:
        """A nested object."""
        name = values.get("name") or values.get("model") or values.get("address")
        own: Record = {"id": number, "url": f"{self.url}/api/{kind}/{number}/", "display": name, **values}
        return own | ({} if self.version.startswith("3") else {"description": ""})

    def device(self, name: str, vendor: str = "Dell", model: str = "PowerEdge R450", **values: Any) -> Record:
        """A device; ``rack`` and ``role`` are names, ``bmc`` an address for its management interface, which is its
        ``oob_ip`` unless ``oob=False``."""
        number = len(self.records["dcim/devices"]) + 1
        maker = self.brief("dcim/manufacturers", 3, name=vendor, slug=vendor.lower().replace(" ", "-"))
        kind = self.brief("dcim/device-types", 5, manufacturer=maker, model=model, slug=model.lower())
        role_name = values.get("role", "db")
        role = self.brief("dcim/device-roles", 7, name=role_name.capitalize(), slug=role_name)
        rack = self.brief("dcim/racks", 9, name=values["rack"]) if "rack" in values else None
        record: Record = {
            **self.brief("dcim/devices", number, name=name),
            "device_type": kind,
            "role": role,
            "platform": None,
            "serial": values.get("serial", ""),
            "asset_tag": values.get("asset_tag"),
            "site": self.brief("dcim/sites", 11, name=values.get("site", "East"), slug=values.get("site", "east")),
            "rack": rack,
            "status": {"value": values.get("status", "active"), "label": "Active"},
            "primary_ip": None,
            "primary_ip4": None,
            "oob_ip": None,
            "tags": [],
            "custom_fields": {"owner": None},
        }
        if self.version.startswith("3"):
            record["device_role"] = role
        if self.version == "3.4":
            del record["role"], record["oob_ip"]
        self.records["dcim/devices"].append(record)
        if "bmc" in values:
            address = self.address(record, values["bmc"], values.get("dns_name", ""))
            if values.get("oob", True):
                record["oob_ip"] = self.brief("ipam/ip-addresses", address["id"], address=address["address"])
        return record

    def address(self, device: Record, address: str, dns_name: str = "", mgmt_only: bool = True) -> Record:
        """One more interface of a device, with an address."""
        interfaces, addresses = self.records["dcim/interfaces"], self.records["ipam/ip-addresses"]
        number = len(interfaces) + 1
        owner = self.brief("dcim/devices", device["id"], name=device["name"])
        interface = {**self.brief("dcim/interfaces", number, name=f"mgmt{number}"), "device": owner}
        interfaces.append({**interface, "mgmt_only": mgmt_only})
        record = {
            **self.brief("ipam/ip-addresses", 100 + number, address=address),
            "dns_name": dns_name,
            "assigned_object_type": "dcim.interface",
            "assigned_object_id": number,
            "assigned_object": interface,
        }
        addresses.append(record)
        return record

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Record | None:
        """A page of a list, or None where there is none."""
        kind = path.removeprefix("/api/").strip("/")
        if kind not in FILTERS:
            return None
        found = self.records[kind]
        for name, texts in query.items():
            if name not in self.unknown_filters and (suits := FILTERS[kind].get(name)):
                found = [record for record in found if any(suits(record, text) for text in texts)]
        limit = min(int(query.get("limit", ["50"])[0]) or self.page, self.page)
        offset = int(query.get("offset", ["0"])[0])
        following = None
        if offset + limit < len(found):
            rest = {**query, "limit": [str(limit)], "offset": [str(offset + limit)]}
            base = "http://127.0.0.1:9" if self.trouble == "elsewhere" else self.url
            following = f"{base}{path}?{urlencode(rest, doseq=True)}"
        page = found[offset : offset + limit]
        return {"count": len(found), "next": following, "previous": None, "results": page}


def _handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            standin.asked.append(self.path)
            if standin.trouble == "hangs":
                standin.let_go.wait(30)
                self.close_connection = True
                return
            status, body = self.answer(parts.path, parse_qs(parts.query))
            text = body if isinstance(body, str) else json.dumps(body)
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
            self.send_header("API-Version", standin.version)
            if standin.trouble == "redirects":
                self.send_header("Location", "https://127.0.0.1:9/api/")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
            fixed: Mapping[str, tuple[int, Any]] = {
                "html": (200, HTML),
                "500": (500, {"error": "boom", "exception": "OperationalError"}),
                "502": (502, "<html>Bad Gateway</html>"),
                "permission": (403, {"detail": "You do not have permission to perform this action."}),
                "400": (400, {"name__ie": ["Enter\na value."]}),
                "redirects": (302, ""),
                "list": (200, {"count": 2, "next": None, "previous": None, "results": ["a", "b"]}),
                "no id": (200, {"count": 1, "next": None, "previous": None, "results": [{"name": "a"}]}),
                "empty": (200, {}),
            }
            if standin.trouble in fixed:
                return fixed[standin.trouble]
            if self.headers["Authorization"] != f"Token {TOKEN}":
                return 403, {"detail": "Invalid token"}
            page = standin.answer(path, query)
            return (404, HTML) if page is None else (200, page)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(standin: Standin, certificates: Path | None = None) -> Iterator[Standin]:
    """Answer on a free port until the end; by TLS with ``server.pem`` and ``server.key`` of a directory."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
    server.daemon_threads = True
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    standin.url = f"{'https' if certificates else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        standin.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
