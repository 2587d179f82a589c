"""Who we say we are: keys, certificates and agents, over a real sshd with a real ssh-agent; both clients alike."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Unreachable
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.ssh import SshTransport


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A real agent; takes keys with their passphrase."""
    said = subprocess.run(
        ["ssh-agent", "-s", "-a", str(tmp_path / "agent")], capture_output=True, text=True, check=True
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o755)
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    yield lambda *keys: subprocess.run(["ssh-add", "-q", *keys], check=True, env=environment, stdin=subprocess.DEVNULL)
    os.kill(int(re.findall(r"AGENT_PID=(\d+)", said.stdout)[0]), signal.SIGTERM)


@pytest.fixture(scope="module")
def telling(start_sshd: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An sshd that writes down what it is shown, and trusts an authority."""
    place = tmp_path_factory.mktemp("authority")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "ca")], check=True)
    sshd = start_sshd("127.0.53.5", LogLevel="VERBOSE", TrustedUserCAKeys=place / "ca.pub", MaxAuthTries="20")
    sshd.authority = place / "ca"
    return sshd


def key(path: Path, sshd: Any = None, passphrase: str = "", kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)
    if sshd is not None:
        with (sshd.home / "authorized_keys").open("a") as file:
            file.write(path.with_name(f"{path.name}.pub").read_text())
    return path


def signed(path: Path, sshd: Any) -> Path:
    argv = ["ssh-keygen", "-q", "-s", str(sshd.authority), "-I", "me", "-n", "root", f"{path}.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    return path.with_name(f"{path.name}-cert.pub")


def log_in(sshd: Any, client: str, *lines: str) -> None:
    path = sshd.config()
    known = re.findall(r"UserKnownHostsFile \S+", path.read_text())[0]
    path.write_text("\n".join(["Host *", known, *lines]) + "\n")
    SshTransport(SshSettings(path, client=client)).open("h1", sshd.address, sshd.port, None).close()


def shown(sshd: Any, path: Path) -> int:
    """How often a key was refused."""
    words = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True
    ).stdout.split()
    return len(re.findall(rf"Failed publickey .*{re.escape(words[1])}", (sshd.home / "log").read_text()))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_an_identity_file(telling: Any, client: str, kind: str, home: Path) -> None:
    log_in(telling, client, f"IdentityFile {key(home / 'one', telling, kind=kind)}")


def test_of_several_the_last_one_fits(telling: Any, client: str, home: Path) -> None:
    wrong = [key(home / f"wrong{number}") for number in range(3)]
    lines = [f"IdentityFile {path}" for path in [*wrong, home / "absent", key(home / "right", telling)]]
    log_in(telling, client, *lines)
    assert all(shown(telling, path) for path in wrong)


def test_the_usual_files_are_tried_where_none_is_named(telling: Any, client: str, home: Path) -> None:
    (home / ".ssh").mkdir()
    key(home / ".ssh" / "id_ed25519", telling)
    log_in(telling, client)


def test_the_usual_files_are_not_tried_where_one_is_named(telling: Any, client: str, home: Path) -> None:
    (home / ".ssh").mkdir()
    key(home / ".ssh" / "id_ed25519", telling)
    with pytest.raises(Unreachable, match="log-in refused"):
        log_in(telling, client, f"IdentityFile {key(home / 'wrong')}")


def test_only_an_agent(telling: Any, client: str, home: Path, agent: Callable[..., None]) -> None:
    agent(key(home / "wrong"), key(home / "held", telling))
    for name in ("held", "wrong"):
        (home / name).unlink()
    log_in(telling, client)


def test_a_locked_key_that_an_agent_holds(telling: Any, client: str, home: Path, agent: Callable[..., None]) -> None:
    locked = key(home / "locked", telling, "secret")
    agent(locked)
    log_in(telling, client, f"IdentityFile {locked}", "IdentitiesOnly yes")
    log_in(telling, client, f"IdentityFile {locked}")


def test_a_locked_key_and_no_agent(telling: Any, client: str, home: Path) -> None:
    with pytest.raises(Unreachable, match=r"log-in refused \(no private key to log in with: one needs an agent\)$"):
        log_in(telling, client, f"IdentityFile {key(home / 'locked', telling, 'secret')}")


@pytest.mark.parametrize("word", ["yes", "true"])
def test_identities_only(telling: Any, client: str, home: Path, agent: Callable[..., None], word: str) -> None:
    held = key(home / "held", telling)
    agent(held)
    named = key(home / "named")
    with pytest.raises(Unreachable, match="log-in refused"):
        log_in(telling, client, f"IdentityFile {named}", f"IdentitiesOnly {word}")
    log_in(telling, client, f"IdentityFile {named}")


def test_an_agent_that_has_gone(telling: Any, client: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "gone"))
    with pytest.raises(Unreachable, match="log-in refused"):
        log_in(telling, client, f"IdentityFile {key(home / 'wrong')}")
    log_in(telling, client, f"IdentityFile {key(home / 'right', telling)}")


def test_no_key_at_all(telling: Any, client: str) -> None:
    with pytest.raises(
        Unreachable, match=r"log-in refused \(no private key to log in with: IdentityFile names none\)$"
    ):
        log_in(telling, client, "IdentityFile ~/.ssh/absent")


def test_a_key_that_is_none(telling: Any, client: str, home: Path) -> None:
    (home / "broken").write_text("this is no key\n")
    with pytest.raises(Unreachable, match=r"h1: [^\n]*log-in refused \([^\n]*\)$"):
        log_in(telling, client, f"IdentityFile {home / 'broken'}")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_beside_the_key(telling: Any, client: str, kind: str, home: Path) -> None:
    path = key(home / "one", kind=kind)
    signed(path, telling)
    log_in(telling, client, f"IdentityFile {path}")


def test_a_certificate_elsewhere(telling: Any, client: str, home: Path) -> None:
    path, other = key(home / "one"), key(home / "other")
    signed(path, telling).rename(home / "elsewhere.pub")
    log_in(
        telling, client, f"CertificateFile {home / 'elsewhere.pub'}", f"IdentityFile {other}", f"IdentityFile {path}"
    )


def test_a_certificate_of_an_authority_that_is_not_trusted(telling: Any, client: str, home: Path) -> None:
    path = key(home / "one")
    argv = ["ssh-keygen", "-q", "-s", str(key(home / "ca")), "-I", "me", "-n", "root", f"{path}.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(Unreachable, match="log-in refused"):
        log_in(telling, client, f"IdentityFile {path}")


def test_a_broken_certificate_does_not_keep_the_key_out(telling: Any, client: str, home: Path) -> None:
    path = key(home / "one", telling)
    (home / "one-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA broken\n")
    log_in(telling, client, f"IdentityFile {path}")


def test_a_certificate_in_an_agent(telling: Any, client: str, home: Path, agent: Callable[..., None]) -> None:
    path = key(home / "one")
    signed(path, telling)
    agent(path)
    path.unlink()
    log_in(telling, client)
