"""What several tests need."""

from __future__ import annotations

import itertools
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from postgresql_server import Server


# How long an example takes, or the making of one, says how busy the machine is, and nothing of what is tested.
UNHURRIED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("search", UNHURRIED)
hypothesis.settings.register_profile("same", UNHURRIED, derandomize=True)
hypothesis.settings.load_profile("same")
# A change is held against the same examples wherever it is tested; the campaign searches for new ones.


@pytest.fixture
def quick_dir() -> Iterator[Path]:
    """A directory in memory, where there is one: journals are synced to disk at each event."""
    with _in_memory() as place:
        yield place


@pytest.fixture(scope="module")
def quick_place() -> Iterator[Path]:
    """As ``quick_dir``, for what a module's tests share."""
    with _in_memory() as place:
        yield place


@contextmanager
def _in_memory() -> Iterator[Path]:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 500_000_000
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as name:
        yield Path(name)


ON_BOTH = ("test_journal", "test_engine", "test_engine_crash")
"""Modules whose journals are on PostgreSQL as well."""


def pytest_configure() -> None:
    """What is started in the background ignores SIGINT, and so would all that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        both = metafunc.module.__name__ in ON_BOTH
        metafunc.parametrize("database", ["sqlite", "postgresql"] if both else ["sqlite"])


@pytest.fixture
def fresh(database: str, quick_dir: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """URLs of journals, one after another."""
    if database == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        return server.fresh
    numbers = itertools.count()
    return lambda: f"sqlite:///{quick_dir}/journal{next(numbers)}.db"


@pytest.fixture
def url(fresh: Callable[[], str]) -> str:
    """A journal's URL."""
    return fresh()


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="no psycopg here: bin/setup .venv '.[dev]'")
    from postgresql_server import NoServer, Server

    with _in_memory() as top:
        try:
            server = Server(top)
        except NoServer as missing:
            pytest.skip(str(missing))
        yield server
        server.stop()


@pytest.fixture
def postgresql(_server: Server) -> Iterator[Server]:
    """A real server, which a test may stop; the next one finds it running, and nobody connected."""
    _server.start()
    yield _server
    _server.start()
    _server.hang_up()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to tell at the end (``record_property("summary", …)``), from every worker."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    told = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    for line in dict.fromkeys(str(value) for key, value in told if key == "summary"):
        terminalreporter.write_line(line)
