"""The journal's tables, and the database that holds them."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from runbooks.errors import SettingsError

meta = sa.MetaData()
plans = sa.Table(
    "plans",
    meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)
# A run's row is read for every list and written at every event, and stays small: its plan stands apart.
runs = sa.Table(
    "runs",
    meta,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("heading", sa.Text, nullable=False, server_default="{}"),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("operator", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("finished", sa.Float),
    sa.Column("undoes", sa.String(40)),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("driver", sa.Text, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    # Counted when a driver is through with the run; out of date while one drives it.
    sa.Column("tally", sa.Text),
)
run_plans = sa.Table(
    "run_plans",
    meta,
    sa.Column("run", sa.String(40), primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
)
owners = sa.Table(
    "owners",
    meta,
    sa.Column("subject", sa.String(255), primary_key=True),
    sa.Column("run", sa.String(40), nullable=False),
)
events = sa.Table(
    "events",
    meta,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.String(40), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("step", sa.Integer),
    sa.Column("target", sa.Text),
    sa.Column("data", sa.Text, nullable=False),
)


def connect(url: str) -> sa.Engine:
    """The database at the URL, its tables made. Raises SettingsError."""
    try:
        engine = _engine(url)
        with engine.begin() as db:
            meta.create_all(db)
            upgrade(db)
    except (sa.exc.DBAPIError, ImportError) as error:
        where = sa.make_url(url).render_as_string(hide_password=True)
        why = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise SettingsError(f"journal {where}: cannot be used: {why}: set `journal` to one that can") from error
    return engine


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return sa.create_engine(url)
    except sa.exc.ArgumentError as error:
        raise SettingsError(f"journal {url!r}: not a database URL, such as sqlite:////var/lib/x/journal.db") from error
    if parsed.database in (None, "", ":memory:"):
        raise SettingsError(f"journal {url}: name a file, such as sqlite:////var/lib/ops-clinic/journal.db")
    _refuse_unsafe(Path(str(parsed.database)))
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: object, _: object) -> None:
    # isolation_level None: we say BEGIN IMMEDIATE ourselves, so that a check and its write are one transaction.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # Who only reads sees one state of the whole, and neither waits for a writer nor keeps one waiting.
    reads = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _refuse_unsafe(path: Path) -> None:
    """Make the journal's directory and file, for the owner and group alone; refuse one that others can write."""
    try:
        # chmod, as the umask would keep the group, the other operators, from writing.
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o770)
        if not path.exists():
            path.touch(mode=0o600)
            path.chmod(0o660)
        for place in (path, path.parent):
            mode = place.stat().st_mode
            if mode & stat.S_IWOTH and not (place.is_dir() and mode & stat.S_ISVTX):
                raise SettingsError(f"journal {place}: everyone can write it: chmod o-w {place}")
    except OSError as error:
        raise SettingsError(f"journal {path}: {error.strerror}: set `journal` to a place you can write") from error


def upgrade(db: sa.Connection) -> None:
    """Bring the tables of an earlier version to this one's, where a run's plan stood in its row."""
    there = {column["name"] for column in sa.inspect(db).get_columns(runs.name)}
    if "plan" not in there:
        return
    for column in runs.columns:
        if column.name not in there:
            what = sa.schema.CreateColumn(column).compile(dialect=db.dialect)
            db.execute(sa.text(f"ALTER TABLE {runs.name} ADD COLUMN {what}"))
    old = sa.table(runs.name, sa.column("id"), sa.column("plan"))
    # One at a time: all plans at once may be more than the memory holds.
    for run_id in db.execute(sa.select(old.c.id)).scalars().all():
        text = db.execute(sa.select(old.c.plan).where(old.c.id == run_id)).scalar_one()
        db.execute(sa.insert(run_plans).values(run=run_id, record=text))
        db.execute(sa.update(runs).where(runs.c.id == run_id).values(heading=heading(json.loads(text))))
    db.execute(sa.text(f"ALTER TABLE {runs.name} DROP COLUMN plan"))


def heading(record: Mapping[str, Any]) -> str:
    """What a run's row keeps of its plan, from the plan's record."""
    return json.dumps({key: record[key] for key in ("id", "procedure", "arguments")})
