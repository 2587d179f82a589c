"""Accounts on Unix hosts: delete one and keep all that it has, have another take its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems import reads
from runbooks.systems.accounts import Account, AccountRecord, Group
from runbooks.systems.homes import drop_fresh, is_fresh
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.subject import Subject, account_named, mark_restored, put_by, record_dir, record_of
from runbooks.systems.wording import listed
from runbooks.transport.quoting import command_line

# printf is the shell's own: the hash stands in no process list. -1 is chage's word for an empty field.
_RESTORE_SHADOW = """IFS=: read -r hash last min max warn inactive expire rest < "$2/shadow" || exit 1
printf '%s:%s\\n' "$1" "$hash" | chpasswd -e || exit 1
chage -d "${last:--1}" -m "${min:--1}" -M "${max:--1}" -W "${warn:--1}" -I "${inactive:--1}" -E "${expire:--1}" "$1\""""

# By UID and by subordinate UID: a rootless container's processes are theirs, too.
_END_PROCESSES = """uid=$1; shift; ranges="$*"
theirs() { ps -e -o pid=,ruid=,euid=,suid= | awk -v uid="$uid" -v ranges="$ranges" '
  function mine(id,  i) {
    for (i = 1; i < n; i += 2) if (id >= r[i] && id < r[i] + r[i + 1]) return 1
    return id == uid }
  BEGIN { n = split(ranges, r, " ") } mine($2) || mine($3) || mine($4) { print $1 }'; }
for signal in TERM TERM KILL KILL; do
  theirs | xargs -r kill -s $signal --
  n=0; while [ $n -lt 20 ]; do [ -n "$(theirs)" ] || exit 0; sleep 0.1; n=$((n+1)); done
done 2>/dev/null; exit 1"""


def end_processes(writer: HostWriter, uid: int, ranges: Sequence[tuple[int, int]] = ()) -> None:
    """End all that runs as a UID, or as one of its subordinate UIDs (first and count). Raises CommandFailed where
    something is left."""
    numbers = [str(number) for pair in ranges for number in pair]
    writer.run("sh", "-c", _END_PROCESSES, "sh", str(uid), *numbers)


_GONE, _PASSING = (0, 6), (1, 8)
"""What userdel returns: deleted, or no such account; account files locked, or a process came back (both pass)."""


@dataclass(frozen=True)
class DeleteAccount(Change[HostReader, HostWriter]):
    """Delete an account and keep all that it has: userdel without -r. What userdel drops is put by on the host: the
    line of /etc/shadow, local groups, subordinate ids. A group of the same name that is its primary one is renamed, so
    that its GID stays. A home that is not the recorded one came with the account, and goes with it if nothing in it is
    anybody's own. Source: userdel(8), shadow 4.13."""

    subject: Subject

    def check(self, reader: HostReader) -> Finding:
        """Done when no account file knows the name; later until puppet is stopped."""
        accounts, groups = reader.ask(reads.passwd()), reader.ask(reads.groups())
        name, uid = self.subject.name, self.subject.uid
        account = account_named(accounts, name)
        record = record_of(reader)
        if account is None:
            return self._without_account(reader, groups, record)
        if account.uid != uid:
            return blocked(f"{name} has UID {account.uid} here, {uid} in the registry: find out which is right")
        running = self._running(reader)
        if running and not self.subject.end_processes:
            return blocked(f"{name} runs {listed(running)}: end them, or give --end-processes")
        preview = self._preview(account, running, groups)
        if not self.subject.puppet.is_stopped(reader):
            return later(*preview, note="puppet has to be stopped first")
        home = reader.ask(reads.entries(account.home)).get(account.home)
        stays = home is not None and (record is None or home.inode in record.home_inodes)
        before = {
            "home": home.inode if home and stays else None,
            "record": record_dir(reader.run_id),
            "shadow_digest": reader.ask(reads.shadow_digest(name)),
        }
        return todo(*preview, before=before, facts={"uid": uid})

    def _without_account(self, reader: HostReader, groups: Sequence[Group], record: AccountRecord | None) -> Finding:
        name = self.subject.name
        if reader.ask(reads.shadow_digest(name)) or any(name in group.members for group in groups):
            return blocked(f"{name} is half deleted: put /etc/shadow and /etc/group right with pwck and grpck")
        if is_fresh(reader, self.subject.home, self.subject.swapped().home, record):
            return todo(f"drop the fresh home {self.subject.home}")
        return done(f"no account {name}")

    def _running(self, asker: HostReader | HostWriter) -> tuple[str, ...]:
        ranges = asker.ask(reads.subids("uid")).get(self.subject.name, ())
        return asker.ask(reads.processes(self.subject.uid, *ranges))

    def _own_group(self, account: Account, groups: Sequence[Group]) -> bool:
        return any(group.name == account.name and group.gid == account.gid for group in groups)

    def _preview(self, account: Account, running: Sequence[str], groups: Sequence[Group]) -> list[str]:
        lines = [f"end its processes: {listed(running)}"] if running else []
        if self._own_group(account, groups):
            lines.append(f"$ {command_line(['groupmod', '-n', self.subject.heir, account.name])}")
        return [*lines, f"$ {command_line(['userdel', account.name])}    # its home stays"]

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Put by what would be lost, end processes where that was asked for, delete. Raises CommandFailed."""
        subject = self.subject
        account = account_named(writer.ask(reads.passwd()), subject.name)
        if account is not None:
            put_by(writer, account)
            if self._own_group(account, writer.ask(reads.groups())):
                writer.run("groupmod", "-n", subject.heir, subject.name)
            self._delete(writer)
        if is_fresh(writer, subject.home, subject.swapped().home, record_of(writer)):
            drop_fresh(writer, subject.home, subject.swapped().home)

    def _delete(self, writer: HostWriter) -> None:
        subject = self.subject
        ranges = writer.ask(reads.subids("uid")).get(subject.name, ())
        for attempt in range(3):
            if subject.end_processes and self._running(writer):
                end_processes(writer, subject.uid, ranges)
            if writer.run("userdel", subject.name, ok=_GONE + (_PASSING if attempt < 2 else ())).status in _GONE:
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
        account = account_named(accounts, subject.name)
        if account is None:
            return self._without_account(accounts)
        if account.uid != subject.uid:
            return blocked(f"{subject.name} has UID {account.uid}, not {subject.uid}: somebody else's account")
        if taken := self._taken(reader):
            return blocked(taken)
        if missing := self._missing(reader):
            return todo(*(f"restore {what}" for what in missing), facts={"uid": subject.uid})
        return done(f"{subject.name} has UID {subject.uid}", uid=subject.uid)

    def _without_account(self, accounts: Sequence[Account]) -> Finding:
        subject = self.subject
        preview = f"$ {command_line(subject.puppet.run_once)}    # creates {subject.name}, UID {subject.uid}"
        holder = next((account.name for account in accounts if account.uid == subject.uid), None)
        if holder == subject.heir:
            return later(preview)
        if holder:
            return blocked(f"UID {subject.uid} went to {holder} meanwhile: free it before going on")
        return todo(preview, facts={"uid": subject.uid})

    def _missing(self, asker: HostReader | HostWriter) -> list[str]:
        name, record = self.subject.name, record_of(asker)
        if record is None:
            return []
        missing = [f"membership of {group}" for group in self._lost_groups(asker, record)]
        if record.shadow_digest and asker.ask(reads.shadow_digest(name)) != record.shadow_digest:
            missing.append("password and ageing")
        return missing + [f"sub{kind} range" for kind, _ in self._lost_subids(asker, record)]

    def _lost_groups(self, asker: HostReader | HostWriter, record: AccountRecord) -> list[str]:
        groups = {group.name: group for group in asker.ask(reads.groups())}
        ours = [name for name in record.groups if name in groups and name not in self.subject.registry_groups]
        return [name for name in ours if self.subject.name not in groups[name].members]

    def _lost_subids(
        self, asker: HostReader | HostWriter, record: AccountRecord
    ) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
        kept = (("uid", record.subuids), ("gid", record.subgids))
        return [(k, some) for k, some in kept if some and asker.ask(reads.subids(k)).get(self.subject.name) != some]

    def _taken(self, asker: HostReader | HostWriter) -> str:
        """Who holds subordinate ids by now that are to be restored; nothing where nobody does."""
        name, record = self.subject.name, record_of(asker)
        for kind, some in self._lost_subids(asker, record) if record else []:
            for other, ranges in asker.ask(reads.subids(kind)).items():
                if other != name and any(a < c + d and c < a + b for a, b in some for c, d in ranges):
                    return f"the sub{kind} range of {name} went to {other} meanwhile: put /etc/sub{kind} right"
        return ""

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Run puppet once, then restore; subordinate ids come last, as somebody may have them. Raises CommandFailed."""
        name = self.subject.name
        if account_named(writer.ask(reads.passwd()), name) is None:
            self.subject.puppet.run(writer)
        record = record_of(writer)
        if record is None or account_named(writer.ask(reads.passwd()), name) is None:
            return
        if groups := self._lost_groups(writer, record):
            writer.run("usermod", "-a", "-G", ",".join(groups), name)
        if record.shadow_digest and writer.ask(reads.shadow_digest(name)) != record.shadow_digest:
            writer.run("sh", "-c", _RESTORE_SHADOW, "sh", name, record_dir(writer.run_id))
        if taken := self._taken(writer):
            raise CommandFailed(taken)
        self._restore_subids(writer, record)
        if not self._missing(writer):
            mark_restored(writer)

    def _restore_subids(self, writer: HostWriter, record: AccountRecord) -> None:
        name = self.subject.name
        for kind, kept in self._lost_subids(writer, record):
            now = writer.ask(reads.subids(kind)).get(name, ())
            for flag, some in (("del", now), ("add", kept)):
                for first, count in some:
                    writer.run("usermod", f"--{flag}-sub{kind}s", f"{first}-{first + count - 1}", name)

    def inverse(self, before: Facts) -> DeleteAccount:  # noqa: ARG002
        """The account goes again, its home stays."""
        return DeleteAccount(self.subject)
