"""Proposals as changes under review in Gerrit.

Sources: Gerrit Documentation, "Uploading Changes" (refs/for, topic, Change-Id), "REST API" (the ``)]}'`` in front of
each answer, authentication under ``/a/``), "Changes endpoints" (query, submit, abandon, review).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runbooks.errors import CommandFailed, Unreachable
from runbooks.secret import Secret

_GUARD = ")]}'"
_SUBMITTED, _OPEN = "MERGED", "NEW"


@dataclass(frozen=True)
class Proposal:
    """A change: its number, its newest commit and the ref of that, and whether it may be submitted."""

    number: int
    change_id: str
    commit: str
    ref: str
    is_submittable: bool


@dataclass(frozen=True)
class Gerrit:
    """A project on a Gerrit. ``url`` is the server's, without ``/a``; ``votes`` are labels that we give ourselves
    before we submit, where that is allowed; without any, people review. ``ca`` is a file of certificates (None: the
    system's)."""

    url: str
    project: str
    user: str
    password: Secret
    votes: Mapping[str, int] = field(default_factory=dict)
    ca: Path | None = None
    timeout_s: float = 60

    def open_change(self, branch: str, topic: str) -> Proposal | None:
        """The open change of a topic, the newest if there are more. Raises Unreachable, CommandFailed."""
        return self._newest(f'branch:"{branch}" topic:"{topic}" status:open')

    def abandoned(self, branch: str, change_id: str) -> Proposal | None:
        """The change with that Change-Id, if somebody has abandoned it. Raises Unreachable, CommandFailed."""
        return self._newest(f'branch:"{branch}" change:"{change_id}" status:abandoned')

    def _newest(self, words: str) -> Proposal | None:
        query = quote(f'project:"{self.project}" {words}')
        found = [_proposal(one) for one in self._ask("GET", f"changes/?q={query}&o=CURRENT_REVISION&o=SUBMITTABLE")]
        return max(found, key=lambda one: one.number, default=None)

    def submit(self, change: Proposal) -> None:
        """Vote, where we may, and merge a change, if it still is at the commit that was looked at. Raises CommandFailed
        where Gerrit refuses, Unreachable."""
        if self.votes:
            labels = {"labels": dict(self.votes)}
            self._ask("POST", f"changes/{change.number}/revisions/{change.commit}/review", labels)
        answer = self._ask("POST", f"changes/{change.number}/revisions/{change.commit}/submit", {})
        if answer.get("status") != _SUBMITTED:
            raise CommandFailed(f"{self.page(change)}: submitted, and its status is {answer.get('status')}")

    def abandon(self, change: Proposal, why: str) -> None:
        """Give a change up. Raises CommandFailed, Unreachable."""
        self._ask("POST", f"changes/{change.number}/abandon", {"message": why})

    def page(self, change: Proposal) -> str:
        """Where people look at a change."""
        return f"{self.url}/c/{self.project}/+/{change.number}"

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        import requests

        url = f"{self.url}/a/{path}"
        try:
            answer = requests.request(
                method,
                url,
                json=body,
                auth=(self.user, self.password.reveal()),
                timeout=self.timeout_s,
                verify=str(self.ca) if self.ca else True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable("@git", f"{self.url}: {type(error).__name__}") from error
        if not answer.ok or answer.is_redirect:
            said = answer.text.strip().splitlines() or [answer.reason]
            raise CommandFailed(f"{self.url}: {method} {path.partition('?')[0]}: {answer.status_code}: {said[0][:300]}")
        try:
            return json.loads(answer.text.removeprefix(_GUARD))
        except ValueError as error:
            raise CommandFailed(f"{self.url}: {method} {path.partition('?')[0]}: no JSON came back") from error


def _proposal(answer: Mapping[str, Any]) -> Proposal:
    commit = answer["current_revision"]
    ref = answer["revisions"][commit]["ref"]
    return Proposal(answer["_number"], answer["change_id"], commit, ref, bool(answer.get("submittable")))
