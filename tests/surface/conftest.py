"""One lab for all tests of the surface. Each test has a person of its own, so none has to tidy up after a rename."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runbooks.lab import Lab, Person
from tests.labs import small_lab

from .helpers import Inv, Userdel, world

PEOPLE = (
    Person("alice", 2001, ("deployment", "analytics-users"), home_files=30, password=True, local_group="docker"),
    Person("bob", 2002, home_files=10, process=True, crontab=False),
    Person("carol", 2003, ("ops",), home_files=10, dotfiles=True),
    Person("dave", 2004, home_files=10, password=True),
    Person("erin", 2005, home_files=10),
    Person("frank", 2006, home_files=10),
    Person("grace", 2007, home_files=10),
    Person("hugo", 2008, home_files=10),
    Person("mallory", 1099, (), absent=True),
)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two hosts and a puppet server, on which nothing happens by itself."""
    with small_lab(2, PEOPLE) as made:
        yield made


@pytest.fixture
def inv(lab: Lab) -> Inv:
    return Inv(lab)


@pytest.fixture
def unchanged(lab: Lab) -> Iterator[None]:
    """Nothing is changed by the test: no file of any host, no branch of the repository, no run in the journal."""
    before = world(lab)
    yield
    after = world(lab)
    assert {place: after[place] for place in after if after[place] != before.get(place)} == {}
    assert before == after


@pytest.fixture
def userdel(lab: Lab) -> Iterator[Userdel]:
    obstacle = Userdel(lab, "lab01")
    yield obstacle
    obstacle.restore()
