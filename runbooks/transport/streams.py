"""What a shell on a host is told, and what it says on its two streams, taken apart by the tokens that stand in it."""

from __future__ import annotations

import contextlib
import time
from typing import Protocol

from runbooks.errors import Lost

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""What one look at a host may print; one that prints more is let go of, so that it cannot fill our memory."""


class Channel(Protocol):
    """A running ``/bin/sh`` as root, with its three streams."""

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError, EOFError."""

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:
        """What has come on standard output and error: at least a byte. Waits for the first, or where ``errors`` for
        the second, and may return with something on the other. Raises TimeoutError, EOFError, OSError."""
        ...

    def close(self) -> None:
        """End it."""


class Streams:
    """A channel's streams. All of it raises Lost, and has closed the channel then. Every token begins with ``mark``."""

    def __init__(self, target: str, channel: Channel, mark: bytes) -> None:
        self.is_closed = False
        self._mark = mark
        self._target = target
        self._channel = channel
        self._out = bytearray()
        self._err = bytearray()

    @property
    def errors_held(self) -> int:
        """How many bytes of standard error came and were not taken."""
        return len(self._err)

    def close(self) -> None:
        """End the channel."""
        self.is_closed = True
        self._channel.close()

    def send(self, data: bytes) -> None:
        """Write to its standard input."""
        if self.is_closed:
            raise Lost(self._target, "the connection is closed")
        try:
            self._channel.send(data)
        except (OSError, EOFError) as error:
            said = self._last_words()
            self.close()
            raise Lost(self._target, f"the connection broke ({error or type(error).__name__}){said}") from error

    def until(self, token: bytes, errors: bool, deadline: float, limit_s: float) -> tuple[bytes, bytes]:
        """What standard output, or error, brings before a token, and what stands behind the token on its line."""
        held = self._err if errors else self._out
        end, searched = b"\n" + token + b" ", 0
        while True:
            at = held.find(end, searched)
            line_end = held.find(b"\n", at + len(end)) if at >= 0 else -1
            if line_end >= 0:
                found = bytes(held[:at]), bytes(held[at + len(end) : line_end])
                del held[: line_end + 1]
                return found
            searched = at if at >= 0 else max(0, len(held) - len(end))
            self._fill(errors, deadline, limit_s)

    def _fill(self, errors: bool, deadline: float, limit_s: float) -> None:
        try:
            out, err = self._channel.receive(max(0.0, deadline - time.monotonic()), errors)
        except TimeoutError as error:
            self.close()
            raise Lost(self._target, f"no answer within {limit_s:.0f} s") from error
        except (OSError, EOFError) as error:
            said = self._last_words()
            self.close()
            raise Lost(self._target, f"the connection ended{said}") from error
        self._out += out
        self._err += err
        if len(self._out) + len(self._err) > MAX_OUTPUT_BYTES:
            self.close()
            raise Lost(self._target, f"a command printed more than {MAX_OUTPUT_BYTES >> 20} MiB")

    def _last_words(self) -> str:
        """What it said before it ended, such as why sudo refused: in one line, and without the complaints of commands
        that had ended by then."""
        with contextlib.suppress(OSError, EOFError):
            for _ in range(10):
                self._err += self._channel.receive(0.2, errors=True)[1]
        _, token, behind = bytes(self._err).rpartition(b"\n" + self._mark)
        last = behind.partition(b"\n")[2] if token else behind
        said = " ".join(last[-300:].decode("utf-8", "replace").split())
        return f": {said}" if said else ""
