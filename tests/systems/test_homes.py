"""MoveHome and CarryOver: byte for byte the same home, whatever was left half done, and never a person's file lost."""

from __future__ import annotations

import shlex

import pytest

from runbooks.errors import CommandFailed
from runbooks.model import Status
from runbooks.systems.homes import CarryOver, MoveHome
from runbooks.systems.puppet import Puppet
from runbooks.systems.subject import Subject, record_dir
from runbooks.systems.unix import DeleteAccount

from .machine import Machine, create_as_puppet_would


def prints(machine: Machine, path: str, inode: bool = True) -> dict[str, tuple[object, ...]]:
    found = machine.lab.fingerprint(machine.host, path)
    return found if inode else {name: entry[:-1] for name, entry in found.items()}


def ready(machine: Machine, old: Subject) -> MoveHome:
    """The old account deleted, the new one there with a fresh home."""
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    return MoveHome(old.swapped())


def beside(machine: Machine, old: Subject) -> set[str]:
    """What lies in /home that has to do with the two names."""
    return set(machine.sh("ls -d /home/$1* || true", old.name).split())


def test_the_home_moves_as_a_whole(either: Machine, old: Subject, new: Subject) -> None:
    assert either.check(MoveHome(new)).status is Status.LATER
    home = prints(either, old.home)
    change = ready(either, old)
    finding = either.check(change)
    assert finding.preview == (f"$ rename {old.home} {new.home}",)
    either.apply(change)
    assert prints(either, new.home) == home
    assert beside(either, old) == {new.home}
    assert either.check(change).note == ""
    assert either.undo(change, finding.before).status is Status.DONE
    assert prints(either, old.home) == home
    assert beside(either, old) == {old.home}


def test_interrupted_before_any_of_its_commands_it_goes_on(machine: Machine, old: Subject, new: Subject) -> None:
    home = prints(machine, old.home)
    change = ready(machine, old)
    commands = 0
    while machine.stopped_after(change, commands):
        assert machine.check(change).status is Status.TODO
        commands += 1
    assert commands > 1
    assert prints(machine, new.home) == home
    assert beside(machine, old) == {new.home}


@pytest.mark.parametrize("commands", [0, 1, 2])
def test_undone_from_any_half_done_state_the_home_is_back(machine: Machine, old: Subject, commands: int) -> None:
    home = prints(machine, old.home)
    change = ready(machine, old)
    before = machine.check(change).before
    assert machine.stopped_after(change, commands)
    assert machine.undo(change, before).status is Status.DONE
    assert prints(machine, old.home) == home
    assert beside(machine, old) == {old.home}


@pytest.mark.parametrize("commands", [0, 1])
def test_an_undo_can_be_interrupted_too(machine: Machine, old: Subject, commands: int) -> None:
    home = prints(machine, old.home)
    change = ready(machine, old)
    before = machine.apply(change)
    machine.sh("cp -r /etc/skel $1; chown -R $2 $1", old.home, str(old.uid))
    back = change.inverse(before)
    assert machine.stopped_after(back, commands)
    assert machine.check(back).status is Status.TODO
    machine.apply(back)
    assert prints(machine, old.home) == home
    assert beside(machine, old) == {old.home}


@pytest.mark.parametrize(
    "own", ["notes", ".bash_history", ".bashrc", "link", "pipe", "deep/er/file", "-rf", "new\nline"]
)
def test_a_fresh_home_with_anything_of_its_own_is_kept_and_named(
    machine: Machine, old: Subject, new: Subject, own: str
) -> None:
    change = ready(machine, old)
    make = {"link": "ln -s nowhere link", "pipe": "mkfifo pipe"}.get(
        own, f"mkdir -p deep/er; echo mine >> ./{shlex.quote(own)}"
    )
    machine.sh(f"cd {new.home}; {make}")
    machine.apply(change)
    aside = f"{new.home}.ops-clinic-{machine.run_id}"
    assert machine.check(change).note == f"{aside} is kept beside it: it holds files of its own"
    assert machine.sh("test -e $1/$2 -o -L $1/$2; echo $?", aside, own) == "0\n" or own == "new\nline"
    if own == "new\nline":
        assert machine.sh('cat "$1/$2"', aside, own) == "mine\n"


def test_a_fresh_home_with_the_dot_files_of_the_repository_is_dropped(machine: Machine) -> None:
    old = Subject("livia", "liviax", 2002, Puppet())
    home = prints(machine, old.home)
    assert ".vimrc" in home
    change = ready(machine, old)
    machine.sh(
        "cd $1; cp ../livia/.vimrc .; mkdir -p .config/git; cp ../livia/.config/git/ignore .config/git/", "/home/liviax"
    )
    machine.apply(change)
    assert prints(machine, "/home/liviax") == home
    assert beside(machine, old) == {"/home/liviax"}


def test_without_a_fresh_home_and_with_a_file_in_its_place(machine: Machine, old: Subject, new: Subject) -> None:
    home = prints(machine, old.home)
    machine.apply(DeleteAccount(old))
    machine.sh("echo not a home >$1", new.home)
    machine.apply(MoveHome(new))
    assert prints(machine, new.home) == home
    assert machine.sh("cat $1.ops-clinic-$2", new.home, machine.run_id) == "not a home\n"


def test_a_host_without_the_home_has_nothing_to_move(machine: Machine, old: Subject) -> None:
    machine.sh("mv $1 /home/elsewhere-$2", old.home, old.name)
    change = ready(machine, old)
    assert (machine.check(change).status, machine.check(change).note) == (Status.DONE, "there was no home")


def test_a_home_that_has_vanished_is_blocked(machine: Machine, old: Subject) -> None:
    change = ready(machine, old)
    machine.sh("mv $1 $1-away", old.home)
    found = machine.check(change)
    assert (found.status, "look for it" in found.note) == (Status.BLOCKED, True)
    with pytest.raises(CommandFailed, match="not at"):
        machine.do(change)


def test_something_else_where_the_home_was_set_aside_is_never_overwritten(
    machine: Machine, old: Subject, new: Subject
) -> None:
    change = ready(machine, old)
    aside = f"{new.home}.ops-clinic-{machine.run_id}"
    machine.sh("mkdir $1; echo old >$1/file", aside)
    with pytest.raises(CommandFailed, match="is there already"):
        machine.do(change)
    assert machine.sh("cat $1/file", aside) == "old\n"


def test_mounts_inside_and_immutable_files_move_along(machine: Machine, old: Subject, new: Subject) -> None:
    machine.sh("mkdir $1/mnt; mount -t tmpfs tmpfs $1/mnt; echo inside >$1/mnt/file", old.home)
    machine.sh("echo fixed >$1/fixed; chattr +i $1/fixed || true", old.home)
    home = prints(machine, old.home)
    try:
        machine.apply(ready(machine, old))
        assert prints(machine, new.home) == home
        assert machine.sh("cat $1/mnt/file", new.home) == "inside\n"
    finally:
        machine.sh("umount $1/mnt; chattr -i $1/fixed || true", new.home)


def test_a_changed_mode_of_the_home_is_reported(machine: Machine, old: Subject, new: Subject) -> None:
    change = ready(machine, old)
    machine.apply(change)
    machine.sh("chmod 700 $1", new.home)
    assert "no longer what they were" in machine.check(change).note


# ---- a home that is a file system of its own


def mount_own(machine: Machine, old: Subject) -> None:
    """The home on a tmpfs of its own, with all that a plain copy loses."""
    machine.sh("mv $1 $1.was; mkdir $1; mount -t tmpfs tmpfs $1; cp -a $1.was/. $1/; rm -r $1.was", old.home)


def test_a_home_of_its_own_is_copied_whole_and_the_original_left(either: Machine, old: Subject, new: Subject) -> None:
    mount_own(either, old)
    home = prints(either, old.home)
    change = ready(either, old)
    assert either.check(change).preview[0].startswith("$ rsync -aHAXS ")
    before = either.apply(change)
    assert prints(either, new.home, inode=False) == prints(either, old.home, inode=False)
    assert prints(either, old.home) == home
    assert "both are whole" in either.check(change).note
    assert either.undo(change, before).status is Status.DONE
    assert prints(either, old.home) == home
    either.sh("umount $1", old.home)


def test_a_copied_home_of_plain_files_only_is_not_taken_for_a_fresh_one(
    machine: Machine, old: Subject, new: Subject
) -> None:
    """Each of its files equals one in the copy: that must not count as something anybody can make again."""
    machine.sh(
        "rm -rf $1/* $1/.??*; echo precious >$1/thesis; mkdir $1.m; cp -a $1/. $1.m; mount --bind $1.m $1", old.home
    )
    home = prints(machine, old.home)
    change = ready(machine, old)
    before = machine.apply(change)
    assert prints(machine, old.home) == home
    assert machine.sh("cat $1/thesis", new.home) == "precious\n"
    machine.do(change)
    assert prints(machine, old.home) == home
    assert machine.undo(change, before).status is Status.DONE
    assert machine.sh("cat $1/thesis", old.home) == "precious\n"
    machine.sh("umount $1", old.home)


def test_work_done_in_the_copy_is_not_lost_by_an_undo(machine: Machine, old: Subject, new: Subject) -> None:
    mount_own(machine, old)
    change = ready(machine, old)
    before = machine.apply(change)
    machine.sh("echo later >$1/later", new.home)
    found = machine.check(change.inverse(before))
    assert (found.status, "was changed since" in found.note) == (Status.BLOCKED, True)
    assert machine.sh("cat $1/later", new.home) == "later\n"
    machine.sh("umount $1", old.home)


def test_an_interrupted_copy_is_finished(machine: Machine, old: Subject, new: Subject) -> None:
    mount_own(machine, old)
    home = prints(machine, old.home, inode=False)
    change = ready(machine, old)
    commands = 0
    while machine.stopped_after(change, commands):
        assert machine.check(change).status is Status.TODO
        commands += 1
    assert commands > 3
    assert prints(machine, new.home, inode=False) == home
    assert prints(machine, old.home, inode=False) == home
    assert beside(machine, old) == {new.home, old.home}
    machine.sh("umount $1", old.home)


def test_a_copy_that_differs_is_refused(machine: Machine, old: Subject, new: Subject) -> None:
    mount_own(machine, old)
    change = ready(machine, old)
    copy = f"{new.home}.ops-clinic-{machine.run_id}.copy"
    machine.sh("mkdir $1; echo more >$1/not-in-the-home", copy)
    with pytest.raises(CommandFailed, match="differs from it"):
        machine.do(change)
    assert machine.check(change).status is Status.TODO
    machine.sh("umount $1", old.home)


def test_no_room_half_way_leaves_the_home_as_it_was(machine: Machine, old: Subject) -> None:
    mount_own(machine, old)
    home = prints(machine, old.home)
    change = ready(machine, old)
    machine.sh("mkdir $1; mount -t tmpfs -o size=64k tmpfs $1", f"/home/{old.heir}.ops-clinic-{machine.run_id}.copy")
    with pytest.raises(CommandFailed):
        machine.do(change)
    assert prints(machine, old.home) == home
    assert machine.check(change).status is Status.TODO
    machine.sh("umount -l $1 /home/$2.ops-clinic-*.copy", old.home, old.heir)


def test_the_inode_is_recorded_once_for_the_run(machine: Machine, old: Subject) -> None:
    inode = machine.sh("stat -c %i $1", old.home)
    change = ready(machine, old)
    machine.apply(change)
    machine.apply(DeleteAccount(old.swapped()))
    assert machine.sh("cat $1/home", record_dir(machine.run_id)) == inode


# ---- mail, crontab, lingering


def spools(machine: Machine, name: str) -> list[str]:
    script = "ls /var/mail/$1 /var/spool/cron/crontabs/$1 /var/lib/systemd/linger/$1 2>/dev/null || true"
    return machine.sh(script, name).split()


def test_mail_crontab_and_lingering_are_carried_over_and_back(either: Machine, old: Subject, new: Subject) -> None:
    either.sh("mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/$1", old.name)
    mail = either.sh("cat /var/mail/$1; stat -c '%i %a %u %g' /var/mail/$1", old.name)
    change = CarryOver(new)
    assert len(either.check(change).preview) == 3
    before = either.apply(change)
    assert spools(either, old.name) == []
    assert len(spools(either, new.name)) == 3
    assert either.sh("cat /var/mail/$1; stat -c '%i %a %u %g' /var/mail/$1", new.name) == mail
    assert either.undo(change, before).status is Status.DONE
    assert len(spools(either, old.name)) == 3


def test_carrying_over_can_be_interrupted(machine: Machine, new: Subject) -> None:
    change = CarryOver(new)
    assert machine.stopped_after(change, 1)
    assert len(machine.check(change).preview) == 1
    machine.apply(change)
    assert len(spools(machine, new.name)) == 2


def test_somebody_elses_mail_is_not_overwritten(machine: Machine, new: Subject) -> None:
    machine.sh("echo theirs >/var/mail/$1", new.name)
    found = machine.check(CarryOver(new))
    assert (found.status, f"/var/mail/{new.name}" in found.note) == (Status.BLOCKED, True)
    with pytest.raises(CommandFailed, match="is there already"):
        machine.do(CarryOver(new))
    assert machine.sh("cat /var/mail/$1", new.name) == "theirs\n"
