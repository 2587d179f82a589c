"""What a Prometheus Alertmanager is asked with: its API v2, over HTTP. Its certificate is always checked.

Sources: api/v2/openapi.yaml, api/v2/api.go and silence/silence.go of Alertmanager 0.25 and 0.27. There a silence that
is posted with the id of an active one, the same matchers and the same start replaces it; a regex matches the whole
value; DELETE ends a silence and keeps it, ended, for --data.retention; what a member of a cluster is told reaches the
others only after a moment.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from runbooks.errors import Blocked, LoginRefused, SettingsError, Unreachable
from runbooks.secret import Secret, from_environment, from_file
from runbooks.systems.wording import said

NAME = "alertmanager"
"""What messages call it."""
PASSWORD, TOKEN = "OPS_CLINIC_ALERTMANAGER_PASSWORD", "OPS_CLINIC_ALERTMANAGER_TOKEN"
"""The environment variables that may hold what we prove with who we are."""

T = TypeVar("T")


class Matcher(NamedTuple):
    """What a label has to be, or not to be; a regex is of the whole value (RE2)."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def __str__(self) -> str:
        sign = ("=~" if self.is_regex else "=") if self.is_equal else ("!~" if self.is_regex else "!=")
        return f'{self.name}{sign}"{self.value}"'

    def takes(self, values: tuple[str, ...]) -> bool:
        """Whether it names one of some values; a regex that is none here names nothing."""
        try:
            return any(re.fullmatch(self.value, one) if self.is_regex else self.value == one for one in values)
        except re.error:
            return False


def of_host(label: str, host: str) -> Matcher:
    """The alerts of one host: its name, what it is with a domain behind, and both with a port. A name that has a domain
    already is taken as it is."""
    # Brackets, and no backslashes: the filters of a query read those in their own way.
    domain = "" if "." in host else "([.][A-Za-z0-9.-]+)?"
    return Matcher(label, host.replace(".", "[.]") + domain + "(:[0-9]+)?", is_regex=True)


@dataclass(frozen=True)
class Held:
    """One silence, as the Alertmanager holds it. ``state`` is active, pending or expired; ``by`` who made it."""

    id: str
    state: str
    matchers: tuple[Matcher, ...]
    by: str
    comment: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Alert:
    """An alert that fires. ``state`` is active, or suppressed, by the silences of these ids or by another alert."""

    name: str
    state: str
    silenced_by: tuple[str, ...]


def moment(at: datetime) -> str:
    """A moment in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@dataclass(frozen=True)
class Alertmanager:
    """An Alertmanager, and who we are there. ``label`` is the one that alerts have their host in; ``ca`` a file of
    certificates (None: the system's). Either ``user`` and ``password``, or ``token``, or nothing is asked for."""

    url: str
    operator: str
    label: str = "instance"
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    ca: Path | None = None
    timeout_s: float = 10

    def send(self, method: str, path: str, **what: Any) -> Any:
        """One request, and its answer, whatever that is. Raises requests' RequestException."""
        import requests

        system = ssl.get_default_verify_paths()
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.user, self.password.reveal()) if self.password else None
            if self.token:
                session.headers["Authorization"] = f"Bearer {self.token.reveal()}"
            session.verify = str(self.ca or system.cafile or system.capath or "") or True
            url = f"{self.url}/api/v2/{path}"
            return session.request(method, url, timeout=self.timeout_s, allow_redirects=False, **what)

    def silences(self) -> tuple[list[Held], datetime]:
        """All, and what time it is there. Raises Unreachable, Blocked where what answers is no Alertmanager."""
        return self._get("silences", _held)

    def alerts(self, matcher: Matcher) -> list[Alert]:
        """Those that fire and are such. Raises Unreachable, Blocked where what answers is no Alertmanager."""
        return self._get("alerts", _alert, params={"filter": str(matcher)})[0]

    def _get(self, path: str, read: Callable[[Any], T], **what: Any) -> tuple[list[T], datetime]:
        import requests

        try:
            answer = self.send("GET", path, **what)
        except requests.RequestException as error:
            raise Unreachable(NAME, f"{self.url}: {said(error)}") from error
        if answer.status_code in (401, 403):
            who = self.user or ("our token" if self.token else "us, who give no password")
            raise LoginRefused(NAME, f"{self.url} refuses {who}: {told(answer)}")
        if answer.status_code >= 500:
            raise Unreachable(NAME, f"{self.url}: {told(answer)}")
        try:
            rows = answer.json()
            if answer.status_code != 200 or not isinstance(rows, list):
                raise ValueError
            now = parsedate_to_datetime(answer.headers.get("Date") or formatdate(usegmt=True))
            return [read(row) for row in rows], now
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Blocked(
                f"{NAME}: {self.url} does not answer as an Alertmanager does ({told(answer)}): look at alertmanager.url"
            ) from error


def opened(chosen: Any, operator: str) -> Alertmanager:
    """The one that the settings choose (their section). Raises SettingsError where none is set, or one that cannot be
    used."""
    if not chosen.url:
        raise SettingsError("alertmanager.url is not set: say in invoke.yaml where the Alertmanager is")
    if chosen.ca and not chosen.ca.is_file():
        raise SettingsError(f"alertmanager.ca: {chosen.ca}: no such file")
    token, password = _secret(TOKEN, chosen.token_file), _secret(PASSWORD, chosen.password_file)
    if bool(chosen.user) != bool(password):
        raise SettingsError(f"alertmanager.user and a password go together: {PASSWORD}, or alertmanager.password_file")
    if token and password:
        raise SettingsError("alertmanager has a user and a token: leave one of them out")
    if (token or password) and not chosen.url.startswith("https:"):
        raise SettingsError(f"alertmanager.url: {chosen.url}: a password or token is only sent over https")
    return Alertmanager(chosen.url, operator, chosen.label, chosen.user, password, token, chosen.ca, chosen.timeout_s)


def _secret(variable: str, file: Path | None) -> Secret | None:
    return from_environment(variable) or (from_file(file) if file else None)


def _held(row: Mapping[str, Any]) -> Held:
    matchers = tuple(Matcher(m["name"], m["value"], m["isRegex"], m.get("isEqual", True)) for m in row["matchers"])
    starts, ends = (datetime.fromisoformat(row[name]) for name in ("startsAt", "endsAt"))
    return Held(row["id"], row["status"]["state"], matchers, row["createdBy"], row["comment"], starts, ends)


def _alert(row: Mapping[str, Any]) -> Alert:
    status = row["status"]
    return Alert(row["labels"].get("alertname", ""), status["state"], tuple(status["silencedBy"]))


def told(answer: Any) -> str:
    """What an answer says, in one line: its status, and where it leads or the beginning of its text."""
    text = answer.headers.get("Location") or " ".join(answer.text[:2000].split())[:200] or answer.reason
    return f"{answer.status_code} {text}"
