"""Fill homes, crontabs and mail spools; run inside a lab host, with the people as JSON on standard input.

Homes are made here, in the running host, because a directory of an overlay's lower layer cannot be renamed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

GID = 500
LONG_AGO_NS = 1_500_000_000_123_456_789


def write(path: Path, text: str | bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def plain_files(home: Path, count: int) -> None:
    for i in range(count):
        folder = home / "work" / f"d{i // 50 % 20:02}" / f"e{i // 10 % 5}"
        if i < 1000 or i % 10 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        mode = 0o640 if i % 7 else 0o600
        write(folder / f"file-{i:05}.txt", f"{home.name} {i}\n" * (i % 13 + 1), mode)


def dot_files(home: Path) -> None:
    write(home / ".bashrc", f"export PATH={home}/bin:$PATH\nalias work='cd {home}/work'\n")
    write(home / ".profile", f". {home}/.bashrc\n")
    write(home / ".config/tool/settings.ini", f"[paths]\ndata={home}/data\n", 0o600)
    write(home / ".ssh/config", f"Host *\n  ControlPath {home}/.ssh/cm-%C\n", 0o600)
    (home / ".ssh").chmod(0o700)
    write(home / ".cache/.hidden/..data", b"\0\1\2" * 1000)
    (home / ".empty").mkdir(exist_ok=True)


def links(home: Path) -> None:
    write(home / "data/original.bin", bytes(range(256)) * 40)
    (home / "data/twin.bin").hardlink_to(home / "data/original.bin")
    (home / "work").mkdir(exist_ok=True)
    (home / "work/cousin.bin").hardlink_to(home / "data/original.bin")
    (home / "latest").symlink_to("data/original.bin")
    (home / "absolute").symlink_to(home / "data")
    (home / "dangling").symlink_to("/nonexistent/target")
    (home / ".dotlink").symlink_to(".bashrc")


def odd_names(home: Path) -> None:
    write(home / "odd/new\nline", "n")
    write(home / "odd/-rf", "dash")
    write(home / "odd/ two  spaces ", "s")
    write(home / 'odd/it\'s "quoted" $HOME `x`', "q")
    Path(os.fsdecode(bytes(home / "odd") + b"/caf\xe9")).write_bytes(b"latin")
    os.mkfifo(home / "odd/pipe", 0o620)


def odd_things(home: Path, uid: int) -> None:
    write(home / "odd/plain", "p")
    write(home / "bin/helper", "#!/bin/sh\nid\n", 0o755)
    with (home / "data/sparse.img").open("wb") as image:
        image.seek(4 << 20)
        image.write(b"in the middle")
        image.truncate(8 << 20)
    os.setxattr(home / "data/original.bin", b"user.checksum", b"\0binary\xff")
    os.setxattr(home / "work", b"user.project", b"clinic")
    os.setxattr(home, b"user.owner_note", f"home of {uid}".encode())


def acls(home: Path) -> None:
    run = ["setfacl", "-m", "u:www-data:r-x", str(home), str(home / "data")]
    subprocess.run(run, check=True)
    subprocess.run(["setfacl", "-m", "u:backup:r--,m::r--", str(home / "data/original.bin")], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:backup:rx", str(home / "data")], check=True)


def worker(home: Path, person: dict[str, Any]) -> None:
    write(home / "bin/worker", "#!/bin/sh\nexec sleep 2147483\n", 0o755)
    write(home / "bin/nightly", "#!/bin/sh\ntrue\n", 0o755)
    lines = [f"MAILTO={person['name']}", f"15 3 * * * {home}/bin/nightly --quiet"]
    if person["process"]:
        lines.append(f"@reboot {home}/bin/worker >/dev/null 2>&1")
    if person["crontab"]:
        text = "\n".join(lines) + "\n"
        subprocess.run(["crontab", "-u", person["name"], "-"], input=text.encode(), check=True)


def own_and_age(home: Path, uid: int) -> None:
    """Owner first (it clears set-uid), then modes, and times from the leaves up."""
    entries = [home]
    for top, folders, files in os.walk(home):
        entries += [Path(top, name) for name in folders + files]
    for path in entries:
        os.lchown(path, uid, GID)
    os.lchown(home / "data/twin.bin", uid, GID)
    write(home / "odd/foreign", "not mine")
    os.lchown(home / "odd/foreign", 33, 33)
    (home / "bin/helper").chmod(0o4755)
    for i, path in enumerate(reversed([*entries, home / "odd/foreign"])):
        stamp = LONG_AGO_NS + i * 61_000_000_007
        os.utime(path, ns=(stamp, stamp), follow_symlinks=False)
    for path in sorted((p for p in entries if p.is_dir() and not p.is_symlink()), key=lambda p: -len(p.parts)):
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS - len(path.parts)))


def account(person: dict[str, Any]) -> None:
    name = person["name"]
    if person["mail"]:
        spool = Path("/var/mail", name)
        write(spool, f"From root@lab\nTo: {name}\n\nA letter.\n", 0o660)
        os.chown(spool, person["uid"], 8)
    if person["password"]:
        subprocess.run(["usermod", "-p", "$y$j9T$abcdefghijkl$" + "x" * 43, name], check=True)
        subprocess.run(["chage", "-M", "9000", "-W", "14", "-d", "2026-01-15", name], check=True)


def seed(person: dict[str, Any]) -> None:
    home = Path("/home", person["name"])
    if not home.is_dir() or (home / "data/original.bin").exists():
        return
    plain_files(home, person["home_files"])
    dot_files(home)
    links(home)
    odd_things(home, person["uid"])
    if person["odd_names"]:
        odd_names(home)
    worker(home, person)
    acls(home)
    account(person)
    own_and_age(home, person["uid"])


os.umask(0o022)
for entry in json.load(sys.stdin):
    seed(entry)
