"""A real list server with real mail around it, and `inv` as people use it on that; and one of Mailman 2.

Modules about another server have a ``lab`` or a ``server`` of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbooks.errors import Blocked
from runbooks.lab import Lab, scratch
from runbooks.lab.mail import LISTS, MAILBOXES
from runbooks.lab.mail.lists import free_ports
from runbooks.lab.mail.servers import ListServer
from tests.lists.mailman2_server import Server, clean, list_server
from tests.surface.helpers import Inv

SECRET = "Sesame-1"
"""Of moderators, for the ``Approved:`` header."""


@dataclass
class PostOffice:
    """The server, its inventory, and what a person sees of it: mail."""

    server: ListServer
    inventory: Path

    @property
    def journal(self) -> Path:
        """Where runs are kept."""
        return self.inventory.parent / "journal/journal.db"

    def rest(self, path: str, data: dict[str, Any] | None = None, method: str = "") -> Any:
        """Mailman's own API, without any client of ours."""
        return self.server.mailman.rest(path, data, method)

    def make(self, name: str, style: str = "legacy-default") -> None:
        """A list with two owners, a moderator and two members, one of whom may always post."""
        self.rest("lists", {"fqdn_listname": f"{name}@{LISTS}", "style_name": style})
        people = [(f"{name}-ann", "owner"), (f"{name}-bob", "owner"), (f"{name}-mo", "moderator")]
        for person, role in [*people, (f"{name}-carol", "member"), (f"{name}-dave", "member")]:
            member = {"list_id": f"{name}.{LISTS}", "subscriber": self.of(person), "role": role}
            if role == "member":
                member |= {
                    "pre_verified": True,
                    "pre_confirmed": True,
                    "pre_approved": True,
                    "send_welcome_message": False,
                }
            self.rest("members", member)
        free = self.rest(f"lists/{name}.{LISTS}/member/{self.of(f'{name}-dave')}")
        self.rest(f"members/{free['member_id']}", {"moderation_action": "accept"}, "PATCH")
        self.config(name, moderator_password=SECRET, description=f"about {name}", admin_immed_notify=True)

    @staticmethod
    def of(person: str) -> str:
        """Somebody's address."""
        return f"{person}@{MAILBOXES}"

    def config(self, name: str, **values: Any) -> dict[str, Any]:
        """A list's settings, after some were set."""
        path = f"lists/{name}.{LISTS}/config"
        if values:
            self.rest(path, values, "PATCH")
        found: dict[str, Any] = self.rest(path)
        return {key: value for key, value in found.items() if key not in CHANGING}

    def bans(self, name: str) -> list[str]:
        return [row["email"] for row in self.rest(f"lists/{name}.{LISTS}/bans").get("entries", [])]

    def people(self, name: str, role: str) -> list[str]:
        found = self.rest(f"lists/{name}.{LISTS}/roster/{role}").get("entries", [])
        return sorted(row["email"] for row in found)

    def held(self, name: str) -> int:
        return int(self.rest(f"lists/{name}.{LISTS}/held?count=1&page=1")["total_size"])

    def post(self, sender: str, to: str, subject: str, **headers: str) -> None:
        """Send, and wait until no mail is under way any more."""
        self.send(sender, to, subject, **headers)
        self.server.settle()

    def send(self, sender: str, to: str, subject: str, **headers: str) -> None:
        """Hand a message in."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, to, subject
        for name, value in headers.items():
            message[name] = value
        message.set_content("Hello\n")
        self.server.exim.send(message, sender, to)

    def mail(self, person: str) -> list[str]:
        """The subjects in a mailbox, in order."""
        return [str(message["Subject"]) for message in self.server.exim.mailbox(self.of(person))]


CHANGING = {"last_post_at", "digest_last_sent_at", "next_digest_number", "post_id", "volume", "moderator_password",
            "http_etag"}  # fmt: skip
"""What mail itself changes in a list, and a hash that is salted."""


@pytest.fixture(scope="module")
def office() -> Iterator[PostOffice]:
    """With all of Mailman's runners; skips where it cannot be had."""
    top = scratch()
    server = ListServer(top / "lists", *free_ports())
    try:
        try:
            server.start()
        except Blocked as missing:
            if "missing here" in str(missing):
                pytest.skip(str(missing))
            raise
        server.mailman.rest("domains", {"mail_host": LISTS})
        inventory = top / "inventory"
        inventory.mkdir()
        domain = {"driver": "mailman3", "url": server.mailman.url, "password_file": str(server.mailman.password_file)}
        settings = {"journal": f"sqlite:///{top}/journal/journal.db", "lists": {"domains": {LISTS: domain}}}
        (inventory / "hosts.yaml").write_text("hosts:\n  lists01: {address: 127.0.0.1}\n")
        (inventory / "settings.yaml").write_text(yaml.safe_dump(settings))
        yield PostOffice(server, inventory)
    finally:
        server.kill()
        shutil.rmtree(top)


@pytest.fixture
def inv(office: PostOffice) -> Inv:
    return Inv(office)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A host with Mailman 2."""
    with list_server() as made:
        yield made


@pytest.fixture
def server(lab: Lab) -> Iterator[Server]:
    """It, with no lists but the site's own."""
    with clean(lab) as made:
        yield made
