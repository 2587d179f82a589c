"""Whether a setting of a list is as it shall be: one meaning for all systems."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.lists.model import alike, unlike
from runbooks.model import Json

WORDS: list[Json] = ["ann@example.org", "bea@example.org"]
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 30.5, "", "1", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [(WORDS, tuple(WORDS)), ([], ()), ([[".*", 3, 0]], ((".*", 3, 0),)), (30, 30.0), (None, None), ("é", "é")],
)
def test_the_same_setting(one: Json, other: Json) -> None:
    assert alike(one, other) and alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1), (False, 0), ([True], [1]), (None, False), (None, ""), ("", []), ("1", 1), ("ab", ["a", "b"]),
        (WORDS, WORDS[::-1]), (WORDS, WORDS[:1]), (WORDS[:1], WORDS), ([[".*", 3, 0]], [[".*", 3, 1]]), (7, [7]),
    ],
)  # fmt: skip
def test_another_setting(one: Json, other: Json) -> None:
    assert not alike(one, other) and not alike(other, one)


@given(VALUES)
def test_what_a_journal_gives_back_is_the_same_as_what_it_was_given(value: Json) -> None:
    assert alike(value, json.loads(json.dumps(value)))


def test_what_a_list_has_otherwise_or_not_at_all() -> None:
    settings: dict[str, Json] = {"owner": WORDS, "emergency": False, "description": "cats"}
    wanted: dict[str, Json] = {"owner": tuple(WORDS), "emergency": 0, "ban_list": [], "description": "cats"}
    assert unlike(settings, wanted) == {"emergency": 0, "ban_list": []}
