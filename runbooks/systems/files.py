"""What stat(1) says of a path."""

from __future__ import annotations

import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a path, links not followed. ``mount`` is the mount point of its file system."""

    path: str
    inode: int
    device: int
    mode: int
    uid: int
    gid: int
    links: int
    mount: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory itself, not a link to one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def identity(self) -> list[int]:
        """What stays when it is renamed: inode and device."""
        return [self.inode, self.device]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file from which sshd takes keys for an account. ``owner`` is the UID and GID as whom it may be edited: the
    account's in its home, else root's. ``is_its_own``: no other account's keys are in there."""

    account: str
    path: str
    owner: tuple[int, int]
    is_its_own: bool
    lines: tuple[str, ...]


def parse_key_file(account: str, uid: str, gid: str, home: str, path: str, text: str) -> KeyFile:
    """One record of what ``reads.key_files`` prints."""
    is_home = home not in ("", "/") and path.startswith(home.rstrip("/") + "/")
    owner = (int(uid), int(gid)) if is_home and uid else (0, 0)
    return KeyFile(account, path, owner, is_home or account in path.split("/"), tuple(text.splitlines()))


def parse_entry(text: str) -> Entry | None:
    """One record of ``stat --printf '%i %d %f %u %g %h %m %n'``."""
    if not text:
        return None
    inode, device, mode, uid, gid, links, rest = text.split(" ", 6)
    # The mount point comes before the path, and either may hold spaces: the path begins with a slash and is the longer.
    mount, _, path = rest.partition(" /")
    return Entry("/" + path, int(inode), int(device), int(mode, 16), int(uid), int(gid), int(links), mount)
