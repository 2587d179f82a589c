"""A list server in memory: a stand-in, with which a run can be cut off at any point. The real one is in test_mail_flow,
what each driver does in the drivers' own tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

from runbooks import fibres
from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.journal import Journal
from runbooks.lists.model import EVERYBODY, Held, ListReader, ListTarget, ListWriter, Settings
from runbooks.secret import Fresh
from runbooks.settings.sections import ListDomain, Lists

DOMAIN = "lists.example.org"
NEW = {"description": "", "owner": [], "moderator": [], "ban_list": [], "advertised": True, "open": True}


@dataclass
class Server:
    """The lists by name: their settings, the messages held for them, and who has which password. A write may be lost
    (``loses``: it is done, and no answer comes), or refused; the server may be dead. ``posts`` are lists in use."""

    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, list[Held]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    web_passwords: dict[str, str] = field(default_factory=dict)
    posts: set[str] = field(default_factory=set)
    loses: bool = False
    refuses: bool = False
    dead: bool = False
    has_own_password: bool = False
    web: str = ""
    has_web_accounts: bool = True
    writes: list[tuple[str, ...]] = field(default_factory=list)
    hooks: list[Callable[[str, str, str], None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    fresh: Fresh = field(default_factory=Fresh)

    def __getitem__(self, _name: str) -> PretendedTarget:
        return PretendedTarget(self)

    def rest(self, name: str) -> None:
        """Nothing to let go of."""

    def tell(self, point: str, what: str) -> None:
        """A write is at this point."""
        for hook in self.hooks:
            fibres.aside(partial(hook, point, DOMAIN, what))

    def of(self, name: str, **settings: Any) -> dict[str, Any]:
        """A list more."""
        self.lists[name] = NEW | {"description": f"about {name}", "owner": [f"boss@{DOMAIN}"]} | settings
        return self.lists[name]


class PretendedReader(ListReader):
    """A stand-in."""

    domain = DOMAIN

    def __init__(self, server: Server, run_id: str) -> None:
        self.server, self.run_id = server, run_id
        self.has_own_password = server.has_own_password

    def _alive(self) -> Server:
        if self.server.dead:
            raise Unreachable(f"@{DOMAIN}", "no answer")
        return self.server

    def names(self) -> Sequence[str]:
        return sorted(self._alive().lists)

    def settings(self, name: str) -> Settings | None:
        found = self._alive().lists.get(name)
        return None if found is None else dict(found)

    def held(self, name: str) -> Sequence[Held]:
        return tuple(self._alive().held.get(name, ()))

    def in_use(self, name: str) -> str:
        return "it has mail" if name in self._alive().posts else ""

    def accounts(self, name: str) -> Sequence[str]:
        if self.has_own_password:
            return (f"{name}@{DOMAIN}",)
        return tuple(self.server.lists[name]["owner"])

    def has_password(self, name: str, account: str) -> bool:  # noqa: ARG002
        fresh = self.server.fresh
        return fresh.is_made and self._alive().passwords.get(account) == fresh.make().reveal()

    @property
    def web(self) -> str:
        return self.server.web

    @property
    def password_note(self) -> str:
        return "a note on passwords"

    def web_account(self, account: str) -> str:
        if not self.server.has_web_accounts:
            raise Blocked(f"no web account has the address {account}")
        return account

    def has_web_password(self, account: str) -> bool:
        fresh = self.server.fresh
        return fresh.is_made and self.server.web_passwords.get(account) == fresh.make().reveal()

    def closed(self, settings: Settings) -> Settings:
        wanted = {"open": False, "ban_list": [*dict.fromkeys([*settings["ban_list"], EVERYBODY])]}
        return {key: value for key, value in wanted.items() if settings[key] != value}

    def reopened(self, settings: Settings) -> Settings:
        bans = [ban for ban in settings["ban_list"] if ban != EVERYBODY]
        return {} if settings["open"] and bans == settings["ban_list"] else {"open": True, "ban_list": bans}

    def fresh(self, private: bool) -> Settings:
        return {"advertised": not private}


class PretendedWriter(ListWriter):
    """A stand-in."""

    def __init__(self, server: Server, run_id: str) -> None:
        self.server, self.reader, self.run_id, self.transcript = server, PretendedReader(server, run_id), run_id, []

    def _write(self, *what: str, do: Callable[[], object]) -> None:
        server = self.server
        if server.dead:
            raise Unreachable(f"@{DOMAIN}", "no answer")
        server.tell("begin", what[0])
        if server.refuses:
            raise CommandFailed("refused")
        server.writes.append(what)
        do()
        server.tell("end", what[0])
        if server.loses:
            raise Lost(f"@{DOMAIN}", "no answer came")

    def create(self, name: str, owners: Sequence[str], private: bool) -> None:  # noqa: ARG002
        self._write("create", name, do=lambda: self.server.lists.update({name: NEW | {"owner": [owners[0]]}}))
        if self.server.has_own_password:
            self.set_password(name, f"{name}@{DOMAIN}")

    def remove(self, name: str) -> None:
        self._write("remove", name, do=lambda: self.server.lists.pop(name))

    def configure(self, name: str, values: Settings) -> None:
        """Bans first; and nobody who is banned becomes an owner, as in Mailman 3: that ban is lifted meanwhile."""
        for key, value in sorted(values.items(), key=lambda one: one[0] != "ban_list"):
            bans = self.server.lists[name]["ban_list"]
            is_lifted = key in ("owner", "moderator") and value and EVERYBODY in bans
            if is_lifted:
                self._set(name, "ban_list", [ban for ban in bans if ban != EVERYBODY])
            self._set(name, key, value)
            if is_lifted:
                self._set(name, "ban_list", bans)

    def _set(self, name: str, key: str, value: Any) -> None:
        self._write("configure", name, key, do=partial(self.server.lists[name].update, {key: value}))

    def discard(self, name: str, ids: Sequence[str]) -> None:
        for number, one in enumerate(ids):
            self.tell(f"{number} of {len(ids)} discarded")
            if self.hurried():
                raise CommandFailed("stopped before the rest")
            self._write("discard", name, one, do=partial(self._drop, name, one))

    def _drop(self, name: str, one: str) -> None:
        self.server.held[name] = [held for held in self.server.held.get(name, []) if held.id != one]

    def set_password(self, name: str, account: str) -> None:
        with self.server.fresh.given(account) as secret:
            text = secret.reveal()
            self._write("password", name, account, do=lambda: self.server.passwords.update({account: text}))

    def set_web_password(self, account: str) -> None:
        with self.server.fresh.given(account) as secret:
            text = secret.reveal()
            self._write("web", account, do=lambda: self.server.web_passwords.update({account: text}))


class PretendedTarget(ListTarget):
    """A stand-in."""

    name, domain = f"@{DOMAIN}", DOMAIN

    def __init__(self, server: Server) -> None:
        self.server = server

    def reader(self, run_id: str = "") -> PretendedReader:
        return PretendedReader(self.server, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[PretendedWriter]:  # noqa: ARG002
        yield PretendedWriter(self.server, run_id)

    def settle(self, wait_s: float) -> None:
        pass

    def close(self) -> None:
        pass


def site_of(server: Server, url: str = "sqlite:////nowhere/journal.db") -> Any:
    """What procedures look through."""
    lists = Lists((ListDomain(DOMAIN, url="http://127.0.0.1:1"),))
    site = SimpleNamespace(settings=SimpleNamespace(lists=lists), targets=server, fresh=server.fresh)
    if "nowhere" not in url:
        site.journal = Journal(url)
    return site
