"""What sources know of machines, put together: who tells what, what is the same, and that no contradiction is lost."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.errors import InventoryError
from runbooks.inventory.hardware import FIELDS, Hardware, Names, YamlHardware, look_up, refuse_shared, told
from runbooks.inventory.hosts import Host
from runbooks.inventory.sameness import addresses_of, same, split_vendor, vendor_key


@dataclass(frozen=True)
class Known:
    """A source that knows what it is given."""

    name: str
    machines: Mapping[str, Hardware]

    def look_up(self, hosts: Sequence[str]) -> Mapping[str, Hardware]:
        return {host: self.machines[host] for host in hosts if host in self.machines}


NAMES: Mapping[str, Collection[str]] = {}


def nobody(name: str) -> Collection[str]:
    """A resolver that knows no name."""
    return NAMES.get(name, ())


def contradictions(*said: Hardware, resolve: Any = nobody) -> tuple[str, ...]:
    sources = [Known(f"s{n}", {"a": each}) for n, each in enumerate(said)]
    return look_up(sources, ["a"], resolve)["a"].contradictions


def test_each_field_is_told_by_the_first_source_that_knows_it() -> None:
    sources = [
        Known("yaml", {"a": Hardware(vendor="dell", roles=("db",))}),
        Known("netbox", {"a": Hardware(vendor="Dell Inc.", model="R450", serial="AB12", roles=("DB", "core"))}),
        Known("racktables", {"a": Hardware(model="PowerEdge R450", rack="a1")}),
    ]
    found = look_up(sources, ["a"], nobody)["a"]
    assert found.hardware == Hardware("dell", "R450", "", "a1", "", "AB12", ("db", "DB", "core"))
    assert found.told_by == {
        "vendor": "yaml",
        "model": "netbox",
        "rack": "racktables",
        "serial": "netbox",
        "roles": "yaml, netbox",
    }
    assert found.contradictions == ()
    assert list(found.said) == ["yaml", "netbox", "racktables"]


def test_a_host_that_nobody_knows_has_empty_hardware() -> None:
    found = look_up([Known("yaml", {}), Known("netbox", {"b": Hardware("hpe")})], ["a"], nobody)
    assert list(found) == ["a"] and found["a"].hardware == Hardware() and not found["a"].said


def test_a_contradiction_is_one_line_with_every_source_that_tells() -> None:
    said = [Hardware(serial="AB12"), Hardware(serial="CD34"), Hardware(rack="a1"), Hardware(serial="ab12")]
    assert contradictions(*said) == ("serial: s0 says AB12, s1 says CD34, s3 says ab12",)


def test_contradictions_stand_in_the_order_of_the_fields() -> None:
    one = Hardware("dell", "R450", "198.18.8.1", "a1", "T1", "AB12", ("web",))
    other = Hardware("hpe", "DL360", "198.18.8.2", "b1", "T2", "CD34", ("db",))
    assert [line.partition(":")[0] for line in contradictions(one, other)] == list(FIELDS)
    assert {*FIELDS, "roles"} == {field.name for field in fields(Hardware)}


SAME = {
    "vendor": [
        ("dell", "DELL"),
        ("Dell Inc.", "dell"),
        ("Dell Inc.", "DELL EMC"),
        ("Dell Technologies", "dell"),
        ("HP", "HPE"),
        ("hp", "Hewlett Packard Enterprise"),
        ("Hewlett-Packard", "Hewlett Packard Enterprise"),
        ("hewlett-packard-enterprise", "HPE"),
        ("Supermicro", "Super Micro Computer"),
        ("Super Micro Computer, Inc.", "supermicro"),
        ("Cisco", "Cisco Systems Inc"),
        ("Oracle Corporation", "Sun Microsystems, Inc."),
        ("Lenovo", "LENOVO"),
        ("Acme Ltd", "acme"),
    ],
    "model": [
        ("PowerEdge R450", "R450"),
        ("Dell PowerEdge R450", "poweredge r-450"),
        ("Dell EMC PowerEdge R450", "R450"),
        ("ProLiant DL360 Gen10", "DL360 Gen10"),
        ("HPE ProLiant DL360 Gen10", "DL360 G10"),
        ("DL360 Gen10+", "ProLiant DL360 Gen10 Plus"),
        ("UCS C220 M5", "C220-M5"),
        ("Sun Fire X4170", "X4170"),
        ("SYS-1029U-TR4", "sys 1029u tr4"),
    ],
    "rack": [("A1", "a1"), ("Rack A1", "a1"), ("a-1", "A 1"), ("rack", "Rack"), ("01", "rack 01")],
    "asset_tag": [("WMF-1234", "wmf1234"), ("WMF 1234", "WMF_1234")],
    "serial": [("AB12", "ab12"), ("CN-0A-12", "CN0A12")],
    "bmc": [
        ("198.18.8.1", "198.18.8.1/24"),
        ("2001:db8::1", "2001:DB8:0:0::1/64"),
        ("lab01.mgmt.example.org", "lab01.mgmt"),
        ("lab01.mgmt", "LAB01.mgmt."),
    ],
}
DIFFERENT = {
    "vendor": [("dell", "hpe"), ("dell", "delta"), ("hp", "hpx"), ("Acme Ltd", "Acme Rockets")],
    "model": [("R450", "R440"), ("R450", "R450xs"), ("DL360 Gen9", "DL360 Gen10"), ("DL360 Gen10", "DL360 Gen10+")],
    "rack": [("a1", "a2"), ("a1", "b1"), ("a-11", "a1-1"), ("racket", "et")],
    "asset_tag": [("WMF-12-3", "WMF-1-23"), ("T1", "T01"), ("1", "11")],
    "serial": [("AB12", "AB13"), ("AB12", "AB1"), ("1-23", "12-3"), ("0AB", "AB")],
    "bmc": [
        ("198.18.8.1", "198.18.8.11"),
        ("198.18.8.1/24", "198.18.8.2/24"),
        ("2001:db8::1", "2001:db8::2"),
        ("lab01.mgmt", "lab02.mgmt"),
        ("lab1.mgmt", "lab10.mgmt"),
        ("lab1", "lab10"),
        ("lab01.m", "lab01.mgmt"),
        ("lab01.mgmt.east", "lab01.mgmt.west"),
        ("lab01.mgmt", "198.18.8.1"),
    ],
}


def pairs(table: Mapping[str, Any]) -> list[Any]:
    return [(field, *pair) for field, some in table.items() for pair in some]


@pytest.mark.parametrize(("field", "one", "other"), pairs(SAME))
def test_what_is_written_differently_is_no_contradiction(field: str, one: str, other: str) -> None:
    assert not contradictions(Hardware(**{field: one}), Hardware(**{field: other}))
    assert not contradictions(Hardware(**{field: other}), Hardware(**{field: one}))


@pytest.mark.parametrize(("field", "one", "other"), pairs(DIFFERENT))
def test_what_is_different_is_told(field: str, one: str, other: str) -> None:
    line = f"{field}: s0 says {one}, s1 says {other}"
    assert same(field, one, other, nobody) is same(field, other, one, nobody) is False
    if "/" not in one:
        assert contradictions(Hardware(**{field: one}), Hardware(**{field: other})) == (line,)


DNS = {
    "lab01.mgmt": ["198.18.8.1", "2001:db8::1"],
    "t1234.mgmt": ["198.18.8.1"],
    "lab02.mgmt": ["198.18.8.2"],
    "lab03.mgmt": ["2001:DB8:0::1"],
}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("lab01.mgmt", "198.18.8.1", True),
        ("lab03.mgmt", "2001:db8::1", True),
        ("lab01.mgmt", "198.18.8.2", False),
        ("lab01.mgmt", "t1234.mgmt", True),
        ("lab01.mgmt", "lab02.mgmt", False),
        ("lab01.mgmt", "nowhere.mgmt", False),
        ("nowhere.mgmt", "198.18.8.1", False),
        ("nowhere.mgmt", "noplace.mgmt", False),
    ],
)
def test_a_name_and_an_address_are_compared_by_the_resolver(one: str, other: str, alike: bool) -> None:
    def resolve(name: str) -> Collection[str]:
        return DNS.get(name, ())

    assert same("bmc", one, other, resolve) is same("bmc", other, one, resolve) is alike
    assert bool(contradictions(Hardware(bmc=one), Hardware(bmc=other), resolve=resolve)) is not alike


def test_the_resolver_is_that_of_this_machine() -> None:
    assert "127.0.0.1" in addresses_of("localhost")
    assert addresses_of("nowhere.invalid") == addresses_of("x" * 300) == ()


def test_nothing_is_resolved_that_needs_no_resolver() -> None:
    def resolve(name: str) -> Collection[str]:
        raise AssertionError(name)

    said = [Hardware(bmc="198.18.8.1"), Hardware(bmc="198.18.8.2"), Hardware(bmc="198.18.8.1")]
    assert contradictions(*said, resolve=resolve)


def test_short_names_hide_no_two_long_ones() -> None:
    said = [Hardware(bmc="lab01"), Hardware(bmc="lab01.east"), Hardware(bmc="lab01.west")]
    for order in itertools.permutations(said):
        assert contradictions(*order)


def test_a_bmc_that_two_sources_give_to_two_hosts_is_told_under_both() -> None:
    sources = [Known("yaml", {"a": Hardware(bmc="198.18.8.1")}), Known("netbox", {"b": Hardware(bmc="198.18.8.1")})]
    found = look_up(sources, ["a", "b", "c"], nobody)
    line = "bmc: 198.18.8.1: yaml says it is that of a, netbox says it is that of b"
    assert found["a"].contradictions == found["b"].contradictions == (line,) and not found["c"].contradictions


def test_a_source_that_gives_two_hosts_one_bmc_is_refused() -> None:
    answers = {"a": Hardware(bmc="198.18.8.1"), "b": Hardware(bmc="198.18.8.2"), "c": Hardware(bmc="198.18.8.1")}
    with pytest.raises(InventoryError, match=r"^netbox: a and c have the same BMC, 198.18.8.1: correct it there$"):
        refuse_shared("netbox", answers)
    refuse_shared("netbox", {"a": Hardware(), "b": Hardware()})


@pytest.mark.parametrize("bmc", ["-oProxyCommand=x", "300.1.1.1", "a b", "x;y", "198.18.8.1:443"])
def test_an_address_that_is_none_is_refused(bmc: str) -> None:
    with pytest.raises(
        InventoryError, match=r"^netbox: a: the BMC's address .* is neither an IP address nor a host name"
    ):
        look_up([Known("netbox", {"a": Hardware(bmc=bmc)})], ["a"], nobody)


def test_what_the_inventory_has_is_what_yaml_says() -> None:
    host = Host("a", "a", vendor="dell", model="R450", rack="a1", serial="AB12", asset_tag="T1", roles=("web",),
                bmc={"address": "198.18.8.1", "driver": "ipmi"})  # fmt: skip
    found = YamlHardware({"a": host, "b": Host("b", "b", serial="-")}).look_up(["b", "a", "c"])
    assert found == {"a": Hardware("dell", "R450", "198.18.8.1", "a1", "T1", "AB12", ("web",)), "b": Hardware()}


@pytest.mark.parametrize(
    ("text", "line"),
    [(None, ""), ("", ""), (" - ", ""), ("AB 12\n", "AB 12"), ("A\x1b[31mB", "A [31mB"), (12, "12"), ("?", "")],
)
def test_what_a_source_tells_is_one_harmless_line(text: Any, line: str) -> None:
    assert told(text) == line


def test_vendors_have_one_word_each() -> None:
    assert [vendor_key(text) for text in ("Dell Inc.", "HP", "Super Micro", "Sun", "Acme Ltd")] == [
        "dell", "hpe", "supermicro", "oracle", "acme"]  # fmt: skip
    assert split_vendor("Hewlett Packard Enterprise ProLiant DL360") == ("Hewlett Packard Enterprise", "ProLiant DL360")
    assert split_vendor("Rocket 5") == ("", "Rocket 5")


@pytest.mark.parametrize(
    ("hosts", "fleet", "names", "owners"),
    [
        (["a.x"], [], ["a.x", "b.x"], {"a.x": ["a.x"]}),
        (["a.x"], [], ["A"], {"a.x": ["A"]}),
        (["a"], [], ["a.x"], {"a": ["a.x"]}),
        (["a"], [], ["a.x", "a.y"], {"a": ["a.x", "a.y"]}),
        (["a"], [], ["a", "a.y"], {"a": ["a", "a.y"]}),
        (["a.x"], [], ["a.y"], {}),
        (["a.x"], ["a.x", "a.y"], ["a"], {}),
        (["a.x"], ["a.x", "a.y"], ["a.x", "a.y", "a"], {"a.x": ["a.x"]}),
        (["a"], ["a", "a.y"], ["a.y"], {}),
        (["a"], [], ["ab", "b.a", ""], {}),
    ],
)
def test_a_name_is_that_of_one_host(hosts: Any, fleet: Any, names: Any, owners: Any) -> None:
    assert Names(hosts, fleet).owners(names) == owners


TEXT = st.one_of(
    st.sampled_from([each for _, *pair in pairs(SAME) + pairs(DIFFERENT) for each in pair]),
    st.text(st.sampled_from("abAB01-_ ./:"), min_size=1, max_size=8),
).filter(told)


@given(st.sampled_from(FIELDS), TEXT, TEXT)
def test_being_the_same_is_symmetric_and_reflexive(field: str, one: str, other: str) -> None:
    assert same(field, one, other, nobody) == same(field, other, one, nobody)
    assert same(field, one, one, nobody)


@given(st.sampled_from(FIELDS), TEXT)
def test_case_and_blanks_around_are_nothing(field: str, text: str) -> None:
    assert same(field, text, f"  {text.upper()} ", nobody)


@given(st.sampled_from([name for name in FIELDS if name != "bmc"]), st.lists(TEXT, min_size=2, max_size=4))
def test_no_contradiction_is_lost(field: str, texts: list[str]) -> None:
    lines = contradictions(*(Hardware(**{field: text}) for text in texts))
    differ = any(not same(field, one, other) for one, other in itertools.combinations(texts, 2))
    assert len(lines) == differ
    for n, text in enumerate(texts):
        assert all(f"s{n} says {' '.join(text.split())}" in line for line in lines)


@given(st.lists(st.sampled_from(["198.18.8.1", "198.18.8.2", "a.m", "a.m.x", "a.m.y", "b.m"]), min_size=2, max_size=4))
def test_no_contradiction_between_bmcs_is_lost(texts: list[str]) -> None:
    lines = contradictions(*(Hardware(bmc=text) for text in texts))
    differ = any(not same("bmc", one, other, nobody) for one, other in itertools.combinations(texts, 2))
    assert len(lines) == differ


@given(
    st.text(st.sampled_from("ab1-"), min_size=1, max_size=6), st.text(st.sampled_from("ab1-"), min_size=1, max_size=6)
)
def test_identities_that_are_the_same_have_the_same_letters_and_digits(one: str, other: str) -> None:
    for field in ("serial", "asset_tag"):
        if told(one) and told(other) and same(field, one, other):
            assert one.replace("-", "") == other.replace("-", "")


@given(st.permutations([Hardware(serial="AB12"), Hardware(vendor="dell"), Hardware(roles=("a", "b")), Hardware()]))
def test_what_only_one_source_tells_is_kept_in_any_order(said: list[Hardware]) -> None:
    found = look_up([Known(str(n), {"a": each}) for n, each in enumerate(said)], ["a"], nobody)["a"]
    assert replace(found.hardware, roles=()) == Hardware(vendor="dell", serial="AB12")
    assert found.hardware.roles == ("a", "b") and not found.contradictions
