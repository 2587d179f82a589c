"""Keys that the registry has held once, out of a real history."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from runbooks.registry import Registry
from runbooks.registry.former_keys import ENTRY, former_keys
from runbooks.registry.keys import parse_key
from runbooks.registry.synthetic import synthetic

from .repositories import DATA, REGISTRY, Remote


def blob(number: int) -> str:
    return base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32).decode()


def holding(*keys: int, name: str = "bob") -> str:
    lines = "".join(f"\n      - ssh-ed25519 {blob(key)} x@y" for key in keys)
    head, entry, rest = REGISTRY.partition("  bob:")
    return head + entry.replace("bob", name) + rest.replace("ssh_keys: []", f"ssh_keys:{lines}", 1)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.make(tmp_path)


def past(remote: Remote) -> dict[str, str]:
    return former_keys(remote.target.reader().past(DATA, ENTRY))


def test_whose_a_key_was(remote: Remote) -> None:
    assert past(remote) == {}
    for text in (holding(1), holding(1, 2), holding(2), REGISTRY):
        remote.push({DATA: text}, "Keys")
    assert past(remote) == {blob(1): "bob", blob(2): "bob"}


def test_who_had_it_last(remote: Remote) -> None:
    for text in (holding(1), holding(1, name="'robert'"), REGISTRY.replace("  bob:", "  'robert':")):
        remote.push({DATA: text}, "Keys")
    assert past(remote) == {blob(1): "robert"}


def test_an_entry_that_came_and_went_whole(remote: Remote) -> None:
    for more in (f"  eve:\n    ensure: present\n    ssh_keys: [ssh-ed25519 {blob(3)} eve]\n", ""):
        remote.push({DATA: REGISTRY + more}, "Eve")
    assert past(remote) == {blob(3): "eve"}


def test_other_files_do_not_count(remote: Remote) -> None:
    remote.push({DATA: holding(4), "keys": f"  bob:\n    {blob(5)}\n"}, "Keys")
    assert past(remote) == {blob(4): "bob"}


def test_every_key_of_a_whole_registry(remote: Remote) -> None:
    text = synthetic()
    remote.push({DATA: "users: {}\n"}, "Nobody")
    remote.push({DATA: text}, "All of them")
    held = {parse_key(line).blob: user.name for user in Registry(text).users() for line in user.ssh_keys}
    assert held == past(remote)
