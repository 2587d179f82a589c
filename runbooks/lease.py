"""The right to drive one run: what is written under it is durable, and refused once another driver has the run."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks import fibres
from runbooks.model import Event, Run, RunStatus, Tally

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
    """Events waiting to be committed, and whether they were."""

    rows: list[Row]
    settled: bool = False
    error: BaseException | None = None


@dataclass
class Lease:
    """The right to drive one run, under one epoch. ``record`` is safe from many fibres and threads: events that wait at
    the same time are committed together, in one transaction, by the first of them whose turn it is."""

    journal: Journal
    run_id: str
    epoch: int
    _pending: deque[_Ticket] = field(default_factory=deque)
    _commit: threading.Lock = field(default_factory=threading.Lock)

    def record(self, *events: Event) -> None:
        """Make events durable, all or none. Raises Fenced where another driver has taken the run over."""
        # Made here, so that what cannot be written fails alone.
        ticket = _Ticket([event_row(self.run_id, event) for event in events])
        self._pending.append(ticket)
        # They may have something to record, too.
        fibres.others_first()
        if not ticket.settled:
            with self._commit:
                # What is not settled by now still waits: it is taken up under this lock alone.
                if not ticket.settled:
                    self._settle()
        if ticket.error is not None:
            raise ticket.error

    def _settle(self) -> None:
        """Commit all that waits."""
        tickets = []
        with contextlib.suppress(IndexError):
            while True:
                tickets.append(self._pending.popleft())
        error: BaseException | None = None
        try:
            self.journal.write(self, [row for ticket in tickets for row in ticket.rows])
        except BaseException as raised:
            error = raised
        for ticket in tickets:
            ticket.error, ticket.settled = error, True

    def beat(self) -> None:
        """Say that the driver lives. Raises Fenced."""
        with self._commit:
            self.journal.write(self, [])

    def finish(self, status: RunStatus, known: Run | None = None, tally: Tally | None = None) -> Run:
        """Set where the run stands; a finished one owns nothing any more. What is ``known`` of it, which is all that
        was recorded under this lease and before, is not read again, nor its ``tally`` counted. Raises Fenced."""
        with self._commit:
            return self.journal.set_status(self, status, known, tally)
