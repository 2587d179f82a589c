"""The journal's tables, and the database that holds them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from runbooks import postgresql
from runbooks.errors import SettingsError

_MAKING_TABLES = 7_046_029_254
"""The key of an advisory lock, which any number will do for."""

TIMEOUT_S = 30
"""How long a locked SQLite database is waited for."""

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
    sa.Column("subject", sa.Text, primary_key=True),
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
# Made once, as it is run again for every few events: a run that is still driven under an epoch.
HELD = sa.update(runs).where(runs.c.id == sa.bindparam("held"), runs.c.epoch == sa.bindparam("under"))
_EVENT = tuple(column.name for column in events.columns if column is not events.c.seq)


def adding(dialect: sa.Dialect, rows: Sequence[Mapping[str, object]]) -> tuple[str, tuple[object, ...]]:
    """What adds events, as the driver takes it, and its parameters. One statement for all of them: between any two the
    driver would let other threads go first."""
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    row = f"({', '.join([mark] * len(_EVENT))})"
    text = f"INSERT INTO {events.name} ({', '.join(_EVENT)}) VALUES {', '.join([row] * len(rows))}"
    return text, tuple([values[name] for values in rows for name in _EVENT])


def connect(url: str) -> sa.Engine:
    """The database at the URL, its tables made. Raises SettingsError."""
    parsed = _parse(url)
    served = parsed.get_backend_name() == "postgresql"
    try:
        engine = postgresql.make_engine(parsed) if served else _sqlite(parsed)
        with engine.begin() as db:
            if served:
                # Two that make the tables at once would trip over each other.
                db.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING_TABLES)))
            meta.create_all(db)
            upgrade(db)
    except (sa.exc.DBAPIError, sa.exc.ArgumentError, ImportError) as error:
        do = postgresql.advice(error) if served else "set `journal` to one that can"
        raise SettingsError(f"journal {place(parsed)}: cannot be used: {why(error)}: {do}") from error
    if served:
        postgresql.be_patient(engine)
    return engine


def place(url: sa.URL) -> str:
    """A database as messages name it: no password, which may also stand behind the question mark."""
    shown = {key: value for key, value in url.query.items() if key in ("host", "port", "service")}
    return url.set(drivername=url.get_backend_name(), query=shown).render_as_string(hide_password=True)


def why(error: Exception) -> str:
    """What a database's error says, in one line."""
    lines = str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__]
    return lines[0].removeprefix("connection failed: ").removeprefix("connection is bad: ")


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        # An @ in a password would make the rest of it the host's.
        if parsed.get_backend_name() in ("sqlite", "postgresql") and "@" not in (parsed.host or ""):
            return parsed
    except (sa.exc.ArgumentError, ValueError):
        pass
    # It may hold a password, so neither it is repeated, nor what was said of it.
    raise SettingsError(
        "journal: not a database URL, such as sqlite:////var/lib/ops-clinic/journal.db or postgresql://USER@HOST/DATABASE"
        " (in a name or password, @ : / and % are %40 %3A %2F and %25)"
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database in (None, "", ":memory:"):
        raise SettingsError(f"journal {url}: name a file, such as sqlite:////var/lib/ops-clinic/journal.db")
    _refuse_unsafe(Path(str(url.database)))
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": TIMEOUT_S})
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: object, _: object) -> None:
    # isolation_level None: we say BEGIN IMMEDIATE ourselves, so that a check and its write are one transaction.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    _keep_a_log(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _keep_a_log(cursor: Any) -> None:
    """Have the journal write ahead. Who turns one over to that while others do the same is refused by SQLite at once,
    whatever its timeout (sqlite3_busy_handler: where waiting might be a deadlock), so we wait here."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    # Who only reads sees one state of the whole, and neither waits for a writer nor keeps one waiting.
    reads = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _refuse_unsafe(path: Path) -> None:
    """Make the journal's directory and file, for the owner and group alone; refuse one that others can write."""
    try:
        # chmod, as the umask would keep the group, the other operators, from writing.
        # Two may make it at once.
        with contextlib.suppress(FileExistsError):
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
