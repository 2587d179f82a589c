"""The silences of a host in a Prometheus Alertmanager, looked at, made and ended, and the alerts that fire for it.

Times are told by the Alertmanager's clock, never by this machine's: a silence that began in its future would silence
nothing yet. A write is sent once. Where its answer does not come, it is looked for; a server that only stood still may
carry it out later, so what is then not to be seen is unknown, and never said to have failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.model import Json, Reader, Target, Writer
from runbooks.systems.alertmanager_api import NAME, Alert, Alertmanager, Held, moment, of_host, told
from runbooks.systems.wording import said


@dataclass(frozen=True)
class Silences:
    """Those of a host that are not over, when it is ``now`` there: the run's own, and what is active of others."""

    now: datetime
    own: tuple[Held, ...]
    others: tuple[Held, ...]


class AlertReader(Reader):
    """Looks at what silences a host, and at what fires for it."""

    def __init__(self, target: AlertTarget, run_id: str) -> None:
        self.run_id, self.host = run_id, target.name
        self.url, self.matcher = target.client.url, target.matcher
        self.tag = f"[ops-clinic run {run_id}, {target.name}]"
        self.__client = target.client
        self.__ends = target.ends

    def silences(self) -> Silences:
        """The host's. A run knows its own by the end of their comment. Raises Unreachable, Blocked."""
        everyone, now = self.__client.silences()
        held = [one for one in everyone if one.state != "expired"]
        own = tuple(one for one in held if one.comment.endswith(self.tag))
        others = tuple(one for one in held if one not in own and one.state == "active" and self._concerns(one))
        if own:
            self.__ends[self.run_id] = max(one.ends for one in own)
        return Silences(now, own, others)

    def alerts(self) -> tuple[Alert, ...]:
        """Those that fire for the host, by name. Raises Unreachable, Blocked."""
        return tuple(sorted(self.__client.alerts(self.matcher), key=lambda one: one.name))

    def ends_by_itself(self) -> str:
        """When the run's silence ends if nobody ends it, as far as this process has seen it."""
        ends = self.__ends.get(self.run_id)
        when = f"at {moment(ends)}" if ends else "at the time that its step tells in `inv show`"
        return f"what this run has silenced ends by itself {when}"

    def _concerns(self, one: Held) -> bool:
        """Whether it is about the host: by name or, as most regexes of hosts go, with the port of the node exporter."""
        forms = (self.host, f"{self.host}:9100")
        ours = [m for m in one.matchers if m.name == self.matcher.name and m.is_equal]
        return any(m.takes(forms) or (not m.is_regex and self.matcher.takes((m.value,))) for m in ours)


class AlertWriter(Writer):
    """Makes and ends silences of its run on one host."""

    def __init__(self, target: AlertTarget, run_id: str) -> None:
        self.run_id = run_id
        self.transcript = []
        self.reader = target.reader(run_id)
        self._client = target.client

    def create(self, for_s: float, comment: str) -> None:
        """Silence the host for so long from now; a silence of this run's that is active is made longer. Raises
        Unreachable, Blocked, CommandFailed where it is refused, Lost."""
        seen, matcher = self.reader.silences(), self.reader.matcher
        mine = next((one for one in seen.own if one.state == "active" and one.matchers == (matcher,)), None)
        until = seen.now + timedelta(seconds=for_s)
        one = {"name": matcher.name, "value": matcher.value, "isRegex": matcher.is_regex, "isEqual": matcher.is_equal}
        silence = {
            "matchers": [one],
            "startsAt": (mine.starts if mine else seen.now).isoformat(),
            "endsAt": until.isoformat(),
            "createdBy": self._client.operator,
            "comment": f"{comment} {self.reader.tag}",
        }
        self._write(
            "POST",
            "silences",
            f"{matcher} until {moment(until)}",
            lambda found: any(own.ends >= until for own in found.own),
            silence | ({"id": mine.id} if mine else {}),
        )

    def expire(self, silence: Held) -> None:
        """End a silence. Raises CommandFailed where that is refused, Lost; both say when it ends by itself."""

        def is_over(found: Silences) -> bool:
            return all(one.id != silence.id for one in found.own)

        try:
            self._write("DELETE", f"silence/{silence.id}", str(*silence.matchers[:1]), is_over)
        except CommandFailed as error:
            raise CommandFailed(f"{error}; {self.reader.ends_by_itself()}") from error
        except Lost as error:
            raise Lost(NAME, f"{error.why}; {self.reader.ends_by_itself()}") from error

    def _write(
        self, method: str, path: str, about: str, holds: Callable[[Silences], bool], body: Json | None = None
    ) -> None:
        import requests

        command = f"{method} {self._client.url}/api/v2/{path}"
        entry: dict[str, Json] = {"command": f"{command}    # {about}", "status": None, "seconds": 0.0, "output": ""}
        self.transcript.append(entry)
        started, status = time.monotonic(), None
        try:
            answer = self._client.send(method, path, json=body)
            status, output = answer.status_code, told(answer)
            entry["status"] = 0 if status == 200 else status
        except requests.RequestException as error:
            output = said(error)
        entry |= {"output": output, "seconds": round(time.monotonic() - started, 3)}
        # A proxy in between that says 502 or 504 does not know what became of it, either.
        if status is None or status >= 500:
            self._look_again(holds, output)
        elif status != 200:
            raise CommandFailed(f"{NAME}: {command}: {output}")

    def _look_again(self, holds: Callable[[Silences], bool], why: str) -> None:
        """Where no answer came: it was carried out all the same, or is unknown. Raises Lost."""
        try:
            found = self.reader.silences()
        except (Unreachable, Blocked) as error:
            raise Lost(NAME, f"{why}; {error}") from error
        if not holds(found):
            raise Lost(NAME, f"{why}; it is not so now, and may yet come")


class AlertTarget(Target):
    """What an Alertmanager holds of one host; ``name`` is the host's."""

    def __init__(self, name: str, client: Alertmanager) -> None:
        self.name, self.client = name, client
        self.matcher = of_host(client.label, name)
        self.ends: dict[str, datetime] = {}

    def reader(self, run_id: str = "") -> AlertReader:
        """A Reader; nothing is asked before it looks."""
        return AlertReader(self, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[AlertWriter]:  # noqa: ARG002
        """A Writer, for who can look: who cannot has sent nothing. No lock is needed: each run has silences of its own,
        and they end by themselves. Raises Unreachable, Blocked."""
        writer = AlertWriter(self, run_id)
        writer.reader.silences()
        yield writer

    def settle(self, wait_s: float) -> None:
        """Nothing can be waited for: a write is carried out in no time, or whenever the server wakes up."""

    def close(self) -> None:
        """Nothing is held open."""
