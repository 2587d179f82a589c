"""CreateAccount: puppet makes the account, and it gets what the one before had on this host."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from runbooks.errors import CommandFailed
from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY
from runbooks.model import Status
from runbooks.registry import Registry
from runbooks.systems.puppet import Puppet
from runbooks.systems.subject import Subject, record_dir
from runbooks.systems.unix import CreateAccount, DeleteAccount

from .machine import GROUPS, PEOPLE, Machine, create_as_puppet_would


def merged(lab: Lab, old: str, new: str) -> None:
    """The registry with the rename in it, deployed."""
    lab.commit({REGISTRY: Registry(lab.show()).rename(old, new).text}, f"Rename {old}")
    lab.deploy()


def test_puppet_creates_it_and_everything_of_the_host_comes_back(either: Machine) -> None:
    name = {"root": "peter", "clinic": "paula"}[either.user]
    old = Subject(name, f"{name}x", next(p.uid for p in PEOPLE if p.name == name), Puppet(), GROUPS)
    new = old.swapped()
    either.sh("groupadd -f docker; gpasswd -a $1 docker; usermod -p '$6$x$SECRETHASH' $1; chage -M 77 $1", old.name)
    kept = either.shadow(old.name)
    subids = either.sh("grep -h ^$1: /etc/subuid /etc/subgid | cut -d: -f2-", old.name)
    change = CreateAccount(new)
    assert either.check(change).status is Status.LATER
    either.apply(DeleteAccount(old))
    registry = either.lab.show()
    merged(either.lab, old.name, new.name)
    finding = either.check(change)
    assert (finding.status, finding.facts) == (Status.TODO, {"uid": old.uid})
    assert "agent_disabled_lockfile=" in finding.preview[0]
    either.apply(change)
    assert either.sh("id -u $1", new.name).strip() == str(old.uid)
    assert either.shadow(new.name) == kept
    assert "docker" in either.sh("id -nG $1", new.name).split()
    assert either.sh("grep -h ^$1: /etc/subuid /etc/subgid | cut -d: -f2-", new.name) == subids
    assert "SECRETHASH" not in either.said()
    assert either.lab.login(either.host, new.name, key_of=old.name)
    # Other tests run puppet, too: registry and host agree again.
    either.lab.commit({REGISTRY: registry}, "Take it back")
    either.lab.deploy()
    either.sh("userdel $1; useradd -M -u $3 -g 500 -G deployment -s /bin/bash $2", new.name, old.name, str(old.uid))


def gone_and_made_again(machine: Machine, old: Subject) -> CreateAccount:
    """The old account deleted, the new one as a puppet run leaves it: half done."""
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    return CreateAccount(old.swapped())


def test_made_but_not_restored_is_half_done(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd -f docker; gpasswd -a $1 docker; usermod -p '$6$x$KEPT' $1; chgrp 42 /etc/shadow", old.name)
    kept = machine.shadow(old.name)
    change = gone_and_made_again(machine, old)
    assert "restore password and ageing" in machine.check(change).preview
    commands = 0
    while machine.stopped_after(change, commands):
        assert machine.check(change).status in (Status.TODO, Status.DONE)
        commands += 1
    assert commands > 1
    assert machine.check(change).status is Status.DONE
    assert machine.shadow(old.heir) == kept
    assert machine.sh("stat -c '%a %u %g' /etc/shadow").strip() == "640 0 42"


def test_the_password_is_restored_within_the_second_in_which_shadow_was_written(machine: Machine, old: Subject) -> None:
    """vipw, for one, takes an edit for none when the file's time is the same to the second."""
    machine.sh("usermod -p '$6$x$KEPT' $1", old.name)
    kept = machine.shadow(old.name)
    change = gone_and_made_again(machine, old)
    for attempt in range(4):
        time.sleep(0.2 * (attempt % 2))
        machine.sh("usermod -p '!' $1", old.heir)
        machine.do(change)
        assert machine.shadow(old.heir) == kept


def test_a_password_with_anything_in_it_comes_back_whole_and_shows_nowhere(machine: Machine, old: Subject) -> None:
    odd = r"$y$j9T$ab/c.d\1&@'$HOME`id`%s|x"
    machine.sh('usermod -p "$2" "$1"', old.name, odd)
    neighbours = machine.sh("grep -v ^$1 /etc/shadow", old.name)
    change = gone_and_made_again(machine, old)
    spy = '#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/$$/environ >>/tmp/seen\nexec /usr/sbin/chpasswd "$@"\n'
    machine.sh("cat >/usr/local/bin/chpasswd; chmod 755 /usr/local/bin/chpasswd", input=spy.encode())
    machine.apply(change)
    assert machine.shadow(old.heir).startswith(odd + ":")
    assert machine.sh("grep -v ^$1 /etc/shadow", old.name) == neighbours
    machine.sh("rm /usr/local/bin/chpasswd")
    assert machine.sh("grep -aoF 'chpasswd' /tmp/seen | sort -u").split() == ["chpasswd"]
    assert machine.sh("grep -acF 'ab/c.d' /tmp/seen", check=False).split() == ["0"]


def test_groups_of_the_registry_are_left_to_puppet(machine: Machine, old: Subject) -> None:
    change = gone_and_made_again(machine, old)
    machine.sh("gpasswd -d $1 deployment", old.heir)
    machine.apply(change) if machine.check(change).status is Status.TODO else None
    assert "deployment" not in machine.sh("id -nG $1", old.heir).split()


def test_a_group_that_is_gone_meanwhile_is_no_obstacle(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd shortlived; gpasswd -a $1 shortlived", old.name)
    change = gone_and_made_again(machine, old)
    machine.sh("groupdel shortlived")
    machine.do(change)
    assert machine.check(change).status is Status.DONE


def test_a_subordinate_range_that_went_to_another_is_refused_and_all_else_restored(
    machine: Machine, old: Subject
) -> None:
    machine.sh("usermod -p '$6$x$KEPT' $1", old.name)
    kept = machine.shadow(old.name)
    first = machine.sh("grep ^$1: /etc/subuid | cut -d: -f2", old.name).strip()
    change = gone_and_made_again(machine, old)
    machine.sh('sed -i "/^$1:/d" /etc/subuid; echo "squatter:$(($2 + 10)):5" >>/etc/subuid', old.heir, first)
    with pytest.raises(CommandFailed, match=f"subuid range of {old.heir} went to squatter"):
        machine.do(change)
    found = machine.check(change)
    assert (found.status, "squatter" in found.note) == (Status.BLOCKED, True)
    assert machine.shadow(old.heir) == kept
    machine.sh("sed -i /squatter/d /etc/subuid")
    machine.apply(change)
    assert machine.sh("grep ^$1: /etc/subuid", old.heir) == f"{old.heir}:{first}:65536\n"


def test_other_subordinate_ranges_that_useradd_gave_are_taken_back(machine: Machine, old: Subject) -> None:
    first = machine.sh("grep ^$1: /etc/subgid | cut -d: -f2", old.name).strip()
    change = gone_and_made_again(machine, old)
    machine.sh('sed -i "s/^$1:.*/$1:900000000:65536/" /etc/subuid /etc/subgid', old.heir)
    machine.apply(change)
    assert machine.sh("grep -h ^$1: /etc/subuid /etc/subgid", old.heir) == f"{old.heir}:{first}:65536\n" * 2


def test_a_uid_that_went_to_somebody_else_is_blocked(machine: Machine, old: Subject, new: Subject) -> None:
    machine.apply(DeleteAccount(old))
    machine.sh("useradd -u $1 -M squatter", str(old.uid))
    found = machine.check(CreateAccount(new))
    assert (found.status, found.note) == (
        Status.BLOCKED,
        f"UID {old.uid} went to squatter meanwhile: free it before going on",
    )
    machine.sh("userdel squatter; useradd -u 54321 -M $1", new.name)
    found = machine.check(CreateAccount(new))
    assert (found.status, "somebody else's account" in found.note) == (Status.BLOCKED, True)


def test_a_puppet_run_that_fails_is_an_error_and_the_account_still_to_do(machine: Machine, old: Subject) -> None:
    machine.apply(DeleteAccount(old))
    broken = replace(old.swapped(), puppet=replace(old.puppet, agent=("sh", "-c", "exit 4", "agent")))
    with pytest.raises(CommandFailed, match="returned 4"):
        machine.do(CreateAccount(broken))
    assert machine.check(CreateAccount(broken)).status is Status.TODO


def test_the_record_says_when_everything_is_restored(machine: Machine, old: Subject) -> None:
    change = gone_and_made_again(machine, old)
    there = f'test -e "{record_dir(machine.run_id)}/restored" && echo yes'
    assert machine.sh(there, check=False) == ""
    machine.do(change)
    assert machine.sh(there, check=False) == "yes\n"


def test_nothing_was_put_by_so_nothing_is_missing(machine: Machine, old: Subject, new: Subject) -> None:
    machine.sh("userdel $1", old.name)
    create_as_puppet_would(machine, new)
    assert machine.check(CreateAccount(new)).status is Status.DONE


def test_undone_it_is_gone_and_the_home_where_it_was(machine: Machine, old: Subject) -> None:
    home = machine.lab.fingerprint(machine.host, old.home)
    change = gone_and_made_again(machine, old)
    before = machine.check(change).before
    machine.do(change)
    assert machine.undo(change, before).status is Status.DONE
    assert machine.lab.fingerprint(machine.host, old.home) == home
