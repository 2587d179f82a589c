"""What two texts mean, compared."""

from __future__ import annotations

import pytest

from runbooks.registry.document import compose
from runbooks.registry.meaning import difference, meaning_of


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ("a: 1", "a: 1  # x", None),
        ("a: 'b'\nc: [d, e]", '---\na: b\nc:\n- d\n- "e"\n', None),
        ("a: &x [b]\nc: *x", "a: [b]\nc: [b]", None),
        ("a: 1", "a: '1'", "a"),
        ("a: 1", "a: 2", "a"),
        ("a: 1", "b: 1", "a"),
        ("a: 1\nb: 1", "b: 1\na: 1", "a"),
        ("a: {b: 1, c: 1}", "a: {c: 1, b: 1}", "a.b"),
        ("a: {b: 1}", "a: {b: 1, c: 1}", "a.c"),
        ("a: {b: 1, c: 1}", "a: {b: 1}", "a.c"),
        ("a: [b, [c]]", "a: [b, [d]]", "a[1][0]"),
        ("a: [b]", "a: [b, c]", "a[1]"),
        ("a: [b, c]", "a: [b]", "a[1]"),
        ("a: [b]", "a: {b: }", "a"),
        ("a: b", "a: [b]", "a"),
        ("a: true", "a: 'true'", "a"),
    ],
)
def test_the_first_difference_is_named(one: str, other: str, where: str | None) -> None:
    assert difference(meaning_of(compose(one)), meaning_of(compose(other))) == where
