"""Hosts into batches, steps into stages, and the way back: pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import Put

from runbooks.batch import amount, stages, undo_order, window
from runbooks.errors import UsageError
from runbooks.model import Step


def steps(text: str) -> list[Step]:
    """``a`` a step, ``g`` one on a system, ``m`` one that all must pass, ``c`` one that carries out the one before."""
    return [
        Step(f"{kind}{n}", Put("k"), ("@git",) if kind == "g" else ("h1",), must_all=kind == "m", carries=kind == "c")
        for n, kind in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("text", "of", "found"),
    [("10", 3, 10), ("0", 3, 0), ("20%", 10, 2), ("20%", 4, 0), ("100%", 7, 7), ("29%", 100, 29), (" 5 ", 9, 5)],
)
def test_amounts(text: str, of: int, found: int) -> None:
    assert amount(text, of, "batch size") == found


@pytest.mark.parametrize("text", ["", "ten", "-1", "101%", "1.5", "5 %", "%", "1e3", "9999999", "0x10"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(UsageError, match="batch size"):
        amount(text, 10, "batch size")


def test_a_window_holds_at_least_one() -> None:
    assert (window("5%", 10), window("0%", 10), window("3", 1)) == (1, 1, 3)
    with pytest.raises(UsageError, match="at least one host"):
        window("0", 10)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("aaa", [[0, 1, 2]]),
        ("agaa", [[0], [1], [2, 3]]),
        ("gg", [[0], [1]]),
        ("maam", [[0], [1, 2], [3]]),
        ("ca", [[0, 1]]),
    ],
)
def test_stages(text: str, found: list[list[int]]) -> None:
    assert stages(steps(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("aaa", [2, 1, 0]), ("agca", [3, 1, 2, 0]), ("agcca", [4, 1, 2, 3, 0]), ("ca", [1, 0]), ("", [])],
)
def test_undo_order(text: str, found: list[int]) -> None:
    assert undo_order(steps(text)) == found


@given(st.text("agmc", max_size=12))
def test_every_step_is_in_one_stage_in_order_and_taken_back_once(text: str) -> None:
    some = steps(text)
    assert [n for stage in stages(some) for n in stage] == list(range(len(some)))
    assert all(len(stage) == 1 for stage in stages(some) if any(some[n].is_barrier for n in stage))
    assert sorted(undo_order(some)) == list(range(len(some)))
