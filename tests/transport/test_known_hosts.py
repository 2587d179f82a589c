"""known_hosts files as ssh reads them: ssh-keygen says what stands there, and ssh itself whom it would log in to."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.errors import Unreachable
from runbooks.transport.known_hosts import HostKeyRefused, Key, KnownHosts, known_hosts
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.ssh import SshTransport


def made(seed: str) -> Key:
    """A key as it is written, of nobody's."""
    kind = b"ssh-ed25519"
    fields = (kind, hashlib.sha256(seed.encode()).digest())
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return kind.decode(), base64.b64encode(blob).decode()


ONE, OTHER = made("one"), made("other")
KEY, OTHER_KEY = " ".join(ONE), " ".join(OTHER)


def keys(name: str, *lines: str) -> frozenset[Key]:
    return KnownHosts(lines).keys(name)


@pytest.mark.parametrize(
    ("names", "name", "known"),
    [
        ("lab01", "lab01", True),
        ("LAB01", "lab01", True),
        ("lab01", "LAB01", True),
        ("lab01", "lab0", False),
        ("lab01", "[lab01]:2222", False),
        ("[lab01]:2222", "[lab01]:2222", True),
        ("[lab01]:2222", "lab01", False),
        ("[lab01]:*", "[lab01]:2222", True),
        ("[lab0?]:2222", "[lab01]:2222", True),
        ("[lab0?]:2222", "l", False),
        ("lab[01]", "lab0", False),
        ("*", "[lab01]:2222", True),
        ("*.example", "lab01.example", True),
        ("*.example", "example", False),
        ("lab0?", "lab01", True),
        ("lab0?", "lab011", False),
        ("lab*,!lab01", "lab01", False),
        ("!lab01,lab*", "lab01", False),
        ("lab*,!lab01", "lab02", True),
        ("!lab01", "lab02", False),
        ("lab01,198.18.7.1,[lab01]:22", "198.18.7.1", True),
        ("::1", "::1", True),
        ("\u212aelvin", "kelvin", False),  # the sign for kelvin, whose small letter is k
        ("", "", False),
    ],
)
def test_names(names: str, name: str, known: bool, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(f"{names} {KEY} root@somewhere\n", encoding="utf-8")
    assert known_hosts((str(tmp_path / "known_hosts"),)).keys(name) == ({ONE} if known else set())
    if name == name.lower() and names:
        assert by_ssh_keygen(tmp_path / "known_hosts", name) == known


@pytest.mark.parametrize(
    "line",
    [
        f"# lab01 {KEY}",
        f"#lab01 {KEY}",
        f"@cert-authority lab01 {KEY}",
        f"@cert-authority * {KEY}",
        f"@Revoked lab01 {KEY}",
        f"@revoked @cert-authority lab01 {KEY}",
        "lab01",
        "lab01 ssh-ed25519",
        "lab01 ssh-ed25519 not/base64!",
        f"lab01 ssh-rsa {ONE[1]}",
        f"lab01 {KEY[:-1]}",
        f"lab01 ssh-ed25519 !{ONE[1]}",
        f"{KEY} lab01",
        "lab01 1024 35 1234567890",
        "",
        "   ",
        "\r",
        f"# an editor's\x0clab01 {KEY}",
        f"# an editor's\u2028lab01 {KEY}",
        f"# an editor's\rlab01 {KEY}",
        f"# an editor's\x1clab01 {KEY}",
        f"# an editor's\x85lab01 {KEY}",
        f"lab01\xa0{KEY}",
        f"|1|AAAA|AAAA {KEY}",
        f"|2|AAAA|AAAA {KEY}",
        f"| {KEY}",
        f"|1|| {KEY}",
    ],
)
def test_lines_that_name_no_key(line: str, tmp_path: Path) -> None:
    for text in (line, line + "\r"):
        (tmp_path / f"known_hosts{len(text)}").write_bytes(text.encode() + b"\n")
        assert not known_hosts((str(tmp_path / f"known_hosts{len(text)}"),)).keys("lab01")


@pytest.mark.parametrize(
    "line",
    [
        f"lab01 {KEY}",
        f"  \tlab01\t \tssh-ed25519\t{ONE[1]}",
        f"lab01 {KEY}\r",
        f"lab01 {KEY} a comment # and more\r",
        f"lab01 {KEY} caf\u00e9",
    ],
)
def test_lines_that_name_one(line: str, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_bytes(b"\n" + line.encode())
    assert known_hosts((str(tmp_path / "known_hosts"),)).keys("lab01") == {ONE}


def test_several_lines_and_files_add_up(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"lab01 {KEY}\n")
    (tmp_path / "b").write_text(f"lab0* {OTHER_KEY}\n")
    found = known_hosts((str(tmp_path / "a"), str(tmp_path / "none"), str(tmp_path), str(tmp_path / "b")))
    assert found.keys("lab01") == {ONE, OTHER}
    assert found.keys("lab02") == {OTHER}


@pytest.mark.parametrize("names", ["lab01", "*", "elsewhere", "|1|AAAA|AAAA"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_revoked_key_is_trusted_nowhere(names: str, order: int) -> None:
    lines = [f"@revoked {names} {KEY}\r", f"lab01 {KEY}", f"lab01 {OTHER_KEY}"][::order]
    assert keys("lab01", *lines) == {OTHER}
    with pytest.raises(HostKeyRefused, match="revoked"):
        KnownHosts(lines).check("lab01", ONE)


def test_what_is_said_of_a_key() -> None:
    known = KnownHosts([f"lab01 {KEY}"])
    known.check("lab01", ONE)
    with pytest.raises(HostKeyRefused, match=r"not the known one.*ssh-ed25519 SHA256:[A-Za-z0-9+/]{43}\)$"):
        known.check("lab01", OTHER)
    with pytest.raises(HostKeyRefused, match=r"not known: add it"):
        known.check("lab02", ONE)


def by_ssh_keygen(path: Path, name: str) -> bool:
    """Whether ssh-keygen finds an entry that is neither revoked nor an authority's."""
    done = subprocess.run(["ssh-keygen", "-F", name, "-f", str(path)], capture_output=True, text=True, errors="replace")
    return any(line and not line.startswith(("#", "@")) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", ["lab01", "[lab01]:2222", "198.18.7.1", "::1", "[::1]:2222"])
def test_names_hashed_by_ssh_keygen(name: str, tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"{name},another {KEY}\nthird {OTHER_KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    text = path.read_text()
    assert name not in text and text.count("|1|") == 3
    found = KnownHosts(text.splitlines())
    assert found.keys(name) == found.keys("another") == {ONE}
    assert found.keys("third") == {OTHER}
    assert not found.keys("fourth")
    assert by_ssh_keygen(path, name)


@pytest.mark.parametrize("spoil", [",lab02", "!", "=", "\x0b"])
def test_a_hash_that_ssh_does_not_read_is_none(spoil: str, tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"lab01 {KEY}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text().replace(" ssh-", f"{spoil} ssh-", 1))
    assert not known_hosts((str(path),)).keys("lab01")
    assert not by_ssh_keygen(path, "lab01")


_NAME = st.sampled_from(["lab01", "lab02", "[lab01]:2222", "db.lab", "198.18.7.1", "::1"])
_PATTERN = st.one_of(_NAME, st.text("lab0129[]:.*?!", min_size=1, max_size=8), st.just("*"))
_MARKER = st.sampled_from(["", "", "", "", "@cert-authority ", "@other ", "#", " ", "\t"])
_LINE = st.builds(
    lambda marker, names, gap: f"{marker}{','.join(names)}{gap}{KEY}",
    _MARKER,
    st.lists(_PATTERN, min_size=1, max_size=4),
    st.sampled_from([" ", "\t", "  "]),
)


@given(st.lists(_LINE, max_size=6), _NAME, st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=150)
def test_any_file_means_what_ssh_keygen_reads_in_it(lines: list[str], name: str, end: str, hashed: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "known_hosts"
        path.write_bytes(end.join([*lines, ""]).encode())
        if hashed:
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], capture_output=True)
        assert bool(KnownHosts(path.read_text().split("\n")).keys(name)) == by_ssh_keygen(path, name)


class Counted(list[Any]):
    """A list that counts what is looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.looks += 1
            yield item


def test_plain_entries_are_not_gone_through_for_each_host() -> None:
    lines = [f"host{number} {KEY}" for number in range(10_000)]
    known = KnownHosts([*lines, f"lab* {OTHER_KEY}"])
    known._patterns = patterns = Counted(known._patterns)
    known._hashed = hashed = Counted(known._hashed)
    for number in range(1000):
        assert known.keys(f"host{number}") == {ONE}
        assert known.keys(f"host{number}") == {ONE}
    # The one pattern, once for each name; of the plain entries, none.
    assert (patterns.looks, hashed.looks, len(known._plain)) == (1000, 0, 10_000)


FILES = {
    "its key": ("{name} {key}", True),
    "among others": ("{name} {other}\n{name} {key}", True),
    "another's": ("{name} {other}", False),
    "nothing": ("", False),
    "a comment": ("# {name} {key}", False),
    "CRLF": ("{name} {key}\r\n", True),
    "all hosts": ("* {key}", True),
    "negated": ("*,!{name},!{host} {key}", False),
    "revoked": ("{name} {key}\n@revoked * {key}", False),
    "revoked first": ("@revoked {name} {key}\n{name} {key}", False),
    "revoked with CRLF": ("{name} {key}\r\n@revoked * {key}\r\n", False),
    "an authority": ("@cert-authority * {key}", False),
    "an odd marker": ("@trusted {name} {key}", False),
    "a form feed in a comment": ("# old\x0c{name} {key}", False),
    "the wrong type": ("{name} ssh-rsa {blob}", False),
}


@pytest.mark.parametrize("what", FILES)
def test_nobody_is_let_through_whom_ssh_refuses(what: str, sshd: Any) -> None:
    text, welcome = FILES[what]
    key, other = (" ".join((sshd.home / f"{name}.pub").read_text().split()[:2]) for name in ("host", "stranger"))
    words = {"name": f"[{sshd.address}]:{sshd.port}", "host": sshd.address, "key": key, "blob": key.split()[1]}
    config = sshd.config("GlobalKnownHostsFile /dev/null", known=text.format(other=other, **words))
    argv = ["ssh", "-F", config, "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-p", str(sshd.port)]
    done = subprocess.run([*argv, f"root@{sshd.address}", "true"], capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0) == welcome, done.stderr
    for client in CLIENTS:
        transport = SshTransport(SshSettings(config, client=client))
        if welcome:
            transport.open("h1", sshd.address, sshd.port, None).close()
        else:
            with pytest.raises(Unreachable, match="host key"):
                transport.open("h1", sshd.address, sshd.port, None)
