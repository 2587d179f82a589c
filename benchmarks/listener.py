"""Runs inside the fleet's namespaces: takes connections at every loopback address and starts a real sshd for each.

``python -I -S listener.py TOP PROBE``, under ``unshare --mount --pid``, prints its port and lives as long as its
standard input. An address is a host: its connections see a directory of their own as ``/root``, and so have the lock
and the records there for themselves. That costs a mount for each connection, under a millisecond of the server's. Only
the standard library is used, so that a fork stays small.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

SSHD = "/usr/sbin/sshd"
INSIDE = "/run/fleet"
_BIND, _NEW_MOUNTS = 0x1000, 0x20000
_LIBC = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, place: str, kind: str | None = None, flags: int = _BIND, data: str | None = None) -> None:
    """mount(2). Raises OSError."""
    words = [word.encode() if word is not None else None for word in (source, place, kind)]
    if _LIBC.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None):
        raise OSError(ctypes.get_errno(), f"mount {source} at {place}: {os.strerror(ctypes.get_errno())}")


def _settle_in(top: str) -> None:
    """Have what sshd and the hosts' root need, and nothing of this machine's own: else its /root/.bashrc would run with
    each command. All of it lies under /run, as anything else may be hidden by a host's /root."""
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    Path("/run/sshd").mkdir()
    Path(INSIDE).mkdir()
    _mount(top, INSIDE)
    _mount(f"{INSIDE}/passwd", "/etc/passwd")
    _mount(f"{INSIDE}/shadow", "/etc/shadow")
    _mount(f"{INSIDE}/lib", "/var/lib")


def _listen() -> socket.socket:
    listener = socket.socket()
    # All of 127.0.0.0/8 at once, and nobody from outside.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    listener.bind(("0.0.0.0", 0))
    listener.listen(4096)
    return listener


def _serve(connection: socket.socket, probe: str) -> None:
    """Become the sshd of one connection. What goes wrong is that sshd's, and in the log."""
    address = connection.getsockname()[0]
    if _LIBC.unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount(f"{INSIDE}/hosts/{address}", "/root")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for stream in (0, 1):
        os.dup2(connection.fileno(), stream)
    talk = ["-o", "LogLevel=DEBUG1"] if address == probe else []
    os.execv(SSHD, [SSHD, "-i", "-f", f"{INSIDE}/sshd_config", "-E", f"{INSIDE}/log", *talk])


def main() -> None:
    """Listen until standard input ends."""
    top, probe = sys.argv[1:]
    _settle_in(top)
    listener = _listen()
    # As the first process of its namespace it has every orphan of the hosts to reap; so the kernel does.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(listener.getsockname()[1], flush=True)
    selector = selectors.DefaultSelector()
    for source in (listener, sys.stdin):
        selector.register(source, selectors.EVENT_READ)
    while sys.stdin not in [key.fileobj for key, _ in selector.select()]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            try:
                _serve(connection, probe)
            finally:
                os._exit(1)
        connection.close()


if __name__ == "__main__":
    main()
