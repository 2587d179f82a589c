"""A host is silenced around work on it, and the silence ended after.

Both act on what the Alertmanager holds of the host, not on the host itself. A silence ends by itself, whenever its time
is over: that is never drift, and so how things stand is in notes, and never in facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from runbooks.errors import Unreachable
from runbooks.model import Change, Facts, Finding, done, todo
from runbooks.systems.alertmanager import AlertReader, AlertWriter, Silences
from runbooks.systems.alertmanager_api import Held, moment

ENOUGH = 0.5
"""How much of its time a silence must still have before it, or it is made longer."""


def _others(found: Silences) -> list[str]:
    return [f"silenced by {one.by}, too, until {moment(one.ends)}: {_short(one)}" for one in found.others]


def _short(one: Held) -> str:
    return f"{', '.join(map(str, one.matchers))}: {' '.join(one.comment.split())[:80]}"


@dataclass(frozen=True)
class Silence(Change[AlertReader, AlertWriter]):
    """The alerts of a host are silenced, for ``for_s`` seconds from when it is done, whoever else silences it.
    ``purpose`` (the procedure), ``reason`` and ``ticket`` go into the comment, with the run, which is how that knows it
    again. A silence of the run's that has little time left is made longer."""

    through = "alerts"
    for_s: int
    purpose: str
    reason: str = ""
    ticket: str = ""

    def check(self, reader: AlertReader) -> Finding:
        """Done where this run's own silence is active, and for long enough. Raises Unreachable, Blocked."""
        try:
            found = reader.silences()
        except Unreachable as error:
            raise type(error)(error.target, f"{error.why}; --no-silence goes on without") from error
        notes = _others(found)
        enough = timedelta(seconds=self.for_s * ENOUGH)
        facts = {"matchers": [str(reader.matcher)], "for_s": self.for_s}
        active = [one for one in found.own if one.state == "active" and one.matchers == (reader.matcher,)]
        for one in active:
            if one.ends - found.now >= enough:
                return done("; ".join([f"silence {one.id} ends by itself at {moment(one.ends)}", *notes]), **facts)
        notes += [f"silence {one.id} would end too soon, at {moment(one.ends)}" for one in active]
        if fires := sorted({alert.name for alert in reader.alerts()}):
            notes.append(f"fires now: {', '.join(fires)}")
        length = f"+silence {reader.matcher} for {timedelta(seconds=self.for_s)}"
        return todo(f"$ POST {reader.url}/api/v2/silences", length, note="; ".join(notes), facts=facts)

    def do(self, writer: AlertWriter, before: Facts) -> None:  # noqa: ARG002
        """Make it, or make it longer. Raises CommandFailed, Lost."""
        reason = " ".join(f"{self.purpose}: {self.reason}".split()) if self.reason else self.purpose
        writer.create(self.for_s, f"{reason} ({self.ticket})" if self.ticket else reason)

    def inverse(self, before: Facts) -> EndSilence:  # noqa: ARG002
        """The run's silences are ended."""
        return EndSilence()


@dataclass(frozen=True)
class EndSilence(Change[AlertReader, AlertWriter]):
    """No silence of this run's on the host is active; others' stay. There is always something to do until it was done:
    whether the silence has ended by itself is only known when the step's turn comes. Nothing takes it back."""

    through = "alerts"

    def check(self, reader: AlertReader) -> Finding:
        """To do, be it only to look. Raises Blocked, and Unreachable, which says when the silence ends by itself."""
        try:
            found = reader.silences()
        except Unreachable as error:
            if not reader.run_id:
                raise
            raise Unreachable(error.target, f"{error.why}; {reader.ends_by_itself()}") from error
        ids = [one.id for one in found.own] or ["ID"]
        note = "no silence of this run's is active" if reader.run_id and not found.own else ""
        return todo(*(f"$ DELETE {reader.url}/api/v2/silence/{id}" for id in ids), note=note)

    def do(self, writer: AlertWriter, before: Facts) -> None:  # noqa: ARG002
        """End each. Raises CommandFailed and Lost, which say when it ends by itself."""
        for one in writer.reader.silences().own:
            writer.expire(one)

    def verify(self, reader: AlertReader, before: Facts) -> Finding:  # noqa: ARG002
        """Done where none of the run's is left; says who else silences the host."""
        found = reader.silences()
        if found.own:
            return todo(note="; ".join(f"silence {one.id} ends only at {moment(one.ends)}" for one in found.own))
        return done("; ".join(_others(found)))
