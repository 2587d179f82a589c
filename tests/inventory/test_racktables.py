"""Hardware from RackTables, whose database is in a real MariaDB; its user there may only SELECT."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mariadb_server import PASSWORD, READER, NoServer, Server, running
from racktables_schema import CHASSIS, MANAGEMENT, RACK, SCHEMA, Filling

from runbooks.errors import InventoryError, LoginRefused, RunbookError, SettingsError, Unreachable
from runbooks.inventory.hardware import Hardware
from runbooks.inventory.racktables import RackTables, parse_model
from runbooks.secret import Secret

R610 = "[[Dell PowerEdge%GPASS%R610 | http://www.dell.com/r610]]"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        with running() as found:
            yield found
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture
def tables(server: Server) -> Iterator[Filling]:
    """An empty RackTables."""
    database = server.fresh(*SCHEMA)
    connection = server.connect(database)
    yield Filling(connection, database)
    connection.close()


@pytest.fixture
def source(server: Server, tables: Filling) -> RackTables:
    return of(server, tables.database)


def of(server: Server, database: str, **values: Any) -> RackTables:
    base = {"host": "127.0.0.1", "port": server.port, "user": READER, "password": Secret(PASSWORD)}
    return RackTables(**base | {"database": database, "timeout_s": 30} | values)


def test_an_object_tells_all(tables: Filling, source: RackTables) -> None:
    tables.tag("databases")
    tables.tag("mysql", "databases")
    tables.tag("core")
    rack = tables.object("A1", RACK)
    number = tables.object("lab01", asset="T-1", serial="AB12", model=R610, tags=["mysql", "core"])
    tables.mount(rack, number, 10, 11)
    tables.address(number, "198.18.7.1", "eth0")
    tables.address(number, "198.18.8.1", "iDRAC")
    tables.object("lab02")
    assert source.look_up(["lab01", "lab02", "lab03"]) == {
        "lab01": Hardware("Dell", "PowerEdge R610", "198.18.8.1", "A1", "T-1", "AB12", ("mysql", "databases", "core")),
        "lab02": Hardware(),
    }


def test_a_rack_of_the_same_name_is_no_machine(tables: Filling, source: RackTables) -> None:
    tables.object("lab01", RACK)
    tables.object(None)
    assert source.look_up(["lab01"]) == {}


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [("lab01", "LAB01"), ("lab01", "lab01.example.org"), ("lab01.example.org", "lab01"), ("lab01", " lab01.Ex.org")],
)
def test_a_name_is_found_with_and_without_its_domain(
    tables: Filling, source: RackTables, asked: str, recorded: str
) -> None:
    tables.object(recorded.strip(), serial="AB12")
    tables.object("lab010.example.org")
    assert {host: hardware.serial for host, hardware in source.look_up([asked]).items()} == {asked: "AB12"}


@pytest.mark.parametrize("names", [("lab01", "lab01.east"), ("lab01.east", "lab01.west"), ("lab01", "LAB01")])
def test_two_objects_that_may_be_one_host_are_refused(
    tables: Filling, source: RackTables, names: tuple[str, str]
) -> None:
    numbers = [tables.object(name) for name in names]
    with pytest.raises(InventoryError) as caught:
        source.look_up(["lab01"])
    one, other = (f"object {number} ({name})" for number, name in zip(numbers, names, strict=True))
    orders = (f"{one} or {other}", f"{other} or {one}")
    assert str(caught.value) in [
        f"racktables: lab01 may be {which}: give each its whole name there" for which in orders
    ]


def test_a_short_name_is_nobodys_where_two_hosts_share_it(server: Server, tables: Filling) -> None:
    tables.object("lab01")
    assert not of(server, tables.database, fleet=["lab01.east", "lab01.west"]).look_up(["lab01.east"])


def test_the_rack_of_what_takes_no_unit_or_is_in_a_chassis(tables: Filling, source: RackTables) -> None:
    rack, chassis = tables.object("B2", RACK), tables.object("chassis1", CHASSIS)
    tables.mount(rack, chassis, 1, 2, 3)
    blade, upright = tables.object("lab01"), tables.object("lab02")
    tables.link(chassis, blade)
    tables.link(rack, upright, "rack")
    assert {host: hardware.rack for host, hardware in source.look_up(["lab01", "lab02"]).items()} == {
        "lab01": "B2",
        "lab02": "B2",
    }


MODELS = {
    R610: ("Dell", "PowerEdge R610"),
    "Dell PowerEdge%GPASS%R610": ("Dell", "PowerEdge R610"),
    "[[ HP ProLiant%GPASS%DL360 Gen9 ]]": ("HP", "ProLiant DL360 Gen9"),
    "HP BladeSystem%GPASS%c7000 enclosure%L2,8V%": ("HP", "BladeSystem c7000 enclosure"),
    "SuperMicro%GPASS%6013A-T": ("SuperMicro", "6013A-T"),
    "Super Micro Computer%GSKIP%6013A-T": ("Super Micro Computer", "6013A-T"),
    "Acme Rocket%GPASS%5": ("Acme", "Rocket 5"),
    "Acme%GPASS%Rocket | 5": ("Acme", "Rocket | 5"),
    "Dell EMC PowerEdge R450": ("Dell EMC", "PowerEdge R450"),
    "R450": ("", "R450"),
    "Rocket 5": ("", "Rocket 5"),
    "noname/unknown": ("", ""),
    "%GPASS%R450": ("", "R450"),
    "Dell%GPASS%": ("Dell", ""),
    "": ("", ""),
    "[[]]": ("", ""),
}


@pytest.mark.parametrize("text", MODELS)
def test_models_of_the_dictionary(text: str) -> None:
    assert parse_model(text) == MODELS[text]


def test_the_interfaces_of_bmcs_are_a_setting(server: Server, tables: Filling) -> None:
    number = tables.object("lab01")
    tables.address(number, "198.18.8.1", "mgmt")
    tables.address(number, "198.18.8.2", "lom")
    assert of(server, tables.database).look_up(["lab01"])["lab01"].bmc == "198.18.8.1"
    assert of(server, tables.database, bmc=("lom",)).look_up(["lab01"])["lab01"].bmc == "198.18.8.2"


def test_ipv4_goes_before_ipv6(tables: Filling, source: RackTables) -> None:
    both, six = tables.object("lab01"), tables.object("lab02")
    tables.address(both, "2001:db8::1", "ilo")
    tables.address(both, "198.18.8.1", "ilo")
    tables.address(six, "2001:db8::2", "ilo")
    found = source.look_up(["lab01", "lab02"])
    assert [found[host].bmc for host in ("lab01", "lab02")] == ["198.18.8.1", "2001:db8::2"]


@pytest.mark.parametrize("above", [True, False])
def test_a_management_interface_may_be_an_object_of_its_own(tables: Filling, source: RackTables, above: bool) -> None:
    for name, address in (("lab01", "198.18.8.1"), ("lab02", "")):
        number, manager = (
            tables.object(name),
            tables.object(f"{name}-mgmt", MANAGEMENT, fqdn=f"{name}.mgmt.example.org"),
        )
        tables.link(*((manager, number) if above else (number, manager)))
        if address:
            tables.address(manager, address, "eth0")
    found = source.look_up(["lab01", "lab02"])
    assert [found[host].bmc for host in ("lab01", "lab02")] == ["198.18.8.1", "lab02.mgmt.example.org"]


def test_the_name_of_the_machine_itself_is_no_bmc(tables: Filling, source: RackTables) -> None:
    tables.object("lab01", fqdn="lab01.example.org")
    assert source.look_up(["lab01"])["lab01"].bmc == ""


def test_several_addresses_for_management_are_refused(tables: Filling, source: RackTables) -> None:
    number = tables.object("lab01")
    tables.address(number, "198.18.8.1", "ilo")
    tables.address(number, "198.18.8.2", "mgmt")
    with pytest.raises(InventoryError) as caught:
        source.look_up(["lab01"])
    text = "racktables: lab01 has several addresses for management: 198.18.8.1, 198.18.8.2: leave one"
    assert str(caught.value) == text


@pytest.mark.parametrize("address", ["198.18.8.1", "2001:db8::1"])
@pytest.mark.parametrize("asked", [["lab01"], ["lab02"], ["lab01", "lab02"]])
def test_a_bmc_that_two_objects_have_is_refused_whoever_is_asked_for(
    tables: Filling, source: RackTables, asked: list[str], address: str
) -> None:
    for name in ("lab01", "lab02"):
        tables.address(tables.object(name), address, "ilo", "shared")
    with pytest.raises(InventoryError, match=r"^racktables: lab0. and lab0. have the same BMC, .*: correct it there$"):
        source.look_up(asked)


@pytest.mark.parametrize("asked", [["lab01"], ["lab02"], ["lab01", "lab02"]])
def test_a_name_that_two_bmcs_have_is_refused_whoever_is_asked_for(
    tables: Filling, source: RackTables, asked: list[str]
) -> None:
    for name, fqdn in (("lab01", "lab01.mgmt"), ("lab02", "LAB01.mgmt")):
        tables.link(tables.object(f"{name}-mgmt", MANAGEMENT, fqdn=fqdn), tables.object(name))
    with pytest.raises(InventoryError, match=r"^racktables: lab0. and lab0.* have the same BMC, lab01.mgmt: correct"):
        source.look_up(asked)


def test_many_hosts(tables: Filling, source: RackTables) -> None:
    hosts = [f"lab{n:04}" for n in range(1, 701)]
    for n, host in enumerate(hosts):
        tables.address(tables.object(host, serial=host), f"198.18.{n // 250}.{n % 250 + 1}", "ilo")
    found = source.look_up(hosts)
    assert [found[host].serial for host in hosts] == hosts and len({each.bmc for each in found.values()}) == 700


def test_nothing_can_be_written(server: Server, tables: Filling, source: RackTables) -> None:
    tables.object("lab01")
    with source._reading() as read:
        assert read("SELECT name FROM Object") == [("lab01",)]
    root = of(server, tables.database, host=str(server.socket), user="root", password=Secret(""))
    for mine, why in ((source, "UPDATE command denied"), (root, "READ ONLY transaction")):
        with pytest.raises(RunbookError, match=why), mine._reading() as read:
            read("UPDATE Object SET name = 'lab99'")
    assert list(source.look_up(["lab01"])) == ["lab01"]


def test_names_with_quotes_are_only_names(tables: Filling, source: RackTables) -> None:
    tables.object("lab'01", serial="AB12")
    assert source.look_up(["lab'01"])["lab'01"].serial == "AB12"
    assert source.look_up(["x') OR ('1' = '1", "%s", "%"]) == {}


def test_text_is_utf8_and_harmless(tables: Filling, source: RackTables) -> None:
    tables.object("lab01", serial="Ä\x1b[31m\n12", asset="Žluťoučký")
    assert source.look_up(["lab01"])["lab01"] == Hardware(asset_tag="Žluťoučký", serial="Ä [31m 12")


def test_a_wrong_password(server: Server, tables: Filling) -> None:
    with pytest.raises(
        LoginRefused, match=r"^racktables: unreachable: 127.0.0.1:\d+: Access denied for user"
    ) as caught:
        of(server, tables.database, password=Secret("falsch")).look_up(["lab01"])
    assert "falsch" not in str(caught.value) and PASSWORD not in repr(of(server, tables.database))


def test_a_database_that_is_not_there_or_not_ours(server: Server) -> None:
    with pytest.raises((SettingsError, LoginRefused), match=r"Access denied|Unknown database"):
        of(server, "nowhere").look_up(["lab01"])


def test_a_database_without_the_tables(server: Server) -> None:
    with pytest.raises(
        SettingsError, match=r"racktables\d+ is no RackTables of 0.20 or later: Table .* doesn't exist$"
    ):
        of(server, server.fresh()).look_up(["lab01"])


def test_a_user_without_the_right(server: Server, tables: Filling) -> None:
    server.execute(
        f"CREATE OR REPLACE USER 'half'@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON {tables.database}.Chapter TO 'half'@'%'",
    )
    with pytest.raises(SettingsError, match=r"denied .*: GRANT SELECT ON racktables\d+\.\* to that user$"):
        of(server, tables.database, user="half").look_up(["lab01"])


def test_through_the_socket(server: Server, tables: Filling) -> None:
    tables.object("lab01")
    assert list(of(server, tables.database, host=str(server.socket)).look_up(["lab01"])) == ["lab01"]


def test_certificates_are_verified(server: Server, tables: Filling) -> None:
    tables.object("lab01")
    server.execute(f"CREATE OR REPLACE USER 'secured'@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL",
                   f"GRANT SELECT ON {tables.database}.* TO 'secured'@'%'")  # fmt: skip
    secured = {"user": "secured", "ca": server.top / "ca.pem"}
    assert list(of(server, tables.database, **secured).look_up(["lab01"])) == ["lab01"]
    with pytest.raises(Unreachable, match=r"(?i)not valid for|match"):
        of(server, tables.database, **secured | {"host": "localhost"}).look_up(["lab01"])
    with pytest.raises(Unreachable, match="certificate verify failed"):
        of(server, tables.database, **secured | {"ca": Path("/etc/ssl/certs/ca-certificates.crt")}).look_up(["lab01"])
    with pytest.raises(SettingsError, match=r"racktables.ca: .* holds no certificate"):
        of(server, tables.database, **secured | {"ca": Path(__file__)}).look_up(["lab01"])


def test_with_a_ca_nothing_is_said_in_clear(server: Server) -> None:
    with running(tls=False) as plain:
        source = of(plain, plain.fresh(*SCHEMA), ca=server.top / "ca.pem")
        with pytest.raises(Unreachable, match="SSL is required but the server doesn't support it"):
            source.look_up(["lab01"])


def test_silence_is_bounded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        begun = time.monotonic()
        with pytest.raises(
            Unreachable, match=r"^racktables: unreachable: 127.0.0.1:\d+: .*(timed out|Lost connection)"
        ):
            RackTables("127.0.0.1", READER, Secret(""), listening.getsockname()[1], timeout_s=1).look_up(["lab01"])
        assert time.monotonic() - begun < 20


def test_a_table_that_is_locked_is_not_waited_for_without_end(server: Server, tables: Filling) -> None:
    tables.do("LOCK TABLES Object WRITE")
    with pytest.raises(Unreachable, match=r"Lost connection to MySQL server during query .*timed out"):
        of(server, tables.database, timeout_s=3).look_up(["lab01"])
    tables.do("UNLOCK TABLES")


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"^racktables: unreachable: 127.0.0.1:{port}: .*Connection refused"):
        RackTables("127.0.0.1", READER, Secret(""), port).look_up(["lab01"])


def test_a_server_that_goes_away_in_the_middle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: listening.accept()[0].close(), daemon=True)
        thread.start()
        with pytest.raises(Unreachable, match="Lost connection"):
            RackTables("127.0.0.1", READER, Secret(""), listening.getsockname()[1], timeout_s=10).look_up(["lab01"])
        thread.join(10)
