"""Which names may be written into the registry."""

from __future__ import annotations

import pytest

from runbooks.errors import UsageError
from runbooks.registry import check_name


@pytest.mark.parametrize("name", ["bob", "b", "bd808", "neilpquinn-wmf", "a-ctr", "x" * 32, "on"])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-bob",
        "Bob",
        "8ball",
        "b_b",
        "b.b",
        "bob\n",
        "bob ",
        "zoë",
        "x" * 33,
        "b/b",
        "root",
        "mail",
        "www-data",
        "nobody",
    ],
)
def test_bad_names(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
