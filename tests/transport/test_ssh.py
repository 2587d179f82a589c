"""Log-ins over a real sshd: what is refused, why, and what ssh_config may say."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Busy, SettingsError, Unreachable
from runbooks.systems.host import HostTarget
from runbooks.transport import shell as module
from runbooks.transport.fabric import _Bell
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from runbooks.transport.streams import Channel
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(module, "_LOCKED_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log_in(sshd: Any, client: str) -> Iterator[Callable[..., Channel]]:
    opened: list[Channel] = []

    def log_in(config: Path, address: str = sshd.address, port: int | None = sshd.port, **options: Any) -> Channel:
        transport = SshTransport(SshSettings(config=config, connect_timeout_s=20.0, client=client, **options))
        opened.append(transport.open("h1", address, port, None))
        return opened[-1]

    yield log_in
    for channel in opened:
        channel.close()


def echo(channel: Channel) -> bytes:
    return Shell("h1", channel, 20).read([("echo", "hello")])[0].stdout


def test_a_known_host_and_a_right_key(sshd: Any, log_in: Callable[..., Channel]) -> None:
    assert echo(log_in(sshd.config())) == b"hello\n"


def test_an_unknown_host_key_is_refused(sshd: Any, log_in: Callable[..., Channel]) -> None:
    with pytest.raises(Unreachable, match="host key is not known: add it"):
        log_in(sshd.config(known=""))


def test_a_changed_host_key_is_refused(sshd: Any, log_in: Callable[..., Channel]) -> None:
    with pytest.raises(Unreachable, match="not the known one"):
        log_in(sshd.config(known=sshd.known("stranger")))


def test_a_wrong_key_is_refused(sshd: Any, log_in: Callable[..., Channel]) -> None:
    with pytest.raises(Unreachable, match="log-in refused"):
        log_in(sshd.config(key="stranger"))


def test_a_port_where_nobody_listens(sshd: Any, log_in: Callable[..., Channel]) -> None:
    with pytest.raises(Unreachable, match="h1: unreachable"):
        log_in(sshd.config(), port=1)


def test_a_config_that_is_not_there(log_in: Callable[..., Channel], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        log_in(tmp_path / "none")


def test_an_alias_of_ssh_config(sshd: Any, log_in: Callable[..., Channel]) -> None:
    config = sshd.config("Host the-alias", f"  HostName {sshd.address}", f"  Port {sshd.port}")
    assert echo(log_in(config, "the-alias", None)) == b"hello\n"


@pytest.fixture(scope="module")
def jump(start_sshd: Callable[[str], Any]) -> Any:
    return start_sshd("127.0.53.2")


def through(sshd: Any, jump: Any, known: str) -> Path:
    (jump.home / "authorized_keys").write_text((sshd.home / "id.pub").read_text())
    proxy = f"  ProxyJump root@{jump.address}:{jump.port}"
    lines = ["Host inner", f"  HostName {sshd.address}", f"  Port {sshd.port}", proxy]
    return sshd.config(*lines, known=known)


def test_a_jump_host(sshd: Any, jump: Any, log_in: Callable[..., Channel]) -> None:
    config = through(sshd, jump, sshd.known() + jump.known())
    channel = log_in(config, "inner", None)
    assert echo(channel) == b"hello\n"
    assert "Channel" in type(channel._connection.transport.sock).__name__  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", ["unknown", "changed"])
def test_a_jump_hosts_key_is_looked_at_too(sshd: Any, jump: Any, log_in: Callable[..., Channel], wrong: str) -> None:
    known = sshd.known() + ("" if wrong == "unknown" else jump.known("stranger"))
    with pytest.raises(Unreachable, match="host key"):
        log_in(through(sshd, jump, known), "inner", None)


def test_the_kernel_is_asked_to_notice_a_silent_host(sshd: Any, log_in: Callable[..., Channel]) -> None:
    channel: Any = log_in(sshd.config(), keepalive_s=7)
    number = channel._session.get_fd() if hasattr(channel, "_session") else channel._connection.transport.sock.fileno()
    sock = socket.socket(fileno=number)
    try:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 14_000
    finally:
        sock.detach()


def test_a_remote_that_reads_nothing_does_not_hold_us_for_ever(sshd: Any, log_in: Callable[..., Channel]) -> None:
    channel = log_in(sshd.config(), send_timeout_s=0.3)
    channel.send(b"exec sleep 5\n")
    with pytest.raises(OSError):
        channel.send(b"#" * 20_000_000)


def test_one_connection_serves_all_steps_and_a_lost_one_is_replaced(sshd: Any, client: str) -> None:
    transport = SshTransport(SshSettings(config=sshd.config(), connect_timeout_s=20.0, client=client))
    shells: list[Shell] = []

    def connect() -> Shell:
        shells.append(Shell("h1", transport.open("h1", sshd.address, sshd.port, None), 20))
        return shells[-1]

    target = HostTarget("h1", connect)
    for _ in range(3):
        with target.writer("run", 1, 0) as writer:
            assert writer.run("echo", "x").stdout == b"x\n"
    assert len(shells) == 1
    shells[0].close()
    with target.writer("run", 1, 20) as writer:
        assert writer.run("echo", "x").stdout == b"x\n"
    assert len(shells) == 2
    target.close()


def test_many_at_once(sshd: Any, client: str) -> None:
    transport = SshTransport(SshSettings(config=sshd.config(), connect_timeout_s=20.0, client=client))

    def one(number: int) -> bytes:
        channel = transport.open(f"h{number}", sshd.address, sshd.port, None)
        try:
            return Shell("h1", channel, 20).read([("echo", str(number))])[0].stdout
        finally:
            channel.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [b"%d\n" % number for number in range(8)]


def test_a_descriptor_above_1024(sshd: Any, log_in: Callable[..., Channel]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        channel = log_in(sshd.config())
        assert echo(channel) == b"hello\n"
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CLIENT = """
import sys
from pathlib import Path
from runbooks.transport import shell
from runbooks.transport.route import SshSettings
from runbooks.transport.ssh import SshTransport
place, config, address, port, client = sys.argv[1:]
shell.STATE_DIR, shell._LOCKED_DIR = place + "/state", place
transport = SshTransport(SshSettings(config=Path(config), client=client))
one = shell.Shell("h1", transport.open("h1", address, int(port), None), 60)
one.lock("run", 1, 0)
one.act(("sh", "-c", "for i in 1 2 3; do echo output; done; : > $0/begun; while [ ! -e $0/go ]; do sleep 0.05; done; "
         "echo more; : > $0/end", place), None, 60)
"""


def test_a_killed_client_kills_no_command_and_the_lock_outlives_it(
    sshd: Any, log_in: Callable[..., Channel], client: str, tmp_path: Path
) -> None:
    arguments = [str(tmp_path), str(sshd.config()), sshd.address, str(sshd.port), client]
    process = subprocess.Popen([sys.executable, "-c", CLIENT, *arguments], cwd=Path(__file__).parents[2])
    eventually(lambda: (tmp_path / "begun").exists() or process.poll() is not None)
    assert process.poll() is None
    process.kill()
    process.wait()
    shell = Shell("h1", log_in(sshd.config()), 20)
    with pytest.raises(Busy):
        shell.wait_for_lock(0.5)
    with pytest.raises(Busy):
        shell.lock("run", 2, 0)
        shell.granted()
    (tmp_path / "go").touch()
    shell.lock("run", 2, 20)
    shell.granted()
    assert (tmp_path / "end").exists()


def test_a_daemon_started_over_ssh_does_not_keep_the_lock(
    sshd: Any, log_in: Callable[..., Channel], tmp_path: Path
) -> None:
    one, other = (Shell("h1", log_in(sshd.config()), 20) for _ in range(2))
    one.lock("run", 1, 0)
    one.act(("sh", "-c", f"setsid sleep 300 & echo $! > {tmp_path}/pid"), None, None)
    pid = int((tmp_path / "pid").read_text())
    try:
        one.close()
        other.lock("run", 1, 20)
        other.granted()
        assert Path(f"/proc/{pid}").exists()
    finally:
        os.kill(pid, 9)


def test_what_comes_while_the_other_stream_is_emptied_still_rings() -> None:
    bell = _Bell()
    bell.still()
    bell.set()  # one stream is filled …
    bell.clear()  # … just when the other one has been emptied
    assert bell.wait(0)
    bell.still()
    assert not bell.wait(0)
