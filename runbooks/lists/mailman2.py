"""Mailing lists of GNU Mailman 2.1, by its commands on the list server over ssh.

Written after the source of 2.1.9 to 2.1.39 (bin/, cron/, Mailman/Gui, Mailman/Handlers, Mailman/LockFile.py), as which
its commands are documented in their own help texts. What they are told stands on their standard input; settings as
Python source (``config_list -i /dev/stdin``), in which every value is a literal. It returns 0 even where it has not
taken a value (bin/config_list, ``do_input``): so each one is read back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from runbooks.errors import Blocked, CommandFailed
from runbooks.lists import mailman2_reads as reads
from runbooks.lists import mailman2_rules as rules
from runbooks.lists.mailman2_text import Config
from runbooks.lists.mailman2_writer import Mailman2Writer, kept_as
from runbooks.lists.model import Held, ListReader, ListTarget, Settings
from runbooks.secret import Fresh, Secret
from runbooks.systems.host import HostTarget
from runbooks.systems.reads import Read

if TYPE_CHECKING:
    from runbooks.settings.sections import ListDomain

T = TypeVar("T")
_WORD = re.compile(r"[!-.0-~]+")
"""What can be asked for: older lists may have other names than new ones can get. No path, which releases before 2.1.20
would follow."""
_UNKNOWN = reads.State((), 0, 0, 0, 0, "", "", None)


class Mailman2Reader(ListReader):
    """Looks at the lists of one domain."""

    has_own_password = True
    web = ""
    password_note = (
        "this is the list's own password, for its administration by web and mail; whoever is logged in has to log in "
        "again; the moderators' and the posters' passwords, and the site's, stay as they are"
    )

    def __init__(self, target: Mailman2Target, run_id: str) -> None:
        self.domain = target.domain
        self.run_id = run_id
        self._target = target
        self._still: dict[Any, Any] | None = None

    def hold_still(self, likely: object = None) -> None:  # noqa: ARG002
        """Ask each question once."""
        self._still = {}

    def _ask(self, read: Read[T]) -> T:
        if self._still is not None and read.argv in self._still:
            known: T = self._still[read.argv]
            return known
        try:
            answer = self._target.host.reader(self.run_id).ask(read)
        except CommandFailed as error:
            raise Blocked(str(error)) from error
        if self._still is not None:
            self._still[read.argv] = answer
        return answer

    def lists(self) -> reads.Lists:
        """What the server has, of any domain."""
        return self._ask(reads.lists(self._target.commands))

    def names(self) -> Sequence[str]:
        """Those whose mail domain (``host_name``) is this one."""
        return sorted(name for name, domain in self.lists().domains.items() if domain == self.domain)

    def config(self, name: str) -> Config | None:
        """The settings, and what they are written in."""
        found = self._ask(reads.config(self._target.commands, name)) if _WORD.fullmatch(name) else None
        if found is None or str(found.settings.get("host_name")).lower() != self.domain:
            return None
        own = {key: sorted({str(one).lower() for one in found.settings[key]}) for key in ("owner", "moderator")}
        return Config(found.charset, {**found.settings, **own})

    def settings(self, name: str) -> Settings | None:
        """What ``config_list`` prints: no password is among them."""
        found = self.config(name)
        return None if found is None else found.settings

    def state(self, name: str) -> reads.State:
        """What else there is to know; nothing of a list that is not there."""
        found = self._ask(reads.state(self._target.commands, name)) if _WORD.fullmatch(name) else None
        return found if found and found.domain == self.domain else _UNKNOWN

    def held(self, name: str) -> Sequence[Held]:
        """The messages among its requests."""
        return self.state(name).held

    def in_use(self, name: str) -> str:
        """An archive counts, too: an earlier list of that name may have left it."""
        state = self.state(name)
        found = {
            "members": state.members,
            "posts": state.posts,
            "held messages": len(state.held),
            "requests to join or leave": state.others,
            "bytes in its archive": state.archive_bytes,
        }
        return ", ".join(f"{number:,} {what}" for what, number in found.items() if number)

    def taken(self, name: str) -> str:
        """A server has each name once, whatever the domain."""
        domain = self.lists().domains.get(name, self.domain)
        return "" if domain == self.domain else f"{name}@{domain}"

    def accounts(self, name: str) -> Sequence[str]:
        """It is the list that has one."""
        return (f"{name}@{self.domain}",)

    def has_password(self, name: str, account: str) -> bool:  # noqa: ARG002
        """By a digest of what is kept of it."""
        if not self._target.fresh.is_made:
            return False
        kept = hashlib.sha256(kept_as(self._target.fresh.make()).encode()).hexdigest()
        return self.state(name).password_digest == kept

    def closed(self, settings: Settings) -> Settings:
        """See mailman2_rules."""
        return rules.closed(settings)

    def reopened(self, settings: Settings) -> Settings:
        """See mailman2_rules."""
        return rules.reopened(settings)

    def fresh(self, private: bool) -> Settings:
        """By the page."""
        return rules.fresh(private)


class Mailman2Target(ListTarget):
    """The lists of one domain on one server."""

    def __init__(self, domain: ListDomain, password: Secret, host: Callable[[], HostTarget], fresh: Fresh) -> None:  # noqa: ARG002
        self.domain = domain.name.lower()
        self.name = f"@{domain.name}"
        self.commands = domain.bin.rstrip("/")
        self.fresh = fresh
        self._host = host

    @property
    def host(self) -> HostTarget:
        """The list server."""
        return self._host()

    def reader(self, run_id: str = "") -> Mailman2Reader:
        """A Reader; nothing is asked before it looks."""
        return Mailman2Reader(self, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[Mailman2Writer]:
        """A Writer that holds the list server's lock. Raises Unreachable, Busy, Fenced."""
        with self.host.writer(run_id, epoch, wait_s) as writer:
            yield Mailman2Writer(self, self.reader(run_id), writer)

    def settle(self, wait_s: float) -> None:
        """Wait until no command of ours runs there. Raises Unreachable, Busy."""
        self.host.settle(wait_s)

    def rest(self) -> None:
        """Nothing more is asked or done for now."""
        self.host.rest()

    def close(self) -> None:
        """Close the connection."""
        self.host.close()
