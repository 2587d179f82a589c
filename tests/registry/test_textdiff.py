"""The unified diff: what patch makes of it, and that no diff is shorter."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.registry import textdiff
from runbooks.registry.textdiff import unified

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d\r", ""]), max_size=14).map("\n".join)


def longest_common(one: list[str], other: list[str]) -> int:
    row = [0] * (len(other) + 1)
    for left in one:
        new = [0]
        for number, right in enumerate(other):
            new.append(row[number] + 1 if left == right else max(new[-1], row[number + 1]))
        row = new
    return row[-1]


@given(before=TEXTS, after=TEXTS)
def test_no_diff_is_shorter(before: str, after: str) -> None:
    lines = unified(before, after, "x").split("\n")[2:]
    one, other = textdiff.lines(before), textdiff.lines(after)
    common = longest_common(one, other)
    assert sum(line.startswith("-") for line in lines) == len(one) - common
    assert sum(line.startswith("+") for line in lines) == len(other) - common


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(before=TEXTS.filter(bool), after=TEXTS.filter(bool), most=st.sampled_from([0, 3, 400]))
def test_git_gets_the_other_text_from_it(tmp_path: Path, before: str, after: str, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textdiff, "MOST_EDITS", most)
        diff = unified(before, after, "x")
    (tmp_path / "x").write_bytes(before.encode())
    if diff:
        command = ["git", "-c", "core.autocrlf=false", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
        subprocess.run(command, input=diff.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "x").read_bytes() == after.encode()
