"""ArchiveHome: all of a home in a file of root's, compared, and the home as it was; never a file that holds less."""

from __future__ import annotations

import pytest

from runbooks.errors import CommandFailed
from runbooks.model import Status
from runbooks.systems.archive import ArchiveHome
from runbooks.systems.subject import Subject

from .machine import Machine

DIRECTORY = "/srv/archive: of homes"


def archive(old: Subject, directory: str = DIRECTORY) -> ArchiveHome:
    return ArchiveHome(old.name, old.uid, directory)


def made(machine: Machine, old: Subject) -> list[str]:
    """What lies in the directory that has to do with somebody."""
    return machine.sh('ls -A "$1" 2>/dev/null | grep -F "$2" || true', DIRECTORY, old.name).splitlines()


def unpacked(machine: Machine, old: Subject) -> dict[str, tuple[object, ...]]:
    """The home as it comes out again, without the inode of its top."""
    place = f"/srv/unpacked-{old.name}"
    (file,) = made(machine, old)
    options = "--acls --xattrs --xattrs-include=* --numeric-owner --force-local"
    machine.sh(f'set -f; mkdir -p "$1"; tar -xp {options} -f "$2" -C "$1"', place, f"{DIRECTORY}/{file}")
    return prints(machine, f"{place}/{old.name}")


def prints(machine: Machine, path: str) -> dict[str, tuple[object, ...]]:
    found = machine.lab.fingerprint(machine.host, path)
    return {name: entry[:-1] for name, entry in found.items()}


def test_all_of_it_and_the_home_stays(either: Machine, old: Subject) -> None:
    home = either.lab.fingerprint(either.host, old.home)
    change = archive(old)
    finding = either.check(change)
    assert finding.preview[0].startswith("$ tar --create ")
    either.apply(change)
    assert either.lab.fingerprint(either.host, old.home) == home
    assert made(either, old) == [f"{old.name}-{old.uid}-{either.run_id}.tar.gz"]
    modes = either.sh('stat -c "%U %a" "$1" "$1/$2"', DIRECTORY, made(either, old)[0])
    assert modes.splitlines() == ["root 700", "root 600"]
    assert unpacked(either, old) == prints(either, old.home)
    seen = either.check(change)
    assert (seen.status, seen.note) == (Status.DONE, f"it is in {DIRECTORY}/{made(either, old)[0]}")
    assert change.inverse({}) is None
    assert change.no_inverse


@pytest.mark.parametrize("commands", [0, 1, 2])
def test_interrupted_it_is_begun_again(machine: Machine, old: Subject, commands: int) -> None:
    change = archive(old)
    assert machine.stopped_after(change, commands)
    if commands < 2:
        assert machine.check(change).status is Status.TODO
        machine.apply(change)
    assert made(machine, old) == [f"{old.name}-{old.uid}-{machine.run_id}.tar.gz"]
    assert unpacked(machine, old) == prints(machine, old.home)


def test_what_is_left_half_packed_counts_for_nothing(machine: Machine, old: Subject) -> None:
    part = f"{DIRECTORY}/{old.name}-{old.uid}-{machine.run_id}.tar.gz.part"
    machine.sh('mkdir -p -m 700 "$1"; echo half >"$2"', DIRECTORY, part)
    assert machine.check(archive(old)).status is Status.TODO
    machine.apply(archive(old))
    assert unpacked(machine, old) == prints(machine, old.home)


@pytest.mark.parametrize(
    "change",
    [
        "echo more >>$1/data/original.bin",
        "echo new >$1/new",
        "rm $1/data/original.bin",
        "chmod 640 $1/data/original.bin",
    ],
)
def test_a_home_that_changes_meanwhile_is_not_taken_for_packed(machine: Machine, old: Subject, change: str) -> None:
    """tar is followed by somebody's work in the home, before the two are compared."""
    real = machine.sh("command -v tar").strip()
    meanwhile = f'case " $* " in *" --create "*) set -- {old.home}; {change};; esac'
    script = f'#!/bin/sh\n{real} "$@"; s=$?\n{meanwhile}\nexit $s\n'
    machine.sh("cat >/usr/local/sbin/tar; chmod 755 /usr/local/sbin/tar", input=script.encode())
    try:
        with pytest.raises(CommandFailed, match="is not as it was packed"):
            machine.do(archive(old))
    finally:
        machine.sh("rm /usr/local/sbin/tar")
    assert made(machine, old) == []
    assert machine.check(archive(old)).status is Status.TODO


def test_no_room_on_the_way(machine: Machine, old: Subject) -> None:
    machine.sh("mkdir -m 700 /srv/small; mount -t tmpfs -o size=200k,mode=700 tmpfs /srv/small")
    try:
        machine.sh("head -c 400000 /dev/urandom >$1/large", old.home)
        finding = machine.check(archive(old, "/srv/small"))
        assert finding.status is Status.BLOCKED
        assert "make room first" in finding.note
        with pytest.raises(CommandFailed):
            machine.do(archive(old, "/srv/small"))
        assert machine.sh("ls -A /srv/small") == ""
    finally:
        machine.sh("umount /srv/small; rmdir /srv/small")


BLOCKED = {
    "a link": ("mv $1 $1.real; ln -s $1.real $1", "is a link: archive it by hand, and leave this host out"),
    "somebody else's": ("chown www-data $1", "belongs to UID 33"),
    "two people's": ("sed -i 's|^games:\\(.*\\):/[^:]*:\\([^:]*\\)$|games:\\1:'$1':\\2|' /etc/passwd", "of games, too"),
    "a mount inside": ("mkdir $1/mnt; mount -t tmpfs tmpfs $1/mnt", "/mnt is mounted inside"),
}
AFTER = {
    "a mount inside": "umount $1/mnt",
    "two people's": "sed -i 's|:'$1':/usr/sbin/nologin|:/usr/games:/usr/sbin/nologin|' /etc/passwd",
}


@pytest.mark.parametrize("case", BLOCKED)
def test_what_a_person_has_to_look_at(machine: Machine, old: Subject, case: str) -> None:
    script, why = BLOCKED[case]
    machine.sh(script, old.home)
    try:
        finding = machine.check(archive(old))
        assert (finding.status, why in finding.note) == (Status.BLOCKED, True), finding
    finally:
        machine.sh(AFTER.get(case, ":"), old.home)


def test_the_place_is_roots_alone(machine: Machine, old: Subject) -> None:
    machine.sh("mkdir -p -m 755 /srv/open")
    assert "is not a directory of root's alone" in machine.check(archive(old, "/srv/open")).note
    machine.sh("rmdir /srv/open; ln -s /tmp /srv/open")
    assert "is not a directory of root's alone" in machine.check(archive(old, "/srv/open")).note
    machine.sh("rm /srv/open")
    assert "is inside" in machine.check(archive(old, f"{old.home}/archive")).note


def test_nothing_to_pack(machine: Machine, old: Subject) -> None:
    assert machine.check(ArchiveHome("nobodyhere", 4711, DIRECTORY)).note == "no account nobodyhere here"
    assert "in the registry" in machine.check(ArchiveHome(old.name, 4711, DIRECTORY)).note
    machine.sh("mv $1 $1.away", old.home)
    assert machine.check(archive(old)).note == f"no home at {old.home}"
