"""Queries: what each selects, and the one line that each fault gives."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import warnings
from typing import Any

import pytest

from runbooks.errors import InventoryError
from runbooks.inventory import HostSet, Inventory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Cumin's, about pyparsing


@pytest.mark.parametrize(
    ("query", "folded"),
    [
        # plain hosts
        ("lab01", "lab01"),
        ("lab[01-03]", "lab[01-03]"),
        ("lab01,lab03", "lab[01,03]"),
        ("lab[01-04]!lab02", "lab[01,03-04]"),
        ("lab[01-03]&lab[02-04]", "lab[02-03]"),
        ("lab[01-03]^lab[02-04]", "lab[01,04]"),
        ("lab[1-2],bastion", None),
        ("lab*", "lab[01-04]"),
        ("lab?[1-2]", "lab[01-02]"),
        ("*", "bastion,db[1001-1010],lab[01-04]"),
        ("*!db*", "bastion,lab[01-04]"),
        ("  lab01  ", "lab01"),
        # fields
        ("role:web", "lab[01-03]"),
        ("role: web", "lab[01-03]"),
        ("role:cache", "lab03"),
        ("group:core", "db[1001-1010]"),
        ("site:east", "db[1001-1010],lab[01,03]"),
        ("rack:a[1-2]", "lab[01-02]"),
        ("rack:a*!a2", "lab[01,03-04]"),
        ("role:web,db", "db[1001-1010],lab[01-04]"),
        ("vendor:'Acme Ltd'", "lab03"),
        ('vendor:"Acme*"', "lab03"),
        ("vendor:'Plug [EU]*'", "bastion"),
        ("address:198.18.7.12", "lab02"),
        ("name:lab0[1-2]", "lab[01-02]"),
        ("name~'^db10[0-9]{2}$'", "db[1001-1010]"),
        ("name ~ 0[12]$", "db[1001-1002],lab[01-02]"),
        # joined, from left to right
        ("lab[01-04] and not lab02", "lab[01,03-04]"),
        ("lab[01-04] AND NOT lab02", "lab[01,03-04]"),
        ("lab[01-04]\n and \t not  lab02", "lab[01,03-04]"),
        ("role:web and site:east", "lab[01,03]"),
        ("role:web xor site:east and lab*", "lab02"),
        ("lab01 or lab02 and lab02", "lab02"),
        ("lab01 or (lab02 and lab02)", "lab[01-02]"),
        ("(role:web or role:db) and not (site:east)", "lab[02,04]"),
        # the global grammar
        ("A:web", "lab[01-03]"),
        ("a:web", "lab[01-03]"),
        ("A:east-web", "lab[01,03]"),
        ("A:web and not D{lab02}", "lab[01,03]"),
        ("A:web and  not  D{lab02}", "lab[01,03]"),
        ("d{lab01} or o{role:cache}", "lab[01,03]"),
        ("D{(lab01 or lab02) and not lab01}", "lab02"),
        ("O{name~'^lab0[1-3]{1}$'} and not A:east", "lab02"),
        ("(A:labs and not A:web) or D{bastion}", "bastion,lab04"),
        ("O{vendor:'Acme Ltd'} xor A:web", "lab[01-02]"),
        ("O{role:web or vendor:dell and not lab01}", "lab[02-04]"),
    ],
)
def test_selects(fleet: Inventory, query: str, folded: str | None) -> None:
    if folded is None:  # lab1 is not lab01
        with pytest.raises(InventoryError, match=r"hosts lab\[1-2\] in query"):
            fleet.query(query)
        return
    hosts = fleet.query(query)
    assert hosts.folded() == folded
    assert hosts.query == query.strip()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "the query is empty: name hosts"),
        (" \t", "the query is empty"),
        ("x" * 65_537, "the query has 65537 characters, at most 65536 are read"),
        # names
        ("nosuch", "host nosuch in query 'nosuch' is not in the inventory"),
        ("lab05", "(did you mean lab04 or lab03?)"),
        ("LAB01", "host LAB01 in"),
        ("-x", "host -x in"),
        ("D{nosuch}", "host nosuch in D{nosuch} is not in the inventory"),
        ("D{lab[03-20]}", "hosts lab[05-20] in D{lab[03-20]} are not in the inventory"),
        ("A:web and not D{nosuch}", "host nosuch in D{nosuch} is not in the inventory"),
        ("A:web and not D{lab01 and not nosuch}", "host nosuch in D{lab01 and not nosuch}"),
        ("A:web and not D{lab01,!nosuch}", "has an operator"),
        ("A:web and not D{lab01!nosuch}", "host nosuch in"),
        ("A:web and not O{nosuch}", "host nosuch in O{nosuch}"),
        ("lab[01-04] and not nosuch", "host nosuch in query"),
        ("lab* and not web*", "no host matches web* in query"),
        ("lab[1-999999999]", "stands for more than 100000 names"),
        ("D{lab[1-1000]x[1-1000]}", "stands for more than 100000 names"),
        ("lab[1", "can't be read: missing bracket"),
        ("lab]", "can't be read: illegal closing bracket"),
        ("lab[4-1]", "can't be read: bad range"),
        ("lab[]", "is no range of numbers"),
        ("lab[a-b]", "is no range of numbers"),
        ("lab01,", "has an operator (one of , ! & ^) with nothing beside it"),
        ("lab01;reboot", "stopped at ';reboot'"),
        # fields
        ("role:wbe", "no host has role wbe in query 'role:wbe' (did you mean web?)"),
        ("* and not role:wbe", "no host has role wbe"),
        ("* and not site:north", "no host has site north in query '* and not site:north' (there are east, west)"),
        ("rack:a[1-9]", "no host has rack a5"),
        ("name~'^web'", "no host has name ~ ^web"),
        ("name~'['", "[ in query \"name~'['\" is no regular expression: unterminated character set"),
        ("rol:web", "rol is no field to select by in query 'rol:web' (did you mean role?): name, address,"),
        ("O{A:web}", "stopped at ':web'"),
        # grammar
        ("D{lab01", "a { is not closed with }"),
        ("D{lab01}}", "a } closes nothing"),
        ("(lab01", "a ( is not closed with )"),
        ("lab01)", "a ) closes nothing"),
        ("Z{lab01}", "Z{...} is no backend: D{} (hosts by name), O{}"),
        ("K{lab01}", "K{...} is no backend"),
        ("{lab01}", "{...} is no backend"),
        ("not lab01", "write * and not ..."),
        ("lab01 and not", "write * and not ..."),
        ("lab01 and", "stopped at 'and'"),
        ("lab01 lab02", "stopped at 'lab02': parts are joined with and, or, and not, xor"),
        ("D{}", "it ends where a host, a field or an alias should follow"),
        ("A:", "it ends where"),
        ("A:web and role:db", "hosts go into D{...} and fields into O{...}"),
        ("'lab01", "stopped at"),
        ("(" * 500 + "lab01" + ")" * 500, "more than 20 ( inside each other"),
        # nothing
        ("role:web and role:db", "query 'role:web and role:db' matches no host of"),
        ("A:web and not A:web", "matches no host of"),
        # aliases
        ("A:nosuch", "alias A:nosuch is not in the inventory (there are"),
        ("A:wbe", "alias A:wbe is not in the inventory (did you mean web"),
    ],
)
def test_a_fault_is_one_line(fleet: Inventory, query: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        fleet.query(query)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        ("self", "alias self refers to itself: self -> self ({file}:2)"),
        ("a", "alias a refers to itself: a -> b -> c -> a ({file}:3)"),
        ("into", "alias a refers to itself: a -> b -> c -> a ({file}:3)"),
        ("broken", "alias broken ({file}:6): a { is not closed with }"),
        ("unread", "alias unread ({file}:7) can't be read: stopped at 'D{lab02}'"),
        ("bare", "alias bare ({file}:8) can't be read: stopped at 'role:web': beside A: and braces"),
        ("dangling", "alias dangling ({file}:9): alias A:nosuch is not in the inventory"),
        ("stranger", "alias stranger ({file}:10): host nosuch in D{nosuch} is not in the inventory"),
        ("outer", "alias outer ({file}:12): alias stranger ({file}:10): host nosuch"),
    ],
)
@pytest.mark.parametrize("query", ["A:{}", "D{{lab01}} and not A:{}", "(A:{} or D{{lab01}})"])
def test_an_alias_at_fault_is_named_with_its_line(load: Any, alias: str, message: str, query: str) -> None:
    inventory = load(
        hosts="hosts: {lab01: {roles: [web]}, lab02: {}}",
        aliases="""aliases:
  self: "D{lab01} or A:self"
  a: "A:b"
  b: "(D{lab01} and not A:c)"
  c: "A:a"
  broken: "D{lab01"
  unread: "D{lab01} D{lab02}"
  bare: "role:web"
  dangling: "A:nosuch"
  stranger: "D{nosuch}"
  into: "A:a"
  outer: "A:stranger"
""",
    )
    with pytest.raises(InventoryError) as caught:
        inventory.query(query.format(alias))
    assert str(caught.value).startswith("alias ")
    assert message.replace("{file}", str(inventory.source / "aliases.yaml")) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_alias_may_stand_twice_without_being_a_cycle(load: Any) -> None:
    aliases = "".join(f"  a{level}: A:a{level + 1} or A:a{level + 1}\n" for level in range(18))
    inventory = load(hosts="hosts: {lab01: {}}", aliases=f"aliases:\n{aliases}  a18: D{{lab01}}\n")
    start = time.process_time()
    assert inventory.query("A:a0").names == ("lab01",)  # evaluated for each mention, this would take 2**18 evaluations
    assert time.process_time() - start < 2


def test_an_alias_that_selects_nothing_is_no_fault_by_itself(load: Any) -> None:
    inventory = load(
        hosts="hosts: {lab01: {roles: [web]}, lab02: {roles: [db]}}",
        aliases="aliases: {none: 'O{role:web and role:db}'}",
    )
    assert inventory.query("O{*} and not A:none").folded() == "lab[01-02]"


def test_a_long_chain_of_aliases_is_one_line_too(load: Any) -> None:
    chain = "".join(f"  a{level}: A:a{level + 1}\n" for level in range(2_000))
    inventory = load(hosts="hosts: {lab01: {}}", aliases=f"aliases:\n{chain}  a2000: D{{lab01}}\n")
    with pytest.raises(InventoryError) as caught:
        inventory.query("A:a0")
    assert str(caught.value) == "alias a0 goes over more than 20 other aliases: make it shorter"


def test_check_finds_a_broken_alias_without_a_query(load: Any) -> None:
    hosts = "hosts: {lab01: {}}"
    load(hosts=hosts, aliases="aliases: {ok: 'D{lab01}', p: 'P{*} and D{lab01}', q: A:p}").check()
    with pytest.raises(InventoryError, match=r"aliases.yaml:1\): host nosuch"):
        load(hosts=hosts, aliases="aliases: {p: 'P{*} or D{nosuch}'}").check()


def test_the_names_are_sorted_naturally(load: Any) -> None:
    assert load(hosts="hosts: {b10: {}, b9: {}, a: {}}").query("*") == HostSet(("a", "b9", "b10"), "*")


def test_an_unknown_host_is_named_with_its_like(fleet: Inventory) -> None:
    assert fleet["lab01"].address == "198.18.7.11"
    with pytest.raises(InventoryError, match=r"^host lab07 is not in the inventory \(did you mean lab0"):
        fleet["lab07"]


def test_cumin_reads_no_configuration_and_writes_no_log(fleet: Inventory) -> None:
    code = f"""
import pathlib, sys
opened = []
def watch(event, args):
    if event == "open" and isinstance(args[0], str):
        opened.append((args[0], args[1]))
sys.addaudithook(watch)
from runbooks.inventory import Inventory
Inventory.load(pathlib.Path({str(fleet.source)!r})).query("A:web and not D{{lab01}}")
print([name for name, mode in opened if "/etc/cumin" in name or (mode and set(mode) & set("wax"))])
"""
    done = subprocess.run([sys.executable, "-Bc", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_cumin_itself_can_load_the_backend_as_a_plug_in(fleet: Inventory) -> None:
    from cumin.query import Query

    config = {"plugins": {"backends": ["runbooks.inventory.cumin_backend"]}, "ops_clinic": {"inventory": fleet.source}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert str(Query(config).execute("O{role:web and not lab02} or D{elsewhere}")) == "elsewhere,lab[01,03]"


@pytest.mark.parametrize("name", ["db{0}", "r{1}-n{2}", "cp{0}.site{2}.example"])
def test_ten_thousand_hosts_are_queried(load: Any, name: str) -> None:
    names = [name.format(number + 1001, number // 100, number % 100) for number in range(10_000)]
    hosts = "".join(f"  {host}: {{site: {'ew'[at % 2]}, roles: [r{at % 7}]}}\n" for at, host in enumerate(names))
    aliases = "aliases: {east: 'O{site:e} and not D{" + names[0] + "}', some: 'O{role:r[0-3]}'}"
    inventory = load(hosts=f"hosts:\n{hosts}", aliases=aliases)
    found = inventory.query("A:east and A:some and not O{name~'[37][.]?'}")
    wanted = [host for at, host in enumerate(names) if at and not at % 2 and at % 7 < 4 and not re.search("[37]", host)]
    assert len(wanted) > 100
    assert sorted(found) == sorted(wanted)
