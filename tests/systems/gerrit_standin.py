"""A stand-in for Gerrit: no Gerrit runs here. It answers as "REST API" and "Changes endpoints" of its documentation
say, over a real bare repository: what is pushed to refs/for becomes a change, and submitting it moves the branch."""

from __future__ import annotations

import base64
import json
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .repositories import git

NEEDED = {"Code-Review": 2, "Verified": 2}


@dataclass
class Kept:
    """A change."""

    number: int
    change_id: str
    branch: str
    topic: str
    commits: list[str]
    status: str = "NEW"
    labels: dict[str, int] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        return f"refs/changes/{self.number % 100:02}/{self.number}/{len(self.commits)}"

    @property
    def submittable(self) -> bool:
        return self.status == "NEW" and all(self.labels.get(name) == most for name, most in NEEDED.items())

    def info(self) -> dict[str, Any]:
        return {
            "id": f"puppet~{self.branch}~{self.change_id}",
            "project": "puppet",
            "branch": self.branch,
            "topic": self.topic,
            "change_id": self.change_id,
            "status": self.status,
            "_number": self.number,
            "submittable": self.submittable,
            "current_revision": self.commits[-1],
            "revisions": {self.commits[-1]: {"_number": len(self.commits), "ref": self.ref}},
        }


class GerritStandIn:
    """A server on a free port of 127.0.0.1, as a context manager. ``password`` is that of ``ops``; ``may_vote``: labels
    are taken from that user."""

    def __init__(self, bare: Path, password: str = "geheim") -> None:
        self.bare, self.password, self.may_vote = bare, password, True
        self.changes: dict[int, Kept] = {}
        self.asked: list[str] = []
        self.garbled = False

    def __enter__(self) -> GerritStandIn:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
                status, answer = standin.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
                text = answer if isinstance(answer, str) else ")]}'\n" + json.dumps(answer)
                data = ("<html>" if standin.garbled else text).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if status == 200 else "text/plain")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, path: str, authorization: str, body: dict[str, Any]) -> tuple[int, Any]:
        """One request."""
        self.asked.append(f"{method} {path}")
        if authorization != "Basic " + base64.b64encode(f"ops:{self.password}".encode()).decode():
            return 401, "Unauthorized"
        self._take_in()
        parts = urlsplit(path)
        if method == "GET" and parts.path == "/a/changes/":
            return 200, self._query(parse_qs(parts.query)["q"][0])
        found = re.fullmatch(r"/a/changes/(\d+)(?:/revisions/(\w+))?/(submit|abandon|review)", parts.path)
        if not found or int(found[1]) not in self.changes:
            return 404, "Not found"
        return getattr(self, f"_{found[3]}")(self.changes[int(found[1])], found[2], body)

    def _query(self, words: str) -> list[dict[str, Any]]:
        wanted = {key: value.strip('"') for key, value in re.findall(r'(\w+):("[^"]*"|\S+)', words)}
        status = {"open": "NEW", "abandoned": "ABANDONED"}[wanted["status"]]
        return [
            change.info()
            for change in self.changes.values()
            if (change.status, change.branch) == (status, wanted["branch"])
            and change.topic == wanted.get("topic", change.topic)
            and change.change_id == wanted.get("change", change.change_id)
        ]

    def _take_in(self) -> None:
        """What was pushed for review."""
        for line in git("for-each-ref", "--format=%(objectname) %(refname)", "refs/for", at=self.bare).splitlines():
            commit, ref = line.split(" ", 1)
            branch, _, topic = ref.removeprefix("refs/for/").partition("%topic=")
            message = git("log", "-1", "--format=%B", commit, at=self.bare)
            change_id = re.findall(r"^Change-Id: (I[0-9a-f]{40})$", message, re.MULTILINE)[-1]
            same = [one for one in self.changes.values() if (one.change_id, one.branch) == (change_id, branch)]
            assert all(one.status == "NEW" for one in same), "Gerrit refuses this push: the change is closed"
            change = same[0] if same else Kept(len(self.changes) + 1, change_id, branch, topic, [])
            change.commits.append(commit)
            change.labels.clear()
            self.changes[change.number] = change
            git("update-ref", change.ref, commit, at=self.bare)
            git("update-ref", "-d", ref, at=self.bare)

    def _review(self, change: Kept, _revision: str, body: dict[str, Any]) -> tuple[int, Any]:
        if not self.may_vote:
            return 403, 'Applying label "Verified": 2 is restricted'
        change.labels |= body["labels"]
        return 200, {"labels": body["labels"]}

    def _submit(self, change: Kept, revision: str, _body: dict[str, Any]) -> tuple[int, Any]:
        if revision != change.commits[-1]:
            return 409, f"revision {revision} is not current revision"
        if not change.submittable:
            return (
                409,
                f"Failed to submit 1 change: Change {change.number}: needs Code-Review",
            )
        parent = git("rev-parse", f"{revision}^", at=self.bare).strip()
        if parent != git("rev-parse", change.branch, at=self.bare).strip():
            return 409, f"Change {change.number}: Project policy requires all submissions to be a fast-forward"
        git("update-ref", f"refs/heads/{change.branch}", revision, at=self.bare)
        change.status = "MERGED"
        return 200, change.info()

    def _abandon(self, change: Kept, _revision: str, _body: dict[str, Any]) -> tuple[int, Any]:
        if change.status != "NEW":
            return 409, f"change is {change.status.lower()}"
        change.status = "ABANDONED"
        return 200, change.info()

    def review(self, number: int) -> None:
        """People have looked at it."""
        self._take_in()
        self.changes[number].labels = dict(NEEDED)

    def submit(self, number: int) -> None:
        """Somebody has submitted it."""
        status, said = self._submit(self.changes[number], self.changes[number].commits[-1], {})
        assert status == 200, said

    def amend(self, number: int, parent: str, files: Mapping[str, str] | None = None) -> None:
        """Somebody has uploaded its next patch set: on top of another commit, and with other contents of some files."""
        self._take_in()
        change = self.changes[number]
        with tempfile.TemporaryDirectory() as place:
            git("clone", "-q", str(self.bare), place, at=self.bare)
            git("fetch", "-q", "origin", change.ref, at=Path(place))
            git("checkout", "-q", parent, at=Path(place))
            git("cherry-pick", "FETCH_HEAD", at=Path(place))
            for path, text in (files or {}).items():
                (Path(place) / path).write_text(text)
            git("commit", "-qa", "--amend", "--no-edit", at=Path(place))
            git("push", "-q", "origin", f"HEAD:refs/for/{change.branch}%topic={change.topic}", at=Path(place))
        self._take_in()

    def abandon(self, number: int) -> None:
        """Somebody does not want it."""
        self._abandon(self.changes[number], "", {})
