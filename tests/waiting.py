"""Waiting for what happens elsewhere, as long as a loaded machine may take."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], timeout_s: float = 180) -> None:
    """Come back as soon as it holds; fail when it never does."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
