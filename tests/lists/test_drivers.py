"""The kinds of list servers: each has all that its interface wants, and the settings know the same ones."""

from __future__ import annotations

from importlib import import_module

import pytest

from runbooks.lists.drivers import DRIVERS, driver_class
from runbooks.lists.model import ListReader, ListTarget, ListWriter
from runbooks.settings.list_domains import DRIVERS as SET


def test_the_settings_know_the_same_drivers() -> None:
    assert set(SET) == set(DRIVERS)


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_has_all_that_is_wanted_of_one(name: str) -> None:
    found = driver_class(name)
    assert issubclass(found, ListTarget)
    module = import_module(found.__module__)
    for kind in (ListTarget, ListReader, ListWriter):
        own = [
            one for one in vars(module).values() if isinstance(one, type) and issubclass(one, kind) and one is not kind
        ]
        assert own, f"{found.__module__} has no {kind.__name__}"
        assert not [word for word in dir(own[0]) if getattr(getattr(own[0], word), "__isabstractmethod__", False)]
