"""What several tests need."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def quick_dir() -> Iterator[Path]:
    """A directory in memory, where there is one: journals are synced to disk at each event."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def url(quick_dir: Path) -> str:
    """A journal's URL."""
    return f"sqlite:///{quick_dir}/journal.db"


@pytest.fixture
def fresh(quick_dir: Path) -> Callable[[], str]:
    """URLs of journals, one after another."""
    numbers = itertools.count()
    return lambda: f"sqlite:///{quick_dir}/fresh{next(numbers)}.db"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to tell at the end (``record_property("summary", …)``), from every worker."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    told = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    for line in dict.fromkeys(str(value) for key, value in told if key == "summary"):
        terminalreporter.write_line(line)
