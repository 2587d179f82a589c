"""A small lab for the Changes: one a worker, and people whom no two tests share."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator

import pytest

from runbooks.errors import Blocked
from runbooks.lab import Lab, Person, scratch
from runbooks.lab.layout import SERVER
from runbooks.lab.machine import look
from runbooks.systems.host import HostTarget
from runbooks.systems.puppet import Puppet
from runbooks.systems.subject import Subject

from .machine import GROUPS, PEOPLE, Machine, connect, move_in, stop_puppet


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two hosts with people nobody shares; puppet runs only when a test runs it."""
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    top = scratch()
    made = Lab(top / "lab")
    made.up(2, people=PEOPLE, puppet_every_s=0)
    for host in made.hosts:
        stop_puppet(Machine(made, host, connect(made, host, "root"), ""))
    yield made
    made.down()
    shutil.rmtree(top)


_RUNS = itertools.count(1)


@pytest.fixture(scope="session")
def _targets(lab: Lab) -> Iterator[Callable[[str, str], HostTarget]]:
    made: dict[tuple[str, str], HostTarget] = {}

    def get(host: str, user: str) -> HostTarget:
        if (host, user) not in made:
            made[host, user] = connect(lab, host, user)
        return made[host, user]

    yield get
    for target in made.values():
        target.close()


@pytest.fixture
def machine(lab: Lab, _targets: Callable[[str, str], HostTarget]) -> Machine:
    """The first host, as root."""
    return Machine(lab, "lab01", _targets("lab01", "root"), f"test{next(_RUNS)}")


@pytest.fixture(params=["root", "clinic"])
def either(lab: Lab, _targets: Callable[[str, str], HostTarget], request: pytest.FixtureRequest) -> Machine:
    """The first host, as root and then as the operator with sudo."""
    return Machine(lab, "lab01", _targets("lab01", request.param), f"test{next(_RUNS)}", request.param)


@pytest.fixture
def other(lab: Lab, _targets: Callable[[str, str], HostTarget]) -> Machine:
    """The second host, on which tests let puppet run."""
    return Machine(lab, "lab02", _targets("lab02", "root"), f"test{next(_RUNS)}")


@pytest.fixture
def server(lab: Lab, _targets: Callable[[str, str], HostTarget]) -> Machine:
    """The puppet server."""
    return Machine(lab, SERVER, _targets(SERVER, "root"), f"test{next(_RUNS)}")


_UIDS = itertools.count(3000)


@pytest.fixture
def old(lab: Lab) -> Subject:
    """A person whom no other test has, on the first host, as the subject of a rename."""
    uid = next(_UIDS)
    person = Person(f"ada{uid}", uid, home_files=8, password=uid % 2 == 0)
    move_in(Machine(lab, "lab01", connect(lab, "lab01", "root"), ""), person)
    return Subject(person.name, f"{person.name}x", uid, Puppet(), GROUPS)


@pytest.fixture
def new(old: Subject) -> Subject:
    """The account that takes their place."""
    return old.swapped()
