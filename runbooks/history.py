"""What the journal holds of plans and runs, read: one in full, or many in a line each."""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from runbooks import schema
from runbooks.errors import UsageError
from runbooks.glance import COLUMNS, line_of
from runbooks.model import Event, Json, Plan, Run, RunLine, RunStatus

FINISHED = [status for status in RunStatus if status.finished]


def plan(db: sa.Connection, prefix: str) -> Plan:
    """The plan whose id begins so. Raises UsageError where none, or more than one, does."""
    columns = schema.plans.c
    record = db.execute(sa.select(columns.record).where(columns.id == _only(db, schema.plans, "plan", prefix)))
    return Plan.from_record(json.loads(record.scalar_one()))


def run(db: sa.Connection, prefix: str, known: Plan | None = None) -> Run:
    """The run whose id begins so, with its events. A plan that is ``known`` is not read again. Raises UsageError where
    none, or more than one, does."""
    run_id = _only(db, schema.runs, "run", prefix)
    found = _whole(db, run_id, known)
    if found is None:
        raise UsageError(f"run {run_id}: no such run")
    return found


def newest(db: sa.Connection, limit: int) -> list[RunLine]:
    """The newest runs, newest first, with their tallies. Plans and events are read only of those that somebody drives,
    or that an earlier version has driven."""
    query = sa.select(*_LINE).order_by(schema.runs.c.created.desc()).limit(limit)
    lines = []
    for line in map(_line, db.execute(query).all()):
        if line.tally is not None and line.status is not RunStatus.RUNNING:
            lines.append(line)
        elif whole := _whole(db, line.id):  # else it was discarded meanwhile
            lines.append(whole.line())
    return lines


def unfinished(db: sa.Connection) -> list[RunLine]:
    """Runs that still own something, oldest first, without their tallies."""
    query = sa.select(*_LINE).where(schema.runs.c.status.not_in(FINISHED)).order_by(schema.runs.c.created)
    found = [_line(row) for row in db.execute(query)]
    undone = {line.undoes for line in found}
    return [line for line in found if line.id not in undone]


def past(db: sa.Connection, procedure: str, arguments: Mapping[str, Json]) -> list[RunLine]:
    """The runs of a procedure with these among its arguments, newest first, without their tallies."""
    # How the heading is written is nobody's business here: what it says is looked at.
    query = sa.select(*_LINE).where(schema.runs.c.heading.contains(procedure, autoescape=True))
    found = map(_line, db.execute(query.order_by(schema.runs.c.created.desc())))
    return [line for line in found if line.procedure == procedure and arguments.items() <= line.arguments.items()]


_LINE = [schema.runs.c[name] for name in COLUMNS]


def _line(row: sa.Row[tuple[object, ...]]) -> RunLine:
    return line_of({str(key): value for key, value in row._mapping.items()})


def _only(db: sa.Connection, table: sa.Table, what: str, prefix: str) -> str:
    if not prefix:
        # An unset variable of a shell script is nobody's id, though every id begins with it.
        raise UsageError(f"{what}: its id is empty; `inv runs` lists what there is")
    if not prefix.isascii() or not prefix.isprintable():
        # No database is asked for what is no text.
        raise UsageError(f"{what} {prefix!r}: no such {what}")
    query = sa.select(table.c.id).where(table.c.id.startswith(prefix, autoescape=True)).limit(2)
    found = db.execute(query).scalars().all()
    if len(found) != 1:
        raise UsageError(f"{what} {prefix!r}: {'no such ' + what if not found else 'more than one begins so'}")
    return str(found[0])


def _whole(db: sa.Connection, run_id: str, known: Plan | None = None) -> Run | None:
    runs, plans, events = schema.runs, schema.run_plans, schema.events
    query = sa.select(runs) if known else sa.select(runs, plans.c.record).join(plans, plans.c.run == runs.c.id)
    row = db.execute(query.where(runs.c.id == run_id)).one_or_none()
    if row is None:
        return None
    happened = db.execute(sa.select(events).where(events.c.run == run_id).order_by(events.c.seq))
    return Run(
        row.id,
        known or Plan.from_record(json.loads(row.record)),
        RunStatus(row.status),
        row.operator,
        row.created,
        row.finished,
        row.undoes,
        [Event(r.kind, r.at, r.step, r.target, json.loads(r.data)) for r in happened],
    )
