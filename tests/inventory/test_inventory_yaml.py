"""The YAML source: what it reads, and the one line that each fault gives."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import InventoryError
from runbooks.inventory import Host, Inventory
from runbooks.inventory.source import Contents

ONE = "hosts:\n  lab01: {address: 198.18.7.11}\n"


def test_a_host_has_all_its_fields(load: Any) -> None:
    host = load(
        hosts="""
hosts:
  lab01:
    address: 198.18.7.11
    port: 2201
    user: operator
    site: east
    rack: "12"
    vendor: dell
    roles: [web, db]
    groups: [core]
    model: PowerEdge R450
    serial: AB12
    asset_tag: "4711"
    bmc: {drivers: [redfish, ipmi], address: 198.18.8.11, port: 443}
"""
    )["lab01"]
    assert host.bmc == {"drivers": ("redfish", "ipmi"), "address": "198.18.8.11", "port": 443}
    assert dataclasses.replace(host, bmc={}) == Host(
        name="lab01",
        address="198.18.7.11",
        port=2201,
        user="operator",
        site="east",
        rack="12",
        vendor="dell",
        roles=("web", "db"),
        groups=("core",),
        model="PowerEdge R450",
        serial="AB12",
        asset_tag="4711",
    )


def test_a_host_is_frozen_through_and_through(load: Any) -> None:
    host = load(hosts="hosts: {lab01: {bmc: {drivers: [ipmi]}}}")["lab01"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        host.port = 23
    with pytest.raises(TypeError):
        host.bmc["driver"] = "other"
    with pytest.raises(AttributeError):
        host.bmc["drivers"].append("redfish")
    assert hash(host)


def test_repr_leaves_the_bmc_out(load: Any) -> None:
    assert "geheim" not in repr(load(hosts="hosts: {lab01: {bmc: {password_file: geheim}}}"))


def test_a_host_without_fields_is_reached_by_its_name(load: Any) -> None:
    assert load(hosts="hosts:\n  lab01:\n")["lab01"] == Host("lab01", "lab01")


def test_a_range_is_many_hosts(load: Any) -> None:
    inventory = load(hosts="hosts:\n  db[1001-1010,1020]: {site: east}\n")
    assert len(inventory.hosts) == 11
    assert inventory["db1003"] == Host("db1003", "db1003", site="east")


def test_files_are_merged_and_hosts_are_in_natural_order(load: Any) -> None:
    inventory = load(b="hosts: {lab10: {}, lab9: {}}", a="hosts: {lab1: {}}\naliases: {x: 'D{lab1}'}", c="# nothing\n")
    assert list(inventory.hosts) == ["lab1", "lab9", "lab10"]
    assert inventory.aliases == {"x": "D{lab1}"}


def test_settings_are_kept_apart_from_hosts(load: Any) -> None:
    assert load(hosts=ONE, settings="ssh: {user: operator}").settings == {"ssh": {"user": "operator"}}
    assert load(hosts=ONE, settings="# none\n").settings == {}


def test_hidden_and_other_files_are_left_alone(write: Any) -> None:
    directory = write(hosts=ONE)
    (directory / ".#hosts.yaml").write_text("an editor's lock")
    (directory / "README.md").write_text("read me")
    assert list(Inventory.load(directory).hosts) == ["lab01"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("hosts:\n  lab01: {}\n  lab01: {}\n", 3, "lab01 stands twice, first on line 2"),
        ("hosts:\n  lab01: {}\n  lab[01-02]: {}\n", 3, "host lab01 stands twice, first in {file}:2"),
        ("hosts:\n  lab01:\n    site: a\n    site: b\n", 4, "site stands twice, first on line 3"),
        ("hosts:\n  lab01: {sit: east}\n", 2, "sit is no field (did you mean site?): address, port,"),
        ("hosts:\n  lab01: {port: 0}\n", 2, "port must be from 1 to 65535, not 0"),
        ("hosts:\n  lab01: {port: 65536}\n", 2, "port must be from 1 to 65535, not 65536"),
        ("hosts:\n  lab01: {port: '22'}\n", 2, "port must be a whole number, not text"),
        ("hosts:\n  lab01: {port: true}\n", 2, "port must be a whole number, not yes or no"),
        ("hosts:\n  lab01: {address: 300.1.1.1}\n", 2, "300.1.1.1 is neither an IP address nor a host name"),
        ("hosts:\n  lab01: {address: -oProxyCommand=x}\n", 2, "is neither an IP address nor a host name"),
        ("hosts:\n  lab01: {address: 198.18}\n", 2, "YAML reads 198.18 as a number: quote it"),
        ("hosts:\n  lab01: {user: -l}\n", 2, "user: -l is no login name"),
        ("hosts:\n  lab01: {rack: 12}\n", 2, "rack must be text, but YAML reads 12 as a number: quote it"),
        ("hosts:\n  lab01: {site: no}\n", 2, "YAML reads no as yes or no: quote it"),
        ("hosts:\n  lab01: {site: ''}\n", 2, "site must be one line of text, not empty"),
        ("hosts:\n  lab01:\n    site:\n", 3, "site has no value: write one or take the line out"),
        ("hosts:\n  lab01: {roles: web}\n", 2, "roles must be a list ([a, b]), not text"),
        ("hosts:\n  lab01: {roles: [web, 7]}\n", 2, "each of host lab01: roles must be text"),
        ("hosts:\n  lab01: {roles: [web, web]}\n", 2, "names something twice"),
        ("hosts:\n  lab01: {bmc: ilo}\n", 2, "bmc must be a mapping"),
        ("hosts:\n  lab01: [a]\n", 2, "host lab01 must be a mapping (key: value), not a list"),
        ("hosts: [lab01]\n", 1, "hosts must be a mapping (key: value), not a list"),
        ("- lab01\n", 1, "an inventory file must be a mapping"),
        ("host: {}\n", 1, "host is no section of an inventory file (did you mean hosts?)"),
        ("ssh: {}\n", 1, "ssh is no section of an inventory file: hosts, aliases and sites are"),
        ("hosts:\n  -lab01: {}\n", 2, "-lab01 is no host name"),
        ("hosts:\n  lab_01: {}\n", 2, "lab_01 is no host name"),
        ("hosts:\n  'lab 01': {}\n", 2, "lab 01 is no host name"),
        ("hosts:\n  lab01-: {}\n", 2, "lab01- is no host name"),
        ("hosts:\n  lab..x: {}\n", 2, "lab..x is no host name"),
        ("hosts:\n  Lab01: {}\n", 2, "Lab01 has capital letters: write lab01"),
        (f"hosts:\n  {'a.' * 130}a: {{}}\n", 2, "is longer than 253 characters"),
        ("hosts:\n  10: {}\n", 2, "a key of hosts must be text, but YAML reads 10 as a number: quote it"),
        ("hosts:\n  lab*: {}\n", 2, "lab* is no host name"),
        ("hosts:\n  lab[01: {}\n", 2, "lab[01 can't be read: missing bracket"),
        ("hosts:\n  lab[1-9999999]: {}\n", 2, "stands for more than 100000 names"),
        ("hosts:\n  lab[01-02]: {address: 198.18.7.1}\n", 2, "a range of hosts can't share one address"),
        ("hosts:\n  a: {address: 198.18.7.1}\n  b: {address: 198.18.7.1}\n", 3, "host b has the address of a"),
        ("hosts:\n  a: &x {site: east}\n  b: *x\n", 2, "is used again through an anchor"),
        ("hosts:\n  a: {bmc: &x {drivers: *x}}\n", 2, "must be a list"),
        ("hosts: {}\naliases:\n  a b: D{x}\n", 3, "alias a b: a name is made of letters"),
        ("hosts: {}\naliases:\n  a: [x]\n", 3, "alias a must be text, not a list"),
        ("hosts: {}\naliases:\n  a: 'x'\n  a: 'y'\n", 4, "a stands twice, first on line 3"),
        ("hosts:\n  lab01: {\n", 3, "is no valid YAML: "),
        ("hosts:\n\tlab01: {}\n", 2, "is no valid YAML: found character"),
        ("hosts: *nowhere\n", 1, "is no valid YAML: found undefined alias"),
    ],
)
def test_a_fault_is_one_line_with_file_and_line(write: Any, text: str, line: int, message: str) -> None:
    directory = write(hosts=text)
    with pytest.raises(InventoryError) as caught:
        Inventory.load(directory)
    file = directory / "hosts.yaml"
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert message.format(file=file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_the_same_host_in_two_files_names_both(write: Any) -> None:
    directory = write(a=ONE, b="\n" + ONE)
    with pytest.raises(InventoryError) as caught:
        Inventory.load(directory)
    assert str(caught.value) == f"{directory}/b.yaml:3: host lab01 stands twice, first in {directory}/a.yaml:2"


def test_the_same_alias_in_two_files_names_both(write: Any) -> None:
    directory = write(hosts=ONE, a="aliases: {x: A:y}", b="aliases: {x: A:y}")
    with pytest.raises(InventoryError, match=r"b.yaml:1: alias x stands twice, first in .*/a.yaml:1$"):
        Inventory.load(directory)


@pytest.mark.parametrize("name", ["more.yml", "more.YAML", "more.json"])
def test_a_file_that_would_be_ignored_is_refused(write: Any, name: str) -> None:
    directory = write(hosts=ONE)
    (directory / name).write_text("")
    with pytest.raises(InventoryError, match=f"{name}: would be ignored, only .*.yaml is read: rename it"):
        Inventory.load(directory)


def test_a_missing_directory_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"nowhere: no inventory can be read there .*: set ops_clinic.inventory"):
        Inventory.load(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "hosts:\n", "hosts: {}\n", "# none\n"])
def test_no_host_at_all_is_an_error(load: Any, text: str) -> None:
    with pytest.raises(InventoryError, match="no file names a host"):
        load(hosts=text)


def test_bytes_that_are_no_text_are_an_error(write: Any) -> None:
    directory = write(hosts=ONE)
    (directory / "x.yaml").write_bytes(b"hosts: \xff")
    with pytest.raises(InventoryError, match=r"x.yaml: is no UTF-8 text \(byte 8\)"):
        Inventory.load(directory)


@pytest.mark.parametrize("depth", [30, 50_000])  # PyYAML's C parser ends the process at the last
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("\n- ", ""), ("- ", "")])
def test_deep_nesting_is_an_error(load: Any, depth: int, opening: str, closing: str) -> None:
    with pytest.raises(InventoryError, match=r"^[^\n]*hosts.yaml(:\d+)?: [^\n]*$"):
        load(hosts="hosts:\n  " + opening * depth + closing * depth)


def test_settings_that_are_no_mapping_are_an_error(load: Any) -> None:
    with pytest.raises(InventoryError, match=r"settings.yaml:1: the settings must be a mapping"):
        load(hosts=ONE, settings="- a\n")


def test_another_source_fits_the_seam() -> None:
    class Elsewhere:
        def read(self) -> Contents:
            return Contents({name: Host(name, name) for name in ("b10", "b9")}, {"all": "O{*}"})

    assert Inventory.read(Elsewhere(), Path("elsewhere")).query("A:all").names == ("b9", "b10")


def test_nothing_heavy_is_imported_with_the_package() -> None:
    code = "import sys, runbooks.inventory, runbooks.settings; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"yaml", "cumin", "ClusterShell", "pyparsing", "requests"} & set(loaded)


def test_the_committed_example_is_sound() -> None:
    inventory = Inventory.load(Path(__file__).parents[2] / "inventory")
    inventory.check()
    assert inventory.query("A:all").folded() == "lab[01-08],puppet01"
    assert inventory.query("A:puppetserver").names == ("puppet01",)
    assert any(host.bmc for host in inventory.hosts.values())
