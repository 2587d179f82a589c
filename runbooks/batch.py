"""Hosts into batches, steps into stages, and when to stop: pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from runbooks.errors import UsageError
from runbooks.model import Step

_AMOUNT = re.compile(r"(\d{1,6})(%?)")


def amount(text: str, of: int, what: str) -> int:
    """A count (``10``) or a percentage (``20%``) of ``of`` hosts, rounded down. Raises UsageError for anything else."""
    match = _AMOUNT.fullmatch(str(text).strip())
    if not match or (match[2] and int(match[1]) > 100):
        raise UsageError(f"{what} {text!r}: give a number of hosts (10) or a percentage of them (20%)")
    return math.floor(of * int(match[1]) / 100) if match[2] else int(match[1])


def seconds(text: str) -> float:
    """A time to sleep, up to a day. Raises UsageError."""
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"batch sleep {text!r}: give seconds, 5 or 0.5") from error
    if not 0 <= value <= 86_400:
        raise UsageError(f"batch sleep {text!r}: from 0 to 86400 seconds")
    return value


def window(size: str, of: int) -> int:
    """How many hosts are worked on side by side: at least one. Raises UsageError."""
    count = amount(size, of, "batch size")
    if count == 0 and not str(size).strip().endswith("%"):
        raise UsageError("batch size 0: at least one host at a time")
    return max(1, count)


def stages(steps: Sequence[Step]) -> list[list[int]]:
    """The steps' numbers, grouped: a barrier stands alone, steps between two barriers form one stage."""
    found: list[list[int]] = []
    open_stage = False
    for number, step in enumerate(steps):
        if step.is_barrier or not open_stage:
            found.append([number])
        else:
            found[-1].append(number)
        open_stage = not step.is_barrier
    return found


def undo_order(steps: Sequence[Step]) -> list[int]:
    """The order in which steps are taken back: last first, but what carries out a step still follows that step."""
    groups: list[list[int]] = []
    for number, step in enumerate(steps):
        if step.carries and groups:
            groups[-1].append(number)
        else:
            groups.append([number])
    return [number for group in reversed(groups) for number in group]
