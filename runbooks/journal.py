"""The journal: plans, runs and their events, who owns a subject, and who drives a run.

SQLite in one file per management host, or PostgreSQL for a team; one URL either way. An event is durable when
``Lease.record`` returns, and is only written under the run's current epoch: a driver that has lost its run can write
nothing, and so may do nothing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from runbooks import history, schema
from runbooks.database import Clock, Database, repeated
from runbooks.driver import Driver
from runbooks.errors import Fenced, Owned, UsageError
from runbooks.lease import Lease, Row
from runbooks.model import Json, Plan, Run, RunLine, RunStatus, Tally

_FINISHED = history.FINISHED


class Journal(Database):
    """Plans, runs, events, ownership. ``expires_s`` is how long a silent driver of another machine (or a stopped one of
    this) keeps its run; ``clock`` gives Unix time, and without one drivers are judged by the database server's, if
    there is a server. Everything raises JournalLost."""

    def __init__(self, url: str, *, expires_s: float = 60.0, clock: Clock | None = None) -> None:
        super().__init__(url, clock)
        self.expires_s = expires_s
        now = self._now() if self._asks_server else sa.bindparam("now")
        # Any: what compiles to SQL has more to it than its type says.
        self._beat: Any = schema.HELD.values(heartbeat=now).compile(dialect=self._engine.dialect)

    # plans

    def save_plan(self, plan: Plan) -> None:
        """Keep a plan under its id; the same plan is kept once."""
        with self._alone() as db:
            db.execute(sa.delete(schema.plans).where(schema.plans.c.id == plan.id))
            row = {"id": plan.id, "record": json.dumps(plan.to_record()), "created": self.clock()}
            db.execute(sa.insert(schema.plans).values(row))

    def plan(self, prefix: str) -> Plan:
        """The plan whose id begins so. Raises UsageError where none, or more than one, does."""
        with self._read() as db:
            return history.plan(db, prefix)

    # runs

    def create(
        self,
        plan: Plan,
        subjects: Sequence[str],
        driver: Driver,
        operator: str,
        options: dict[str, str | float | int],
        undoes: str | None = None,
    ) -> Lease:
        """A new run that owns its subjects. An undo takes them over from the run that it undoes. Raises Owned."""
        now = self.clock()
        run_id = time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(3)
        record = plan.to_record()
        with self._alone() as db:
            for subject in subjects:
                self._claim(db, subject, run_id, undoes)
            if undoes:
                self._refuse_undoing(db, undoes)
            epoch = self._fence(db, undoes) if undoes else 1
            row = {
                "id": run_id,
                "heading": schema.heading(record),
                "status": RunStatus.RUNNING,
                "operator": operator,
                "created": now,
                "undoes": undoes,
                "epoch": epoch,
                "driver": driver.to_text(),
                "heartbeat": self._now(),
                "options": json.dumps(options),
            }
            db.execute(sa.insert(schema.runs).values(row))
            db.execute(sa.insert(schema.run_plans).values(run=run_id, record=json.dumps(record)))
        return Lease(self, run_id, epoch)

    def _claim(self, db: sa.Connection, subject: str, run_id: str, undoes: str | None) -> None:
        self._refuse_held(db, subject, undoes)
        db.execute(sa.delete(schema.owners).where(schema.owners.c.subject == subject))
        db.execute(sa.insert(schema.owners).values(subject=subject, run=run_id))

    def _fence(self, db: sa.Connection, run_id: str) -> int:
        """Take a run from whoever drives it; the next epoch. Its old driver can do nothing from here on."""
        row = self._row(db, run_id)
        self._refuse_live(row)
        # A run and its undos share the hosts' records, and so must not share an epoch.
        family = row.undoes or row.id
        kin = sa.or_(schema.runs.c.id == family, schema.runs.c.undoes == family)
        epoch = int(db.execute(sa.select(sa.func.max(schema.runs.c.epoch)).where(kin)).scalar_one()) + 1
        db.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(epoch=epoch))
        return epoch

    def _row(self, db: sa.Connection, run_id: str, keep: bool = True) -> sa.Row[tuple[object, ...]]:
        """A run's row, and how long it has been silent; ``keep`` it from others until the transaction ends. Raises
        UsageError."""
        query = self._rows().where(schema.runs.c.id == run_id)
        row: sa.Row[tuple[object, ...]] | None = db.execute(query.with_for_update() if keep else query).one_or_none()
        if row is None:
            raise UsageError(f"run {run_id}: no such run")
        return row

    def _rows(self) -> sa.Select[tuple[object, ...]]:
        return sa.select(schema.runs, (self._now() - schema.runs.c.heartbeat).label("silent_s"))

    @staticmethod
    def _refuse_undoing(db: sa.Connection, run_id: str) -> None:
        """Raise Owned while an undo of the run is under way."""
        columns = schema.runs.c
        query = sa.select(columns.id).where(columns.undoes == run_id, columns.status.not_in(_FINISHED))
        if undo := db.execute(query).scalar():
            raise Owned(
                f"run {run_id} is being undone by run {undo}: `inv resume --run {undo}` or `inv abandon {undo}`"
            )

    def refuse_driven(self, run_id: str) -> None:
        """Raise Owned where a driver of the run lives, or the run is being undone."""
        with self._read() as db:
            row = self._row(db, run_id, keep=False)
            self._refuse_live(row)
            self._refuse_undoing(db, run_id)

    def _is_driven(self, row: sa.Row[tuple[object, ...]], driver: Driver) -> bool:
        return row.status == RunStatus.RUNNING and not driver.is_dead() and row.silent_s <= self.expires_s

    def _refuse_live(self, row: sa.Row[tuple[object, ...]]) -> None:
        driver = Driver.from_text(row.driver)
        if not self._is_driven(row, driver):
            return
        raise Owned(
            f"run {row.id} is being driven by {row.operator}, pid {driver.pid} on {driver.machine_name}, "
            f"last heard of {max(0, row.silent_s):.0f} s ago: wait for it, or end that process"
        )

    def _refuse_held(self, db: sa.Connection, subject: str, unless: str | None) -> None:
        if not subject.isprintable():
            return  # no database could hold it, and the procedure will say what is wrong with it
        # One look: between two, the run that owns it may be discarded.
        owned = schema.owners.c.run == schema.runs.c.id
        query = self._rows().join(schema.owners, owned).where(schema.owners.c.subject == subject)
        row = db.execute(query).one_or_none()
        if row is None or row.id == unless:
            return
        driver = Driver.from_text(row.driver)
        state = f"is {row.status}"
        what_to_do = f"`inv resume --run {row.id}`, `inv undo {row.id}` or `inv abandon {row.id}` first"
        if self._is_driven(row, driver):
            what_to_do = "wait for it, or end that process"
        elif row.status == RunStatus.RUNNING:
            state = "nobody drives any more"
        raise Owned(
            f"{subject} belongs to run {row.id} of {row.operator} (pid {driver.pid} on {driver.machine_name}), which "
            f"{state}: {what_to_do}"
        )

    def refuse_owned(self, subjects: Sequence[str], unless: str | None = None) -> None:
        """Raise Owned where another run than ``unless`` owns one of the subjects."""
        with self._read() as db:
            for subject in subjects:
                self._refuse_held(db, subject, unless)

    def take_over(self, run_id: str, driver: Driver) -> Lease:
        """Drive an unfinished run from here. Raises Owned where its driver lives, UsageError where it is finished."""
        with self._alone() as db:
            row = self._row(db, run_id)
            if RunStatus(row.status).finished:
                raise UsageError(f"run {run_id} is {row.status}: there is nothing to resume")
            self._refuse_undoing(db, run_id)
            epoch = self._fence(db, run_id)
            values = {"driver": driver.to_text(), "heartbeat": self._now(), "status": RunStatus.RUNNING}
            db.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(values))
        return Lease(self, run_id, epoch)

    @repeated
    def write(self, lease: Lease, events: Sequence[Row]) -> None:
        """Commit events and a heartbeat under the lease's epoch. Raises Fenced."""
        values = {"held": lease.run_id, "under": lease.epoch} | ({} if self._asks_server else {"now": self.clock()})
        given = self._beat.construct_params(values)
        if self._beat.positional:
            given = [given[name] for name in self._beat.positiontup]
        adding = [schema.adding(self._engine.dialect, events)] if events else []
        self._write_at_once([(str(self._beat), given), *adding], partial(self._refuse_fenced, lease))

    @repeated
    def set_status(
        self, lease: Lease, status: RunStatus, known: Run | None = None, counted: Tally | None = None
    ) -> Run:
        """Record where the run stands, and free its subjects when it is finished; the run. What its driver has
        ``known`` of it is not read again. Raises Fenced."""
        run = known or self.run(lease.run_id)
        tally = json.dumps(counted or run.tally())
        with self._alone() as db:
            finished = self.clock() if status.finished else None
            self._hold(db, lease, {"status": status, "finished": finished, "heartbeat": self._now(), "tally": tally})
            if status.finished:
                self._release(db, lease.run_id)
                if run.undoes and status is RunStatus.DONE:
                    # A run that had not come to its end ends with its undo; another one keeps the end it had.
                    ended = sa.func.coalesce(schema.runs.c.finished, finished)
                    tally = json.dumps(history.run(db, run.undoes).tally())
                    values = {"status": RunStatus.UNDONE, "finished": ended, "tally": tally}
                    db.execute(sa.update(schema.runs).where(schema.runs.c.id == run.undoes).values(values))
        return replace(run, status=status, finished=finished)

    def discard(self, lease: Lease) -> None:
        """Forget a run that never began anything: drift, or the operator declined. Raises Fenced."""
        with self._alone() as db:
            self._hold(db, lease, {"heartbeat": self._now()})
            self._give_back(db, lease.run_id)
            db.execute(sa.delete(schema.events).where(schema.events.c.run == lease.run_id))
            db.execute(sa.delete(schema.run_plans).where(schema.run_plans.c.run == lease.run_id))
            db.execute(sa.delete(schema.runs).where(schema.runs.c.id == lease.run_id))

    def _give_back(self, db: sa.Connection, run_id: str) -> None:
        """Free what a run owns; an undo's subjects go back to the run that it undoes, unless that is finished."""
        undoes = self._row(db, run_id).undoes
        if undoes and not RunStatus(self._row(db, str(undoes)).status).finished:
            db.execute(sa.update(schema.owners).where(schema.owners.c.run == run_id).values(run=undoes))
        self._release(db, run_id)

    def _hold(self, db: sa.Connection, lease: Lease, values: dict[str, object]) -> None:
        keys = {"held": lease.run_id, "under": lease.epoch}
        self._refuse_fenced(lease, db.execute(schema.HELD.values(values), keys).rowcount)

    @staticmethod
    def _refuse_fenced(lease: Lease, held: int) -> None:
        if held != 1:
            raise Fenced(f"run {lease.run_id} was taken over by another driver: nothing more is done here")

    @staticmethod
    def _release(db: sa.Connection, run_id: str) -> None:
        db.execute(sa.delete(schema.owners).where(schema.owners.c.run == run_id))

    def abandon(self, run_id: str) -> Run:
        """Give an unfinished run up: it owns nothing any more, and what it did stays. An undo's subjects go back to the
        run that it was to undo, if that is unfinished. Raises Owned, UsageError."""
        with self._alone() as db:
            row = self._row(db, run_id)
            if RunStatus(row.status).finished:
                raise UsageError(f"run {run_id} is {row.status} already")
            self._refuse_undoing(db, run_id)
            self._fence(db, run_id)
            tally = json.dumps(history.run(db, run_id).tally())
            values = {"status": RunStatus.ABANDONED, "finished": self.clock(), "tally": tally}
            db.execute(sa.update(schema.runs).where(schema.runs.c.id == run_id).values(values))
            self._give_back(db, run_id)
        return self.run(run_id)

    def run(self, prefix: str, known: Plan | None = None) -> Run:
        """The run whose id begins so, with its events. A plan that is ``known`` is not read again. Raises UsageError
        where none, or more than one, does."""
        with self._read() as db:
            return history.run(db, prefix, known)

    def options(self, run_id: str) -> dict[str, str]:
        """The options that a run was started with (batch size and the like). Raises UsageError."""
        with self._read() as db:
            return dict(json.loads(str(self._row(db, run_id, keep=False).options)))

    def runs(self, limit: int = 50) -> list[RunLine]:
        """The newest runs, newest first."""
        with self._read() as db:
            return history.newest(db, limit)

    def past(self, procedure: str, arguments: Mapping[str, Json]) -> list[RunLine]:
        """The runs of a procedure with these among its arguments, newest first, without their tallies."""
        with self._read() as db:
            return history.past(db, procedure, arguments)

    def unfinished(self) -> list[RunLine]:
        """Runs that still own something, oldest first, without their tallies."""
        with self._read() as db:
            return history.unfinished(db)
