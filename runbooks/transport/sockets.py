"""Connections: one timeout for all of a host's addresses, and silence that is noticed."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import time

_OTHER_DESCRIPTORS = 256


def allow(connections: int) -> None:
    """Have the kernel let us open so many connections, if it may (RLIMIT_NOFILE, getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_DESCRIPTORS
    if soft not in (resource.RLIM_INFINITY,) and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected socket that doesn't block; all addresses of a name together get the one timeout. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    deadline = time.monotonic() + timeout_s
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.1, (deadline - time.monotonic()) / (len(found) - number)))
            sock.connect(address)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError:
            sock.close()
            if number + 1 == len(found):
                raise
    raise OSError(f"{host} has no address")


def answer_at_once(number: int) -> None:
    """Acknowledge what comes next on a connection (its descriptor) without delay: sshd waits for that, up to 40 ms,
    where it has two small things to say. Source: tcp(7), TCP_QUICKACK (Linux)."""
    if hasattr(socket, "TCP_QUICKACK"):
        sock = socket.socket(fileno=number)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        finally:
            sock.detach()


def through_command(command: str) -> socket.socket:
    """A socket whose other end is a ProxyCommand's input and output; the command ends when it is closed. Raises
    OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            # By a shell, as ssh does it (ssh_config(5)). In a session of its own: Ctrl-C is ours to answer.
            argv = ["/bin/sh", "-c", f"exec {command}"]
            subprocess.Popen(
                argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL, start_new_session=True
            )
    except BaseException:
        ours.close()
        raise
    return ours


def notice_silence(sock: socket.socket, keepalive_s: int) -> None:
    """Have the kernel ask a silent host whether it is there, and end a connection on which nothing was acknowledged for
    twice that time: without it, a host that lost its power is waited for until a command's own timeout, or 15 minutes.
    Source: tcp(7), SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_USER_TIMEOUT (Linux)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    chosen = {"TCP_KEEPIDLE": keepalive_s, "TCP_KEEPINTVL": max(1, keepalive_s // 3), "TCP_KEEPCNT": 3}
    for name, value in (chosen | {"TCP_USER_TIMEOUT": 2000 * keepalive_s}).items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
