"""Labs for tests: made once a session, thrown away at its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from runbooks.errors import Blocked
from runbooks.lab import Lab, Person, scratch
from runbooks.lab.machine import look

# Short, since a home is fingerprinted again and again.
PEOPLE = (
    Person("alice", 1001, ("deployment", "analytics-users"), home_files=30, process=True),
    Person("bob", 1002, home_files=20),
    Person("bobby", 1003, home_files=20, domain="example.net"),
    Person("carol", 1004, ("ops",), home_files=20, dotfiles=True),
    Person("dave", 1005, home_files=20, local_group="docker", password=True),
    Person("mallory", 1099, (), absent=True),
)

Factory = Callable[..., Lab]


@pytest.fixture(scope="session")
def labs() -> Iterator[Factory]:
    """Make a lab of its own directory; every one of them is taken down at the end."""
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    made: list[Lab] = []
    top = scratch()

    def make(hosts: int = 2, **wishes: object) -> Lab:
        lab = Lab(top / f"lab{len(made)}")
        made.append(lab)
        wishes = {"people": PEOPLE, "puppet_every_s": 0, **wishes}
        lab.up(hosts, **wishes)  # type: ignore[arg-type]
        return lab

    yield make
    for lab in made:
        lab.down()
    shutil.rmtree(top)


@pytest.fixture(scope="session")
def lab(labs: Factory) -> Lab:
    """The lab that most tests share; each leaves it as it found it."""
    return labs()
