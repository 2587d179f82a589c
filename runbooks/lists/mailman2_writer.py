"""What changes mailing lists of GNU Mailman 2.1: its own commands, one for each change.

Each takes the list's lock and gives it back (Mailman/LockFile.py: ``locks/LIST.lock``); all but the queue runners wait
for it without end. One that ended without giving it back, as when the power went, leaves it for five hours
(LIST_LOCK_LIFETIME). So the lock is looked at first, and who has it is named.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runbooks import fibres
from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.lists import mailman2_reads as reads
from runbooks.lists.mailman2_text import source
from runbooks.lists.model import ListWriter, Settings, unlike
from runbooks.secret import Secret
from runbooks.systems.host import HostWriter

if TYPE_CHECKING:
    from runbooks.lists.mailman2 import Mailman2Reader, Mailman2Target

WRITE_S = 120.0
"""How long a command that changes a list may take; it may have to wait for the list's lock."""
LOCK_S = 20.0
"""How long somebody may have a list locked before nothing is tried; who has it for a mail is done sooner."""
LOOK_S = 0.2
"""How long between two looks at that."""
_NAME = re.compile(r"[a-z0-9][-+_.=a-z0-9]*")
"""What is taken as a new list's name (mm_cfg.ACCEPTABLE_LISTNAME_CHARACTERS); older lists may have others."""
# Without a terminal of its own, which some ways to a host give it, newlist (Python's getpass) takes the password from
# standard input. What is not the last command of a shell gets a process of its own, so that setsid does not fork: older
# ones cannot wait. Whose files are whose, Mailman sees to itself (os.umask, wherever it makes one).
_NO_TERMINAL = 'setsid "$@"; exit $?'


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
        """Its name must be free in all domains: a server has each once. Until it has its settings, a moment later, it
        is as the site's defaults have it, as no option of ``newlist`` sets anything: a site whose private lists must
        not be seen even then has DEFAULT_LIST_ADVERTISED = No and DEFAULT_ARCHIVE_PRIVATE = 1 in its mm_cfg.py."""
        if not _NAME.fullmatch(name):
            raise CommandFailed(f"Mailman 2 takes no list of the name {name!r}")
        found = self._writer.ask(reads.lists(self._target.commands))
        if name in found.domains:
            raise CommandFailed(f"there is a list {name}@{found.domains[name]} on {self._writer.host} already")
        if lock := found.locks.get(name):
            raise self._locked(name, lock)
        domain = self.reader.domain
        web = [f"--urlhost={found.web_hosts[domain]}"] if domain in found.web_hosts else []
        argv = ["newlist", "-q", *web, f"--emailhost={domain}", "--", name, owners[0]]
        with self._target.fresh.given(f"{name}@{domain}") as password:
            failed = self._make(name, argv, f"{password.reveal()}\n".encode())
        self._configure(name, {**self.reader.fresh(private), "owner": list(owners)})
        if failed:
            raise CommandFailed(
                f"{failed}: the list is there, with its settings and its password; tell the mail system of it by hand "
                f"({self._target.commands}/genaliases), then go on"
            )

    def _make(self, name: str, argv: Sequence[str], feed: bytes) -> CommandFailed | None:
        """What failed after the list was there: ``newlist`` saves it, and then has the mail system told (bin/newlist;
        Mailman/MTA/Postfix.py, ``_update_maps``). Raises CommandFailed, Lost."""

        def is_there() -> bool:
            return self.reader.settings(name) is not None

        try:
            self._run(argv, is_there, feed)
        except CommandFailed as failed:
            if not _holds(is_there):
                raise
            return failed
        return None

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
            return not unlike(self.reader.settings(name) or {}, values)

        try:
            self._run(_input_to(name), is_so, told)
        finally:
            entry = dict(self.transcript[-1])
            self.transcript[-1] = {**entry, "output": told.decode() + str(entry["output"])}

    def discard(self, name: str, ids: Sequence[str]) -> None:
        """By their files' names; the files themselves need not be there any more. One that is no request any more would
        end it with nothing saved (bin/discard), so those that have gone are left out."""
        self._need(name)
        gone = set(ids)
        here = [one.id for one in self.reader.held(name) if one.id in gone]
        if here:
            files = [f"heldmsg-{name}-{number}.pck" for number in here]
            self._run(["discard", "-q", "--", *files], lambda: not gone & {one.id for one in self.reader.held(name)})

    def set_password(self, name: str, account: str) -> None:
        """Not by ``change_pw``, which would have it in its arguments, and prints it."""
        self._need(name)
        with self._target.fresh.given(account) as password:
            told = source({"password": kept_as(password)}, "ascii")
            self._run(_input_to(name), lambda: self.reader.has_password(name, account), told)

    def _need(self, name: str) -> None:
        """Raises CommandFailed where there is no such list, or where somebody keeps it locked."""
        first = lock = self._lock(name)
        until = time.monotonic() + LOCK_S
        while lock is not None and lock == first and not lock.is_dead and time.monotonic() < until:
            fibres.sleep(LOOK_S)
            lock = self._lock(name)
        if lock is not None and lock == first:
            raise self._locked(name, lock)

    def _lock(self, name: str) -> reads.Lock | None:
        state = self._writer.ask(reads.state(self._target.commands, name))
        if state is None or state.domain != self.reader.domain:
            raise CommandFailed(f"there is no list {name}@{self.reader.domain}")
        return state.lock

    def _locked(self, name: str, lock: reads.Lock) -> CommandFailed:
        if lock.is_dead:
            return CommandFailed(
                f"{self._writer.host}: {lock.path} was left by process {lock.pid}, which has ended: nobody gets the "
                f"list {name} until it expires: look what that was, remove {lock.path}*, then try again"
            )
        return CommandFailed(
            f"{self._writer.host}: the list {name} is locked by process {lock.pid} of {lock.host} ({lock.path}), and "
            f"nothing was changed: look what it does, and try again when it has ended"
        )

    def _run(self, argv: Sequence[str], is_done: Callable[[], bool], feed: bytes | None = None) -> None:
        program = f"{self._target.commands}/{argv[0]}"
        self._writer.transcript = self.transcript
        try:
            self._writer.run("sh", "-c", _NO_TERMINAL, "sh", program, *argv[1:], feed=feed, timeout_s=WRITE_S)
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
