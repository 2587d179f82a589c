"""The page of reads: the only one there is, what it says of odd files, and how it stays bounded."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

import runbooks
from runbooks.errors import CommandFailed
from runbooks.lab import Lab
from runbooks.systems import reads
from runbooks.systems.host import HostReader
from runbooks.systems.subject import Subject
from tests.waiting import eventually

from .machine import Machine

ROOT = Path(runbooks.__file__).parent
ODD = ["two  spaces", "new\nline", 'it\'s "quoted" $HOME `id` \\', "-rf", "caf\udce9", "a\tb", "'", "%s%n", "*", "ü"]


def test_reads_are_made_on_their_pages_alone() -> None:
    """One for all that hosts are asked, and one for Mailman 2, whose answers only its own driver can read."""
    makers = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if name in ("Read", "MailmanRead"):
                    makers.add(path.name)
    assert makers == {"reads.py", "mailman2_reads.py"}


def test_no_text_is_put_into_a_script() -> None:
    """Scripts are fixed: what is formatted into one is made of constants alone."""
    tree = ast.parse((ROOT / "systems/reads.py").read_text())
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        arguments = {argument.arg for argument in function.args.args}
        for call in (
            n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "_script"
        ):
            script = call.args[0]
            assert isinstance(script, ast.Name | ast.Constant), function.name
            for text in (n for n in ast.walk(function) if isinstance(n, ast.JoinedStr)):
                used = {n.id for n in ast.walk(text) if isinstance(n, ast.Name)}
                assert not used & arguments, function.name


def test_a_reader_takes_nothing_but_reads(machine: Machine) -> None:
    reader = machine.target.reader()
    for other in (("rm", "-rf", "/"), "reboot", None):
        with pytest.raises(TypeError, match="is no read command"):
            reader.ask(other)  # type: ignore[arg-type]
    assert not hasattr(reader, "run")
    assert [name for name in vars(reader) if "shell" in name] == ["_HostReader__shell"]
    assert isinstance(reader, HostReader)


@pytest.mark.parametrize("name", ODD)
def test_paths_of_any_kind_are_read_back_as_they_are(either: Machine, name: str) -> None:
    path = f"/srv/odd/{name}"
    either.sh('mkdir -p "$1"; echo x >"$1/file"; ln -sfn nowhere "$1/link"', path)
    assert set(either.ask(reads.entries(path, f"{path}/link", f"{path}/none"))) == {path, f"{path}/link"}
    digests = either.ask(reads.digests(f"{path}/file", path))
    assert list(digests) == [f"{path}/file"]
    assert either.ask(reads.mentions_in_file(f"{path}/file", "x")) == 1
    assert either.ask(reads.immutable_below(path)) == ()
    assert either.ask(reads.unlike_skel(path, "")) != ()
    assert either.ask(reads.special_files(path, 1))[0] == 0
    assert len(either.ask(reads.metadata_digest(path))) == 64


@pytest.mark.parametrize("name", ODD)
def test_mount_points_of_any_kind_are_read_back_as_they_are(machine: Machine, name: str) -> None:
    path = f"/srv/mounts/{name}"
    machine.sh('mkdir -p "$1"; mount -t tmpfs tmpfs "$1"', path)
    try:
        assert machine.ask(reads.mounts_below(path)) == {path: "tmpfs"}
        assert path in machine.ask(reads.mounts_below("/srv/mounts"))
        entry = machine.ask(reads.entries(path))[path]
        assert (entry.path, entry.is_directory) == (path, True)
    finally:
        machine.sh('umount "$1"', path)


@pytest.mark.parametrize("name", ["-x", "a b", "$(id)", "x;y"])
def test_names_of_any_kind_are_only_names(machine: Machine, name: str) -> None:
    assert machine.ask(reads.shadow_digest(name)) == ""
    assert machine.ask(reads.keys_for(name)) == ()
    if not name.startswith("-"):
        assert machine.ask(reads.known_account(name)) is False
        assert machine.ask(reads.known_group(name)) is False
        assert machine.ask(reads.mentions_in_etc(name)) == ()
    assert machine.ask(reads.has_programs("perl", name)) == (name,)


def test_flags_are_not_mistaken_for_names(machine: Machine, old: Subject) -> None:
    """lsattr heads each directory with its name, and lists the directory above it."""
    machine.sh(
        "mkdir -p '$1/ia data/x'; touch '$1/ia data/f'; chattr +a '$1/ia data/f'".replace("'$1", '"$1"\''), old.home
    )
    try:
        assert machine.ask(reads.immutable_below(old.home)) == (f"{old.home}/ia data/f",)
        machine.sh("chattr +i /home")
        assert machine.ask(reads.immutable_below(old.home)) == (f"{old.home}/ia data/f",)
    finally:
        machine.sh('chattr -i /home; chattr -a "$1/ia data/f"', old.home)


def test_what_cannot_be_entered_is_no_error(machine: Machine) -> None:
    """As FUSE mounts in a home are for root: find and lsattr end with an error there."""
    assert machine.ask(reads.special_files("/nonexistent", 1)) == (0, 0)
    assert machine.ask(reads.home_links_to("/nonexistent")) == ()
    assert machine.ask(reads.immutable_below("/nonexistent")) == ()


def test_a_big_home_is_looked_at_within_bounds(machine: Machine, old: Subject) -> None:
    machine.sh("cd $1; for d in $(seq 40); do mkdir .d$d; (cd .d$d; seq 500 | xargs touch); done", old.home)
    machine.sh("cd $1; for i in $(seq 60); do ln -s $1/x l$i; echo $1 >.r$i; done; chattr +i .d1/*", old.home)
    started = time.monotonic()
    try:
        assert len(machine.ask(reads.immutable_below(old.home))) == 20
        assert len(machine.ask(reads.home_links_to(old.home))) == 20
        assert machine.ask(reads.special_files(old.home, old.uid))[1] > 20000
        assert len(machine.ask(reads.unlike_skel(old.home, ""))) == 20
    finally:
        machine.sh("chattr -i $1/.d1/*", old.home)
    assert time.monotonic() - started < 30
    source = (ROOT / "systems/reads.py").read_text()
    for line in (line for line in source.splitlines() if "find " in line or "lsattr -R" in line or "grep -r" in line):
        assert "timeout " in line or "-mindepth" in line, line


def test_an_answer_that_makes_no_sense_names_host_and_command(machine: Machine) -> None:
    with pytest.raises(CommandFailed, match=r"^lab01: du .*returned 1"):
        machine.ask(reads.used_bytes("/nonexistent"))
    with pytest.raises(CommandFailed, match=r"lab01: git -C /nonexistent rev-parse"):
        machine.ask(reads.checkout_commit("/nonexistent"))


def test_processes_are_counted_by_any_of_their_uids(machine: Machine, old: Subject) -> None:
    assert machine.ask(reads.processes(old.uid)) == ()
    nameless = "bash -c 'exec -a \"\" sleep 30' </dev/null >/dev/null 2>&1"
    machine.sh(f"setsid -f setpriv --reuid $1 --regid 500 --clear-groups {nameless}", str(old.uid))
    machine.sh("setsid -f setpriv --euid $1 sleep 30 </dev/null >/dev/null 2>&1", str(old.uid))
    eventually(lambda: machine.ask(reads.processes(old.uid)) == ("sleep", "sleep"))
    assert machine.ask(reads.processes(1, (old.uid - 5, 10))) == ("sleep", "sleep")
    assert machine.ask(reads.processes(1, (old.uid + 1, 10))) == ()
    machine.sh("kill $(pgrep -U $1 -x sleep) $(pgrep -u $1 -x sleep) 2>/dev/null; true", str(old.uid))


def test_account_files_with_odd_lines_are_read(machine: Machine, lab: Lab) -> None:
    machine.sh("cp /etc/passwd /etc/passwd.kept; printf '# c\\n+::::::\\nbroken\\nx:x:y:z:::\\n' >>/etc/passwd")
    try:
        names = {account.name for account in machine.ask(reads.passwd())}
    finally:
        machine.sh("mv /etc/passwd.kept /etc/passwd")
    assert {"root", "bob", "bobby"} <= names
    assert not {"broken", "x", "+"} & names
    assert lab.hosts
