"""The journal's transactions, on SQLite and on PostgreSQL, and the clock that drivers are judged by."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa

from runbooks import schema
from runbooks.errors import JournalLost

Clock = Callable[[], float]
Statement = tuple[str, Any]
"""As the driver takes it, with its parameters."""
P = ParamSpec("P")
T = TypeVar("T")


def repeated(transaction: Callable[P, T]) -> Callable[P, T]:
    """The transaction, and once more where it was lost before its commit was sent: a server was restarted meanwhile.
    One whose commit was sent is never repeated, since it may have happened."""

    @wraps(transaction)
    def twice(*args: P.args, **options: P.kwargs) -> T:
        try:
            return transaction(*args, **options)
        except JournalLost as lost:
            if not lost.nothing_written:
                raise
        return transaction(*args, **options)

    return twice


class Database:
    """What can be done to the journal's database at once. ``clock`` gives Unix time. All of it raises JournalLost; what
    was to be written then is there as a whole, or not at all."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.clock = clock or time.time
        self._engine = schema.connect(url)
        self._is_served = self._engine.dialect.name == "postgresql"
        self._asks_server = self._is_served and clock is None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        """Look, each time at what is there by then."""
        with self._told(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def _write_at_once(self, statements: Sequence[Statement], check: Callable[[int], None]) -> None:
        """Statements in a transaction of their own, by the driver alone: this is done for every step on every host, and
        SQLAlchemy's own work would be most of it. ``check`` is told how many rows the first of them met, and may
        raise."""
        dbapi: Any = self._engine.dialect.loaded_dbapi
        nothing_written = True
        try:
            # What was not committed is rolled back when it is closed.
            with closing(self._engine.raw_connection()) as connection:
                cursor = connection.cursor()
                if not self._is_served:
                    cursor.execute("BEGIN IMMEDIATE")
                for number, (text, parameters) in enumerate(statements):
                    cursor.execute(text, parameters)
                    if not number:
                        check(cursor.rowcount)
                nothing_written = False
                connection.commit()
        except dbapi.IntegrityError:
            raise  # a bug of ours
        except dbapi.Error as error:
            raise JournalLost(schema.place(self._engine.url), schema.why(error), nothing_written) from error

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        """A transaction beside which no other such one is under way, so that a look and the write that follows from it
        are one. On SQLite every transaction is alone; PostgreSQL lets ``_write_at_once`` go on, but for rows that are
        kept."""
        with self._told(), self._engine.begin() as connection, self._told(nothing_written=True):
            if self._is_served:
                connection.execute(sa.text(f"LOCK TABLE {schema.owners.name} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    @contextmanager
    def _told(self, nothing_written: bool = False) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError:
            raise  # a bug of ours
        except sa.exc.DBAPIError as error:
            raise JournalLost(schema.place(self._engine.url), schema.why(error), nothing_written) from error

    def _now(self) -> sa.ColumnElement[float]:
        """The time: for all machines the server's, as theirs differ."""
        if self._asks_server:
            return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
        return sa.literal(self.clock(), sa.Float)
