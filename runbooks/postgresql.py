"""PostgreSQL under the journal: how it is connected to, how long it is waited for, and what to do where it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

PATIENCE_S = 15.0
"""How long a server is waited for that has answered before: it may be restarting."""

# Of libpq; what the URL itself says goes before it. Nothing of the network's silence lasts longer than half a minute.
_BOUNDS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "client_encoding": "utf8",
}
# A driver that is stopped inside a transaction, or cut off, keeps the others waiting for ten seconds. What is committed
# has to be durable, as SQLite's is, whatever the server's default.
_SESSION = """
SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '10s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_ADVICE = {
    "password": "put the right one into ~/.pgpass or PGPASSWORD",
    "does not exist": "make it, or set `journal` to one that is there",
    "permission denied": "let its owner GRANT this role what is missing, or own the database",
}


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine for the URL, not connected yet. Raises ArgumentError, and ImportError without psycopg."""
    for library in ("sqlalchemy", "psycopg"):
        # What they would say on standard error of a lost connection is raised as well.
        logging.getLogger(library).addHandler(logging.NullHandler())
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={key: value for key, value in _BOUNDS.items() if key not in url.query},
        isolation_level="READ COMMITTED",
        # A connection that a restarted server has forgotten is made anew before anything is sent on it.
        pool_pre_ping=True,
        use_native_hstore=False,
    )
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _: object) -> None:
    connection.autocommit = True
    connection.execute(_SESSION)
    connection.autocommit = False


def be_patient(engine: sa.Engine) -> None:
    """From now on wait for a server that is gone, ``PATIENCE_S`` in all. Only connecting is repeated: what was sent
    on a connection that broke may have been done."""
    gone_since: float | None = None

    def connect(dialect: Any, _: object, args: Sequence[Any], options: Mapping[str, Any]) -> object:
        nonlocal gone_since
        while True:
            try:
                connection: object = dialect.connect(*args, **options)
            except dialect.loaded_dbapi.OperationalError:
                # Another thread may be let in meanwhile, and have it none again.
                gone_since = since = gone_since or time.monotonic()
                if time.monotonic() - since > PATIENCE_S:
                    raise
                time.sleep(0.2)
            else:
                gone_since = None
                return connection

    sa.event.listen(engine, "do_connect", connect)


def advice(error: Exception) -> str:
    """What an operator can do where it cannot be used, by what libpq or the server says."""
    if isinstance(error, ImportError):
        return "install psycopg: bin/setup .venv '.[postgresql]'"
    found = (do for words, do in _ADVICE.items() if words in str(error))
    return next(found, "see that it is up and can be reached from here, or set `journal` to one that can be used")
