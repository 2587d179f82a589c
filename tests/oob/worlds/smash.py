"""A stand-in for the command line that ``smash`` speaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.oob.cli_world import CliWorld, cli_world


@contextmanager
def world() -> Iterator[CliWorld]:
    """As the conformance suite has it."""
    with cli_world("smash") as made:
        yield made
