"""The kill campaign over mailing lists: each procedure is killed at every point, and resumed and undone, or undone.

``python -m tests.campaign.lists`` runs all points; the tests run a few. All lists of a real Mailman 3 are looked at by
its API, without the tool's client. Between the kill and its end somebody else changes settings that are none of ours.
"""

from __future__ import annotations

import json
import random
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import EmailMessage
from typing import Any

import yaml

from runbooks.errors import Blocked
from runbooks.lab import Lab, Person
from runbooks.lab.mail import LISTS, MAILBOXES
from tests.campaign.deeds import Deed, Deeds, campaign
from tests.labs import small_lab

HERE = (Person("alice", 1001, home_files=2), Person("bob", 1002, home_files=2))
OLGA, OSCAR, MO = (f"{name}@{MAILBOXES}" for name in ("olga", "oscar", "mo"))
HELD = ("Cheap cat food", "Cheaper cat food")
ROLES = ("owner", "moderator", "member", "nonmember")
_CHANGING = {"created_at", "digest_last_sent_at", "http_etag", "last_post_at", "moderator_password",
             "next_digest_number", "post_id", "volume"}  # fmt: skip
"""What mail changes in a list, and what is made anew with it."""
_OWN = {"http_etag", "member_id", "self_link"}
"""What a membership gets anew whenever it is given."""
CLOSED = {
    "admin_immed_notify": False, "default_member_action": "discard", "default_nonmember_action": "discard",
    "digest_send_periodic": False, "posting_pipeline": "virgin", "process_bounces": False,
    "subscription_policy": "confirm_then_moderate",
}  # fmt: skip
"""Settings of a closed list that a new one has otherwise."""


@dataclass(frozen=True)
class State:
    """All lists, each with its settings (``config``), its ``bans`` and who has which role; what is ``held`` for each;
    and whether the password in the file that was named, if there is one, opens olga's account (``opened``)."""

    lists: Mapping[str, Mapping[str, Any]]
    held: Mapping[str, tuple[str, ...]]
    opened: bool

    def like(self, name: str, **parts: Any) -> State:
        """With parts of a list made otherwise; of its settings only those that are given."""
        was = self.lists[name]
        config = {**was["config"], **parts.pop("config", {})}
        return replace(self, lists={**self.lists, name: {**was, **parts, "config": config}})

    def holds(self, name: str, subjects: tuple[str, ...]) -> State:
        return replace(self, held={**self.held, name: subjects})


def _disabled(was: State) -> State:
    bans = sorted([*was.lists["cats"]["bans"], "^.*@.*"])
    about = was.lists["cats"]["config"]["description"]
    config = CLOSED | {"description": f"[disabled] {about}"}
    return was.like("cats", config=config, bans=bans, owner={}, moderator={}).holds("cats", ())


@contextmanager
def ground() -> Iterator[Lists]:
    """A lab with a list server."""
    with small_lab(1, HERE, lists=True) as lab:
        yield Lists(lab, random.Random())


class Lists(Deeds[State]):
    """Procedures over lists on one lab: cats is a public list, board a private one that is closed already."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self.password = lab.layout.top / "password"
        self._others = 0
        self._rest(f"lists/cats.{LISTS}/bans", {"email": "bad@example.com"})
        self._rest(f"lists/cats.{LISTS}/bans", {"email": "^spam.*@example.com"})
        lab.lists.add_member("cats", MO, "moderator")
        self.open_board = self.look("").lists["board"]
        self.end("ground", ["list-disable", "board", "--yes"])
        self.forget()
        self.deeds = self._deeds(self._model())

    def _deeds(self, fish: Mapping[str, Any]) -> dict[str, Deed[State]]:
        words = ("--owners", f"{OLGA},{OSCAR}", "--description", "About fish", "--task", "T1", "--private")
        return {
            "list-disable": Deed("cats", ("list-disable", "cats", "--discard-held"), _disabled),
            "list-enable": Deed("board", ("list-enable", "board"), self._enabled),
            "list-create": Deed(
                "fish",
                ("list-create", "fish", *words),
                lambda was: replace(was, lists={**was.lists, "fish": fish}, held={**was.held, "fish": ()}),
            ),
            "list-reset-password": Deed(
                "cats",
                ("list-reset-password", "cats", "--owner", OLGA, "--password-file", str(self.password)),
                lambda was: replace(was, opened=True),
            ),
        }  # fmt: skip

    def _enabled(self, was: State) -> State:
        """As it was before it was closed; ``info`` is somebody else's."""
        before = self.open_board
        kept = {"info": was.lists["board"]["config"]["info"]}
        return replace(was, lists={**was.lists, "board": {**before, "config": before["config"] | kept}})

    def _model(self) -> Mapping[str, Any]:
        """A private list as the page wants it, made by hand."""
        self._rest("lists", {"fqdn_listname": f"model@{LISTS}", "style_name": "private-default"})
        wanted = {"subscription_policy": "confirm_then_moderate", "archive_policy": "private", "advertised": False}
        self._rest(f"lists/model.{LISTS}/config", wanted | {"description": "About fish"}, "PATCH")
        for owner in (OLGA, OSCAR):
            self.lab.lists.add_member("model", owner, "owner")
        model = json.dumps(self.look("").lists["model"])
        self._rest(f"lists/model.{LISTS}", None, "DELETE")
        found: Mapping[str, Any] = json.loads(model.replace("model", "fish").replace("Model", "Fish"))
        return found

    def look(self, name: str) -> State:  # noqa: ARG002 - all of them
        """The lists as they are."""
        names = sorted(row["list_name"] for row in self._rest("lists").get("entries", []))
        held = {name: self._rows(f"lists/{name}.{LISTS}/held") for name in names}
        return State(
            {name: self._list(name) for name in names},
            {name: tuple(sorted(str(row["subject"]) for row in rows)) for name, rows in held.items()},
            self._opens(),
        )

    def _list(self, name: str) -> dict[str, Any]:
        top = f"lists/{name}.{LISTS}"
        config = {key: value for key, value in self._rest(f"{top}/config").items() if key not in _CHANGING}
        roles = {role: self._rows(f"{top}/roster/{role}") for role in ROLES}
        people = {
            role: {row["email"]: {key: value for key, value in row.items() if key not in _OWN} for row in rows}
            for role, rows in roles.items()
        }
        return {"config": config, "bans": sorted(row["email"] for row in self._rows(f"{top}/bans")), **people}

    def _opens(self) -> bool:
        """Whether the file has the password that opens the account; it is nobody's but its owner's."""
        if not self.password.exists():
            return False
        assert stat.S_IMODE(self.password.stat().st_mode) == 0o600
        try:
            self._rest(f"users/{OLGA}/login", {"cleartext_password": self.password.read_text().strip()})
        except Blocked:
            return False
        return True

    def prepare(self, procedure: str) -> None:
        """Two messages wait for cats; nobody has a new password."""
        self.password.unlink(missing_ok=True)
        there = self.look("").held["cats"]
        if procedure == "list-disable":
            for subject in HELD:
                if subject not in there:
                    self._send(subject)
            self.lab.lists.settle()

    def _send(self, subject: str) -> None:
        message = EmailMessage()
        stranger = f"stranger@{MAILBOXES}"
        message["From"], message["To"], message["Subject"] = stranger, f"cats@{LISTS}", subject
        message.set_content("Buy now.")
        self.lab.lists.exim.send(message, stranger, f"cats@{LISTS}")

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """A server that does not answer is given up soon."""
        path = self.lab.inventory / "settings.yaml"
        text = path.read_text()
        settings = yaml.safe_load(text)
        settings["lists"]["domains"][LISTS]["timeout_s"] = 8
        path.write_text(yaml.safe_dump(settings))
        try:
            yield
        finally:
            path.write_text(text)

    def meanwhile(self, before: State, deed: Deed[State], point: str) -> State:  # noqa: ARG002
        """Somebody else edits what other lists are, and a setting of the same that is none of ours; and bans somebody
        from cats, while not everybody is banned: Mailman refuses what a ban covers."""
        self._others += 1
        text = f"by somebody else, {self._others}"
        for name in before.lists:
            self._rest(f"lists/{name}.{LISTS}/config", {"info": text}, "PATCH")
            before = before.like(name, config={"info": text})
        ban = f"other{self._others}@example.com"
        with suppress(Blocked):
            self._rest(f"lists/cats.{LISTS}/bans", {"email": ban})
            before = before.like("cats", bans=sorted([*before.lists["cats"]["bans"], ban]))
        return before

    def undone(self, before: State, deed: Deed[State], run: Mapping[str, str]) -> State:
        """What was thrown away is gone, if that was begun; and nobody knows an old password."""
        if deed.command[0] == "list-disable" and self._has_begun(run, 1):
            there = self.look("").held["cats"]
            self.check(run["id"], set(there) <= set(before.held["cats"]), f"held: {there}")
            return before.holds("cats", there)
        if deed.command[0] == "list-reset-password":
            return replace(before, opened=self.look("").opened)
        return before

    def _has_begun(self, run: Mapping[str, str], step: int) -> bool:
        query = "SELECT 1 FROM events WHERE run = ? AND kind = 'begin' AND step = ?"
        return bool(self.rows(query, run["id"], str(step)))

    def _rows(self, path: str) -> list[Any]:
        found: list[Any] = self._rest(path).get("entries", [])
        return found

    def _rest(self, path: str, data: dict[str, Any] | None = None, method: str = "") -> Any:
        return self.lab.lists.mailman.rest(path, data, method)


if __name__ == "__main__":
    sys.exit(campaign(ground, __doc__))
