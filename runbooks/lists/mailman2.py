"""Mailing lists of GNU Mailman 2.1, by its commands on the list server over ssh.

Written after the source of 2.1.22 to 2.1.39 (bin/, Mailman/Gui, Mailman/Handlers, Mailman/LockFile.py), as which its
commands are documented in their own help texts. What they are told stands on their standard input; settings as Python
source (``config_list -i /dev/stdin``), in which every value is a literal.

Each command that changes a list takes its lock and gives it back (``locks/LIST.lock``). One that ended without that, as
when the power went, leaves it: then nobody gets the list for five hours (LIST_LOCK_LIFETIME), and a command would wait
as long. So dead locks are looked for first, and named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.lists import mailman2_reads as reads
from runbooks.lists import mailman2_rules as rules
from runbooks.lists.mailman2_text import Config, source
from runbooks.lists.model import Held, ListReader, ListTarget, ListWriter, Settings
from runbooks.secret import Fresh, Secret
from runbooks.systems.host import HostTarget, HostWriter
from runbooks.systems.reads import Read

if TYPE_CHECKING:
    from runbooks.settings_sections import ListDomain

T = TypeVar("T")
WRITE_S = 120.0
"""How long a command that changes a list may take; it may have to wait for the list's lock."""
_NAME = re.compile(r"[a-z0-9][-+_.=a-z0-9]*")
"""What is taken as a new list's name (mm_cfg.ACCEPTABLE_LISTNAME_CHARACTERS); older lists may have others."""
_WORD = re.compile(r"[!-~]+")
# Files are the mail system's alone, as those that it writes by itself. Without a terminal of its own, which some ways
# to a host give it, newlist (Python's getpass) takes the password from standard input.
_AS_MAILMAN = 'umask 007; exec setsid -w "$@"'


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
        found = self._ask(reads.state(self._target.commands, name)) if self.config(name) else None
        return found or reads.State((), 0, 0, 0, 0, "")

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


def kept_as(password: Secret) -> str:
    """What Mailman keeps of a list's password (SecurityManager.py): its SHA-1, in hexadecimal."""
    return hashlib.sha1(password.reveal().encode(), usedforsecurity=False).hexdigest()


class Mailman2Writer(ListWriter):
    """Changes the lists of one domain, under the list server's lock."""

    def __init__(self, target: Mailman2Target, reader: Mailman2Reader, writer: HostWriter) -> None:
        self.reader: Mailman2Reader = reader
        self.run_id = writer.run_id
        self.transcript = writer.transcript
        self._target = target
        self._writer = writer

    def create(self, name: str, owners: Sequence[str], private: bool) -> None:
        """Its name must be free in all domains: a server has each once. It is public until it has its settings, a
        moment later."""
        if not _NAME.fullmatch(name):
            raise CommandFailed(f"Mailman 2 takes no list of the name {name!r}")
        found = self._look(name)
        if name in found.domains:
            raise CommandFailed(f"there is a list {name}@{found.domains[name]} on {self._writer.host} already")
        domain = self.reader.domain
        web = [f"--urlhost={found.web_hosts[domain]}"] if domain in found.web_hosts else []
        argv = ["newlist", "-q", *web, f"--emailhost={domain}", "--", name, owners[0]]
        with self._target.fresh.given(f"{name}@{domain}") as password:
            feed = f"{password.reveal()}\n".encode()
            self._run(argv, lambda: self.reader.settings(name) is not None, feed)
        self._configure(name, {**self.reader.fresh(private), "owner": list(owners)})

    def remove(self, name: str) -> None:
        """With its empty archive; one that holds anything is not ours to take away."""
        self._need(name)
        if why := self.reader.in_use(name):
            raise CommandFailed(f"{name}@{self.reader.domain} is in use ({why}): nothing was removed")
        self._run(["rmlist", "-a", "--", name], lambda: self.reader.settings(name) is None)

    def configure(self, name: str, values: Settings) -> None:
        """Through ``config_list``, which says what it was told in ``transcript``."""
        self._need(name)
        self._configure(name, values)

    def _configure(self, name: str, values: Settings) -> None:
        config = self.reader.config(name)
        if config is None:
            raise CommandFailed(f"there is no list {name}@{self.reader.domain}")
        if unknown := sorted(set(values) - set(config.settings)):
            raise CommandFailed(f"{name}@{self.reader.domain} has no setting {', '.join(unknown)}")
        told = source(values, config.charset)

        def is_so() -> bool:
            settings = self.reader.settings(name) or {}
            return all(settings.get(key) == value for key, value in values.items())

        try:
            self._run(_input_to(name), is_so, told)
        finally:
            entry = dict(self.transcript[-1])
            self.transcript[-1] = {**entry, "output": told.decode() + str(entry["output"])}

    def discard(self, name: str, ids: Sequence[str]) -> None:
        """By their files' names; the files themselves need not be there any more."""
        self._need(name)
        gone = set(ids)
        here = [one.id for one in self.reader.held(name) if one.id in gone]
        if here:
            files = [f"heldmsg-{name}-{number}.pck" for number in here]
            self._run(["discard", "-q", "--", *files], lambda: not gone & {one.id for one in self.reader.held(name)})

    def set_password(self, name: str, account: str) -> None:
        """Not by ``change_pw``, which would have it in its arguments, or make one and print it."""
        self._need(name)
        with self._target.fresh.given(account) as password:
            told = source({"password": kept_as(password)}, "ascii")
            self._run(_input_to(name), lambda: self.reader.has_password(name, account), told)

    def _look(self, name: str) -> reads.Lists:
        """What there is, where nothing dead stands in the way. Raises CommandFailed."""
        found = self._writer.ask(reads.lists(self._target.commands))
        if dead := found.dead.get(name):
            raise CommandFailed(
                f"{self._writer.host}: {dead.path} was left by process {dead.pid}, which has ended: nobody gets the "
                f"list {name} until it expires: look what that was, remove {dead.path}*, then try again"
            )
        return found

    def _need(self, name: str) -> None:
        if self._look(name).domains.get(name) != self.reader.domain:
            raise CommandFailed(f"there is no list {name}@{self.reader.domain}")

    def _run(self, argv: Sequence[str], is_done: Callable[[], bool], feed: bytes | None = None) -> None:
        program = f"{self._target.commands}/{argv[0]}"
        self._writer.transcript = self.transcript
        try:
            self._writer.run("sh", "-c", _AS_MAILMAN, "sh", program, *argv[1:], feed=feed, timeout_s=WRITE_S)
        except Lost:
            if not _holds(is_done):
                raise


def _input_to(name: str) -> list[str]:
    return ["config_list", "-i", "/dev/stdin", "--", name]


def _holds(is_done: Callable[[], bool]) -> bool:
    try:
        return is_done()
    except (Unreachable, Blocked, Lost):
        return False


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
