"""What a real sshd says about keys that nobody signs with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Unreachable
from runbooks.transport.route import SshSettings
from runbooks.transport.ssh import SshTransport

Ask = Callable[..., dict[str, bool | None]]
HARDWARE = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJcqNOmtVGsGqDLhTpcWPXCMnJ0eFBXo"
    "GZ8a8vcmGGqfAAAABHNzaDo="
)


def public(sshd: Any, name: str) -> str:
    return " ".join((sshd.home / f"{name}.pub").read_text().split()[:2])


@pytest.fixture
def ask(sshd: Any) -> Iterator[Ask]:
    made: list[SshTransport] = []

    def ask(config: Path, keys: list[str], account: str = "root", port: int = sshd.port) -> dict[str, bool | None]:
        made.append(SshTransport(SshSettings(config, connect_timeout_s=20)))
        return made[-1].would_open("h1", sshd.address, port, None, account, keys)

    yield ask
    for transport in made:
        transport.close()


def test_which_keys_open_and_which_do_not(sshd: Any, ask: Ask) -> None:
    own, stranger = public(sshd, "id"), public(sshd, "stranger")
    # What we log in with ourselves plays no part.
    assert ask(sshd.config(key="stranger"), [stranger, own]) == {own: True, stranger: False}
    assert ask(sshd.config(), [own], account="nobody-here") == {own: False}


def test_more_keys_than_one_connection_takes(sshd: Any, ask: Ask, tmp_path: Path) -> None:
    keys = []
    for number in range(13):
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", f"{tmp_path}/{number}"], check=True)
        keys.append(" ".join((tmp_path / f"{number}.pub").read_text().split()[:2]))
    own = public(sshd, "id")
    assert ask(sshd.config(), [*keys, own]) == dict.fromkeys(keys, False) | {own: True}


def test_what_cannot_be_asked_about_is_told(sshd: Any, ask: Ask) -> None:
    own = public(sshd, "id")
    answers = ask(sshd.config(), [HARDWARE, "ssh-ed25519 AAAAbroken", own])
    assert answers["ssh-ed25519 AAAAbroken"] is None
    assert answers[own] is True
    assert answers[HARDWARE] is not True
    through = sshd.config(f"Host {sshd.address}\n  ProxyJump 127.0.0.1:1\n")
    assert ask(through, [own]) == {own: None}


def test_a_strange_server_is_not_believed(sshd: Any, ask: Ask) -> None:
    with pytest.raises(Unreachable, match="host key"):
        ask(sshd.config(known=""), [public(sshd, "id")])


def test_nobody_there(sshd: Any, ask: Ask) -> None:
    with pytest.raises(Unreachable):
        ask(sshd.config(known=""), [public(sshd, "id")], port=1)
