"""DeleteAccount: what userdel drops is put by, what it keeps stays byte for byte, and the half-done is recognised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbooks.errors import CommandFailed
from runbooks.model import Status
from runbooks.systems import reads
from runbooks.systems.subject import Subject, record_dir
from runbooks.systems.unix import CreateAccount, DeleteAccount
from tests.waiting import eventually

from .machine import Machine, create_as_puppet_would, let_puppet_run, stop_puppet


def exists(machine: Machine, name: str) -> bool:
    return bool(machine.sh("getent passwd $1", name, check=False))


def record(machine: Machine, name: str) -> str:
    return machine.sh('cat "$1/$2" 2>/dev/null', record_dir(machine.run_id), name, check=False)


def test_an_account_goes_and_its_home_stays(either: Machine, old: Subject) -> None:
    home = either.lab.fingerprint(either.host, old.home)
    kept = either.shadow(old.name)
    change = DeleteAccount(old)
    finding = either.check(change)
    assert finding.preview == (f"$ userdel {old.name}    # its home stays",)
    assert finding.facts == {"uid": old.uid}
    either.apply(change)
    assert not exists(either, old.name)
    assert home == either.lab.fingerprint(either.host, old.home)
    assert record(either, "shadow").strip() == kept
    assert either.check(change).status is Status.DONE


def test_what_is_put_by_is_for_root_alone_and_no_hash_leaves_the_host(machine: Machine, old: Subject) -> None:
    machine.sh("usermod -p '$6$salt$SECRETHASH' $1; chage -M 77 -W 5 -I 9 -E 2030-01-01 $1", old.name)
    finding = machine.check(DeleteAccount(old))
    machine.apply(DeleteAccount(old))
    assert "SECRETHASH" in record(machine, "shadow")
    assert "SECRETHASH" not in machine.said() + repr(finding)
    directory = record_dir(machine.run_id)
    modes = machine.sh('find "$1" -printf "%m %u %g\\n" | sort -u', directory).split("\n")
    assert set(filter(None, modes)) == {"600 root root", "700 root root"}


def test_local_groups_and_subordinate_ids_are_put_by(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd -f docker; groupadd -f kvm; gpasswd -a $1 docker; gpasswd -a $1 kvm", old.name)
    subids = machine.sh("grep ^$1: /etc/subuid | cut -d: -f2-", old.name)
    machine.apply(DeleteAccount(old))
    assert set(record(machine, "groups").split()) == {"deployment", "docker", "kvm", "clinic-staff"}
    assert record(machine, "subuid") == record(machine, "subgid") == subids
    assert old.name not in machine.sh("cat /etc/passwd /etc/group /etc/gshadow /etc/shadow /etc/subuid /etc/subgid")


def test_an_account_of_another_uid_or_running_puppet_is_no_case_for_us(machine: Machine, old: Subject) -> None:
    wrong = machine.check(DeleteAccount(replace(old, uid=4321)))
    assert (wrong.status, "4321" in wrong.note) == (Status.BLOCKED, True)
    let_puppet_run(machine)
    try:
        assert machine.check(DeleteAccount(old)).status is Status.LATER
    finally:
        stop_puppet(machine)


def test_live_processes_are_named_and_end_only_when_asked(machine: Machine, old: Subject) -> None:
    machine.lab.start_process(machine.host, old.name)
    refused = machine.check(DeleteAccount(old))
    assert (refused.status, refused.note) == (
        Status.BLOCKED,
        f"{old.name} runs sleep: end them, or give --end-processes",
    )
    with pytest.raises(CommandFailed, match="returned 8"):
        machine.do(DeleteAccount(old))
    assert exists(machine, old.name)
    asked = DeleteAccount(replace(old, end_processes=True))
    assert "end its processes: sleep" in machine.check(asked).preview
    machine.apply(asked)
    assert machine.lab.processes(machine.host, old.uid) == []


def test_processes_that_ignore_sigterm_or_run_under_a_subordinate_uid_end_too(machine: Machine, old: Subject) -> None:
    script = """first=$(grep ^$1: /etc/subuid | cut -d: -f2)
    for uid in $2 $((first + 7)); do
      setsid -f setpriv --reuid $uid --regid 500 --clear-groups bash -c 'trap "" TERM; while :; do sleep 1; done' \
        </dev/null >/dev/null 2>&1; done; echo $first"""
    first = int(machine.sh(script, old.name, str(old.uid)))
    eventually(lambda: all(machine.lab.processes(machine.host, uid) for uid in (old.uid, first + 7)))
    eventually(lambda: "bash" in machine.check(DeleteAccount(old)).note)
    machine.apply(DeleteAccount(replace(old, end_processes=True)))
    assert machine.lab.processes(machine.host, first + 7) == machine.lab.processes(machine.host, old.uid) == []


def test_a_process_under_a_subordinate_uid_alone_is_seen_too(machine: Machine, old: Subject) -> None:
    """As a rootless container's is. userdel would go ahead, and the next account get the range, process and all."""
    script = """uid=$(($(grep ^$1: /etc/subuid | cut -d: -f2) + 3))
    setsid -f setpriv --reuid $uid --regid 500 --clear-groups sleep 60 </dev/null >/dev/null 2>&1"""
    machine.sh(script, old.name)
    eventually(lambda: machine.check(DeleteAccount(old)).note.startswith(f"{old.name} runs sleep"))
    machine.apply(DeleteAccount(replace(old, end_processes=True)))


def test_locked_account_files_are_waited_for(machine: Machine, old: Subject) -> None:
    taken, released = f"/run/{old.name}.taken", f"/run/{old.name}.released"
    script = "import fcntl, time; f = open('/etc/.pwd.lock', 'w'); fcntl.lockf(f, fcntl.LOCK_EX)"
    script += f"; open('{taken}', 'w'); time.sleep(2); open('{released}', 'w')"
    machine.sh(f'setsid -f python3 -c "{script}" </dev/null >/dev/null 2>&1; until [ -e {taken} ]; do sleep 0.05; done')
    machine.apply(DeleteAccount(old))
    machine.sh("test -e $1", released)


def test_a_primary_group_of_the_same_name_keeps_its_gid(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd -g $2 $1; usermod -g $2 $1", old.name, str(old.uid))
    change = DeleteAccount(old)
    assert machine.check(change).preview[0] == f"$ groupmod -n {old.heir} {old.name}"
    machine.apply(change)
    assert machine.sh("getent group $1", old.heir) == f"{old.heir}:x:{old.uid}:\n"
    machine.sh("useradd -u $2 -g $2 -M $1", old.heir, str(old.uid))
    machine.apply(DeleteAccount(old.swapped()))
    assert machine.sh("getent group $1", old.name) == f"{old.name}:x:{old.uid}:\n"


def test_stopped_before_any_of_its_commands_it_starts_again_with_nothing_lost(machine: Machine, old: Subject) -> None:
    machine.sh("groupadd -g $2 $1; usermod -g $2 $1; groupadd -f docker; gpasswd -a $1 docker", old.name, str(old.uid))
    kept, home = machine.shadow(old.name), machine.lab.fingerprint(machine.host, old.home)
    change = DeleteAccount(old)
    commands = 0
    while machine.stopped_after(change, commands):
        assert machine.check(change).status is Status.TODO
        commands += 1
    assert commands > 1
    assert machine.check(change).status is Status.DONE
    assert record(machine, "shadow").strip() == kept
    assert "docker" in record(machine, "groups").split()
    assert machine.lab.fingerprint(machine.host, old.home) == home
    assert machine.sh("getent group $1", old.heir).startswith(f"{old.heir}:x:{old.uid}:")


@pytest.mark.parametrize("left", ["shadow", "group"])
def test_a_half_deleted_account_is_for_a_person(machine: Machine, old: Subject, left: str) -> None:
    line = machine.sh("grep ^$1: /etc/shadow", old.name)
    machine.sh("userdel $1", old.name)
    if left == "shadow":
        machine.sh("cat >>/etc/shadow", input=line.encode())
    else:
        machine.sh("sed -i 's/^deployment:.*/&,'$1/ /etc/group", old.name)
    try:
        found = machine.check(DeleteAccount(old))
        assert found.status is Status.BLOCKED
        assert "pwck" in found.note
    finally:
        machine.sh("sed -i /^$1:/d /etc/shadow; sed -i s/,$1$// /etc/group", old.name)


def test_a_home_that_is_gone_afterwards_is_an_alarm(machine: Machine, old: Subject) -> None:
    change = DeleteAccount(old)
    before = machine.check(change).before
    machine.do(change, before)
    machine.sh("mv /home/$1 /home/$1.away", old.name)
    reader = machine.target.reader(machine.run_id)
    seen = change.verify(reader, before)
    assert seen.status is Status.BLOCKED
    assert "is not where it was" in seen.note


def test_deleting_the_half_restored_heir_does_not_forget_what_was_put_by(machine: Machine, old: Subject) -> None:
    """Puppet made the new account, we died before restoring, and the operator undoes: the hash must not be lost."""
    machine.sh("usermod -p '$6$x$KEEPME' $1; groupadd -f docker; gpasswd -a $1 docker", old.name)
    kept = machine.shadow(old.name)
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    machine.apply(DeleteAccount(old.swapped()))
    assert record(machine, "shadow").strip() == kept
    create_as_puppet_would(machine, old)
    machine.apply(CreateAccount(old))
    assert machine.shadow(old.name) == kept
    assert "docker" in machine.sh("id -nG $1", old.name).split()


def test_a_password_that_was_changed_after_the_rename_survives_its_undo(machine: Machine, old: Subject) -> None:
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    machine.apply(CreateAccount(old.swapped()))
    machine.sh("usermod -p '$6$x$CHANGED' $1", old.heir)
    machine.apply(DeleteAccount(old.swapped()))
    create_as_puppet_would(machine, old)
    machine.apply(CreateAccount(old))
    assert "CHANGED" in machine.shadow(old.name)


def test_a_fresh_home_goes_with_the_account_that_it_came_with(machine: Machine, old: Subject) -> None:
    """An undo before the home was moved: /home/NEW holds skel alone, and would stand in the way of the next rename."""
    home = machine.lab.fingerprint(machine.host, old.home)
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    machine.apply(CreateAccount(old.swapped()))
    machine.apply(DeleteAccount(old.swapped()))
    assert machine.lab.fingerprint(machine.host, old.swapped().home) == {}
    assert machine.lab.fingerprint(machine.host, old.home) == home


def test_a_fresh_home_with_a_file_of_its_own_stays(machine: Machine, old: Subject) -> None:
    machine.apply(DeleteAccount(old))
    create_as_puppet_would(machine, old.swapped())
    machine.sh("echo mine >/home/$1/notes", old.heir)
    machine.apply(DeleteAccount(old.swapped()))
    assert machine.sh("cat /home/$1/notes", old.heir) == "mine\n"


def test_the_inverse_has_puppet_make_it_again(old: Subject) -> None:
    assert DeleteAccount(old).inverse({}) == CreateAccount(old)


def test_an_account_without_a_home_can_go(machine: Machine, old: Subject) -> None:
    machine.sh("mv /home/$1 /home/$1.away", old.name)
    assert machine.check(DeleteAccount(old)).before["home"] is None
    machine.apply(DeleteAccount(old))
    found = machine.ask(reads.account_record(record_dir(machine.run_id)))
    assert found is not None and found.home_inodes == ()  # type: ignore[attr-defined]


def test_nothing_happens_to_neighbours(machine: Machine, old: Subject) -> None:
    before = machine.sh("grep -hv ^$1 /etc/passwd /etc/shadow /etc/subuid", old.name)
    machine.apply(DeleteAccount(old))
    assert machine.sh("grep -hv ^$1 /etc/passwd /etc/shadow /etc/subuid", old.name) == before
