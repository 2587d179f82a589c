"""Every command that a Reader of Mailman 2 lists can run on a list server, on one page. None of them changes anything.

``config_list -c`` does not save what its input has done to a list, and takes no lock (bin/config_list: "With this
option, the modified list is not actually changed"); the two programs here only look at it. They are for Python 2.6 and
later, as Mailman 2.1 runs on.

Whether there is a list is decided by ``list_lists -b`` alone, by the whole name: other commands say so by a status, by
a text, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any, NamedTuple

from runbooks.lists.mailman2_text import Config, literal, parse
from runbooks.lists.model import Held
from runbooks.systems.reads import Read
from runbooks.transport.shell import Result

_MARK = "ops-clinic: "
_SHOW = r"""
    try:
        show = ascii
    except NameError:
        show = repr
    sys.stdout.write('ops-clinic: ' + show(found) + '\n')
look()
del look
"""
_LISTS_PROGRAM = (
    r"""
def look():
    import errno, os, socket, sys
    from Mailman import MailList, Utils, mm_cfg
    names = list(Utils.list_names())
    names.sort()
    lists = [(name, MailList.MailList(name, lock=0).host_name) for name in names]
    dead = []
    for name in os.listdir(mm_cfg.LOCK_DIR):
        path = os.path.join(mm_cfg.LOCK_DIR, name)
        if not name.endswith('.lock'):
            continue
        try:
            stream = open(path)
        except IOError:
            continue
        # PATH.HOST.PID.COUNTER
        words = stream.read()[len(path) + 1:].split('.')
        stream.close()
        if len(words) < 3 or '.'.join(words[:-2]) != socket.gethostname() or not words[-2].isdigit():
            continue
        try:
            os.kill(int(words[-2]), 0)
        except OSError:
            if sys.exc_info()[1].errno == errno.ESRCH:
                dead.append((name[:-5], path, int(words[-2])))
    found = (lists, list(mm_cfg.VIRTUAL_HOSTS.items()), dead)
"""
    + _SHOW
)
_STATE_PROGRAM = (
    r"""
def look():
    import os, sys
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
    found = (held, others, len(mlist.getMembers()), int(mlist.post_id) - 1, archive, sha256(password).hexdigest())
"""
    + _SHOW
)
_NEEDED = {"host_name", "description", "owner", "moderator", "ban_list", "header_filter_rules", "emergency"}
_LISTED = 'names=$("$1/list_lists" -b) || exit; printf "%s\\n" "$names" | grep -qixF -e "$2" || exit 0; '


class DeadLock(NamedTuple):
    """A lock that was left behind by a process that has ended: no command gets the list before it expires."""

    path: str
    pid: int


class Lists(NamedTuple):
    """What a list server has: the mail domain of each list, the web hosts of each mail domain, and dead locks by
    list."""

    domains: Mapping[str, str]
    web_hosts: Mapping[str, str]
    dead: Mapping[str, DeadLock]


class State(NamedTuple):
    """What a list has beside its settings. ``others`` are requests to join or leave; ``posts`` were ever delivered,
    ``archive_bytes`` lie in its archive. ``password_digest`` is the SHA-256 of what is kept of its password, which is
    an SHA-1 in hexadecimal; that itself stays on the host."""

    held: tuple[Held, ...]
    others: int
    members: int
    posts: int
    archive_bytes: int
    password_digest: str


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
        domains, web_hosts, dead = _told(result)
        return Lists(
            {name: domain.lower() for name, domain in domains},
            {domain.lower(): web_host for web_host, domain in reversed(web_hosts)},
            {name: DeadLock(path, pid) for name, path, pid in dead},
        )

    return Read(_script(text, commands, _LISTS_PROGRAM), meaning)


def config(commands: str, name: str) -> Read[Config | None]:
    """A list's settings, or None where there is no such list."""
    text = _LISTED + 'exec "$1/config_list" -o - -- "$2"'

    def meaning(result: Result) -> Config | None:
        found = parse(result.stdout) if result.stdout.strip() else None
        if found and (missing := _NEEDED - set(found.settings)):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return found

    return Read(_script(text, commands, name), meaning)


def state(commands: str, name: str) -> Read[State | None]:
    """What else there is to know of a list, or None where there is no such list."""
    text = _LISTED + 'printf "%s" "$3" | "$1/config_list" -c -i /dev/stdin -- "$2"'

    def meaning(result: Result) -> State | None:
        if not result.stdout.strip():
            return None
        held, *rest = _told(result)
        messages = tuple(Held(str(number), sender, _readable(subject)) for _, number, sender, subject in held)
        return State(messages, *rest)

    return Read(_script(text, commands, name, _STATE_PROGRAM), meaning)


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
