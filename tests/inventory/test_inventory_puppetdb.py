"""``P{}`` against a stand-in for PuppetDB: a small HTTP server that knows two endpoints of its query API.

The stand-in answers what Cumin sends: ``extract`` of certnames with ``=``, ``~``, ``and``, ``or``, ``not``; it refuses
the rest with status 400. A real PuppetDB was not at hand.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runbooks.errors import InventoryError
from runbooks.inventory import Inventory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Cumin's, about pyparsing

CLASSES = {"lab01": ["Nginx"], "lab02": ["Nginx"], "lab04": ["Mysql"], "ghost01": ["Old"], "ghost02": ["Old"]}


def _holds(query: list[Any], row: dict[str, str]) -> bool:
    operator, *rest = query
    if operator in ("and", "or"):
        return (all if operator == "and" else any)(_holds(part, row) for part in rest)
    if operator == "not":
        return not _holds(rest[0], row)
    value = row[rest[0]]
    return value == rest[1] if operator == "=" else re.search(rest[1], value) is not None


class StandIn(BaseHTTPRequestHandler):
    """POST /pdb/query/v4/nodes and /resources."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [{"certname": host, "type": "Class", "title": title} for host in CLASSES for title in CLASSES[host]]
        try:
            extract, fields, query, _group = json.loads(body["query"])
            assert (extract, fields) == ("extract", ["certname"])
            names = sorted({row["certname"] for row in rows if _holds(query, row)})
            answer, status = json.dumps([{"certname": name} for name in names]), 200
        except (KeyError, TypeError, ValueError, AssertionError):
            answer, status = "Unsupported query", 400
        if self.path == "/pdb/query/v4/inventory":
            answer, status = "<html>not what was asked for</html>", 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fleet_with_puppetdb(fleet: Inventory) -> Iterator[Inventory]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield replace(fleet, puppetdb={"host": "127.0.0.1", "port": server.server_port, "scheme": "http", "timeout": 5})
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("query", "folded"),
    [
        ("P{C:nginx}", "lab[01-02]"),
        ("P{R:Class = mysql}", "lab04"),
        ("P{lab0*}", "lab[01-02,04]"),
        ("P{lab[01-02]} and not D{lab01}", "lab02"),
        ("A:web and not P{C:nginx}", "lab03"),
        ("A:web and not P{C:nosuch}", "lab[01-03]"),
    ],
)
def test_selects_through_puppetdb(fleet_with_puppetdb: Inventory, query: str, folded: str) -> None:
    assert fleet_with_puppetdb.query(query).folded() == folded


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("P{C:old}", "hosts ghost[01-02] in PuppetDB's answer to P{C:old} are not in the inventory"),
        ("A:web and not P{C:old}", "hosts ghost[01-02] in PuppetDB's answer"),
        ("A:web and not P{nosuch}", "host nosuch in P{nosuch} is not in the inventory"),
        ("A:web and not P{not web*}", "no host matches web* in P{not web*}"),
        ("P{C:nosuch}", "matches no host of"),
        ("P{F:kernel = Linux}", "can't answer P{F:kernel = Linux}: 400"),
        ("P{I:facts.kernel = Linux}", "can't answer P{I:facts.kernel = Linux}: "),
        ("P{F:a = 1 and C:nginx}", "Mixed endpoints are not supported"),
        ("P{F:a =}", "can't be read: "),
    ],
)
def test_a_fault_is_one_line(fleet_with_puppetdb: Inventory, query: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        fleet_with_puppetdb.query(query)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dead_puppetdb_is_one_line(fleet: Inventory) -> None:
    dead = replace(fleet, puppetdb={"host": "127.0.0.1", "port": 1, "scheme": "http"})
    with pytest.raises(InventoryError, match=r"^PuppetDB at http://127.0.0.1:1/pdb/query/v4/ can't answer P{\*}: "):
        dead.query("P{*}")


@pytest.mark.parametrize("query", ["P{*}", "A:web and not p{C:nginx}"])
def test_without_a_puppetdb_the_setting_is_named(fleet: Inventory, query: str) -> None:
    with pytest.raises(InventoryError, match=r"none is configured: set puppetdb.host in the settings"):
        fleet.query(query)
