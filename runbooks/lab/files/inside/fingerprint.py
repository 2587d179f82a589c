"""Print, as JSON, everything below a path that a move must not change; run inside a lab host.

One list an entry: type, mode, uid, gid, size, mtime in ns, sparse, link target, xattrs (ACLs are among them), SHA-256,
hard-link group (the first name of it), and for the top its inode. Names are bytes kept as surrogate escapes.
"""

# ruff: noqa: PTH112, PTH114, PTH115 -- names are bytes here, and pathlib takes none
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


def walk(top: bytes) -> Iterator[bytes]:
    yield top
    with os.scandir(top) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)
        else:
            yield entry.path


def xattrs(path: bytes) -> list[list[str]]:
    names = os.listxattr(path, follow_symlinks=False)
    return sorted([name, os.getxattr(path, name, follow_symlinks=False).hex()] for name in names)


def digest(path: bytes) -> str:
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NOATIME)) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def entry(path: bytes, relative: str, groups: dict[tuple[int, int], str]) -> list[object]:
    seen = os.lstat(path)
    kind = KINDS[stat.S_IFMT(seen.st_mode)]
    regular = kind == "file"
    return [
        kind,
        stat.S_IMODE(seen.st_mode),
        seen.st_uid,
        seen.st_gid,
        0 if kind == "dir" else seen.st_size,
        seen.st_mtime_ns,
        regular and seen.st_blocks * 512 < seen.st_size,
        os.fsdecode(os.readlink(path)) if kind == "link" else None,
        xattrs(path),
        digest(path) if regular else None,
        groups.setdefault((seen.st_dev, seen.st_ino), relative) if kind != "dir" and seen.st_nlink > 1 else None,
        seen.st_ino if relative == "." else None,
    ]


def main(top: bytes) -> None:
    found: dict[str, list[object]] = {}
    groups: dict[tuple[int, int], str] = {}
    if os.path.lexists(top):
        paths = walk(top) if os.path.isdir(top) and not os.path.islink(top) else [top]
        for path in paths:
            relative = os.fsdecode(os.path.relpath(path, top))
            found[relative] = entry(path, relative, groups)
    json.dump(found, sys.stdout)


main(os.fsencode(sys.argv[1]))
