"""Lists of a Mailman 3 core, changed by its REST API.

A write is sent once. Where its answer does not come, it is looked for; a core that only stood still carries it out when
it wakes up, so what is then not to be seen is unknown, and never said to have failed.

Sources: Mailman 3.3.8, rest/ (lists.py, listconf.py, members.py, bans.py, users.py, post_moderation.py),
app/membership.py (nobody who is banned becomes an owner, either), model/bans.py (what a pattern covers counts as banned
already).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.lists.mailman3_api import NoAnswer, Refused, opened, quoted
from runbooks.lists.mailman3_reader import HELD_PAGE, ROLES, Mailman3Reader
from runbooks.lists.mailman3_web import WebLogins
from runbooks.lists.model import EVERYBODY, ListTarget, ListWriter, Settings, unlike
from runbooks.model import Json
from runbooks.secret import Fresh, Secret
from runbooks.settings.sections import ListDomain
from runbooks.systems.host import HostTarget

# The first that a core has: 3.1 has none for private lists, and would make a list of an unknown style without any.
_STYLES = {True: ("private-default", "legacy-default"), False: ("legacy-default",)}


class Mailman3Writer(ListWriter):
    """Changes the lists of a domain."""

    reader: Mailman3Reader

    def __init__(self, target: Mailman3Target, run_id: str, epoch: int, wait_s: float) -> None:
        self.run_id = run_id
        self.transcript = []
        self.reader = target.reader(run_id)
        self._core, self._web, self._fresh = target.core, target.web, target.fresh
        self._lock = run_id, epoch, wait_s

    def create(self, name: str, owners: Sequence[str], private: bool) -> None:
        """Make a list of Mailman's own style, then its owners; nobody is told."""
        offered = self.reader.styles()
        style = next((one for one in _STYLES[private] if one in offered), None)
        if style is None:
            raise CommandFailed(
                f"{self._core.name}: has none of the styles {', '.join(_STYLES[private])}: there are "
                f"{', '.join(offered) or 'none'}"
            )
        address = f"{name}@{self.reader.domain}"
        self._write(
            "POST",
            "lists",
            f"{address}, {style}",
            lambda: self.reader.list_id(name) is not None,
            {"fqdn_listname": address, "style_name": style},
            # One that is there already is somebody else's.
            is_repeatable=False,
        )
        # Else the first mail has two runners make the list's rows of archivers at once: with double ones, Mailman 3.3.8
        # sets all later mail aside (model/mailinglist.py, ListArchiverSet).
        with suppress(Unreachable, Blocked):
            self._core.get(f"{self.reader.path(name)}/archivers")
        self._set_role(name, "owner", owners)

    def remove(self, name: str) -> None:
        """Take a list away, with all that belongs to it."""
        self._write("DELETE", self.reader.path(name), "", lambda: self.reader.list_id(name) is None)

    def configure(self, name: str, values: Settings) -> None:
        """Bans, then roles, then all else at once: a list is closed by the first, and opened by the last."""
        if "ban_list" in values:
            self._set_bans(name, values["ban_list"])
        for role in ROLES:
            if role in values:
                self._set_role(name, role, values[role])
        config = {key: value for key, value in values.items() if key not in (*ROLES, "ban_list")}
        if config:
            path = f"{self.reader.path(name)}/config"
            self._write("PATCH", path, ", ".join(config), lambda: self._holds(name, config), config)

    def _holds(self, name: str, config: Settings) -> bool:
        return not unlike(self.reader.settings(name) or {}, config)

    def _set_bans(self, name: str, wanted: Sequence[str]) -> None:
        have = self.reader.bans(name)
        for ban in have:
            if ban not in wanted:
                self._unban(name, ban)
        self._ban(name, [ban for ban in wanted if ban not in have])

    def _ban(self, name: str, bans: Sequence[str]) -> None:
        # What a pattern covers is refused as banned already, so patterns come after addresses, and everybody last.
        for ban in sorted(bans, key=lambda one: (one.startswith("^"), one == EVERYBODY)):
            self._write("POST", f"{self.reader.path(name)}/bans", ban, partial(self._bans, name, ban), {"email": ban})

    def _bans(self, name: str, ban: str) -> bool:
        return ban in self.reader.bans(name)

    def _unban(self, name: str, ban: str) -> None:
        path = f"{self.reader.path(name)}/bans/{quoted(ban)}"
        self._write("DELETE", path, ban, lambda: not self._bans(name, ban))

    def _set_role(self, name: str, role: str, wanted: Sequence[str]) -> None:
        have = self.reader.members(name, role)
        addresses = [one.lower() for one in wanted]
        if missing := [one for one in addresses if one not in have]:
            # Who is banned gets no role: such bans are lifted for a moment, in which a closed list still is silent.
            lifted = [ban for ban in self.reader.bans(name) if any(_covers(ban, one) for one in missing)]
            for ban in lifted:
                self._unban(name, ban)
            try:
                for address in missing:
                    self._give(name, role, address)
            finally:
                self._ban(name, lifted)
        for address, number in have.items():
            if address not in addresses:
                self._take(name, role, address, number)

    def _give(self, name: str, role: str, address: str) -> None:
        form = {"list_id": self.reader.list_id(name), "subscriber": address, "role": role}
        about = f"{address}, {role} of {name}"
        self._write("POST", "members", about, lambda: address in self.reader.members(name, role), form)

    def _take(self, name: str, role: str, address: str, number: str) -> None:
        about = f"{address}, {role} of {name}"
        path = f"members/{quoted(number)}"
        self._write("DELETE", path, about, lambda: address not in self.reader.members(name, role))

    def discard(self, name: str, ids: Sequence[str]) -> None:
        """One by one; their senders are not told."""
        for number in ids:
            path = f"{self.reader.path(name)}/held/{quoted(number)}"
            is_gone = partial(self._is_gone, name, number)
            self._write("POST", path, "discard", is_gone, {"action": "discard"})

    def discard_all(self, name: str) -> None:
        """A few at a time, as they are read, and the oldest first. Side by side it is no quicker: the core writes one
        after the other (3.3.8, two workers on SQLite), and Postorius does as much. Raises CommandFailed, Lost."""
        gone: set[str] = set()
        while True:
            total, held = self.reader.oldest_held(name, HELD_PAGE)
            fresh = [one.id for one in held if one.id not in gone]
            if not fresh:
                return
            how_far = f"{len(gone):,} of {len(gone) + total:,} discarded"
            if self.hurried():
                raise CommandFailed(f"{how_far}: stopped before the rest")
            self.tell(how_far)
            self.discard(name, fresh)
            gone.update(fresh)

    def _is_gone(self, name: str, number: str) -> bool:
        return not self.reader.is_held(name, number)

    def set_password(self, name: str, account: str) -> None:
        """That of the owner in Mailman itself; an owner without a user gets one."""
        is_there = self.reader.has_account(account)
        method, path = ("PATCH", f"users/{quoted(account)}") if is_there else ("POST", "users")
        with self._fresh.given(account) as password:
            form: dict[str, Json | Secret] = (
                {"cleartext_password": password} if is_there else {"email": account, "password": password}
            )
            self._write(method, path, f"password of {account}", lambda: self.reader.has_password(name, account), form)

    def set_web_password(self, account: str) -> None:
        """By Django's command, on the list server's host. Raises Busy, too."""
        self._web.set(account, self._lock, self.transcript)

    def _write(
        self,
        method: str,
        path: str,
        about: str,
        holds: Callable[[], bool],
        form: Mapping[str, Json | Secret] | None = None,
        is_repeatable: bool = True,
    ) -> None:
        """Send it. Where it is refused though it may have been done before, or is not answered, ``holds`` decides."""
        command = f"{method} {self._core.url}/{path}" + (f"    # {about}" if about else "")
        entry: dict[str, Json] = {"command": command, "status": None, "seconds": 0.0, "output": ""}
        self.transcript.append(entry)
        started = time.monotonic()
        refused, why = 0, ""
        try:
            self._core.send(method, path, form)
            entry["status"] = 0
        except Refused as error:
            refused, why = error.status, f"{error.status} {error}"
            entry |= {"status": error.status, "output": why}
        except NoAnswer as error:
            why = str(error)
            entry["output"] = why
        entry["seconds"] = round(time.monotonic() - started, 3)
        # What has failed inside the core, or behind a proxy, may have been done.
        if why and (refused == 0 or refused >= 500):
            self._look_again(holds, why)
        elif refused and not (is_repeatable and refused in (400, 404, 409) and self._is_so(holds)):
            raise CommandFailed(f"{self._core.name}: {command}: {why}")

    def _look_again(self, holds: Callable[[], bool], why: str) -> None:
        """Where no answer came: it was carried out all the same, or is unknown. Raises Lost."""
        try:
            found = holds()
        except (Unreachable, Blocked) as error:
            raise Lost(self._core.name, f"{why}; {error}") from error
        if not found:
            raise Lost(self._core.name, f"{why}; it is not so now, and may yet come")

    @staticmethod
    def _is_so(holds: Callable[[], bool]) -> bool:
        try:
            return holds()
        except (Unreachable, Blocked):
            return False


def _covers(ban: str, address: str) -> bool:
    """Whether a ban is in an address's way, as model/bans.py has it."""
    try:
        return ban == address or (ban.startswith("^") and re.match(ban, address, re.IGNORECASE) is not None)
    except re.error:
        return False


class Mailman3Target(ListTarget):
    """The lists of a domain on a Mailman 3 core."""

    takes_password = True

    def __init__(self, domain: ListDomain, password: Secret, host: Callable[[], HostTarget], fresh: Fresh) -> None:
        """Raises SettingsError."""
        self.domain, self.name = domain.name, f"@{domain.name}"
        setting = f"lists.domains.{domain.name}"
        self.core = opened(self.name, setting, domain, password)
        self.web = WebLogins(domain, setting, host, fresh)
        self.fresh = fresh

    def reader(self, run_id: str = "") -> Mailman3Reader:
        """A Reader; nothing is asked before it looks."""
        return Mailman3Reader(self.domain, self.core, self.web, self.fresh, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[Mailman3Writer]:
        """A Writer, for who can look: who cannot has sent nothing. No lock is needed: what is sent is the state that is
        to be, and a run owns its list. Raises Unreachable, Blocked."""
        writer = Mailman3Writer(self, run_id, epoch, wait_s)
        writer.reader.look()
        yield writer

    def settle(self, wait_s: float) -> None:
        """Nothing can be waited for: a write is carried out in no time, or whenever the core wakes up."""

    def close(self) -> None:
        """Nothing is held open."""
