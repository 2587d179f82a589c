"""Ready and Renamed: every obstacle and remark is seen on a real host, and looking leaves no trace."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.model import Status
from runbooks.systems.homes import CarryOver, MoveHome, file_system
from runbooks.systems.puppet import Idle, Puppet, RunAgain, Start, Stop
from runbooks.systems.renamed import Ready, Renamed
from runbooks.systems.subject import Subject
from runbooks.systems.unix import CreateAccount, DeleteAccount

from .machine import Machine, create_as_puppet_would


def ready(old: Subject, gid: int | None = 500) -> Ready:
    return Ready(old, gid, ())


def test_a_healthy_account_is_ready_and_two_looks_agree(either: Machine, old: Subject) -> None:
    one, two = either.check(ready(old)), either.check(ready(old))
    assert one == two
    assert one.status is Status.DONE
    assert one.facts["uid"] == old.uid
    assert one.facts["groups"] == ["clinic-staff", "deployment"]
    assert one.facts["spools"] == [f"/var/mail/{old.name}", f"/var/spool/cron/crontabs/{old.name}"]
    assert set(one.facts["files"]) == {f"/var/spool/cron/crontabs/{old.name}"}
    assert one.facts["subids"][0][0][1] == 65536


BLOCKERS = {
    "another UID": ("usermod -u 45{n} $1", "in the registry: find out which is right"),
    "two names on the UID": ("useradd -o -u $3 -M twin$3", "has other names, too: twin"),
    "home elsewhere": ("usermod -d /srv/$1 $1", "its home is /srv/"),
    "home is a link": ("mv /home/$1 /home/$1.real; ln -s $1.real /home/$1", "is a link: rename by hand"),
    "home is a file": ("mv /home/$1 /home/$1.real; touch /home/$1", "is no directory: rename by hand"),
    "home of somebody else": ("chown 33 /home/$1", "belongs to UID 33, not"),
    "new home there": ("mkdir /home/$2", "/home/{new} is there already, of UID 0"),
    "new home is a dangling link": ("ln -s nowhere /home/$2", "/home/{new} is there already"),
    "new name taken": ("useradd -M $2", "{new} is an account here already"),
    "new group taken": ("groupadd $2", "a group {new} is there already"),
    "same-named group": ("groupadd -g $3 $1; usermod -g $3 $1", "write gid: {uid} into the registry first"),
    "crontab of the new name": ("touch /var/spool/cron/crontabs/$2", "/var/spool/cron/crontabs/{new} is there already"),
    "mail of the new name": ("touch /var/mail/$2", "/var/mail/{new} is there already"),
    "immutable home": ("chattr +i /home/$1", "is immutable: chattr -i -a /home/"),
    "append-only home": ("chattr +a /home/$1", "is immutable: chattr -i -a /home/"),
    "account gone": ("userdel $1", "no account {old} here any more"),
    "UID of another": ("usermod -l other$3 $1", "belongs to other{uid} here, not to {old}"),
    "mount inside a mount": (
        "mount --bind /home/$1 /home/$1; mkdir /home/$1/m; mount -t tmpfs tmpfs /home/$1/m",
        "has to be copied, and /home/{old}/m is mounted inside: unmount that first",
    ),
}


@pytest.mark.parametrize("kind", BLOCKERS)
def test_what_stands_in_the_way_is_said(machine: Machine, old: Subject, kind: str) -> None:
    script, expected = BLOCKERS[kind]
    assert machine.check(ready(old)).status is Status.DONE
    machine.sh(script.replace("{n}", str(old.uid)[-3:]), old.name, old.heir, str(old.uid))
    try:
        found = machine.check(ready(old))
        assert found.status is Status.BLOCKED
        assert expected.format(old=old.name, new=old.heir, uid=old.uid) in found.note
        assert machine.check(ready(old)) == found
    finally:
        machine.sh("chattr -i -a /home/$1; umount /home/$1/m /home/$1; true", old.name, check=False)


def test_a_same_named_group_that_the_registry_pins_is_fine(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd -g $2 $1; usermod -g $2 $1", old.name, str(old.uid))
    assert machine.check(ready(old, gid=old.uid)).status is Status.DONE


def test_missing_programs_are_named(machine: Machine, old: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.systems.renamed._PROGRAMS", ("perl", "no-such-program"))
    assert "missing here: no-such-program" in machine.check(ready(old)).note


def test_a_home_to_be_copied_needs_room(machine: Machine, old: Subject) -> None:
    home = f"mount -t tmpfs tmpfs {old.home}; chown {old.uid} {old.home}; mkdir -p {old.home}/d"
    machine.sh(home)
    try:
        assert "is a file system of its own" in machine.check(ready(old)).note
        machine.sh("mount -t tmpfs -o size=1m tmpfs /home; mkdir $1; mount -t tmpfs tmpfs $1", old.home)
        machine.sh("chown $2 $1; head -c 3000000 /dev/zero >$1/big", old.home, str(old.uid))
        found = machine.check(ready(old))
        assert (found.status, "has to be copied: 2 MiB" in found.note) == (Status.BLOCKED, True)
    finally:
        machine.sh("umount $1; umount /home; umount $1", old.home, check=False)


REMARKS = {
    "nothing": ("rm -rf $4/.bashrc $4/.profile $4/.ssh $4/.config $4/absolute $4/odd $4/bin; rm -f $5", ""),
    "sudoers": ("echo x >/etc/sudoers.d/$1", "/etc/sudoers.d/{old} stays, and a future {old} would inherit it"),
    "crontab": ("true", "the crontab names /home/{old} on 1 line(s)"),
    "links": ("true", "names /home/{old} in full: ./.bashrc, ./.config/tool/settings.ini, ./.profile, ./.ssh/config"),
    "setuid and foreign": ("true", "1 setuid or setgid file(s) in the home; 1 file(s) of others in the home"),
    "elsewhere": ("touch /var/tmp/of$1; chown $1 /var/tmp/of$1", "has files elsewhere, which follow by UID: /var/tmp/"),
    "immutable": ("touch $4/data/f; chattr +i $4/data/f", "immutable in the home, moves along: {home}/data/f;"),
    "mount": ("mkdir $4/m; mount -t tmpfs tmpfs $4/m", "mounted inside the home, moves along: {home}/m;"),
    "no home": ("mv $4 $4.away", "there is no home here"),
    "etc": ("echo AllowUsers $1 >/etc/ssh/allow; echo $1by >/etc/not", "/etc names {old}, edit by hand: /etc/ssh/a"),
    "group.conf": ("mkdir -p /etc/security; echo $1 >/etc/security/group.conf", "by hand: /etc/security/group.conf"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REMARKS)
def test_what_the_operator_should_know_is_remarked(machine: Machine, old: Subject, kind: str) -> None:
    script, expected = REMARKS[kind]
    crontab = f"/var/spool/cron/crontabs/{old.name}"
    machine.sh(script, old.name, old.heir, str(old.uid), old.home, crontab)
    try:
        found = machine.check(ready(old))
        assert found.status is Status.DONE, found.note
        expected = expected.format(old=old.name, home=old.home)
        assert expected in f"{found.note};" if expected else found.note == ""
        assert machine.check(ready(old)) == found
    finally:
        machine.sh("chattr -i $1/data/f; umount $1/m; rm -f /etc/not /etc/ssh/allow", old.home, check=False)


def test_bob_is_not_bobby(machine: Machine) -> None:
    machine.sh("echo 'DenyUsers bobby bob.x@y' >/etc/ssh/deny; echo bobby >/etc/cron.allow")
    bob = Subject("bob", "robert", 2003, Puppet())
    assert machine.check(ready(bob)).facts["mentions"] == ["/etc/ssh/deny"]
    machine.sh("echo 'DenyUsers bobby' >/etc/ssh/deny")
    assert machine.check(ready(bob)).facts["mentions"] == []
    machine.sh("rm /etc/ssh/deny /etc/cron.allow")


def test_the_keys_that_sshd_takes_are_facts(machine: Machine) -> None:
    key = " ".join(machine.lab.layout.person_key("bob").with_suffix(".pub").read_text().split()[:2])
    bob = Subject("bob", "robert", 2003, Puppet())
    assert machine.check(Ready(bob, 500, (key,))).facts["keys"] == [key]


def test_network_file_systems_are_told_from_local_ones() -> None:
    mounts = {"/": "ext4", "/home": "nfs4", "/home/ann": "autofs", "/homeless": "xfs"}
    assert [file_system(mounts, f"/home/{name}") for name in ("bob", "ann", "anna")] == ["nfs4", "autofs", "nfs4"]
    assert file_system({"/": "ext4", "/home2": "nfs"}, "/home/bob") == "ext4"
    assert file_system({}, "/home/bob") == ""


def test_a_shared_home_is_refused(machine: Machine, old: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab has no file server: an overlay stands in for one."""
    monkeypatch.setattr("runbooks.systems.renamed.SHARED", ("overlay",))
    found = machine.check(ready(old))
    assert (found.status, "other hosts may share it" in found.note) == (Status.BLOCKED, True)


def snapshot(machine: Machine) -> dict[str, tuple[int, ...]]:
    """All that the host's disk holds, access times left out."""
    top = machine.lab.upper(machine.host)
    found = {}
    for folder, _, files in os.walk(top):
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            seen = Path(path).lstat()
            found[path] = (seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return {path: seen for path, seen in found.items() if not path.endswith(("sshd.log", "btmp", "lastlog"))}


def test_a_full_set_of_checks_writes_nothing_on_the_host(either: Machine, old: Subject, new: Subject) -> None:
    puppet = Puppet()
    changes = [
        ready(old), Stop(puppet, "why", old.name), DeleteAccount(old), Idle(puppet, old.name, old.uid),
        CreateAccount(new), MoveHome(new), CarryOver(new), Start(puppet, "why", new.name), RunAgain(puppet, old.name),
        RunAgain(puppet, new.name), Renamed(new, ()), MoveHome(old), CreateAccount(old), DeleteAccount(new),
    ]  # fmt: skip
    either.check(ready(old))
    before, run = snapshot(either), either.sh("ls -lR --time-style=full-iso /run /tmp | grep -v sshd")
    for change in changes:
        either.check(change)
    assert snapshot(either) == before
    assert either.sh("ls -lR --time-style=full-iso /run /tmp | grep -v sshd") == run


# ---- afterwards


def test_renamed_as_promised(machine: Machine, old: Subject, new: Subject) -> None:
    after = Renamed(new, ())
    assert machine.check(after).status is Status.LATER
    machine.apply(DeleteAccount(old))
    assert machine.check(after).status is Status.LATER
    create_as_puppet_would(machine, new)
    found = machine.check(after)
    assert found.status is Status.BLOCKED
    assert f"{new.home} is not the home that was there before" in found.note
    assert f"/var/mail/{old.name} is still there" in found.note
    for change in (CreateAccount(new), MoveHome(new), CarryOver(new)):
        machine.apply(change)
    assert machine.check(after).status is Status.DONE
    assert machine.check(after).note == ""
    machine.sh("chmod 711 $1; mkdir $2; gpasswd -a bob games", new.home, old.home)
    note = machine.check(after).note
    assert f"{old.home} is kept" in note
    assert "no longer what they were" in note
    wrong = machine.check(Renamed(replace(new, uid=1), ("ssh-ed25519 AAAAnot",)))
    assert "UID" in wrong.note
    assert "sshd does not take 1 of its keys" in wrong.note


def test_the_look_before_is_undone_by_a_look_after(old: Subject) -> None:
    assert Ready(old, None, ("k",)).inverse({}) == Renamed(old, ("k",))
