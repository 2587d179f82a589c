"""A shell on this machine: for a management host that is its own target, and for tests of the shell's protocol."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence


class LocalChannel:
    """A child process running sh (or what ``argv`` starts, such as sudo)."""

    def __init__(self, argv: Sequence[str] = ("/bin/sh",)) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError."""
        assert self._process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._process.stdin.write(view) or 0 :]

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
        """What has come on standard output and error. Raises TimeoutError, EOFError."""
        assert self._process.stdout is not None and self._process.stderr is not None
        poll = select.poll()
        streams = (self._process.stdout.fileno(), self._process.stderr.fileno())
        for stream in streams:
            poll.register(stream, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(timeout_s * 1000)}
        if not ready:
            raise TimeoutError
        out, err = (os.read(fd, 65536) if fd in ready else b"" for fd in streams)
        if not out and not err:
            raise EOFError
        return out, err

    def close(self) -> None:
        """Close its standard input: it ends when the command under way does, as over ssh."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
