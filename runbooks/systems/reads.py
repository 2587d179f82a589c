"""Every command that a Reader can run on a host, on one page. None of them changes anything.

A reviewer reads this file to know what a dry run does. Fixed scripts take their arguments as ``$1`` and so on; no text
is ever put into a script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from runbooks.errors import CommandFailed, UsageError
from runbooks.secret import Secret
from runbooks.systems.accounts import (
    Account,
    AccountRecord,
    Group,
    parse_group,
    parse_passwd,
    parse_record,
    parse_subids,
)
from runbooks.systems.exim_routes import Route, parse_routes
from runbooks.systems.files import Entry, KeyFile, parse_entry, parse_key_file
from runbooks.transport.quoting import Argument, command_line
from runbooks.transport.shell import Result

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A question to a host: the command, the exit statuses that are answers, and what the answer means. One that is
    about a ``secret`` gets it as a line on its standard input, and its answer is never remembered."""

    argv: tuple[Argument, ...]
    parse: Callable[[Result], T]
    ok: tuple[int, ...] = (0,)
    timeout_s: float | None = None
    secret: Secret | None = None

    def answer(self, host: str, result: Result) -> T:
        """The answer's meaning. Raises CommandFailed for one that is none."""
        if result.status not in self.ok:
            said = result.stderr.decode("utf-8", "replace").strip() or result.text.strip()
            raise CommandFailed(f"{host}: {command_line(self.argv)[:200]} returned {result.status}: {said[:300]}")
        try:
            return self.parse(result)
        except (ValueError, IndexError) as error:
            raise CommandFailed(f"{host}: {command_line(self.argv)[:200]}: cannot read its answer: {error}") from error


def _script(text: str, *arguments: Argument) -> tuple[Argument, ...]:
    return ("sh", "-c", text, "sh", *arguments)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _lines(result: Result) -> tuple[str, ...]:
    return tuple(line for line in result.text.split("\n") if line)


# the system itself


class Boot(NamedTuple):
    """One life of a system: an id that no other one has (random(4)), and for how long its first process has run, in
    seconds."""

    id: str
    age_s: int


def boot() -> Read[Boot]:
    """Which boot this is."""
    text = "cat /proc/sys/kernel/random/boot_id && ps -o etimes= -p 1"

    def parse(result: Result) -> Boot:
        boot_id, age = _lines(result)
        return Boot(boot_id.strip(), int(age))

    return Read(_script(text), parse)


# log-ins of its services


WEB_ACCOUNT = """
from django.apps import apps
from django.contrib.auth import get_user_model
address = input()
users = get_user_model()._default_manager
people = list(users.filter(email__iexact=address))
unsure = []
if apps.is_installed("allauth.account"):
    from allauth.account.models import EmailAddress
    rows = EmailAddress.objects.filter(email__iexact=address)
    sure = set(rows.filter(verified=True).values_list("user_id", flat=True))
    known = set(EmailAddress.objects.filter(user__in=people).values_list("user_id", flat=True))
    people = [*users.filter(pk__in=sure), *(one for one in people if one.pk not in known | sure)]
    unsure = [*users.filter(pk__in=rows.values("user_id"))]
active = [one for one in people if one.is_active]
account = active[0] if len(active) == 1 else None
def names(them):
    return ", ".join(sorted(one.get_username() for one in them))
if len(active) > 1:
    why = f"{len(active)} web accounts have the address {address}: {names(active)}"
elif people:
    why = f"the web account {names(people)} is not active"
elif unsure:
    why = f"the web account {names(unsure)} has not confirmed that {address} is its own"
else:
    why = f"no web account has the address {address}"
"""
"""For Django's shell: reads an address, and has the ``account`` of it, or None and ``why``."""
_SAY_ACCOUNT = (
    WEB_ACCOUNT
    + """
import json
print(json.dumps(["", why] if account is None else [account.get_username(), ""]))
"""
)
_SAY_OPENS = (
    WEB_ACCOUNT
    + """
import json
from django.contrib.auth.hashers import check_password
print(json.dumps(account is not None and check_password(input(), account.password)))
"""
)
_FED = """words=$1; shift; { printf '%s\\n' "$words"; cat; } | "$@" """


def _in_django(command: tuple[str, ...], program: str, address: str) -> tuple[Argument, ...]:
    return _script(_FED, address, *command, "shell", "-c", program)


def web_account(command: tuple[str, ...], address: str) -> Read[tuple[str, str]]:
    """The name of the account that has an address, or why there is not one; ``command`` is Django's own."""

    def parse(result: Result) -> tuple[str, str]:
        name, why = json.loads(_lines(result)[-1])
        return name, why

    return Read(_in_django(command, _SAY_ACCOUNT, address), parse)


def opens_web_account(command: tuple[str, ...], address: str, secret: Secret) -> Read[bool]:
    """Whether a password is that account's. Django's ``authenticate`` would make its hash anew."""
    program = _in_django(command, _SAY_OPENS, address)
    return Read(program, lambda result: json.loads(_lines(result)[-1]) is True, secret=secret)


# accounts


def passwd() -> Read[tuple[Account, ...]]:
    """The accounts of /etc/passwd: the host's own, not those of LDAP."""
    return Read(("cat", "/etc/passwd"), lambda result: parse_passwd(result.text))


def groups() -> Read[tuple[Group, ...]]:
    """The groups of /etc/group."""
    return Read(("cat", "/etc/group"), lambda result: parse_group(result.text))


def known_account(name: str) -> Read[bool]:
    """Whether any source (files, LDAP) knows an account of this name."""
    return Read(("getent", "passwd", name), lambda result: result.status == 0, ok=(0, 2))


def known_group(name: str) -> Read[bool]:
    """Whether any source knows a group of this name."""
    return Read(("getent", "group", name), lambda result: result.status == 0, ok=(0, 2))


def account_of_uid(uid: int) -> Read[tuple[str, ...]]:
    """The names for a UID: all that /etc/passwd has (getent gives the first alone), and the one of any other source."""
    text = '{ awk -F: -v uid="$1" \'$3 == uid\' /etc/passwd; getent passwd "$1"; } | cut -d: -f1 | sort -u'
    return Read(_script(text, str(uid)), _lines)


def subids(kind: str) -> Read[Mapping[str, tuple[tuple[int, int], ...]]]:
    """The ranges of /etc/subuid or /etc/subgid (``kind``): name to (first, count) pairs."""
    text = '[ -e "$1" ] || exit 0; cat "$1"'
    return Read(_script(text, {"uid": "/etc/subuid", "gid": "/etc/subgid"}[kind]), lambda r: parse_subids(r.text))


def shadow_digest(name: str) -> Read[str]:
    """A digest of the account's line in /etc/shadow without its name, empty where there is none. The line itself stays
    on the host."""
    text = 'grep "^$1:" /etc/shadow | cut -d: -f2- | sha256sum | cut -c1-64; grep -c "^$1:" /etc/shadow'

    def parse(result: Result) -> str:
        digest, count = _lines(result)
        return digest if int(count) else ""

    return Read(_script(text, name), parse, ok=(0, 1))


def account_record(directory: str) -> Read[AccountRecord | None]:
    """What was put by about an account before it was deleted; of its line in /etc/shadow only a digest."""
    text = (
        '[ -e "$1/complete" ] || exit 0; cd "$1" && { cat name; sha256sum < shadow | cut -c1-64; '
        "[ -s shadow ] && echo 1 || echo 0; cat home; "
        'for f in groups subuid subgid metadata; do printf "\\0"; cat $f; done; }'
    )
    return Read(_script(text, directory), lambda result: parse_record(result.text))


def processes(uid: int, *ranges: tuple[int, int]) -> Read[tuple[str, ...]]:
    """The commands of processes that run as a UID (real, effective or saved) or as one of its subordinate UIDs
    (``ranges``: first and count), sorted. For the latter userdel does not refuse, though their range becomes free."""

    def theirs(number: str) -> bool:
        return int(number) == uid or any(first <= int(number) < first + count for first, count in ranges)

    def parse(result: Result) -> tuple[str, ...]:
        rows = [line.split(None, 4) for line in _lines(result)]
        return tuple(sorted((*row, "?")[4] for row in rows if any(map(theirs, row[1:4]))))

    return Read(("ps", "-e", "-o", "pid=,ruid=,euid=,suid=,comm="), parse)


# files


def entries(*paths: str) -> Read[Mapping[str, Entry]]:
    """What lies at each path (links not followed); paths where nothing lies are left out."""
    text = 'for p; do [ -e "$p" ] || [ -L "$p" ] || continue; stat --printf="%i %d %f %u %g %h %m %n\\0" -- "$p"; done'
    return Read(
        _script(text, *paths),
        lambda result: {e.path: e for e in map(parse_entry, result.text.split("\0")) if e},
    )


def metadata_digest(path: str) -> Read[str]:
    """A digest of a path's mode, owner, ACL and extended attributes, its name and times left out."""
    text = (
        'cd -P -- "$1" || exit 1; { stat -c "%a %u %g" .; getfacl -cpn . 2>/dev/null; '
        "getfattr -d -m - -e hex . 2>/dev/null; } | sha256sum | cut -c1-64"
    )
    return Read(_script(text, path), lambda result: result.text.strip())


def mounts_below(path: str) -> Read[Mapping[str, str]]:
    """Mount points at or below a path, with their file system types (proc_pid_mountinfo(5), octal escapes undone)."""

    def parse(result: Result) -> Mapping[str, str]:
        found = {}
        for line in result.stdout.splitlines():
            fields, _, rest = line.partition(b" - ")
            raw = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields.split(b" ")[4])
            point = raw.decode("utf-8", "surrogateescape")
            if point == path or point.startswith(path.rstrip("/") + "/"):
                found[point] = rest.split(b" ")[0].decode()
        return found

    return Read(("cat", "/proc/self/mountinfo"), parse)


def immutable_below(path: str) -> Read[tuple[str, ...]]:
    """Files at or below a path with chattr's +i or +a, the first 20 that are found within 20 s, the path itself ahead.
    A file system without such flags has none."""
    text = (
        '{ lsattr -d -- "$1"; timeout 20 lsattr -Ra -- "$1"; } 2>/dev/null | '
        "sed -n -e '/\\/\\.\\{1,2\\}$/d' -e 's/^[-A-Za-z]*[ia][-A-Za-z]* \\//\\//p' | sort -u | head -n 20"
    )
    return Read(_script(text, path), _lines, timeout_s=60)


def free_bytes(path: str) -> Read[int]:
    """What an unprivileged writer has left on the path's file system; the path itself need not be there yet."""
    text = 'p=$1; until [ -e "$p" ]; do p=${p%/*}; p=${p:-/}; done; df -B1 --output=avail -- "$p"'
    return Read(_script(text, path), lambda result: int(_lines(result)[1]))


def used_bytes(path: str) -> Read[int]:
    """What a directory takes up on its own file system, without what is mounted inside."""
    return Read(("du", "-sx", "-B1", "--", path), lambda r: int(r.text.split()[0]), timeout_s=1800)


def home_links_to(path: str) -> Read[tuple[str, ...]]:
    """In a home: links and small configuration files that name its own path in full; the first 20."""
    text = (
        'cd -P -- "$1" 2>/dev/null || exit 0; '
        '{ timeout 20 find . -xdev -type l \\( -lname "$1" -o -lname "$1/*" \\) -print; '
        'timeout 20 find . -xdev -maxdepth 3 -type f -size -256k -path "*/.*" '
        '-exec grep -lIwF -e "$1" -- {} +; } 2>/dev/null | sort -u | head -n 20'
    )
    return Read(_script(text, path), _lines, timeout_s=60)


def special_files(path: str, uid: int) -> Read[tuple[int, int]]:
    """In a home: how many setuid or setgid files there are, and how many entries of other owners; as many as are found
    within 20 s."""
    wanted = '\\( -type f -perm /6000 -printf s \\) , \\( ! -uid "$2" -printf o \\)'
    text = f'timeout 20 find "$1" -xdev {wanted} 2>/dev/null; true'
    return Read(_script(text, path, str(uid)), lambda r: (r.stdout.count(b"s"), r.stdout.count(b"o")), timeout_s=60)


def files_elsewhere(uid: int) -> Read[tuple[str, ...]]:
    """Files of a UID in /srv, /var/tmp and /tmp, three levels deep; the first 10."""
    text = 'timeout 20 find /srv /var/tmp /tmp -xdev -maxdepth 3 -uid "$1" -print 2>/dev/null | head -n 10'
    return Read(_script(text, str(uid)), _lines, ok=(0, 1, 124))


_ACCOUNT_FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")


def mentions_in_etc(name: str) -> Read[tuple[str, ...]]:
    """Files below /etc that hold a name as a whole word, the first 20; account files and their backups, puppet's and
    ours left out."""
    left_out = " ".join(f"--exclude={file} --exclude={file}-" for file in _ACCOUNT_FILES)
    text = (
        f'timeout 60 grep -rlIwsF -e "$1" {left_out} --exclude-dir=userkeys --exclude-dir=puppet '
        "--exclude-dir=puppetlabs -- /etc | sort | head -n 20"
    )
    return Read(_script(text, name), _lines, ok=(0, 1), timeout_s=90)


def mentions_in_file(path: str, text: str) -> Read[int]:
    """How many lines of a file hold a text; 0 where there is no such file."""
    script = '[ -e "$1" ] || { echo 0; exit 0; }; grep -cF -e "$2" -- "$1"'
    return Read(_script(script, path, text), lambda result: int(result.text), ok=(0, 1))


def digests(*paths: str) -> Read[Mapping[str, str]]:
    """A digest of each file's contents; paths that are no files are left out."""
    text = 'for p; do [ -f "$p" ] && sha256sum -z -- "$p"; done; true'

    def parse(result: Result) -> Mapping[str, str]:
        return {row[66:]: row[:64] for row in result.text.split("\0") if row}

    return Read(_script(text, *paths), parse)


def unlike_skel(path: str, home: str) -> Read[tuple[str, ...]]:
    """What a fresh home holds that neither /etc/skel nor the real home (at ``home``) holds just so: files, by name, the
    first 20."""
    text = (
        'cd -P -- "$1" || exit 1; '
        'find . -xdev -mindepth 1 ! -type d -exec sh -c \'for f; do [ -f "$f" ] && [ ! -L "$f" ] && '
        '{ cmp -s -- "$f" "/etc/skel/$f" || { [ -n "$0" ] && cmp -s -- "$f" "$0/$f"; }; } || printf "%s\\n" "$f"; '
        'done\' "$2" {} + | head -n 20'
    )
    return Read(_script(text, path, home), _lines)


def copy_differs(source: str, copy: str) -> Read[tuple[str, ...]]:
    """What rsync would still have to do to make a copy equal its source, contents compared; nothing if it is equal."""
    argv = ("rsync", "-aHAXSn", "--numeric-ids", "--checksum", "--itemize-changes", "--delete", "--one-file-system")
    return Read((*argv, "--", source + "/", copy + "/"), _lines, timeout_s=24 * 3600)


def archive_differs(archive: str, path: str) -> Read[tuple[str, ...]]:
    """How a directory differs from its archive by tar: entries whose contents, mode, owner, time or target do, the
    first 20; and how many there are, where that differs. A socket has nothing to be kept."""
    text = (
        '{ tar --compare --force-local --file="$1" --numeric-owner -C "${2%/*}/" || echo "tar returned $?"; } 2>&1 | '
        "head -n 20; "
        'have=$(tar --list --force-local --file="$1" | wc -l); '
        'want=$(timeout 86400 find "$2" -xdev ! -type s -printf x | wc -c); '
        '[ "$have" -eq "$want" ] || echo "$want entries there, $have in the archive"'
    )
    return Read(_script(text, archive, path), _lines, ok=(0, 1), timeout_s=24 * 3600)


def has_programs(*names: str) -> Read[tuple[str, ...]]:
    """Which of these programs the host does not have."""
    text = 'for p; do command -v "$p" >/dev/null || echo "$p"; done'
    return Read(_script(text, *names), _lines)


# sshd


# Names, --, keys: whoever else has one of the keys in a file is looked at, too. Only local accounts, whose homes lie
# here: a look at each home of a directory's thousands would have them all mounted.
_KEY_FILES = r"""
set -f
sshd=$(command -v sshd) || exit 0
files() { "$sshd" -T -C "user=$1,host=localhost,addr=127.0.0.1" 2>/dev/null | sed -n 's/^authorizedkeysfile //p'; }
names= keys=
while [ $# -gt 0 ] && [ "$1" != -- ]; do names="$names $1"; shift; done
for key; do [ "$key" = -- ] || keys="$keys -e $key"; done
others() {
    all=$(awk -F: -v files="$(files root)" '
        function put(rest, mark, value,    text, at) {
            for (; at = index(rest, mark); rest = substr(rest, at + 2)) text = text substr(rest, 1, at - 1) value
            return text rest
        }
        { n = split(files, file, " ")
          for (i = 1; i <= n; i++) {
              path = put(put(put(file[i], "%u", $1), "%U", $3), "%h", $6)
              print $1 "\t" (path ~ /^\// ? path : $6 "/" path) } }' /etc/passwd |
        while IFS=$(printf '\t') read -r name path; do [ ! -f "$path" ] || printf '%s\t%s\n' "$name" "$path"; done)
    held=$(printf '%s\n' "$all" | cut -f2- | tr '\n' '\0' | xargs -0 -r grep -lsF $keys --)
    printf '%s\n' "$all" | held=$held awk -F'\t' '
        BEGIN { n = split(ENVIRON["held"], line, "\n"); for (i = 1; i <= n; i++) is_held[line[i]] }
        $2 in is_held { print $1 }'
}
[ -z "$keys" ] || names=$(printf '%s\n' $names $(others) | awk '!seen[$0]++')
for u in $names; do
    e=$(getent passwd "$u"); home=$(printf %s "$e" | cut -d: -f6)
    uid=$(printf %s "$e" | cut -d: -f3); gid=$(printf %s "$e" | cut -d: -f4)
    files "$u" | tr ' ' '\n' | while read -r f; do
        f=$(printf %s "$f" | sed -e "s|%u|$u|g" -e "s|%U|$uid|g" -e "s|%h|$home|g" -e 's|%%|%|g')
        case $f in /*) ;; *) f=$home/$f ;; esac
        [ -f "$f" ] || continue
        printf '%s\0' "$u" "$uid" "$gid" "$home" "$f"; cat -- "$f"; printf '\0'
    done
done
true
"""


def key_files(*names: str, holding: Sequence[str] = ()) -> Read[tuple[KeyFile, ...]]:
    """The files from which sshd takes keys for accounts, those that are there: its own configuration (``sshd -T``, for
    each of them) names them. Besides the accounts that are named, those of /etc/passwd in whose files one of the keys
    is that are given in base64."""

    def parse(result: Result) -> tuple[KeyFile, ...]:
        fields = result.text.split("\0")[:-1]
        return tuple(parse_key_file(*fields[at : at + 6]) for at in range(0, len(fields), 6))

    return Read(_script(_KEY_FILES, *names, "--", *holding), parse)


def key_file_names() -> Read[frozenset[str]]:
    """The names of the files in those directories where sshd looks for one that is called like the account."""
    text = (
        'sshd=$(command -v sshd) || exit 0; "$sshd" -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null | '
        'sed -n "s/^authorizedkeysfile //p" | tr " " "\\n" | while read -r f; do '
        'case $f in /*/%u) ls -1 -- "${f%/*}" 2>/dev/null;; esac; done; true'
    )
    return Read(_script(text), lambda result: frozenset(_lines(result)))


def lines_of(path: str) -> Read[tuple[str, ...] | None]:
    """The lines of a file, None where it is not there."""
    text = '[ -f "$1" ] || exit 3; cat -- "$1"'
    return Read(_script(text, path), lambda result: None if result.status == 3 else _lines(result), ok=(0, 3))


def keys_for(name: str) -> Read[tuple[str, ...]]:
    """The keys that sshd takes for an account, as ``type base64``, sorted: from the files that its own configuration
    (``sshd -T``, for that user) names."""
    text = (
        'sshd=$(command -v sshd) || exit 0; home=$(getent passwd "$1" | cut -d: -f6); '
        '"$sshd" -T -C "user=$1,host=localhost,addr=127.0.0.1" 2>/dev/null | sed -n "s/^authorizedkeysfile //p" | '
        'tr " " "\\n" | while read -r f; do f=$(printf %s "$f" | sed -e "s|%u|$1|g" -e "s|%h|$home|g"); '
        'case $f in /*) ;; *) f=$home/$f ;; esac; [ -f "$f" ] && cat -- "$f"; echo; done'
    )
    return Read(_script(text, name), lambda result: _keys(result.text), ok=(0, 1))


def _keys(text: str) -> tuple[str, ...]:
    found = set()
    for line in text.splitlines():
        words = line.split()
        for kind, blob in pairwise(words):
            if blob.startswith("AAAA") and not line.lstrip().startswith("#"):
                found.add(f"{kind} {blob}")
                break
    return tuple(sorted(found))


# puppet


def puppet_state(candidates: tuple[str, ...]) -> Read[dict[str, str]]:
    """Puppet's own state, from its files: ``dir`` (its state directory), ``disabled`` (the lock's text) and ``running``
    (the pid of an agent at work). Keys without a value are left out.

    The directory is what puppet.conf says (the agent's section wins), else the first of the candidates that is there:
    ``puppet config print`` takes a second of CPU. A pid counts only while it is puppet's: a dead run leaves its lock.
    """
    text = (
        "for c in /etc/puppet/puppet.conf /etc/puppetlabs/puppet/puppet.conf; do [ -f $c ] && break; done\n"
        "get() { [ -f $c ] || return 0; sed -e 's/[[:space:]]*#.*//' $c | awk -v want=\"$1\" '"
        '/^[[:space:]]*\\[/ { gsub(/[][[:space:]]/, ""); section = $0; next } '
        '{ i = index($0, "="); k = substr($0, 1, i - 1); v = substr($0, i + 1); '
        'gsub(/^[[:space:]]+|[[:space:]]+$/, "", k); gsub(/^[[:space:]]+|[[:space:]]+$/, "", v); '
        'if (k == want && (section == "main" || section == "agent")) found[section] = v } '
        'END { print ("agent" in found) ? found["agent"] : found["main"] }\' | '
        'sed -e "s|\\${*statedir}*|$s|" -e "s|\\${*vardir}*|$v|"; }\n'
        's=; v=; v=$(get vardir); [ -n "$v" ] || for d; do [ -d "$d" ] && { v=${d%/state}; break; }; done\n'
        's=$(get statedir); s=${s:-${v:+$v/state}}; printf "dir=%s\\0" "$s"\n'
        "l=$(get agent_disabled_lockfile); l=${l:-$s/agent_disabled.lock}\n"
        'if [ -e "$l" ]; then printf "disabled="; cat -- "$l"; printf "\\0"; fi\n'
        'r=$(get agent_catalog_run_lockfile); r=${r:-$s/agent_catalog_run.lock}; p=$(cat -- "$r" 2>/dev/null)\n'
        'case $p in ""|*[!0-9]*) ;; *) tr "\\0" " " 2>/dev/null <"/proc/$p/cmdline" | grep -q puppet && '
        'printf "running=%s\\0" "$p";; esac; true'
    )

    def parse(result: Result) -> dict[str, str]:
        fields = [field.partition("=") for field in result.text.split("\0") if field]
        return {key: value for key, _, value in fields if value or key == "disabled"}

    return Read(_script(text, *candidates), parse)


def puppet_last_run(state_dir: str) -> Read[dict[str, int]]:
    """What the last puppet run on the host counted: ``changed``, ``failed``, ``out_of_sync`` resources and others (the
    last_run_summary.yaml that each run writes, newest of the places where versions keep it); empty before the first."""
    text = (
        'f=$(ls -t -- "${1%/state}/public/last_run_summary.yaml" "${1%/cache/state}/public/last_run_summary.yaml" '
        '"$1/last_run_summary.yaml" 2>/dev/null | head -n 1); '
        '[ -z "$f" ] || sed -n "/^resources:/,/^[a-z]/p" -- "$f"'
    )

    def parse(result: Result) -> dict[str, int]:
        pairs = [line.split(":") for line in _lines(result) if line.startswith(" ")]
        return {key.strip(): int(value) for key, value in pairs if value.strip().isdigit()}

    return Read(_script(text, state_dir), parse)


def puppet_last_touched(state_dir: str) -> Read[tuple[str, ...]]:
    """The resources that the last puppet run changed, or failed at (last_run_report.yaml, report format 10 and up)."""
    text = (
        '[ -f "$1/last_run_report.yaml" ] || exit 0; '
        "awk '/^[a-z]/ { on = /^resource_statuses:/ } on && /^  [^ ].*:$/ { name = substr($0, 3, length($0) - 3) } "
        'on && /^    (changed|failed): true/ { print name }\' "$1/last_run_report.yaml" | sort -u | head -n 50'
    )
    return Read(_script(text, state_dir), lambda result: tuple(line.strip("\"'") for line in _lines(result)))


# a checkout of the puppet repository on a puppet server


def checkout_commit(path: str) -> Read[str]:
    """The commit that a checkout is at."""
    return Read(("git", "-C", path, "rev-parse", "--verify", "HEAD"), lambda result: result.text.strip())


def checkout_file(path: str, name: str) -> Read[bytes]:
    """A file of a checkout, as it lies there."""
    return Read(("cat", "--", f"{path}/{name}"), lambda result: result.stdout)


def checkout_origin_tip(path: str, branch: str) -> Read[str]:
    """Where the checkout's origin has a branch now; asks the origin, fetches nothing."""
    argv = ("git", "-C", path, "ls-remote", "--exit-code", "origin", f"refs/heads/{branch}")
    return Read(argv, lambda result: result.text.split()[0])


def checkout_blob(path: str, commit: str, name: str) -> Read[bytes]:
    """A file as a commit has it."""
    return Read(("git", "-C", path, "cat-file", "blob", f"{commit}:{name}"), lambda result: result.stdout)


def checkout_edited(path: str, names: Sequence[str]) -> Read[tuple[str, ...]]:
    """Which of some files are edited and not committed."""
    argv = ("git", "--no-optional-locks", "-C", path, "status", "--porcelain", "-z", "--no-renames", "--", *names)
    return Read(argv, lambda result: tuple(entry[3:] for entry in result.text.split("\0") if entry))


def checkout_hindrance(path: str) -> Read[str]:
    """What keeps somebody from committing single files of a checkout: the name of git's file that says that something
    is under way (gitrepository-layout(5)), or ``HEAD`` where it is on no branch; else nothing. A lock is told when it
    is older than a minute: until then somebody's git is at work."""
    text = (
        'cd -- "$1" || exit 1\n'
        "for f in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG; do\n"
        '[ ! -e "$(git rev-parse --git-path $f)" ] || { echo $f; exit; }; done\n'
        "git symbolic-ref -q HEAD >/dev/null || { echo HEAD; exit; }\n"
        "l=$(git rev-parse --git-path index.lock)\n"
        '[ ! -e "$l" ] || [ -z "$(timeout 10 find "$l" -mmin +1)" ] || echo index.lock'
    )
    return Read(_script(text, path), lambda result: result.text.strip())


def checkout_marked(path: str, mark: str, since: str) -> Read[str]:
    """The newest commit after another one whose message holds a mark; empty where there is none."""
    argv = ("git", "-C", path, "log", "--format=%H", "-F", f"--grep={mark}", "-n", "1", f"{since}..HEAD")
    return Read(argv, lambda result: result.text.strip())


def checkout_tree(path: str, commit: str, directory: str) -> Read[Mapping[str, str | None]]:
    """The files that a directory has in a commit: by name, what a link among them says (None: it is no link). Empty
    where there is no such directory."""
    text = (
        'cd -- "$1" && git ls-tree -z "$2" -- "$3/" && printf "\\0" && git ls-tree "$2" -- "$3/" | '
        "sed -n 's/^120000 blob \\([0-9a-f]*\\).*/\\1/p' | git cat-file --batch"
    )

    def parse(result: Result) -> Mapping[str, str | None]:
        listing, _, rest = b"\0".join([b"", result.stdout]).partition(b"\0\0")
        found: dict[str, str | None] = {}
        for row in filter(None, listing.split(b"\0")):
            kind, _, name = row.partition(b"\t")
            if not kind.startswith((b"100", b"120")):
                continue
            target = None
            if kind.startswith(b"120"):
                head, _, rest = rest.partition(b"\n")
                size = int(head.split(b" ")[2])
                target, rest = _text(rest[:size]), rest[size + 1 :]
            found[_text(name).rpartition("/")[2]] = target
        return found

    return Read(_script(text, path, commit, directory.rstrip("/")), parse)


class PastCommit(NamedTuple):
    """A commit of the past: its id, the author's date (ISO 8601) and name, and the first line of its message."""

    id: str
    date: str
    author: str
    subject: str


def checkout_history(path: str, name: str, alias: str, limit: int) -> Read[tuple[PastCommit, ...]]:
    """The commits that touched the line of an alias in a file of aliases, the newest first, at most so many. A commit
    that touched one of its continuation lines alone is not among them (git-log(1), -G)."""
    # An extended regular expression, in which a bracket makes any other character stand for itself.
    literal = "".join(_in_brackets(letter) for letter in alias)
    pattern = f'^"?{literal}"?([[:space:]:]|$)'
    argv = ("git", "-C", path, "log", "-z", "--format=%H%x1f%aI%x1f%an%x1f%s", "-i", f"-G{pattern}", f"-n{limit}")

    def parse(result: Result) -> tuple[PastCommit, ...]:
        return tuple(PastCommit(*row.split("\x1f", 3)) for row in result.text.split("\0") if row)

    return Read((*argv, "--", name), parse)


def _in_brackets(letter: str) -> str:
    if letter.isalnum() or not letter.isascii() or letter in "_-":
        return letter
    return "\\^" if letter == "^" else f"[{letter}]"


# mail


def mail_routes(command: Sequence[str], addresses: Sequence[str]) -> Read[Mapping[str, Route]]:
    """What exim would do with mail for each address, now. ``command`` is exim's, with options if it needs any. As root:
    exim reads there what its daemon may not be able to. Raises UsageError for what cannot be an address."""
    for address in addresses:
        if not address.strip() or address.endswith("\\") or not address.isprintable():
            raise UsageError(f"{address[:60]!r} cannot be a mail address")
    unique = tuple(dict.fromkeys(addresses))
    # The first so many words are the command, the others go to its standard input.
    text = (
        'n=$1; shift; w=; i=0; while [ $i -lt $n ]; do i=$((i + 1)); w="$w \\"\\${$i}\\""; done; '
        '(shift $n; for a; do printf \'%s\\n\' "$a"; done) | eval "$w -bt"'
    )

    def parse(result: Result) -> Mapping[str, Route]:
        said = result.stdout or result.stderr
        # Routes are journalled, and JSON has no bytes.
        return parse_routes(unique, said.decode("utf-8", "backslashreplace"))

    return Read(_script(text, str(len(command)), *command, *unique), parse, ok=(0, 1, 2), timeout_s=600)


def mail_qualify(command: Sequence[str], directory: str) -> Read[str]:
    """The domain that exim adds to a target without one in the alias files of a directory; empty where it is the domain
    that the mail came for. It is asked of the router that names the directory (exim specification, 22,
    ``qualify_preserve_domain`` and ``qualify_domain``); where none does, and by default, it is the host's own."""
    text = '"$@" -bP qualify_recipient && printf "\\0" && "$@" -bP routers'

    def parse(result: Result) -> str:
        qualify, _, routers = result.text.partition("\0")
        domain = qualify.partition("=")[2].strip()
        for router in re.split(r"^\S+ router:$", routers, flags=re.MULTILINE):
            options = dict(line.split(" = ", 1) for line in router.splitlines() if " = " in line)
            if directory.rstrip("/") + "/" not in options.get("data", "") + options.get("file", ""):
                continue
            return "" if "qualify_preserve_domain" in router.split() else options.get("qualify_domain") or domain
        return domain

    return Read(_script(text, *command), parse)


def mail_closed_to(command: Sequence[str], path: str) -> Read[str]:
    """The user as whom exim's daemon looks aliases up, where that one cannot read a file; else nothing. To root, who
    can, exim itself says nothing of it."""
    text = (
        'p=$1; shift; u=$("$@" -bP exim_user) && u=$(id -nu -- "${u#*= }") || exit 4; '
        'runuser -u "$u" -- test -r "$p" || echo "$u"'
    )
    return Read(_script(text, path, *command), lambda result: result.text.strip())


def alias_directory(path: str) -> Read[Mapping[str, str | None]]:
    """The files in a directory: by name, what a link among them says (None: it is no link). Empty where there is no
    such directory."""
    text = (
        '[ -d "$1/" ] || exit 0; find "$1/" -mindepth 1 -maxdepth 1 \\( -type f -o -type l \\) -printf "%y%f\\0%l\\0"'
    )

    def parse(result: Result) -> Mapping[str, str | None]:
        fields = result.text.split("\0")[:-1]
        return {
            row[1:]: target if row[0] == "l" else None for row, target in zip(fields[::2], fields[1::2], strict=True)
        }

    return Read(_script(text, path), parse)
