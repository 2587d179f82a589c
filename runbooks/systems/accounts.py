"""What the account files of a Unix host say: passwd(5), group(5), subuid(5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Group:
    """A line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]


def _rows(text: str, fields: int) -> list[list[str]]:
    rows = [line.split(":") for line in text.splitlines() if line and line[0] not in "#+-"]
    return [row for row in rows if len(row) == fields]


def parse_passwd(text: str) -> tuple[Account, ...]:
    """The accounts of a passwd file; comments, NIS lines and lines that are none are passed over."""
    return tuple(
        Account(name, int(uid), int(gid), gecos, home, shell)
        for name, _, uid, gid, gecos, home, shell in _rows(text, 7)
        if uid.isdigit() and gid.isdigit()
    )


def parse_group(text: str) -> tuple[Group, ...]:
    """The groups of a group file."""
    return tuple(
        Group(name, int(gid), tuple(member for member in members.split(",") if member))
        for name, _, gid, members in _rows(text, 4)
        if gid.isdigit()
    )


def parse_subids(text: str) -> dict[str, tuple[tuple[int, int], ...]]:
    """Subordinate id ranges by account: (first, count) pairs."""
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for name, first, count in _rows(text, 3):
        found[name] = (*found.get(name, ()), (int(first), int(count)))
    return found


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What is kept of an account that is deleted, for the one that takes its place.

    ``shadow_digest`` stands for the line of /etc/shadow, which stays on the host. ``home_inodes`` are the inodes that
    the home had, the last one being what it has now: a copy gets another. ``name`` is whose it was.
    """

    name: str
    shadow_digest: str
    home_inodes: tuple[int, ...]
    groups: tuple[str, ...]
    subuids: tuple[tuple[int, int], ...]
    subgids: tuple[tuple[int, int], ...]
    metadata_digest: str


def parse_record(text: str) -> AccountRecord | None:
    """What ``reads.account_record`` printed; None where nothing was put by."""
    if not text.strip():
        return None
    head, groups, subuid, subgid, metadata = text.split("\0")
    name, digest, has_shadow, *inodes = head.split()
    return AccountRecord(
        name,
        digest if has_shadow == "1" else "",
        tuple(int(inode) for inode in inodes),
        tuple(groups.split()),
        _ranges(subuid),
        _ranges(subgid),
        metadata.strip(),
    )


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (row.partition(":") for row in text.split())
    return tuple((int(first), int(count)) for first, _, count in pairs)
