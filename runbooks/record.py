"""What is known of each step on each target during a walk, and the events that make it durable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from runbooks.lease import Lease
from runbooks.model import Event, Facts, Json, Outcome, Result, Run, Step

Observer = Callable[[Event], None]
Key = tuple[int, str]
"""A step's number and a target."""


class Record:
    """One walk's. ``events`` are all that the run has come to. For many threads, each with targets of its own. What is
    written raises Fenced where the run was lost, and JournalLost."""

    def __init__(
        self,
        run: Run,
        lease: Lease,
        steps: Sequence[Step],
        observer: Observer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.events: list[Event] = list(run.events)
        self.outcomes: dict[Key, Outcome] = run.outcomes()
        self.befores: dict[Key, Facts] = run.befores()
        self._lease, self._steps, self._observer, self._clock = lease, steps, observer, clock
        self._unwritten: dict[str, list[Event]] = {}

    # what is known

    def is_done(self, number: int, target: str) -> bool:
        """Whether nothing is left to do. A gate is looked at again until something behind it was begun on that target:
        a merge that was begun and did not happen leaves every host's gate to be passed again."""
        known = self.outcomes.get((number, target))
        if known is None or known.result is not Result.DONE:
            return False
        if not self._steps[number].change_on(target).looks_only:
            return True
        return any(self._has_happened(later, target) for later in range(number + 1, len(self._steps)))

    def _has_happened(self, number: int, target: str) -> bool:
        known = self.outcomes.get((number, target))
        happened = (number, target) in self.befores or (known is not None and known.result is Result.DONE)
        return happened and not self._steps[number].change_on(target).looks_only

    def kept(self, number: int, target: str) -> Result:
        """What a step stays that nothing could be done about: as unknown, failed or pending as it was."""
        known = self.outcomes.get((number, target))
        return Result.PENDING if known is None or known.result is Result.DONE else known.result

    # what happens

    def begin(self, number: int, target: str, before: Facts) -> Facts:
        """Write that a step is begun there, durably; what was before its first begin."""
        # As the journal holds it: what works now works when it is read back, too.
        first = self.befores.setdefault((number, target), json.loads(json.dumps(dict(before))))
        self._tell("begin", number, target, before=first)
        self.write(target)
        return first

    def close(
        self,
        number: int,
        target: str,
        result: Result,
        note: str,
        commands: Sequence[Facts] = (),
        started: float | None = None,
    ) -> bool:
        """Tell what became of a step; whether it is done. It is written together with what this target begins next, or
        with ``write``: until then nothing is done there that would have to be known. ``started`` is monotonic."""
        data: dict[str, Json] = {"result": str(result), "note": note}
        if commands:
            data["commands"] = [dict(command) for command in commands]
        if started is not None:
            data["seconds"] = round(time.monotonic() - started, 3)
        self.outcomes[number, target] = Outcome(number, target, result, note)
        self._tell("outcome", number, target, **data)
        return result is Result.DONE

    def _tell(self, kind: str, number: int, target: str, **data: Json) -> None:
        self._unwritten.setdefault(target, []).append(Event(kind, self._clock(), number, target, data))

    def write(self, target: str) -> None:
        """Make durable what was told of a target, and only then show it."""
        events = self._unwritten.pop(target, [])
        if events:
            self._lease.record(*events)
        self.events += events
        for event in events:
            self._show(event)

    def progress(self, number: int, target: str, note: str) -> None:
        """Show how far a step has come there; it is written nowhere."""
        self._show(Event("progress", self._clock(), number, target, {"note": note}))

    def _show(self, event: Event) -> None:
        # A terminal that is gone ends no run: the journal knows, and who reads it will see.
        with suppress(OSError):
            self._observer(event)
