"""Jump hosts of sites: what the inventory makes of them, and the one line that each fault gives."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runbooks.errors import InventoryError

HOSTS = """\
hosts:
  lab01: {site: east}
  lab02: {site: west}
  lab03: {}
  gate: {address: 198.18.7.1, port: 2222, user: clinic, site: east}
  gate6: {address: 'fd00::1'}
"""


@pytest.mark.parametrize(
    ("sites", "line", "message"),
    [
        ("{nord: {jump: gate}}", 7, "no host is of site nord"),
        ("{eats: {jump: gate}}", 7, "no host is of site eats (did you mean east?)"),
        ("{east: {jump: ''}}", 7, "site east: jump must be one line of text, not empty"),
        ("{east: {jump: }}", 7, "site east: jump has no value"),
        ("{east: {jump: []}}", 7, "site east says nothing: write jump: HOST"),
        ("{east: {}}", 7, "site east says nothing: write jump: HOST"),
        ("{east: }", 7, "site east says nothing: write jump: HOST"),
        ("{east: gate}", 7, "site east must be a mapping"),
        ("[east]", 7, "sites must be a mapping"),
        ("{east: {jump: 7}}", 7, "site east: jump must be text, but YAML reads 7 as a number"),
        ("{east: {jump: {a: b}}}", 7, "site east: jump must be text, not a mapping"),
        ("{east: {jmp: gate}}", 7, "site east: jmp is no field: jump is"),
        ("{east: {jump: gate, jump: gate}}", 7, "site east: jump stands twice"),
        ("{east: {jump: [gate, gate]}}", 7, "site east: jump names something twice"),
        ("{east: {jump: gate}, east: {jump: gate}}", 7, "east stands twice, first on line 7"),
        ("{east: {jump: -oProxyCommand=x}}", 7, "-oProxyCommand=x is neither an IP address nor a host name"),
        ("{east: {jump: 'a b'}}", 7, "a b is neither an IP address nor a host name"),
        ("{east: {jump: 'a,b'}}", 7, "a,b is neither an IP address nor a host name"),
        ("{east: {jump: '@gate'}}", 7, "@gate has a user that is no login name"),
        ("{east: {jump: '-l@gate'}}", 7, "-l@gate has a user that is no login name"),
        ("{east: {jump: 'gate:0'}}", 7, "gate:0 has a port that is none: write [user@]host[:port]"),
        ("{east: {jump: 'gate:65536'}}", 7, "gate:65536 has a port that is none"),
        ("{east: {jump: 'gate:'}}", 7, "gate: is neither an IP address nor a host name"),
        ("{east: {jump: 'gate:ssh'}}", 7, "gate:ssh is neither"),
    ],
)
def test_each_fault_is_one_line_with_its_place(load: Any, sites: str, line: int, message: str) -> None:
    with pytest.raises(InventoryError, match=rf"^[^\n]*hosts.yaml:{line}: [^\n]*{re.escape(message)}[^\n]*$"):
        load(hosts=f"{HOSTS}sites: {sites}\n")


def test_a_site_in_two_files_stands_twice(load: Any) -> None:
    with pytest.raises(InventoryError, match=r"b.yaml:1: site east stands twice, first in [^\n]*a.yaml:1$"):
        load(hosts=HOSTS, a="sites: {east: {jump: gate}}\n", b="sites: {east: {jump: gate}}\n")


@pytest.mark.parametrize(
    ("jump", "hops"),
    [
        ("gate", ("clinic@198.18.7.1:2222",)),
        ("root@gate", ("root@198.18.7.1:2222",)),
        ("gate:22", ("clinic@198.18.7.1:22",)),
        ("gate6", ("[fd00::1]:22",)),
        ("me@gate6:2201", ("me@[fd00::1]:2201",)),
        ("elsewhere", ("elsewhere",)),
        ("me@elsewhere:22", ("me@elsewhere:22",)),
        ("'[fd00::2]:22'", ("[fd00::2]:22",)),
        ("'fd00::2'", ("fd00::2",)),
        ("[elsewhere, gate]", ("elsewhere", "clinic@198.18.7.1:2222")),
    ],
)
def test_the_way_to_a_host(load: Any, jump: str, hops: tuple[str, ...]) -> None:
    inventory = load(hosts=f"{HOSTS}sites: {{east: {{jump: {jump}}}}}\n")
    assert inventory.jump("lab01") == hops
    assert inventory.jump("lab02") is inventory.jump("lab03") is None


@pytest.mark.parametrize(
    ("jump", "hops"),
    [("gate", ()), ("root@gate", ()), ("gate:2222", ()), ("gate:22", ()), ("[elsewhere, gate]", ("elsewhere",))],
)
def test_a_jump_host_is_reached_through_those_before_it(load: Any, jump: str, hops: tuple[str, ...]) -> None:
    assert load(hosts=f"{HOSTS}sites: {{east: {{jump: {jump}}}}}\n").jump("gate") == hops


def test_without_sites_ssh_config_is_to_say(load: Any) -> None:
    assert load(hosts=HOSTS).jump("lab01") is None
