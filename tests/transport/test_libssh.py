"""What libssh has taken off the connection wakes nobody: it has to be looked for before waiting."""

from __future__ import annotations

from typing import Any

import pytest

from runbooks import fibres
from runbooks.transport.libssh import LibsshChannel


class StandInForLibssh:
    """A channel of ssh-python's interface, over which standard output comes while standard error is looked for: when
    that happens with a real one is a matter of microseconds."""

    def __init__(self) -> None:
        self.held = b""

    def read_nonblocking(self, size: int, is_stderr: bool) -> tuple[int, bytes]:  # noqa: ARG002
        """As documented; whichever stream is asked for, all that came is taken in."""
        if is_stderr:
            self.held = b"came meanwhile"
            return 0, b""
        data, self.held = self.held, b""
        return len(data), data

    def is_eof(self) -> bool:
        """Never."""
        return False

    is_closed = is_eof


def test_what_came_while_the_other_stream_was_looked_for_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = object.__new__(LibsshChannel)
    own: Any = channel
    own._channel, own._number, own._errors, own._eof = StandInForLibssh(), -1, ConnectionError, EOFError
    monkeypatch.setattr(fibres, "wait_for_input", lambda *_: pytest.fail("it waits for what it holds"))
    assert channel.receive(5.0) == (b"came meanwhile", b"")
