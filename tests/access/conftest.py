"""A lab for what takes access: people who are gone afterwards are nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runbooks.lab import Lab, Person
from tests.labs import small_lab
from tests.surface.helpers import Inv, world

PEOPLE = (
    Person("bob", 2002, home_files=10, process=True, crontab=False),
    Person("dave", 2004, home_files=10),
    Person("erin", 2005, home_files=10),
    Person("frank", 2006, home_files=10),
    Person("grace", 2007, home_files=10),
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
