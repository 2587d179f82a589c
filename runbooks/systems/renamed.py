"""Gates of a rename: is a host ready for it, and is it as promised afterwards. They look, and do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.model import Change, Facts, Finding, blocked, done, later
from runbooks.systems import reads
from runbooks.systems.accounts import Account, AccountRecord, Group
from runbooks.systems.files import Entry
from runbooks.systems.homes import SHARED, SPOOLS, file_system
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.subject import Subject, record_of
from runbooks.systems.wording import listed

_PROGRAMS = (
    "perl",
    "flock",
    "ps",
    "userdel",
    "usermod",
    "groupmod",
    "chpasswd",
    "chage",
    "getfacl",
    "getfattr",
    "puppet",
)


@dataclass(frozen=True)
class Seen:
    """What ``Ready`` read of a host."""

    account: Account | None
    groups: Sequence[Group]
    names_of_uid: Sequence[str]
    heir_known: bool
    heir_group_known: bool
    entries: Mapping[str, Entry]
    mounts: Mapping[str, str]
    file_system: str
    immutable: Sequence[str]
    missing_programs: Sequence[str]


@dataclass(frozen=True)
class Ready(Change[HostReader, HostWriter]):
    """Whether an account can be renamed on a host without anything being lost. ``registry_gid`` is the primary group
    that the registry pins, if it does; ``keys`` are those of the registry, as ``type base64``."""

    subject: Subject
    registry_gid: int | None
    keys: tuple[str, ...]

    looks_only = True

    def check(self, reader: HostReader) -> Finding:
        """Done, with the facts that the plan rests on and remarks for the operator; or blocked."""
        seen = self._look(reader)
        if seen.account is None:
            return blocked(self._no_account(seen))
        trouble = [*self._account_trouble(seen, seen.account), *self._place_trouble(seen)]
        if not trouble and self.subject.home in seen.mounts:
            trouble = self._space_trouble(reader)
        if trouble:
            return blocked("; ".join(trouble))
        return done(self._remarks(reader, seen), **self._facts(reader, seen, seen.account))

    def inverse(self, before: Facts) -> Renamed:  # noqa: ARG002
        """After an undo: the old name is back, and as it was."""
        return Renamed(self.subject, self.keys)

    def _look(self, reader: HostReader) -> Seen:
        s, home = self.subject, self.subject.home
        places = [
            "/home",
            home,
            s.swapped().home,
            *(f"{spool}/{name}" for spool in SPOOLS for name in (s.name, s.heir)),
        ]
        places.append(f"/etc/sudoers.d/{s.name}")
        accounts, mounts = reader.ask(reads.passwd()), reader.ask(reads.mounts_below("/"))
        inside = {point: kind for point, kind in mounts.items() if f"{point}/".startswith(f"{home}/")}
        return Seen(
            next((account for account in accounts if account.name == s.name), None),
            reader.ask(reads.groups()),
            reader.ask(reads.account_of_uid(s.uid)),
            reader.ask(reads.known_account(s.heir)),
            reader.ask(reads.known_group(s.heir)),
            reader.ask(reads.entries(*places)),
            inside,
            file_system(mounts, home),
            reader.ask(reads.immutable_below(home)),
            reader.ask(reads.has_programs(*_PROGRAMS)),
        )

    def _no_account(self, seen: Seen) -> str:
        if seen.names_of_uid:
            return f"UID {self.subject.uid} belongs to {', '.join(seen.names_of_uid)} here, not to {self.subject.name}"
        return f"no account {self.subject.name} here any more"

    def _account_trouble(self, seen: Seen, account: Account) -> list[str]:
        s, found = self.subject, []
        if account.uid != s.uid:
            found.append(f"{s.name} has UID {account.uid} here, {s.uid} in the registry: find out which is right")
        elif others := set(seen.names_of_uid) - {s.name}:
            found.append(f"UID {s.uid} has other names, too: {', '.join(sorted(others))}")
        if seen.heir_known:
            found.append(f"{s.heir} is an account here already, in /etc/passwd or LDAP: choose another name")
        if seen.heir_group_known:
            found.append(f"a group {s.heir} is there already: choose another name, or rename the group")
        if self._has_own_group(seen, account) and account.gid != self.registry_gid:
            found.append(
                f"its primary group {s.name} (GID {account.gid}) goes with the account: "
                f"write gid: {account.gid} into the registry first"
            )
        if account.home != s.home:
            found.append(f"its home is {account.home}, not {s.home}: move it there first, or rename by hand")
        if seen.missing_programs:
            found.append(f"missing here: {', '.join(seen.missing_programs)}")
        return found

    def _has_own_group(self, seen: Seen, account: Account) -> bool:
        return any(group.name == account.name and group.gid == account.gid for group in seen.groups)

    def _is_subvolume(self, seen: Seen, home: Entry) -> bool:
        """Every btrfs subvolume has the same inode, and a device of its own without being a mount point."""
        above = seen.entries.get("/home")
        return self.subject.home not in seen.mounts and above is not None and above.device != home.device

    def _place_trouble(self, seen: Seen) -> list[str]:
        s, found = self.subject, []
        home = seen.entries.get(s.home)
        if home and not home.is_directory:
            found.append(f"{s.home} is {'a link' if home.is_link else 'no directory'}: rename by hand")
        elif home and home.uid != s.uid:
            found.append(f"{s.home} belongs to UID {home.uid}, not {s.uid}: find out why")
        if home and self._is_subvolume(seen, home):
            found.append(f"{s.home} is a subvolume of its own, which the tool cannot tell from others: rename by hand")
        if seen.file_system == "autofs":
            found.append(f"{s.home} is automounted: rename it where it comes from")
        if seen.file_system in SHARED:
            found.append(f"{s.home} is on {seen.file_system}, and other hosts may share it: rename by hand")
        if s.home in seen.mounts and len(seen.mounts) > 1:
            inside = listed(sorted(set(seen.mounts) - {s.home}))
            found.append(f"{s.home} has to be copied, and {inside} is mounted inside: unmount that first")
        if s.home in seen.immutable:
            found.append(f"{s.home} is immutable: chattr -i -a {s.home}")
        for path in (s.swapped().home, *(f"{spool}/{s.heir}" for spool in SPOOLS)):
            if path in seen.entries:
                found.append(
                    f"{path} is there already, of UID {seen.entries[path].uid}: look whose it is, move it away"
                )
        return found

    def _space_trouble(self, reader: HostReader) -> list[str]:
        """A home that is a file system of its own is copied, so there has to be room for it."""
        if missing := reader.ask(reads.has_programs("rsync")):
            return [f"{self.subject.home} is a file system of its own and has to be copied: {missing[0]} is missing"]
        used, free = reader.ask(reads.used_bytes(self.subject.home)), reader.ask(reads.free_bytes("/home"))
        if used * 1.05 < free:
            return []
        return [f"{self.subject.home} has to be copied: {used >> 20} MiB, and /home has {free >> 20} MiB free"]

    def _facts(self, reader: HostReader, seen: Seen, account: Account) -> dict[str, Any]:
        s = self.subject
        home = seen.entries.get(s.home)
        subids = {kind: reader.ask(reads.subids(kind)).get(s.name, ()) for kind in ("uid", "gid")}
        crontab, sudoers = f"/var/spool/cron/crontabs/{s.name}", f"/etc/sudoers.d/{s.name}"
        return {
            "uid": account.uid,
            "gid": account.gid,
            "shell": account.shell,
            "home": [home.inode, reader.ask(reads.metadata_digest(s.home))] if home else None,
            "mounts": sorted(seen.mounts),
            "groups": sorted(group.name for group in seen.groups if s.name in group.members),
            "processes": list(reader.ask(reads.processes(s.uid, *subids["uid"]))),
            "spools": sorted(path for path in seen.entries if path.startswith("/var/")),
            "files": dict(reader.ask(reads.digests(crontab, sudoers))),
            "subids": [[list(pair) for pair in subids[kind]] for kind in ("uid", "gid")],
            "keys": list(reader.ask(reads.keys_for(s.name))),
            "mentions": list(reader.ask(reads.mentions_in_etc(s.name))),
        }

    def _remarks(self, reader: HostReader, seen: Seen) -> str:
        s, remarks = self.subject, []
        if s.home not in seen.entries:
            remarks.append("there is no home here")
            return "; ".join(remarks)
        if s.home in seen.mounts:
            remarks.append(f"{s.home} is a file system of its own: it is copied, and the original stays where it is")
        elif seen.mounts:
            remarks.append(f"mounted inside the home, moves along: {listed(sorted(seen.mounts))}")
        if seen.immutable:
            remarks.append(f"immutable in the home, moves along: {listed(seen.immutable)}")
        if f"/etc/sudoers.d/{s.name}" in seen.entries:
            remarks.append(f"/etc/sudoers.d/{s.name} stays, and a future {s.name} would inherit it")
        if lines := reader.ask(reads.mentions_in_file(f"/var/spool/cron/crontabs/{s.name}", s.home)):
            remarks.append(f"the crontab names {s.home} on {lines} line(s)")
        if inside := reader.ask(reads.home_links_to(s.home)):
            remarks.append(f"names {s.home} in full: {listed(inside)}")
        setuid, foreign = reader.ask(reads.special_files(s.home, s.uid))
        if setuid:
            remarks.append(f"{setuid} setuid or setgid file(s) in the home")
        if foreign:
            remarks.append(f"{foreign} file(s) of others in the home")
        if elsewhere := reader.ask(reads.files_elsewhere(s.uid)):
            remarks.append(f"has files elsewhere, which follow by UID: {listed(elsewhere)}")
        if mentions := reader.ask(reads.mentions_in_etc(s.name)):
            remarks.append(f"/etc names {s.name}, edit by hand: {listed(mentions)}")
        return "; ".join(remarks)


@dataclass(frozen=True)
class Renamed(Change[HostReader, HostWriter]):
    """Whether a rename has come out as promised: the subject has UID, home and keys, and the heir's name is gone."""

    subject: Subject
    keys: tuple[str, ...]

    looks_only = True

    def check(self, reader: HostReader) -> Finding:
        """Done; later while the account is not there; blocked with what is not as promised."""
        s = self.subject
        accounts, groups = reader.ask(reads.passwd()), reader.ask(reads.groups())
        account = next((account for account in accounts if account.name == s.name), None)
        if account is None or any(a.name == s.heir for a in accounts):
            return later()
        record, other = record_of(reader), s.swapped()
        places = [s.home, other.home, *(f"{spool}/{s.heir}" for spool in SPOOLS)]
        found = reader.ask(reads.entries(*places))
        wrong = []
        if account.uid != s.uid:
            wrong.append(f"UID {account.uid} instead of {s.uid}")
        if record and record.home_inodes and (s.home not in found or found[s.home].inode not in record.home_inodes):
            wrong.append(f"{s.home} is not the home that was there before")
        wrong += [f"{path} is still there" for path in places[2:] if path in found]
        wrong += [f"group {group.name} still has {s.heir}" for group in groups if s.heir in group.members]
        if lost := set(self.keys) - set(reader.ask(reads.keys_for(s.name))):
            wrong.append(f"sshd does not take {len(lost)} of its keys")
        if wrong:
            return blocked("; ".join(wrong))
        return done(self._remarks(reader, record, found))

    def _remarks(self, reader: HostReader, record: AccountRecord | None, found: Mapping[str, Entry]) -> str:
        """What is not as it was, without being wrong: puppet may have set the home's mode, or a home is left over."""
        s, other, remarks = self.subject, self.subject.swapped(), []
        if other.home in found:
            remarks.append(f"{other.home} is kept: look whether anybody needs it")
        if record and s.home in found and record.metadata_digest != reader.ask(reads.metadata_digest(s.home)):
            remarks.append(f"mode, owner, ACL or attributes of {s.home} itself are no longer what they were")
        return "; ".join(remarks)
