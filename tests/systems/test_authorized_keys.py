"""A lost key out of every file from which a real sshd takes keys, and what else lies there untouched."""

from __future__ import annotations

import base64
import itertools
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbooks.errors import CommandFailed
from runbooks.lab import Person
from runbooks.model import Status
from runbooks.systems import reads
from runbooks.systems.authorized_keys import KeysBack, KeysOut

from .machine import Machine, move_in

_UIDS = itertools.count(4000)


def blob(seed: int) -> str:
    return base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + random.Random(seed).randbytes(32)).decode()


LOST, KEPT = blob(1), blob(2)
FILE = f"""# {LOST} is what the comment speaks of
ssh-ed25519 {KEPT} laptop

from="10.0.0.0/8",command="echo {KEPT[:20]}" ssh-ed25519 {LOST} the old one
ssh-ed25519 {LOST}
ssh-rsa AAAA{LOST} only looks alike
"""
LEFT = "".join(
    line
    for line in FILE.splitlines(keepends=True)
    if f" {LOST} the" not in line and line.strip() != f"ssh-ed25519 {LOST}"
)


@pytest.fixture(autouse=True)
def _no_keys_of_earlier_tests(machine: Machine) -> None:
    """The key is looked for in everybody's files."""
    machine.sh("chattr -fi /home/k*/.ssh/authorized_keys; rm -rf /home/k*/.ssh /etc/ssh/userkeys/k*")


@pytest.fixture
def person(machine: Machine) -> Person:
    someone = Person(f"k{next(_UIDS)}", next(_UIDS))
    move_in(machine, someone)
    machine.sh(f"install -d -m 700 -o {someone.name} -g 500 /home/{someone.name}/.ssh")
    return someone


def put(machine: Machine, path: str, text: str, owner: str = "root", mode: str = "644") -> str:
    machine.sh('cat >"$1"; chown "$2" "$1"; chmod "$3" "$1"', path, owner, mode, input=text.encode())
    return path


def places(machine: Machine, name: str) -> tuple[str, str]:
    """Where puppet puts keys, and where the account itself does."""
    system = put(machine, f"/etc/ssh/userkeys/{name}", FILE)
    return system, put(machine, f"/home/{name}/.ssh/authorized_keys", FILE, f"{name}:500", "600")


def stat(machine: Machine, path: str) -> str:
    return machine.sh('stat -c "%a %u %g" "$1"', path)


def test_out_of_every_file_and_back(either: Machine) -> None:
    machine = either
    someone = Person(f"k{next(_UIDS)}", next(_UIDS))
    move_in(machine, someone)
    machine.sh(f"install -d -m 700 -o {someone.name} -g 500 /home/{someone.name}/.ssh")
    paths = places(machine, someone.name)
    modes = [stat(machine, path) for path in paths]
    change = KeysOut((someone.name, "root"), (LOST,))
    finding = machine.check(change)
    assert len(finding.preview) == 4
    assert LOST not in "".join(finding.preview)
    before = machine.apply(change)
    assert [machine.sh("cat $1", path) for path in paths] == [LEFT, LEFT]
    assert [stat(machine, path) for path in paths] == modes
    assert machine.sh('find /etc/ssh/userkeys "/home/$1/.ssh" -name "*.??????"', someone.name) == ""
    assert machine.check(change).status is Status.DONE
    assert machine.undo(change, before).status is Status.DONE
    assert [sorted(machine.sh("cat $1", path).splitlines()) for path in paths] == [sorted(FILE.splitlines())] * 2


def test_an_account_that_is_gone_from_the_host(machine: Machine) -> None:
    """Puppet may have deleted it; what it leaves under /etc is read all the same."""
    path = put(machine, "/etc/ssh/userkeys/leftover", FILE)
    machine.apply(KeysOut(("leftover",), (LOST,)))
    assert machine.sh("cat $1", path) == LEFT


def test_all_keys_of_an_account_are_not_all_of_a_file_that_others_share(machine: Machine, person: Person) -> None:
    system, own = places(machine, person.name)
    shared = put(machine, "/etc/ssh/shared_keys", FILE)
    machine.sh("cp -p /etc/ssh/sshd_config /etc/ssh/kept")
    machine.sh("sed -i 's|^AuthorizedKeysFile .*|& /etc/ssh/shared_keys|' /etc/ssh/sshd_config")
    try:
        machine.apply(KeysOut(("root",), (LOST,), (person.name,)))
        assert machine.sh("cat $1", shared) == LEFT
        for path in (system, own):
            assert "ssh-ed25519" not in machine.sh("cat $1", path)
    finally:
        machine.sh("mv /etc/ssh/kept /etc/ssh/sshd_config; rm /etc/ssh/shared_keys")


def test_roots_own_keys(machine: Machine) -> None:
    """Where the tool logs in by: its own key stays."""
    path = "/etc/ssh/userkeys/root"
    before = machine.sh("cat $1 2>/dev/null || true", path)
    put(machine, path, before + f"ssh-ed25519 {LOST} somebody's\n")
    machine.apply(KeysOut(("root",), (LOST,)))
    assert machine.sh("cat $1", path) == before
    if not before:
        machine.sh("rm $1", path)


def test_a_home_is_never_edited_as_root(machine: Machine, person: Person) -> None:
    """A link out of the home to a file that the account cannot write stays as it is, and is told."""
    target = put(machine, f"/etc/{person.name}.keys", f"ssh-ed25519 {LOST}\n")
    machine.sh(f"ln -s {target} /home/{person.name}/.ssh/authorized_keys")
    change = KeysOut((person.name,), (LOST,))
    assert machine.check(change).status is Status.TODO
    with pytest.raises(CommandFailed, match=r"authorized_keys: .*returned 1"):
        machine.do(change)
    assert LOST in machine.sh("cat $1", target)


def test_one_file_that_cannot_be_written_keeps_no_other(machine: Machine, person: Person) -> None:
    system, own = places(machine, person.name)
    machine.sh(f"chown root /home/{person.name}/.ssh; chmod 755 /home/{person.name}/.ssh")
    with pytest.raises(CommandFailed, match="authorized_keys"):
        machine.do(KeysOut((person.name,), (LOST,)))
    assert machine.sh("cat $1", system) == LEFT
    assert machine.sh("cat $1", own) == FILE


def test_a_file_without_a_final_line_break(machine: Machine, person: Person) -> None:
    path = put(machine, f"/etc/ssh/userkeys/{person.name}", f"ssh-ed25519 {KEPT}\nssh-ed25519 {LOST}")
    machine.apply(KeysOut((person.name,), (LOST,)))
    assert machine.sh("cat $1", path) == f"ssh-ed25519 {KEPT}\n"


def test_stopped_at_any_command(machine: Machine, person: Person) -> None:
    paths = places(machine, person.name)
    change = KeysOut((person.name,), (LOST,))
    assert machine.stopped_after(change, 1)
    left = [f"ssh-ed25519 {LOST}" in machine.sh("cat $1", path) for path in paths]
    assert sorted(left) == [False, True], "one file was edited, and the other was not"
    machine.apply(change)
    assert [machine.sh("cat $1", path) for path in paths] == [LEFT, LEFT]
    back = KeysBack({paths[0]: {"owner": [0, 0], "lines": [f"ssh-ed25519 {LOST}"]}})
    machine.apply(back)
    assert machine.check(back).status is Status.DONE


def test_the_key_no_longer_opens_a_door(
    machine: Machine, person: Person, tmp_path: Path, log_in: Callable[[Path, str], bool]
) -> None:
    """By a real sshd: the lost key is refused, and the other one of the same account still works."""
    keys = {}
    for name in ("lost", "kept"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
        keys[name] = (tmp_path / f"{name}.pub").read_text().split()[1]
    put(machine, f"/etc/ssh/userkeys/{person.name}", f"ssh-ed25519 {keys['lost']} x\nssh-ed25519 {keys['kept']} y\n")
    assert log_in(tmp_path / "lost", person.name)
    machine.apply(KeysOut((person.name, "root"), (keys["lost"],)))
    assert not log_in(tmp_path / "lost", person.name)
    assert log_in(tmp_path / "kept", person.name)
    assert machine.ask(reads.keys_for(person.name)) == (f"ssh-ed25519 {keys['kept']}",)


@pytest.fixture
def log_in(machine: Machine) -> Iterator[Callable[[Path, str], bool]]:
    """Whether somebody can log in with a key on the first host."""
    row = next(row for row in machine.lab.status() if row.name == machine.host)

    def with_key(key: Path, user: str) -> bool:
        argv = [
            "ssh",
            "-F",
            "none",
            "-i",
            str(key),
            "-p",
            str(row.port),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ]
        argv += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none"]
        done = subprocess.run([*argv, f"{user}@{row.address}", "true"], capture_output=True, check=False, timeout=30)
        return done.returncode == 0

    yield with_key


def test_whoever_else_has_it_in_a_file(machine: Machine, person: Person) -> None:
    """Somebody let them in to an account of their own, and a role account has no log-in shell."""
    other = Person(f"k{next(_UIDS)}", next(_UIDS))
    move_in(machine, other)
    machine.sh("install -d -m 700 -o $1 -g 500 /home/$1/.ssh; usermod -s /usr/sbin/nologin $1", other.name)
    home = put(machine, f"/home/{other.name}/.ssh/authorized_keys", FILE, f"{other.name}:500", "600")
    untouched = put(machine, f"/etc/ssh/userkeys/{other.name}", f"ssh-ed25519 {KEPT}\n")
    change = KeysOut((person.name, "root"), (LOST,), (person.name,))
    finding = machine.check(change)
    assert {line.split(":")[0] for line in finding.preview} == {f"-{home}"}
    machine.apply(change)
    assert machine.sh("cat $1", home) == LEFT
    assert stat(machine, home).split()[0] == "600"
    assert machine.sh("cat $1", untouched) == f"ssh-ed25519 {KEPT}\n"
