"""Every command that a Reader of Mailman 2 lists can run on a list server, on one page. None of them changes anything.

``config_list -c`` does not save what its input has done to a list, and takes no lock (bin/config_list: "With this
option, the modified list is not actually changed"); the two programs here only look at it. They are for Python 2.6 and
later, as Mailman 2.1 runs on. Reading a list may still mend it (Mailman/MailList.py, ``Load``): where its config.pck is
damaged, the one before that takes its place, and what an older release has left is brought up to date, both under the
list's lock.

That there is no list is believed of ``list_lists -b`` alone, by the whole name: other commands say so by a status, by a
text, or not at all, and ``config_list`` says it of a damaged list, too. ``list_lists`` opens each list, so that a
damaged one stops it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any, NamedTuple, TypeVar

from runbooks.errors import CommandFailed
from runbooks.lists.mailman2_text import Config, literal, parse
from runbooks.lists.model import Held
from runbooks.systems.reads import Read
from runbooks.transport.quoting import command_line
from runbooks.transport.shell import Result

T = TypeVar("T", covariant=True)
_MARK = "ops-clinic: "
# The last file that was looked for, of an older release, is what is told (Mailman/MailList.py, Load).
_DAMAGED = re.compile(r"MMCorruptListDatabaseError: .*/([^/]+)/config\.")
_SHOW = r"""
    try:
        show = ascii
    except NameError:
        show = repr
    sys.stdout.write('ops-clinic: ' + show(found) + '\n')
look()
del look
"""
_LOCKS = r"""
    import errno, os, socket, sys, time
    from Mailman import mm_cfg
    locks = []
    for name in os.listdir(mm_cfg.LOCK_DIR):
        path = os.path.join(mm_cfg.LOCK_DIR, name)
        if not name.endswith('.lock'):
            continue
        try:
            stream = open(path)
            # PATH.HOST.PID.COUNT; its time is when it expires, and some seconds later anybody may break it
            words = stream.read()[len(path) + 1:].split('.')
            stream.close()
            if time.time() > os.path.getmtime(path) + 10:
                continue
        except (IOError, OSError):
            continue
        if len(words) < 3 or not words[-2].isdigit():
            continue
        host, dead = '.'.join(words[:-2]), 0
        if host == socket.gethostname():
            try:
                os.kill(int(words[-2]), 0)
            except OSError:
                dead = sys.exc_info()[1].errno == errno.ESRCH
        locks.append((name[:-5], path, host, int(words[-2]), words[-1], int(dead)))
"""
_LISTS_PROGRAM = (
    "def look():"
    + _LOCKS
    + r"""
    from Mailman import MailList, Utils
    names = list(Utils.list_names())
    names.sort()
    lists = [(name, MailList.MailList(name, lock=0).host_name) for name in names]
    hosts = list(mm_cfg.VIRTUAL_HOSTS.items())
    hosts.sort()
    hosts.insert(0, (mm_cfg.DEFAULT_URL_HOST, mm_cfg.DEFAULT_EMAIL_HOST))
    found = (lists, hosts, locks)
"""
    + _SHOW
)
_STATE_PROGRAM = (
    "def look():"
    + _LOCKS
    + r"""
    from hashlib import sha256
    try:
        import cPickle as pickle
    except ImportError:
        import pickle
    requests, path = {}, os.path.join(mlist.fullpath(), 'request.pck')
    if os.path.exists(path):
        stream = open(path, 'rb')
        requests = pickle.load(stream)
        stream.close()
    held, others = [], 0
    for number, (kind, data) in requests.items():
        if kind == 1:
            held.append((data[0], number, '%s' % (data[1],), '%s' % (data[2],)))
        elif number != 'version':
            others = others + 1
    held.sort()
    box = mlist.ArchiveFileName()
    archive = os.path.exists(box) and int(os.path.getsize(box)) or 0
    password = mlist.password or ''
    if not isinstance(password, bytes):
        password = password.encode('utf-8')
    counts = (others, len(mlist.getMembers()), int(mlist.post_id) - 1, archive)
    own = [lock for lock in locks if lock[0] == mlist.internal_name()]
    found = (held, counts, sha256(password).hexdigest(), mlist.host_name, own)
"""
    + _SHOW
)
_NEEDED = {"host_name", "description", "owner", "moderator", "ban_list", "header_filter_rules", "emergency"}
_UNLESS_UNKNOWN = (
    ' && exit; was=$?; names=$("$1/list_lists" -b) || exit; '
    'printf "%s\\n" "$names" | grep -qixF -e "$2" || exit 0; exit $was'
)
READ_S = 120.0
"""How long a question may take: ``list_lists`` opens each list."""


class Lock(NamedTuple):
    """Who has a list: a process on a host, which takes each lock under another ``number``. One that ``is_dead`` has
    ended without giving it back: no command gets the list before the lock expires."""

    path: str
    host: str
    pid: int
    number: str
    is_dead: bool


class Lists(NamedTuple):
    """What a list server has: the mail domain of each list, the web host of each mail domain (the server's own one for
    its own), and who has which list locked."""

    domains: Mapping[str, str]
    web_hosts: Mapping[str, str]
    locks: Mapping[str, Lock]


class State(NamedTuple):
    """What a list has beside its settings. ``others`` are requests to join or leave; ``posts`` were ever delivered,
    ``archive_bytes`` lie in its archive. ``password_digest`` is the SHA-256 of what is kept of its password, which is
    an SHA-1 in hexadecimal; that itself stays on the host. ``domain`` is its mail domain, ``lock`` who has it."""

    held: tuple[Held, ...]
    others: int
    members: int
    posts: int
    archive_bytes: int
    password_digest: str
    domain: str
    lock: Lock | None


@dataclass(frozen=True, slots=True)
class MailmanRead(Read[T]):
    """A question that Mailman's commands answer. They print their whole help before what is wrong, or a traceback: the
    last line says it."""

    def answer(self, host: str, result: Result) -> T:
        """The answer's meaning. Raises CommandFailed for one that is none."""
        where = f"{host}: Mailman's commands in {command_line(self.argv[4:5])}"
        if result.status:
            raise CommandFailed(f"{where} returned {result.status}: {_why(result)}")
        try:
            return self.parse(result)
        except (ValueError, IndexError) as error:
            raise CommandFailed(f"{where}: cannot read their answer: {error}") from error


def _why(result: Result) -> str:
    said: bytes = result.stderr.strip() or result.stdout.strip() or b"they printed nothing"
    line = said.decode("utf-8", "replace").splitlines()[-1][:300]
    damaged = _DAMAGED.search(line)
    return f"the list {damaged[1]} is damaged: bring its config.pck back from a backup: {line}" if damaged else line


def _script(text: str, *arguments: str) -> tuple[str, ...]:
    return ("sh", "-c", text, "sh", *arguments)


def lists(commands: str) -> Read[Lists]:
    """The lists of all domains; ``commands`` is the directory of Mailman's commands."""
    text = (
        'names=$("$1/list_lists" -b) || exit; first=$(printf "%s\\n" "$names" | head -n 1); '
        '[ -z "$first" ] || printf "%s" "$2" | "$1/config_list" -c -i /dev/stdin -- "$first"'
    )

    def meaning(result: Result) -> Lists:
        if not result.stdout.strip():
            return Lists({}, {}, {})
        domains, web_hosts, locks = _told(result)
        return Lists(
            {name: domain.lower() for name, domain in domains},
            {domain.lower(): web_host for web_host, domain in reversed(web_hosts)},
            dict(map(_lock, locks)),
        )

    return MailmanRead(_script(text, commands, _LISTS_PROGRAM), meaning, timeout_s=READ_S)


def config(commands: str, name: str) -> Read[Config | None]:
    """A list's settings, or None where there is no such list."""
    text = '"$1/config_list" -o - -- "$2"' + _UNLESS_UNKNOWN

    def meaning(result: Result) -> Config | None:
        found = parse(result.stdout) if result.stdout.strip() else None
        if found and (missing := _NEEDED - set(found.settings)):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return found

    return MailmanRead(_script(text, commands, name), meaning, timeout_s=READ_S)


def state(commands: str, name: str) -> Read[State | None]:
    """What else there is to know of a list, or None where there is no such list."""
    text = 'printf "%s" "$3" | "$1/config_list" -c -i /dev/stdin -- "$2"' + _UNLESS_UNKNOWN

    def meaning(result: Result) -> State | None:
        if not result.stdout.strip():
            return None
        held, counts, digest, domain, locks = _told(result)
        messages = tuple(Held(str(number), sender, _readable(subject)) for _, number, sender, subject in held)
        lock = next((lock for _, lock in map(_lock, locks)), None)
        others, members, posts, archive_bytes = counts
        return State(messages, others, members, posts, archive_bytes, digest, domain.lower(), lock)

    return MailmanRead(_script(text, commands, name, _STATE_PROGRAM), meaning, timeout_s=READ_S)


def _lock(row: Sequence[Any]) -> tuple[str, Lock]:
    name, path, host, pid, number, dead = row
    return name, Lock(path, host, pid, number, bool(dead))


def _told(result: Result) -> list[Any]:
    """What a program has found. Raises ValueError."""
    lines = [line for line in result.text.split("\n") if line.startswith(_MARK)]
    if len(lines) != 1:
        raise ValueError(f"no answer: {result.text[:200]!r}")
    found: list[Any] = literal(lines[0].removeprefix(_MARK), "utf-8")
    return found


def _readable(header: str) -> str:
    """A subject without its encoding (RFC 2047), on one line."""
    try:
        text = str(make_header(decode_header(header)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        text = header
    return " ".join(text.split())
