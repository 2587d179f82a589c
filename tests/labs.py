"""Labs to throw away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from runbooks.errors import Blocked
from runbooks.lab import Lab, Person, scratch
from runbooks.lab.machine import look


@contextmanager
def small_lab(
    hosts: int, people: Sequence[Person], bmcs: bool = False, mx: bool = False, lists: bool = False
) -> Iterator[Lab]:
    """So many hosts and a puppet server, on which nothing happens by itself; skips where none can be had."""
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    top = scratch()
    made = Lab(top / "lab")
    try:
        made.up(hosts, people=people, puppet_every_s=0, bmcs=bmcs, mx=mx, lists=lists)
        yield made
    finally:
        made.down()
        shutil.rmtree(top)
