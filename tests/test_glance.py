"""A glance at the runs tells what the journal tells, or nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from standins import Life, PowerCut, World, draft, step

from runbooks import glance
from runbooks.driver import Driver
from runbooks.model import RunStatus


@pytest.fixture
def url(quick_dir: Path) -> str:
    return f"sqlite:///{quick_dir}/journal 1.db"


def two() -> object:
    return draft(step("a"), step("b"))


def test_it_tells_what_the_journal_tells(url: str, quick_dir: Path) -> None:
    world = World.of()
    done = Life(url, world).apply(two())
    Life(url, world).undo(done.id, two())
    world.down.add("h2")
    broken = World.of("h1", "h2", "h3", "h4")
    broken.full.add("h1")
    Life(url, broken).apply(two())
    journal = Life(url, world).journal
    assert {run.status for run in journal.runs()} == {RunStatus.UNDONE, RunStatus.DONE, RunStatus.INCOMPLETE}
    before = sorted(quick_dir.iterdir())
    assert glance.newest(url, 50) == journal.runs()
    assert glance.newest(url, 2) == journal.runs(2)
    assert sorted(quick_dir.iterdir()) == before


def test_a_run_that_is_driven_has_to_be_counted(url: str) -> None:
    life = Life(url, World.of(), events=3)
    with pytest.raises(PowerCut):
        life.apply(two())
    assert glance.newest(url, 50) is None
    lease = Life(url, World.of()).journal.take_over(life.journal.runs()[0].id, Driver.this())
    lease.finish(RunStatus.INCOMPLETE)
    assert glance.newest(url, 50) == Life(url, World.of()).journal.runs()


def test_it_makes_nothing(tmp_path: Path) -> None:
    assert glance.newest(f"sqlite:///{tmp_path}/none.db", 50) is None
    assert glance.newest(f"sqlite:///{tmp_path}/{'long' * 100}.db", 50) is None
    assert glance.newest("postgresql://nobody@127.0.0.1:1/none", 50) is None
    (tmp_path / "text.db").write_text("no database" * 100)
    assert glance.newest(f"sqlite:///{tmp_path}/text.db", 50) is None
    with sqlite3.connect(tmp_path / "old.db") as db:
        db.execute("CREATE TABLE runs (id TEXT, plan TEXT)")
    assert glance.newest(f"sqlite:///{tmp_path}/old.db", 50) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.db", "text.db"]


def test_one_that_others_can_write_is_left_to_whoever_refuses_it(url: str, quick_dir: Path) -> None:
    Life(url, World.of()).apply(two())
    path = quick_dir / "journal 1.db"
    path.chmod(0o666)
    assert glance.newest(url, 50) is None


def test_it_is_there_before_sqlalchemy() -> None:
    code = (
        "import sys; from runbooks import glance; from runbooks.cli import Commands; print('sqlalchemy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said == "False\n"
