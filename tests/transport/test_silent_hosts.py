"""Hosts that are dead, silent or odd: each costs its timeout once, is told in one line, and leaves nothing open."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Unreachable
from runbooks.systems.host import HostTarget
from runbooks.transport.route import CLIENTS, SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from tests.waiting import eventually

TIMEOUT_S = 1.0
ADDRESS = "127.0.53.9"


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExitStack]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack, address: str = ADDRESS, port: int = 0) -> socket.socket:
    sock = stack.enter_context(socket.socket())
    sock.bind((address, port))
    return sock


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refusing(stack: ExitStack) -> int:
    """A port that is taken, where nobody listens."""
    return int(listening(stack).getsockname()[1])


def swallowing(stack: ExitStack, address: str = ADDRESS, port: int = 0) -> int:
    """A listener whose queue is full: the kernel drops what knocks, as a host without power would."""
    sock = listening(stack, address, port)
    sock.listen(0)
    for _ in range(3):
        knock = stack.enter_context(socket.socket())
        knock.setblocking(False)
        knock.connect_ex(sock.getsockname())
    return int(sock.getsockname()[1])


def saying(*words: bytes) -> Callable[[ExitStack], int]:
    """A server that takes each connection, says this, and then nothing more."""

    def start(stack: ExitStack) -> int:
        sock = listening(stack)
        sock.listen(20)
        sock.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            taken = []
            while not ended.is_set():
                try:
                    taken.append(sock.accept()[0])
                    for word in words:
                        taken[-1].sendall(word)
                except TimeoutError:
                    continue
            for one in taken:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(thread.join)
        stack.callback(ended.set)
        return int(sock.getsockname()[1])

    return start


def hanging_up(stack: ExitStack) -> int:
    """A server that ends each connection at once."""
    sock = listening(stack)
    sock.listen(20)
    sock.settimeout(0.05)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                sock.accept()[0].close()
            except TimeoutError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)
    return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (refusing, "refused"),
        (swallowing, "no answer"),
        (saying(), "no answer"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "no answer"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n\0\0"), "no answer"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ""),
        (hanging_up, ""),
    ],
    ids=["refuses", "swallows", "is silent", "a banner, no more", "half a packet", "no ssh", "hangs up"],
)
def test_a_host_that_does_not_answer(
    start: Callable[[ExitStack], int], why: str, client: str, stack: ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("")
    transport = SshTransport(SshSettings(tmp_path / "config", connect_timeout_s=TIMEOUT_S, client=client))
    port = start(stack)
    with pytest.raises(Unreachable, match=rf"^h1: unreachable: [^\n]*{why}[^\n]*$") as raised:
        transport.open("h1", ADDRESS, port, None)
    assert raised.value.why.strip()
    before = time.monotonic()
    with pytest.raises(Unreachable):
        transport.open("h1", ADDRESS, port, None)
    assert time.monotonic() - before < 5 * TIMEOUT_S


def test_a_dead_host_costs_its_timeout_once(client: str, stack: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    transport = SshTransport(SshSettings(tmp_path / "config", connect_timeout_s=TIMEOUT_S, client=client))
    port, tries = swallowing(stack), []

    def connect() -> Shell:
        tries.append(1)
        return Shell("h1", transport.open("h1", ADDRESS, port, None), 20)

    target = HostTarget("h1", connect)
    for _ in range(5):
        with pytest.raises(Unreachable, match="no answer"):
            target.reader()
    assert len(tries) == 1


@pytest.mark.parametrize("wrong", ["host key", "key", "port"])
def test_failing_log_ins_leave_nothing_open(
    sshd: Any, client: str, wrong: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    config = {"host key": sshd.config(known=""), "key": sshd.config(key="stranger"), "port": sshd.config()}[wrong]
    port = refusing(stack) if wrong == "port" else sshd.port
    transport = SshTransport(SshSettings(config, connect_timeout_s=10.0, client=client))

    def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(Unreachable):
                transport.open("h1", sshd.address, port, None)

    fail(2)
    before, threads = descriptors(), threading.active_count()
    fail(200 if wrong == "port" else 30)
    eventually(lambda: descriptors() <= before + 2 and threading.active_count() <= threads + 2)


@pytest.mark.parametrize("dead", [refusing, swallowing])
def test_the_second_address_of_a_name(
    sshd: Any, client: str, dead: Callable[[ExitStack], int], stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, real = dead(stack), socket.getaddrinfo

    def two(host: Any, number: Any, *arguments: Any, **options: Any) -> Any:
        if host != "two.example":
            return real(host, number, *arguments, **options)
        first = real(ADDRESS, port, *arguments, **options)
        return [*first, *real(sshd.address, sshd.port, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    known = sshd.known().replace(f"[{sshd.address}]:{sshd.port}", "two.example")
    transport = SshTransport(SshSettings(sshd.config(known=known), connect_timeout_s=4.0, client=client))
    transport.open("h1", "two.example", None, None).close()
