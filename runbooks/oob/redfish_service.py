"""A Redfish service: its resources as JSON, what it says when it refuses, and the tasks that it makes of commands.

Sources: DMTF DSP0266 "Redfish Specification" (PATCH and If-Match, extended error responses, tasks: 202 Accepted and
Location). What differs from it in the field:

* AMI MegaRAC (Lenovo SR655, Gigabyte) answers a PATCH without If-Match with 428 ``Ami.1.0.PreconditionHeaderMissing``,
  and takes a weak ETag only without its ``W/`` (stmcginnis/gofish#171, ansible-collections/community.general#6434);
  others quote the ETag header twice, so that the one in the body goes first (#3268). Lenovo XCC insists on it with 412.
* iLO 5 refuses without a sentence: ``MessageId`` iLO.2.16.InvalidOperationForSystemState, ``MessageArgs`` ["Power is
  on"]. iLO 4 calls it ``MessageID`` (goldyfruit/ansible-ilo#1).
* iDRAC 9 answers 503 while its data is not there yet: IDRAC.2.8.SYS518 (ironcore-dev/metal-operator#170).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from runbooks.errors import CommandFailed, LoginRefused, Unreachable
from runbooks.fibres import sleep
from runbooks.oob.https import Answer, Https, plain
from runbooks.oob.model import Bmc
from runbooks.secret import Secret

Json = Mapping[str, Any]
_PRINTABLE = re.compile(r"[!-~]*")
_MOST_REDIRECTS = 3
_UNDER_WAY = ("New", "Pending", "Running", "Starting", "Service")
_FAILED = ("Cancelled", "Exception", "Interrupted", "Killed", "Suspended")
_LOOK_AGAIN_S = 0.5


class Refused(CommandFailed):
    """The service answers, and does not do it. ``status`` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """The Redfish service of one BMC. Raises as ``Driver`` says."""

    def __init__(self, bmc: Bmc, password: Secret, place: tuple[str, int], timeout_s: float) -> None:
        self.bmc = bmc
        self._password = password
        self._https = Https(bmc, place, timeout_s)
        self._timeout_s = timeout_s

    def get(self, link: str) -> Json:
        """A resource."""
        answer = self._get(link)
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.failed(f"GET {link}: no Redfish comes back, but {_kind(answer)}")
        return found

    def post(self, link: str, body: Json) -> None:
        """A command; returns when it was taken, or when its task has ended, if that is soon. Raises Refused."""
        answer = self._ask("POST", link, body)
        self._must(answer, f"POST {link} {json.dumps(body)}")
        if answer.status == 202:
            self._follow(answer)

    def patch(self, link: str, body: Json) -> None:
        """A change of a resource. Raises Refused."""
        answer = self._get(link)
        for tag in _tags(answer):
            answer = self._ask("PATCH", link, body, {"If-Match": tag} if tag else {})
            if answer.status not in (412, 428):
                break
        self._must(answer, f"PATCH {link} {json.dumps(body)}")

    def close(self) -> None:
        """Hang up."""
        self._https.close()

    def failed(self, why: str) -> CommandFailed:
        """The error (not raised) for what makes no sense."""
        return CommandFailed(f"{self.bmc.host}: {self._https.where}: {plain(why)}")

    def _refused(self, why: str, status: int) -> Refused:
        return Refused(f"{self.bmc.host}: {self._https.where}: {plain(why)}", status)

    def _get(self, link: str) -> Answer:
        answer = self._ask("GET", link)
        there = link
        for _ in range(_MOST_REDIRECTS):
            if not 300 <= answer.status < 400 or "Location" not in answer.headers:
                break
            there = urljoin(there, answer.headers["Location"])
            answer = self._ask("GET", there)
        self._must(answer, f"GET {link}")
        return answer

    def _ask(self, method: str, link: str, body: Json | None = None, more: Mapping[str, str] | None = None) -> Answer:
        user = f"{self.bmc.user}:{self._password.reveal()}".encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(user).decode()}",
            "Accept": "application/json",
            "OData-Version": "4.0",
            **({} if body is None else {"Content-Type": "application/json"}),
            **(more or {}),
        }
        return self._https.ask(method, self._path(link), headers, None if body is None else json.dumps(body).encode())

    def _path(self, link: str) -> str:
        """A link's path; a service has no business to send us elsewhere."""
        try:
            parts = urlsplit(link)
            elsewhere = bool(parts.netloc) and (parts.scheme != "https" or parts.hostname != self.bmc.address.lower())
        except ValueError:
            elsewhere = True
        if elsewhere or not link or not _PRINTABLE.fullmatch(link):
            raise self.failed(f"it refers to {link[:100]!r}, which is no place of its own: not followed")
        path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
        return f"{path}?{parts.query}" if parts.query else path

    def _must(self, answer: Answer, what: str) -> None:
        if answer.status < 300:
            return
        said = _said(answer)
        if answer.status in (401, 403):
            raise LoginRefused(self.bmc.host, f"{self._https.where}: {self.bmc.user} is refused ({said})")
        if answer.status == 503 and what.startswith("GET"):
            raise Unreachable(self.bmc.host, f"{self._https.where}: busy ({said})")
        raise self._refused(f"{what}: refused ({said})", answer.status)

    def _follow(self, answer: Answer) -> None:
        """Look at a command's task until it ends, for as long as an answer may take: the power tells the rest."""
        link = answer.headers.get("Location") or str(_object(answer).get("@odata.id") or "")
        end = time.monotonic() + self._timeout_s
        while link:
            try:
                answer = self._ask("GET", link)
            except Unreachable:
                return
            task = _object(answer)
            state = str(task.get("TaskState"))
            if state in _FAILED or (answer.status >= 400 and answer.status not in (401, 403, 404, 410, 503)):
                said = "; ".join(_sentences(task.get("Messages"))) or _said(answer)
                raise self._refused(f"its task {link}: {state} ({said})", answer.status)
            if (answer.status != 202 and state not in _UNDER_WAY) or time.monotonic() > end:
                return
            sleep(_LOOK_AGAIN_S)


def members(collection: Json) -> Iterator[Json]:
    """What a collection has, in its order; what is no resource is left out."""
    found = collection.get("Members")
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def link_of(resource: Json, *path: str) -> str:
    """The link at a place in a resource, the first if there are several; empty where there is none."""
    found: Any = resource
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, list):
        found = found[0] if found else None
    link = found.get("@odata.id") if isinstance(found, dict) else None
    return link if isinstance(link, str) else ""


def part_of(resource: Json, name: str) -> Json:
    """An object in a resource; empty where there is none."""
    found = resource.get(name)
    return found if isinstance(found, dict) else {}


def strings(found: Any) -> list[str]:
    """What a list has; empty where it is none."""
    return [str(one) for one in found] if isinstance(found, list) else []


def _tags(answer: Answer) -> list[str]:
    """What to try as If-Match, in this order; empty: none."""
    tag = _object(answer).get("@odata.etag") or answer.headers.get("ETag") or ""
    if not isinstance(tag, str) or not _PRINTABLE.fullmatch(tag):
        tag = ""
    return list(dict.fromkeys((tag, tag.removeprefix("W/") or "*")))


def _object(answer: Answer) -> Json:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _kind(answer: Answer) -> str:
    """Something about an answer that is no JSON: not its text, in which what we have sent may come back."""
    kind = plain(answer.headers.get("Content-Type", "").partition(";")[0])[:80] or "something without a type"
    title = re.search(rb"<title[^>]*>(.{,200}?)</title", answer.body[:10_000], re.DOTALL | re.IGNORECASE)
    words = plain(title[1].decode(errors="replace"))[:80] if title else ""
    return f"{kind} (“{words}”)" if words else f"{kind} of {len(answer.body)} bytes"


def _said(answer: Answer) -> str:
    """The status, and every sentence of an error."""
    found = _object(answer)
    error = part_of(found, "error") or found
    extended = error.get("@Message.ExtendedInfo")
    said = _sentences(extended if isinstance(extended, list) else [extended], str(error.get("message") or ""))
    if answer.status >= 300 and (place := answer.headers.get("Location")):
        said.append(f"it wants us to go to {place[:100]!r}")
    if not found and not said:
        said = [_kind(answer)]
    if wait := answer.headers.get("Retry-After"):
        said.append(f"again in {plain(wait)[:20]} s")
    return f"{answer.status}: {'; '.join(said)[:400]}" if said else str(answer.status)


def _sentences(extended: Any, message: str = "") -> list[str]:
    """Each sentence once; where there is none, the message around them, or their names and arguments."""
    told = [one for one in extended if isinstance(one, dict)] if isinstance(extended, list) else []
    found = [plain(one["Message"]) for one in told if one.get("Message")]
    if not found and message and "ExtendedInfo" not in message:
        found = [plain(message)]
    return list(dict.fromkeys(found or filter(None, map(_name, told))))


def _name(one: Json) -> str:
    name = str(one.get("MessageId") or one.get("MessageID") or "").rpartition(".")[2]
    values = one.get("MessageArgs")
    return plain(": ".join(filter(None, (name, ", ".join(map(str, values)) if isinstance(values, list) else ""))))
