"""Accounts and homes on Unix hosts. Nothing here ever deletes a home, or a file that could have come from a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems import puppet, reads
from runbooks.systems.accounts import Account, AccountRecord, Group
from runbooks.systems.host import HostReader, HostWriter
from runbooks.transport.shell import STATE_DIR, command_line

# What userdel drops is put by first: by root, for root. A home's inode is recorded once, and then stands for the run.
_KEEP_RECORD = """umask 077; mkdir -p "$1" && cd "$1" || exit 1
grep "^$2:" /etc/shadow | cut -d: -f2- > shadow
id -nG -- "$2" | tr ' ' '\\n' | grep -vxF -e "$(id -ng -- "$2")" > groups
for k in subuid subgid; do { [ -e /etc/$k ] && grep "^$2:" /etc/$k | cut -d: -f2-; } > $k; done
[ -s home ] || stat -c %i -- "$3" > home 2>/dev/null || :
[ -e metadata ] || echo "$4" > metadata
echo yes > complete && sync -f . complete"""

# printf is the shell's own: the hash stands in no process list. -1 is chage's word for an empty field.
_RESTORE_SHADOW = """IFS=: read -r hash last min max warn inactive expire rest < "$2/shadow" || exit 1
printf '%s:%s\\n' "$1" "$hash" | chpasswd -e || exit 1
chage -d "${last:--1}" -m "${min:--1}" -M "${max:--1}" -W "${warn:--1}" -I "${inactive:--1}" -E "${expire:--1}" "$1\""""

# rename(2) and nothing else: mv would copy and delete where it cannot rename.
_RENAME = 'die "$ARGV[1] is there already\\n" if -e $ARGV[1] or -l $ARGV[1]; rename($ARGV[0], $ARGV[1]) or die "$!\\n"'

_END_PROCESSES = """for signal in TERM TERM KILL KILL; do
  pkill -$signal -U "$1"; pkill -$signal -u "$1"
  n=0; while [ $n -lt 20 ]; do { pgrep -U "$1" || pgrep -u "$1"; } >/dev/null || exit 0; sleep 0.1; n=$((n+1)); done
done; exit 1"""

# One file after another, and directories only when they are empty: never a tree.
_DROP_FRESH_HOME = """cd -P -- "$1" || exit 1; find . -mindepth 1 ! -type d -exec sh -c 'for f; do
  cmp -s -- "$f" "/etc/skel/$f" || { [ -n "$0" ] && cmp -s -- "$f" "$0/$f"; } || exit 1; rm -f -- "$f"; done' "$2" {} +
cd / && find "$1" -depth -type d -exec rmdir -- {} +"""


def record_dir(run_id: str) -> str:
    """Where a host keeps what is put by of an account, for one run and its undo."""
    return f"{STATE_DIR}/{run_id or 'plan'}/account"


def _account(accounts: Sequence[Account], name: str) -> Account | None:
    return next((account for account in accounts if account.name == name), None)


def rename_path(writer: HostWriter, source: str, target: str) -> None:
    """rename(2), refusing a target that is there. Raises CommandFailed."""
    writer.run("perl", "-e", _RENAME, "--", source, target)


@dataclass(frozen=True)
class Subject:
    """An account that goes by ``name`` and whose place another takes, or took, under the name ``heir``; they share UID
    and home. ``registry_groups`` are left to puppet; other groups are the host's own."""

    name: str
    heir: str
    uid: int
    puppet: puppet.Puppet
    registry_groups: tuple[str, ...] = ()
    end_processes: bool = False

    @property
    def home(self) -> str:
        """Where its home is."""
        return f"/home/{self.name}"

    def swapped(self) -> Subject:
        """The heir as the subject."""
        return replace(self, name=self.heir, heir=self.name)


@dataclass(frozen=True)
class DeleteAccount(Change[HostReader, HostWriter]):
    """Delete an account and keep all that it has: userdel without -r. What userdel drops is put by on the host: the
    line of /etc/shadow, local groups, subordinate ids. A group of the same name that is its primary one is renamed, so
    that its GID stays. Source: userdel(8), shadow 4.13."""

    subject: Subject

    def check(self, reader: HostReader) -> Finding:
        """Done when no account file knows the name; later until puppet is stopped."""
        accounts, groups = reader.ask(reads.passwd()), reader.ask(reads.groups())
        name, uid = self.subject.name, self.subject.uid
        account = _account(accounts, name)
        if account is None:
            left = [group.name for group in groups if name in group.members]
            if reader.ask(reads.shadow_digest(name)) or left:
                return blocked(f"{name} is half deleted: put /etc/shadow and /etc/group right with pwck and grpck")
            return done(f"no account {name}")
        if account.uid != uid:
            return blocked(f"{name} has UID {account.uid} here, {uid} in the registry: find out which is right")
        running = reader.ask(reads.processes(uid))
        if running and not self.subject.end_processes:
            return blocked(f"{name} runs {_listed(running)}: end them, or give --end-processes")
        preview = self._preview(account, running, groups)
        if not self.subject.puppet.is_stopped(reader):
            return later(*preview, note="puppet has to be stopped first")
        home = reader.ask(reads.entries(account.home)).get(account.home)
        before = {
            "home": home.inode if home else None,
            "record": record_dir(reader.run_id),
            "shadow_digest": reader.ask(reads.shadow_digest(name)),
        }
        return todo(*preview, before=before, facts={"uid": uid})

    def _own_group(self, account: Account, groups: Sequence[Group]) -> bool:
        return any(group.name == account.name and group.gid == account.gid for group in groups)

    def _preview(self, account: Account, running: Sequence[str], groups: Sequence[Group]) -> list[str]:
        lines = [f"$ pkill -U {account.uid}    # ends {_listed(running)}"] if running else []
        if self._own_group(account, groups):
            lines.append(f"$ {command_line(['groupmod', '-n', self.subject.heir, account.name])}")
        return [*lines, f"$ {command_line(['userdel', account.name])}    # its home stays"]

    def do(self, writer: HostWriter, before: Facts) -> None:
        """Put by what would be lost, end processes where that was asked for, delete. Raises CommandFailed."""
        subject = self.subject
        account = _account(writer.ask(reads.passwd()), subject.name)
        if account is None:
            return
        metadata = writer.ask(reads.metadata_digest(account.home)) if before["home"] else ""
        writer.run("sh", "-c", _KEEP_RECORD, "sh", record_dir(writer.run_id), subject.name, account.home, metadata)
        record = writer.ask(reads.account_record(record_dir(writer.run_id)))
        if record is None or record.shadow_digest != writer.ask(reads.shadow_digest(subject.name)):
            raise CommandFailed("what userdel would drop could not be put by; the account was left alone")
        if self._own_group(account, writer.ask(reads.groups())):
            writer.run("groupmod", "-n", subject.heir, subject.name)
        for attempt in range(3):
            if subject.end_processes and writer.ask(reads.processes(subject.uid)):
                writer.run("sh", "-c", _END_PROCESSES, "sh", str(subject.uid))
            # 8: a process came back; 1: the account files are locked. Both pass.
            result = writer.run("userdel", subject.name, ok=(0, 1, 6, 8) if attempt < 2 else (0, 6))
            if result.status in (0, 6):
                return

    def verify(self, reader: HostReader, before: Facts) -> Finding:
        """The account is gone, and its home is where it was."""
        finding = self.check(reader)
        inode = before.get("home")
        if inode is not None:
            places = reader.ask(reads.entries(self.subject.home, self.subject.swapped().home))
            if inode not in {entry.inode for entry in places.values()}:
                return blocked(f"{self.subject.home} (inode {inode}) is not where it was: look before anything else")
        return finding

    def inverse(self, before: Facts) -> CreateAccount:  # noqa: ARG002
        """Puppet makes it again."""
        return CreateAccount(self.subject)


@dataclass(frozen=True)
class CreateAccount(Change[HostReader, HostWriter]):
    """Have puppet create an account that takes another's place, then give it what that one had on this host: password
    and ageing, local groups, subordinate ids."""

    subject: Subject

    def check(self, reader: HostReader) -> Finding:
        """Done when the account is there with the UID and has what was put by."""
        subject = self.subject
        accounts = reader.ask(reads.passwd())
        account = _account(accounts, subject.name)
        preview = [f"$ {command_line(subject.puppet.run_once)}    # creates {subject.name}, UID {subject.uid}"]
        if account is None:
            holder = next((a.name for a in accounts if a.uid == subject.uid), None)
            if holder == subject.heir:
                return later(*preview)
            if holder:
                return blocked(f"UID {subject.uid} went to {holder} meanwhile: free it before going on")
            return todo(*preview, facts={"uid": subject.uid})
        if account.uid != subject.uid:
            return blocked(f"{subject.name} has UID {account.uid}, not {subject.uid}: somebody else's account")
        missing = self._missing(reader, account)
        if missing:
            return todo(*(f"restore {what}" for what in missing), facts={"uid": subject.uid})
        return done(f"{subject.name} has UID {subject.uid}", uid=subject.uid)

    def _missing(self, reader: HostReader | HostWriter, account: Account) -> list[str]:
        record = reader.ask(reads.account_record(record_dir(reader.run_id)))
        if record is None:
            return []
        missing = [f"membership of {group}" for group in self._lost_groups(reader, record)]
        if record.shadow_digest and reader.ask(reads.shadow_digest(account.name)) != record.shadow_digest:
            missing.append("password and ageing")
        for kind, kept in (("uid", record.subuids), ("gid", record.subgids)):
            if kept and reader.ask(reads.subids(kind)).get(account.name, ()) != kept:
                missing.append(f"sub{kind} range")
        return missing

    def _lost_groups(self, reader: HostReader | HostWriter, record: AccountRecord) -> list[str]:
        groups = {group.name: group for group in reader.ask(reads.groups())}
        ours = [name for name in record.groups if name in groups and name not in self.subject.registry_groups]
        return [name for name in ours if self.subject.name not in groups[name].members]

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Run puppet once, then restore. Raises CommandFailed."""
        name = self.subject.name
        if _account(writer.ask(reads.passwd()), name) is None:
            self.subject.puppet.run(writer)
        record = writer.ask(reads.account_record(record_dir(writer.run_id)))
        if record is None or _account(writer.ask(reads.passwd()), name) is None:
            return
        if groups := self._lost_groups(writer, record):
            writer.run("usermod", "-a", "-G", ",".join(groups), name)
        self._restore_subids(writer, "uid", record.subuids)
        self._restore_subids(writer, "gid", record.subgids)
        if record.shadow_digest and writer.ask(reads.shadow_digest(name)) != record.shadow_digest:
            writer.run("sh", "-c", _RESTORE_SHADOW, "sh", name, record_dir(writer.run_id))

    def _restore_subids(self, writer: HostWriter, kind: str, kept: Sequence[tuple[int, int]]) -> None:
        name = self.subject.name
        everyone = writer.ask(reads.subids(kind))
        now = everyone.get(name, ())
        if not kept or now == tuple(kept):
            return
        for other, ranges in everyone.items():
            if other != name and any(a < c + d and c < a + b for a, b in kept for c, d in ranges):
                raise CommandFailed(f"sub{kind} range of {name} went to {other} meanwhile: put /etc/sub{kind} right")
        for flag, some in (("del", now), ("add", kept)):
            for first, count in some:
                writer.run("usermod", f"--{flag}-sub{kind}s", f"{first}-{first + count - 1}", name)

    def inverse(self, before: Facts) -> DeleteAccount:  # noqa: ARG002
        """The account goes again, its home stays."""
        return DeleteAccount(self.subject)


@dataclass(frozen=True)
class MoveHome(Change[HostReader, HostWriter]):
    """Put a home into the place of the fresh one that came with the new account.

    The home is known by its inode, which was recorded before the account was deleted: whatever has been done, or left
    half done, the directory with that inode is the home. It is renamed as a whole. A fresh home in its place is set
    aside first, and dropped only if every file in it equals the one in /etc/skel or in the home itself. A home that
    is a file system of its own cannot be renamed: it is copied (rsync -aHAXS), compared, and left where it is.
    """

    subject: Subject

    @property
    def _source(self) -> str:
        return self.subject.swapped().home

    def _leftovers(self, run_id: str) -> tuple[str, str]:
        return (f"{self.subject.home}.ops-clinic-{run_id}", f"{self._source}.ops-clinic-{run_id}")

    def check(self, reader: HostReader) -> Finding:
        """Done when the recorded home lies in its place and nothing fresh is left."""
        target, source = self.subject.home, self._source
        preview = (f"$ rename {source} {target}",)
        record = reader.ask(reads.account_record(record_dir(reader.run_id)))
        if record is None:
            return later(*preview)
        if not record.home_inodes:
            return done("there was no home")
        found = reader.ask(reads.entries(target, source, *self._leftovers(reader.run_id)))
        at = {path: entry.inode in record.home_inodes for path, entry in found.items()}
        if at.get(target):
            fresh = [path for path in self._extra(found) if not self._kept(reader, path)]
            if fresh:
                return todo(*(f"drop the fresh home {path}" for path in fresh))
            return done(self._remarks(reader, record, self._extra(found)))
        if at.get(source):
            return todo(*preview, before={"home": found[source].inode})
        return blocked(f"the home (inode {record.home_inodes[0]}) is neither at {source} nor at {target}: look for it")

    def _extra(self, found: Facts) -> list[str]:
        return [path for path in found if path != self.subject.home]

    def _kept(self, reader: HostReader, path: str) -> bool:
        """Whether it holds anything that nobody can make again."""
        return bool(reader.ask(reads.unlike_skel(path, self.subject.home)))

    def _remarks(self, reader: HostReader, record: AccountRecord, kept: Sequence[str]) -> str:
        remarks = [f"{path} is kept beside it: it holds files of its own" for path in kept]
        if record.metadata_digest != reader.ask(reads.metadata_digest(self.subject.home)):
            remarks.append("mode, owner, ACL or attributes of the home itself are no longer what they were")
        return "; ".join(remarks)

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Set the fresh one aside, rename, drop what was fresh. Raises CommandFailed."""
        target, source = self.subject.home, self._source
        record = writer.ask(reads.account_record(record_dir(writer.run_id)))
        found = writer.ask(reads.entries(target, source))
        if record is None:
            return
        if target not in found or found[target].inode not in record.home_inodes:
            if source not in found or found[source].inode not in record.home_inodes:
                raise CommandFailed(f"the home is not at {source} any more")
            home = self._copied(writer, source) if source in writer.ask(reads.mounts_below(source)) else source
            if target in found:
                rename_path(writer, target, self._leftovers(writer.run_id)[0])
            rename_path(writer, home, target)
        for path in writer.ask(reads.entries(source, *self._leftovers(writer.run_id))):
            if not writer.ask(reads.unlike_skel(path, target)):
                writer.run("sh", "-c", _DROP_FRESH_HOME, "sh", path, target)

    def _copied(self, writer: HostWriter, source: str) -> str:
        """A verified copy beside the target, its inode recorded as the home's. Raises CommandFailed."""
        copy = f"{self.subject.home}.ops-clinic-{writer.run_id}.copy"
        argv = ("rsync", "-aHAXS", "--numeric-ids", "--one-file-system", "--", source + "/", copy + "/")
        writer.run(*argv, timeout_s=86400)
        if differences := writer.ask(reads.copy_differs(source, copy)):
            raise CommandFailed(f"the copy of {source} differs from it: {_listed(differences)}")
        record = f"{record_dir(writer.run_id)}/home"
        writer.run("sh", "-c", 'stat -c %i -- "$1" >> "$2" && sync -f "$2"', "sh", copy, record)
        return copy

    def verify(self, reader: HostReader, before: Facts) -> Finding:  # noqa: ARG002
        """The recorded home lies in its place."""
        return self.check(reader)

    def inverse(self, before: Facts) -> MoveHome:  # noqa: ARG002
        """The same home goes back, whatever was left half done."""
        return MoveHome(self.subject.swapped())


@dataclass(frozen=True)
class CarryOver(Change[HostReader, HostWriter]):
    """Give the account what goes by its name outside the home, and userdel keeps: mail spool, crontab, lingering."""

    subject: Subject

    def _pairs(self) -> list[tuple[str, str]]:
        places = ("/var/mail", "/var/spool/cron/crontabs", "/var/lib/systemd/linger")
        return [(f"{place}/{self.subject.heir}", f"{place}/{self.subject.name}") for place in places]

    def _todo(self, reader: HostReader | HostWriter) -> tuple[list[tuple[str, str]], list[str]]:
        found = reader.ask(reads.entries(*(path for pair in self._pairs() for path in pair)))
        moves = [pair for pair in self._pairs() if pair[0] in found]
        return moves, [target for _, target in moves if target in found]

    def check(self, reader: HostReader) -> Finding:
        """Done when nothing goes by the other name any more."""
        moves, taken = self._todo(reader)
        if taken:
            return blocked(f"{_listed(taken)} is there already: whose is it?")
        if not moves:
            return done()
        return todo(*(f"$ rename {source} {target}" for source, target in moves))

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Rename each. Raises CommandFailed."""
        for source, target in self._todo(writer)[0]:
            rename_path(writer, source, target)

    def inverse(self, before: Facts) -> CarryOver:  # noqa: ARG002
        """They go back."""
        return CarryOver(self.subject.swapped())


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(dict.fromkeys(names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
