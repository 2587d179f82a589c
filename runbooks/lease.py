"""The right to drive one run: what is written under it is durable, and refused once another driver has the run."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.model import Event, Run, RunStatus

if TYPE_CHECKING:
    from runbooks.journal import Journal


Row = dict[str, object]


def event_row(run_id: str, event: Event) -> Row:
    """An event as the journal's table holds it. Raises TypeError where its data is no JSON."""
    return {
        "run": run_id,
        "at": event.at,
        "kind": event.kind,
        "step": event.step,
        "target": event.target,
        "data": json.dumps(dict(event.data)),
    }


@dataclass(slots=True)
class _Ticket:
    """Events waiting to be committed. ``turn`` is let go of when they were, or when their thread is to commit."""

    rows: list[Row]
    settled: bool = False
    error: BaseException | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.turn.acquire()


@dataclass
class Lease:
    """The right to drive one run, under one epoch. ``record`` is safe from many threads: events that wait at the same
    time are committed together, in one transaction, by the thread of the first of them; each of the others is woken
    once."""

    journal: Journal
    run_id: str
    epoch: int
    _pending: list[_Ticket] = field(default_factory=list)
    _queue: threading.Lock = field(default_factory=threading.Lock)
    _commit: threading.Lock = field(default_factory=threading.Lock)
    _is_led: bool = False

    def record(self, *events: Event) -> None:
        """Make events durable, all or none. Raises Fenced where another driver has taken the run over."""
        # Made here, so that what cannot be written fails alone.
        ticket = _Ticket([event_row(self.run_id, event) for event in events])
        with self._queue:
            self._pending.append(ticket)
            waits, self._is_led = self._is_led, True
        if waits:
            ticket.turn.acquire()
        if not ticket.settled:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _lead(self) -> None:
        """Commit what waits, our own event among it; who has come meanwhile leads next."""
        with self._commit:
            with self._queue:
                tickets, self._pending = self._pending, []
            error: BaseException | None = None
            try:
                self.journal.write(self, [row for ticket in tickets for row in ticket.rows])
            except BaseException as raised:
                error = raised
        for ticket in tickets:
            ticket.error, ticket.settled = error, True
            ticket.turn.release()
        with self._queue:
            self._is_led = bool(self._pending)
            if self._pending:
                self._pending[0].turn.release()

    def beat(self) -> None:
        """Say that the driver lives. Raises Fenced."""
        with self._commit:
            self.journal.write(self, [])

    def finish(self, status: RunStatus, known: Run | None = None) -> Run:
        """Set where the run stands; a finished one owns nothing any more. What is ``known`` of it, which is all that
        was recorded under this lease and before, is not read again. Raises Fenced."""
        with self._commit:
            return self.journal.set_status(self, status, known)
