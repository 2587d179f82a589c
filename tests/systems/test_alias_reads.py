"""What is read of alias files: a mail host's directory, and the private repository with its past."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.errors import CommandFailed
from runbooks.systems import reads
from runbooks.systems.host import HostReader, HostTarget
from runbooks.transport.local import LocalChannel
from runbooks.transport.shell import Shell
from tests.systems.repositories import ENVIRONMENT

NAME = "files/example.org"


@pytest.fixture
def reader() -> Iterator[HostReader]:
    target = HostTarget("h1", lambda: Shell("h1", LocalChannel(("/bin/sh",)), 20.0))
    yield target.reader()
    target.close()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    made = tmp_path / "private"
    (made / "files").mkdir(parents=True)
    git(made, "init", "-q")
    return made


def git(top: Path, *argv: str) -> str:
    done = subprocess.run(["git", "-C", str(top), *argv], env=os.environ | ENVIRONMENT, capture_output=True, check=True)
    return done.stdout.decode().strip()


def commit(top: Path, subject: str, *lines: str) -> str:
    (top / NAME).write_text("".join(f"{line}\n" for line in lines))
    git(top, "add", "-A")
    git(top, "commit", "-qm", subject)
    return git(top, "rev-parse", "HEAD")


def fill(directory: Path) -> dict[str, str | None]:
    (directory / "example.org").write_text("a: b\n")
    (directory / "empty").touch()
    (directory / "odd na\nme").write_text("x\n")
    for name, target in {"example.info": "example.org", "dangling": "no/such", "odd": "a\nb c "}.items():
        (directory / name).symlink_to(target)
    (directory / "folder").mkdir()
    (directory / "folder/inside").touch()
    return {"example.org": None, "empty": None, "odd na\nme": None, "example.info": "example.org",
            "dangling": "no/such", "odd": "a\nb c "}  # fmt: skip


def test_a_hosts_directory(reader: HostReader, tmp_path: Path) -> None:
    there = tmp_path / "aliases"
    assert reader.ask(reads.alias_directory(str(there))) == {}
    there.mkdir()
    assert reader.ask(reads.alias_directory(str(there))) == {}
    expected = fill(there)
    assert reader.ask(reads.alias_directory(str(there))) == expected
    (tmp_path / "link").symlink_to("aliases")
    assert reader.ask(reads.alias_directory(str(tmp_path / "link"))) == expected


def test_a_commits_directory(reader: HostReader, top: Path) -> None:
    expected = fill(top / "files")
    first = commit(top, "start", "a: b")
    assert reader.ask(reads.checkout_tree(str(top), first, "files")) == expected
    assert reader.ask(reads.checkout_tree(str(top), first, "files/")) == expected
    (top / "files/dangling").unlink()
    assert reader.ask(reads.checkout_tree(str(top), "HEAD", "files")) == expected, "what is committed counts"
    commit(top, "less", "a: b")
    assert "dangling" not in reader.ask(reads.checkout_tree(str(top), "HEAD", "files"))
    assert reader.ask(reads.checkout_tree(str(top), "HEAD", "nothing")) == {}
    with pytest.raises(CommandFailed, match="Not a valid object name"):
        reader.ask(reads.checkout_tree(str(top), "no-such-commit", "files"))


def past(reader: HostReader, top: Path, alias: str, limit: int = 9) -> list[str]:
    return [found.subject for found in reader.ask(reads.checkout_history(str(top), NAME, alias, limit))]


def test_the_past_of_an_alias(reader: HostReader, top: Path) -> None:
    commit(top, "(alice) start", "desk: a", "desk-2: a", "help.desk: a", '"odd key": a', "c++^$|()[]{}\\*?: a")
    commit(top, "(bob) other", "desk: a", "desk-2: b", "help.desk: a", '"odd key": a', "c++^$|()[]{}\\*?: a")
    last = commit(top, "(carol) T1: | desk", "Desk  : b", "desk-2: b", "helpxdesk: a", "nocolon a")
    gone = commit(top, "(dave) gone", "desk-2: b", "helpxdesk: a", "nocolon b")
    assert past(reader, top, "desk") == ["(dave) gone", "(carol) T1: | desk", "(alice) start"]
    assert past(reader, top, "desk", 2) == ["(dave) gone", "(carol) T1: | desk"]
    assert past(reader, top, "desk-2") == ["(bob) other", "(alice) start"]
    assert past(reader, top, "help.desk") == ["(carol) T1: | desk", "(alice) start"]
    assert past(reader, top, "nocolon") == ["(dave) gone", "(carol) T1: | desk"]
    assert past(reader, top, "odd key") == past(reader, top, "c++^$|()[]{}\\*?") == [
        "(carol) T1: | desk", "(alice) start",
    ]  # fmt: skip
    assert past(reader, top, "d.*k") == past(reader, top, "nobody") == []
    newest, second, *_ = reader.ask(reads.checkout_history(str(top), NAME, "desk", 9))
    assert (newest.id, second.id) == (gone, last)
    assert newest.author == ENVIRONMENT["GIT_AUTHOR_NAME"]
    assert newest.date[4] == newest.date[7] == "-"
