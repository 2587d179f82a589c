"""Mailman and exim together, as one system of the lab: mail goes in at exim, through Mailman, and into mailboxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import Unreachable
from runbooks.lab.host import wait_for
from runbooks.lab.mail import ADDRESS, LISTS
from runbooks.lab.mail.exim import Exim
from runbooks.lab.mail.mailman import Mailman


@dataclass(frozen=True)
class ListServer:
    """The pair, in a folder; ``port`` is that of Mailman's REST API."""

    folder: Path
    port: int
    lmtp_port: int
    smtp_port: int
    name = "lists"
    address = ADDRESS

    @property
    def mailman(self) -> Mailman:
        """The list server."""
        return Mailman(self.folder / "mailman", self.port, self.lmtp_port, self.smtp_port)

    @property
    def exim(self) -> Exim:
        """The mail server in front of it and behind it."""
        return Exim(self.folder / "exim", self.smtp_port, self.mailman.folder, self.lmtp_port)

    def pid(self) -> int | None:
        """Mailman's first process."""
        return self.mailman.pid()

    def powered(self) -> bool:
        """Whether both run."""
        return bool(self.mailman.pid() and self.exim.pid())

    def frozen(self) -> bool:
        """Whether either stands still."""
        return self.mailman.frozen() or self.exim.frozen()

    def ports_are_free(self) -> bool:
        """Whether nobody has any of them."""
        return self.mailman.port_is_free() and self.exim.port_is_free()

    def start(self) -> None:
        """Until both answer; a live one is left alone. Raises Blocked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.exim.start()
        self.mailman.start()

    def kill(self) -> None:
        """End both as a power cut would; what they have taken on stays."""
        self.exim.kill()
        self.mailman.kill()

    def freeze(self) -> None:
        """Have both stand still. Raises Unreachable where either is dead."""
        self._alive()
        self.exim.freeze()
        self.mailman.freeze()

    def thaw(self) -> None:
        """Have both go on. Raises Unreachable where either is dead."""
        self._alive()
        self.exim.thaw()
        self.mailman.thaw()

    def _alive(self) -> None:
        if not self.powered():
            raise Unreachable(self.name, f"the lab's list server is dead; start it with: inv lab.start {self.name}")

    def add_list(self, name: str, **settings: Any) -> None:
        """A list of ``LISTS``, in Mailman's default style, with settings as the REST API has them. Raises Blocked."""
        if not self.mailman.rest("domains")["total_size"]:
            self.mailman.rest("domains", {"mail_host": LISTS})
        self.mailman.rest("lists", {"fqdn_listname": f"{name}@{LISTS}"})
        if settings:
            self.mailman.rest(f"lists/{name}.{LISTS}/config", settings, "PATCH")

    def add_member(self, name: str, address: str, role: str = "member") -> None:
        """A ``member``, ``owner`` or ``moderator`` of a list; nobody is told. Raises Blocked."""
        sure = dict.fromkeys(("pre_verified", "pre_confirmed", "pre_approved"), True) | {"send_welcome_message": False}
        about = {"list_id": f"{name}.{LISTS}", "subscriber": address, "role": role}
        self.mailman.rest("members", about | sure)

    def settle(self, timeout_s: float = 180) -> None:
        """Wait until no mail is under way: what is in no mailbox then comes into none. Raises RunbookError, and Blocked
        where Mailman has put a message aside for a fault of its own."""
        wait_for(self._quiet, timeout_s, "lab: lists: mail is still under way: see exim's and Mailman's logs")

    def _quiet(self) -> bool:
        # Mail goes on from exim to Mailman and back. What crosses over while we look is in exim's log by then.
        before = self.exim.history()
        return not self.exim.waiting() and not self.mailman.waiting() and self.exim.history() == before
