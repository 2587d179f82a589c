"""A shell on this machine: for a management host that is its own target, and for tests of the shell's protocol."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence

from runbooks import fibres


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
        assert self._process.stdout is not None and self._process.stderr is not None
        self._streams = (self._process.stdout.fileno(), self._process.stderr.fileno())
        self._taken = {stream: bytearray() for stream in self._streams}

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError."""
        assert self._process.stdin is not None
        stdin, view = self._process.stdin.fileno(), memoryview(data)
        poll = fibres.poll()
        poll.register(stdin, select.POLLOUT)
        for stream in self._streams:
            poll.register(stream, select.POLLIN)
        while view:
            ready = dict(poll.poll())
            # It may not read on before what it printed is taken off it.
            for stream in self._streams:
                if stream in ready and not self._take(stream):
                    poll.unregister(stream)
            if stdin in ready:
                view = view[os.write(stdin, view[: select.PIPE_BUF]) :]

    def _take(self, stream: int) -> bool:
        data = os.read(stream, 65536)
        self._taken[stream] += data
        return bool(data)

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:  # noqa: ARG002 - either will do
        """What has come on standard output and error. Raises TimeoutError, EOFError."""
        if not any(self._taken.values()):
            poll = fibres.poll()
            for stream in self._streams:
                poll.register(stream, select.POLLIN)
            ready = [stream for stream, _ in poll.poll(timeout_s * 1000)]
            if not ready:
                raise TimeoutError
            if sum(self._take(stream) for stream in ready) == 0:
                raise EOFError
        out, err = (bytes(self._taken[stream]) for stream in self._streams)
        self._taken = {stream: bytearray() for stream in self._streams}
        return out, err

    def close(self) -> None:
        """Close its standard input: it ends when the command under way does, as over ssh."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
