"""A home packed into one file on its own host, before the account goes. The home itself is left as it is.

Source: tar(1), GNU tar 1.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, blocked, done, todo
from runbooks.systems import reads
from runbooks.systems.accounts import Account
from runbooks.systems.files import Entry
from runbooks.systems.homes import SHARED, file_system, rename_path
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.subject import account_named
from runbooks.systems.wording import listed

_TAR = "tar --create --gzip --force-local --acls --xattrs --xattrs-include=* --sparse --numeric-owner --one-file-system"
# What was left half done is begun again; what could not be packed whole takes no room.
_PACK = f"""umask 077; set -f; part=$1 home=$2; mkdir -p -- "${{part%/*}}" && rm -f -- "$part" || exit 1
{_TAR} --file="$part" -C "${{home%/*}}/" -- "${{home##*/}}" && sync -- "$part" && exit 0
status=$?; rm -f -- "$part"; exit $status"""
_TIMEOUT_S = 24 * 3600


@dataclass(frozen=True)
class ArchiveHome(Change[HostReader, HostWriter]):
    """An account's home is in a file of ``directory``, which is root's alone. The file gets its name once it has been
    compared with the home, entry by entry: what goes by another name is not finished."""

    name: str
    uid: int
    directory: str

    no_inverse = "an archive stays: it takes nothing from anybody, and may be all that is left one day"

    def _path(self, run_id: str) -> str:
        return f"{self.directory}/{self.name}-{self.uid}-{run_id or 'RUN'}.tar.gz"

    def check(self, reader: HostReader) -> Finding:
        """Done where the archive is there, or there is no home; blocked where it cannot be made."""
        account = account_named(reader.ask(reads.passwd()), self.name)
        if account is None:
            return done(f"no account {self.name} here")
        archive, home = self._path(reader.run_id), account.home.rstrip("/")
        found = reader.ask(reads.entries(home, self.directory, archive))
        if archive in found:
            return done(f"it is in {archive}")
        if home not in found:
            return done(f"no home at {home}")
        if trouble := [*self._home_trouble(reader, account, found[home]), *self._place_trouble(found, home)]:
            return blocked("; ".join(trouble))
        if why := self._room_trouble(reader, home):
            return blocked(why)
        return todo(f"$ {_TAR} {home} > {archive}    # the home stays", facts={"home": [home, *found[home].identity]})

    def _home_trouble(self, reader: HostReader, account: Account, entry: Entry) -> list[str]:
        if account.uid != self.uid:
            return [f"{self.name} has UID {account.uid} here, {self.uid} in the registry: find out which is right"]
        home = entry.path
        if not entry.is_directory:
            return [f"{home} is {'a link' if entry.is_link else 'no directory'}: {_BY_HAND}"]
        found = [f"{home} belongs to UID {entry.uid}, not {self.uid}: {_BY_HAND}"] if entry.uid != self.uid else []
        others = [one.name for one in reader.ask(reads.passwd()) if one.home.rstrip("/") == home and one != account]
        found += [f"{home} is the home of {listed(others)}, too: {_BY_HAND}"] if others else []
        mounts = reader.ask(reads.mounts_below("/"))
        if (kind := file_system(mounts, home)) in (*SHARED, "autofs"):
            found.append(f"{home} is on {kind}, and other hosts may share it: {_BY_HAND}")
        if inside := sorted(point for point in mounts if point.startswith(f"{home}/")):
            found.append(f"{listed(inside)} is mounted inside {home}: unmount that first")
        return found

    def _place_trouble(self, found: Mapping[str, Entry], home: str) -> list[str]:
        place = found.get(self.directory)
        if f"{self.directory}/".startswith(f"{home}/"):
            return [f"{self.directory} (access.archive) is inside {home}: choose another place"]
        if place and not (place.is_directory and place.uid == 0 and not place.mode & 0o077):
            return [f"{self.directory} (access.archive) is not a directory of root's alone: chown root, chmod 700"]
        return []

    def _room_trouble(self, reader: HostReader, home: str) -> str:
        if missing := reader.ask(reads.has_programs("tar", "gzip")):
            return f"missing here: {', '.join(missing)}"
        used, free = reader.ask(reads.used_bytes(home)), reader.ask(reads.free_bytes(self.directory))
        if used * 1.05 < free:
            return ""
        return f"{home} has {used >> 20} MiB, and {self.directory} has room for {free >> 20} MiB: make room first"

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Pack, compare, give it its name. Raises CommandFailed."""
        account = account_named(writer.ask(reads.passwd()), self.name)
        if account is None:
            return
        home, archive = account.home.rstrip("/"), self._path(writer.run_id)
        part = f"{archive}.part"
        writer.run("sh", "-c", _PACK, "sh", part, home, timeout_s=_TIMEOUT_S)
        if differences := writer.ask(reads.archive_differs(part, home)):
            writer.run("rm", "-f", "--", part)
            why = f"{home} is not as it was packed ({listed(differences, 2)})"
            raise CommandFailed(f"{why}: end what runs there (`inv revoke-key --end-sessions`), then resume")
        rename_path(writer, part, archive)
        writer.run("sync", "-f", "--", archive)


_BY_HAND = "archive it by hand, and leave this host out (--without)"
