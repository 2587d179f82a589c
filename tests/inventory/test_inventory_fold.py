"""Folding: the same as ClusterShell where that is quick, readable by it always, and quick where it isn't."""

from __future__ import annotations

import random
import time

import pytest
from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
from hypothesis import given
from hypothesis import strategies as st

from runbooks.inventory import HostSet, fold


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["lab01"], "lab01"),
        (["bastion"], "bastion"),
        (["lab02", "lab01", "lab03"], "lab[01-03]"),
        (["lab1", "lab3", "lab2", "lab5"], "lab[1-3,5]"),
        (["lab9", "lab10", "lab11"], "lab[9-11]"),
        (["lab08", "lab09", "lab10"], "lab[08-10]"),
        ([f"lab{number:02}" for number in range(9, 102)], "lab[09-99,100-101]"),
        (["lab99", "lab100", "lab098"], "lab[99-100,098]"),
        (["lab01", "lab1", "lab2", "lab02"], "lab[1-2,01-02]"),
        (["lab099", "lab98", "lab100", "lab99"], "lab[98-100,099]"),
        (["db1.east.x", "db2.east.x", "web1.east.x", "bastion"], "bastion,db[1-2].east.x,web1.east.x"),
        ([f"r{rack}-n{node:02}" for rack in (1, 2) for node in range(1, 5)], "r[1-2]-n[01-04]"),
        (["r1-n1", "r1-n2", "r2-n1"], "r1-n[1-2],r2-n1"),
        (["10", "11"], "[10-11]"),
        (["lab01", "lab01"], "lab01"),
        (["b2", "b10", "a"], "a,b[2,10]"),
    ],
)
def test_folds(names: list[str], folded: str) -> None:
    assert fold(names) == folded


_names = st.from_regex(r"(a|ab|lab-)?[0-9]{1,3}(-n[0-9]{1,2})?(\.x)?", fullmatch=True) | st.sampled_from(["a", "web"])


@given(st.sets(_names, max_size=60))
def test_clustershell_reads_back_the_same_names(names: set[str]) -> None:
    assert set(NodeSet(fold(names), resolver=RESOLVER_NOGROUP)) == names


@given(st.lists(st.integers(0, 300), min_size=1))
def test_one_number_is_folded_as_clustershell_does(numbers: list[int]) -> None:
    names = [f"lab{number:03}" for number in numbers]
    assert fold(names) == str(NodeSet.fromlist(names, resolver=RESOLVER_NOGROUP))


@given(st.sets(_names, max_size=30), st.randoms())
def test_the_order_of_the_names_does_not_matter(names: set[str], chance: random.Random) -> None:
    shuffled = sorted(names)
    chance.shuffle(shuffled)
    assert fold(shuffled) == fold(sorted(names))


@pytest.mark.parametrize("pattern", ["db{}", "cp{}.site.example", "r{0}-n{1}", "n{0}{1}-{1}", "host"])
def test_ten_thousand_names_take_no_time(pattern: str) -> None:
    chance = random.Random(1)
    if pattern == "host":
        names = ["".join(chance.choices("abcdef", k=9)) for _ in range(10_000)]
    else:
        names = [pattern.format(number // 100, chance.randrange(500)) for number in range(10_000)]
        names += [pattern.format(number, 0) for number in range(10_000)]
    start = time.process_time()
    fold(names)
    assert time.process_time() - start < 2.0  # ClusterShell needs minutes where two numbers form no grid


def test_a_host_set_iterates_counts_and_folds() -> None:
    hosts = HostSet(("lab01", "lab02"), "lab*")
    assert (list(hosts), len(hosts), hosts.folded(), hosts.query) == (["lab01", "lab02"], 2, "lab[01-02]", "lab*")
