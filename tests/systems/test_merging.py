"""Three-way merges by lines."""

from __future__ import annotations

import pytest

from runbooks.systems.merging import merged

CASES = {
    "ours alone": ("ab", "ab", "axb", "axb"),
    "both the same": ("axb", "ab", "axb", "axb"),
    "far from each other": ("Abcde", "abcde", "abcdE", "AbcdE"),
    "neighbours": ("Abc", "abc", "aBc", "ABc"),
    "the one before goes, another came behind": ("abxy", "abx", "ab", "aby"),
    "the last goes, another came in front": ("aybx", "abx", "ab", "ayb"),
    "in the middle of what goes": ("axyb", "axxb", "ab", None),
    "the same line": ("Xb", "ab", "Yb", None),
    "into the same place": ("axb", "ab", "ayb", None),
    "odd bytes": ("Å\x0c\r-", "Å\x0c\r=", "ZÅ\x0c\r=", "ZÅ\x0c\r-"),
}


@pytest.mark.parametrize("case", CASES)
def test_merged(case: str) -> None:
    ours, base, theirs, expected = (
        None if text is None else "".join(f"{letter}\n" for letter in text).encode() for text in CASES[case]
    )
    assert merged(ours or b"", base or b"", theirs or b"") == expected
    assert merged(theirs or b"", base or b"", ours or b"") == expected
