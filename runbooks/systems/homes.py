"""Homes on Unix hosts, and what goes by an account's name beside them. Nothing here ever deletes a home, or a file that
could have come from a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems import reads
from runbooks.systems.accounts import AccountRecord
from runbooks.systems.files import Entry
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.subject import Subject, record_dir, record_of
from runbooks.systems.wording import listed
from runbooks.transport.quoting import command_line

# rename(2) and nothing else: mv would copy and delete where it cannot rename.
_RENAME = 'die "$ARGV[1] is there already\\n" if -e $ARGV[1] or -l $ARGV[1]; rename($ARGV[0], $ARGV[1]) or die "$!\\n"'

# One file after another, and directories only when they are empty: never a tree.
_DROP_FRESH_HOME = """cd -P -- "$1" || exit 1; find . -xdev -mindepth 1 ! -type d -exec sh -c 'for f; do
  cmp -s -- "$f" "/etc/skel/$f" || { [ -n "$0" ] && cmp -s -- "$f" "$0/$f"; } || exit 1; rm -f -- "$f"; done' "$2" {} +
[ $? = 0 ] && cd / && find "$1" -depth -type d -exec rmdir -- {} +"""

_COPY = ("rsync", "-aHAXS", "--numeric-ids", "--one-file-system")
_COPY_TIMEOUT_S = 24 * 3600

SPOOLS: Sequence[str] = ("/var/mail", "/var/spool/cron/crontabs", "/var/lib/systemd/linger")
"""Where things go by an account's name, and stay when it is deleted."""
SHARED: Sequence[str] = ("nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "fuse.glusterfs")
"""File systems that other hosts may have, too."""


def file_system(mounts: Mapping[str, str], path: str) -> str:
    """The type of the file system that a path is on."""
    above = [point for point in mounts if f"{path}/".startswith(f"{point.rstrip('/')}/")]
    return mounts[max(above, key=len)] if above else ""


def rename_path(writer: HostWriter, source: str, target: str) -> None:
    """rename(2), refusing a target that is there. Raises CommandFailed."""
    writer.run("perl", "-e", _RENAME, "--", source, target)


def is_fresh(asker: HostReader | HostWriter, path: str, home: str, record: AccountRecord | None) -> bool:
    """Whether a directory came with a new account and holds nothing of anybody's own: it is not the recorded home, and
    every file in it is as in /etc/skel or in that home (at ``home``)."""
    found = asker.ask(reads.entries(path)).get(path)
    if record is None or found is None or not found.is_directory or found.inode in record.home_inodes:
        return False
    return not asker.ask(reads.unlike_skel(path, home))


def drop_fresh(writer: HostWriter, path: str, home: str) -> None:
    """Remove a fresh home, each file compared once more. Raises CommandFailed."""
    writer.run("sh", "-c", _DROP_FRESH_HOME, "sh", path, home)


@dataclass(frozen=True)
class MoveHome(Change[HostReader, HostWriter]):
    """Put a home into the place of the fresh one that came with the new account.

    The home is known by its inode, which was recorded before the account was deleted: whatever has been done, or left
    half done, the directory with that inode is the home. It is renamed as a whole. A fresh home in its place is set
    aside first, and dropped only if every file in it equals the one in /etc/skel or in the home itself. A home that
    is a file system of its own cannot be renamed: it is copied (rsync -aHAXS), compared, and left where it is; from
    then on the copy, recorded last, is the home.
    """

    subject: Subject

    @property
    def _source(self) -> str:
        return self.subject.swapped().home

    def _copy(self, run_id: str) -> str:
        return f"{self.subject.home}.ops-clinic-{run_id}.copy"

    def _beside(self, run_id: str) -> tuple[str, ...]:
        """Where anything else can be: the other name, what was set aside, a copy that was not finished."""
        other = MoveHome(self.subject.swapped())
        aside = (f"{self.subject.home}.ops-clinic-{run_id}", f"{self._source}.ops-clinic-{run_id}")
        return (self._source, *aside, self._copy(run_id), other._copy(run_id))

    def check(self, reader: HostReader) -> Finding:
        """Done when the recorded home lies in its place and nothing fresh is left."""
        target, source, record = self.subject.home, self._source, record_of(reader)
        if record is None:
            return later(*self._preview(reader))
        if not record.home_inodes:
            return done("there was no home")
        found = reader.ask(reads.entries(target, *self._beside(reader.run_id)))
        if _is_home(found, target, record):
            return self._in_place(reader, record, found)
        if _is_home(found, source, record):
            return todo(*self._preview(reader), before={"home": found[source].inode})
        return blocked(f"the home (inode {record.home_inodes[-1]}) is neither at {source} nor at {target}: look for it")

    def _preview(self, reader: HostReader) -> list[str]:
        target, source = self.subject.home, self._source
        if source not in reader.ask(reads.mounts_below(source)):
            return [f"$ rename {source} {target}"]
        return [f"$ {command_line([*_COPY, source + '/', target + '/'])}    # a file system of its own: it stays"]

    def _in_place(self, reader: HostReader, record: AccountRecord, found: Mapping[str, Entry]) -> Finding:
        target, source = self.subject.home, self._source
        latest = record.home_inodes[-1]
        # Taking a copy back: the original never left, but people may have gone on working in the copy.
        is_copy = source in found and found[source].inode == latest != found[target].inode
        if is_copy and (changed := reader.ask(reads.copy_differs(source, target))):
            why = f"{target} is the original, and {source}, its copy, was changed since ({listed(changed, 2)})"
            return blocked(f"{why}: bring that over by hand ({command_line(_COPY)}), then resume")
        others = [path for path in found if path != target]
        if fresh := [path for path in others if is_fresh(reader, path, target, record)]:
            return todo(*(f"drop the fresh home {path}" for path in fresh))
        return done(self._remarks(reader, record, found))

    def _remarks(self, reader: HostReader, record: AccountRecord, found: Mapping[str, Entry]) -> str:
        remarks = []
        for path, entry in found.items():
            if path != self.subject.home:
                was_home = entry.inode in record.home_inodes
                why = "the home was copied, and both are whole" if was_home else "it holds files of its own"
                remarks.append(f"{path} is kept beside it: {why}")
        if record.metadata_digest != reader.ask(reads.metadata_digest(self.subject.home)):
            remarks.append("mode, owner, ACL or attributes of the home itself are no longer what they were")
        return "; ".join(remarks)

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Set the fresh one aside, rename, drop what was fresh. Raises CommandFailed."""
        target, source, record = self.subject.home, self._source, record_of(writer)
        if record is None:
            return
        found = writer.ask(reads.entries(target, source))
        if not _is_home(found, target, record):
            if not _is_home(found, source, record):
                raise CommandFailed(f"the home is not at {source} any more")
            home = self._copied(writer) if source in writer.ask(reads.mounts_below(source)) else source
            if target in found:
                rename_path(writer, target, f"{target}.ops-clinic-{writer.run_id}")
            rename_path(writer, home, target)
        record = record_of(writer)
        for path in self._beside(writer.run_id):
            if is_fresh(writer, path, target, record):
                drop_fresh(writer, path, target)

    def _copied(self, writer: HostWriter) -> str:
        """A verified copy beside the target, its inode recorded as the home's. Raises CommandFailed."""
        source, copy = self._source, self._copy(writer.run_id)
        writer.run(*_COPY, "--", source + "/", copy + "/", timeout_s=_COPY_TIMEOUT_S)
        if differences := writer.ask(reads.copy_differs(source, copy)):
            raise CommandFailed(f"the copy of {source} differs from it: {listed(differences)}")
        record = f"{record_dir(writer.run_id)}/home"
        writer.run("sh", "-c", 'stat -c %i -- "$1" >> "$2" && sync -f "$2"', "sh", copy, record)
        return copy

    def verify(self, reader: HostReader, before: Facts) -> Finding:  # noqa: ARG002
        """The recorded home lies in its place."""
        return self.check(reader)

    def inverse(self, before: Facts) -> MoveHome:  # noqa: ARG002
        """The same home goes back, whatever was left half done."""
        return MoveHome(self.subject.swapped())


def _is_home(found: Mapping[str, Entry], path: str, record: AccountRecord) -> bool:
    return path in found and found[path].inode in record.home_inodes


@dataclass(frozen=True)
class CarryOver(Change[HostReader, HostWriter]):
    """Give the account what goes by its name outside the home, and userdel keeps: mail spool, crontab, lingering."""

    subject: Subject

    def _pairs(self) -> list[tuple[str, str]]:
        return [(f"{spool}/{self.subject.heir}", f"{spool}/{self.subject.name}") for spool in SPOOLS]

    def _todo(self, reader: HostReader | HostWriter) -> tuple[list[tuple[str, str]], list[str]]:
        found = reader.ask(reads.entries(*(path for pair in self._pairs() for path in pair)))
        moves = [pair for pair in self._pairs() if pair[0] in found]
        return moves, [target for _, target in moves if target in found]

    def check(self, reader: HostReader) -> Finding:
        """Done when nothing goes by the other name any more."""
        moves, taken = self._todo(reader)
        if taken:
            return blocked(f"{listed(taken)} is there already: whose is it?")
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
