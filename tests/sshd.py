"""A real sshd on this machine, with keys and settings of its own; no host of anybody's is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.machine import find, look
from tests.waiting import eventually


@dataclass
class Sshd:
    """Where it listens, and the files that lead to it."""

    address: str
    port: int
    home: Path
    process: subprocess.Popen[bytes]

    def config(self, *lines: str, known: str | None = None, key: str = "id") -> Path:
        """An ssh_config file: its own known_hosts (that of the daemon unless told), and these lines for all hosts."""
        known_hosts = self.home / f"known_hosts.{time.monotonic_ns()}"
        known_hosts.write_text(self.known() if known is None else known)
        path = self.home / f"config.{time.monotonic_ns()}"
        common = ["Host *", f"  UserKnownHostsFile {known_hosts}", f"  IdentityFile {self.home / key}"]
        path.write_text("\n".join([*lines, *common, "  IdentitiesOnly yes"]) + "\n")
        return path

    def known(self, key: str = "host") -> str:
        """A known_hosts line for it."""
        return f"[{self.address}]:{self.port} {(self.home / f'{key}.pub').read_text()}"


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), 1).close()
        return True
    return False


@pytest.fixture(scope="session")
def start_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Starts one more, at an address and maybe others, with lines of one's own in its settings, and what to put before
    its command; all end with the session."""
    if os.getuid() != 0:
        pytest.skip("needs to be root")
    try:
        look()
    except Blocked as missing:
        pytest.skip(str(missing))
    program = find("sshd")
    assert program
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    started: list[Sshd] = []

    def start(
        address: str, *lines: str, also: Sequence[str] = (), prefix: Sequence[str] = (), port: int = 0, **more: object
    ) -> Sshd:
        home, port = tmp_path_factory.mktemp("sshd"), port or _free_port(address)
        for name in ("host", "id", "stranger"):
            _key(home / name)
        shutil.copy(home / "id.pub", home / "authorized_keys")
        settings = {
            "HostKey": home / "host",
            "AuthorizedKeysFile": home / "authorized_keys",
            "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password", "MaxStartups": "100", "AllowTcpForwarding": "yes",
            **more,
        }  # fmt: skip
        listen = [f"ListenAddress {place}:{port}" for place in (address, *also)]
        settings_lines = [*listen, *(f"{key} {value}" for key, value in settings.items()), *lines]
        (home / "sshd_config").write_text("\n".join(settings_lines) + "\n")
        log = (home / "log").open("wb")
        process = subprocess.Popen([*prefix, program, "-D", "-e", "-f", str(home / "sshd_config")], stderr=log)
        started.append(Sshd(address, port, home, process))
        eventually(lambda: _answers(address, port) or process.poll() is not None)
        assert process.poll() is None, (home / "log").read_text()
        return started[-1]

    yield start
    for one in started:
        one.process.terminate()
        one.process.wait(60)
