"""What is told of a connection that ends: the host's last words, and nothing of ours."""

from __future__ import annotations

import pytest

from runbooks.errors import Lost
from runbooks.transport.streams import Streams

MARK = b"6547766780df5bf019c1f63a"


class Dying:
    """A stand-in for a channel: some words on standard error, in one go, and the end."""

    def __init__(self, words: bytes) -> None:
        self.words = words

    def send(self, data: bytes) -> None:
        """All is taken."""

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:  # noqa: ARG002
        """The words, once."""
        if not self.words:
            raise EOFError
        words, self.words = self.words, b""
        return b"", words

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"", "the connection ended"),
        (b"sudo: a password\n is required\n", "the connection ended: sudo: a password is required"),
        (b"\n%s6 \n\n%s7 \n\n%s14 \n" % (MARK, MARK, MARK), "the connection ended"),
        (b"cat: x: no such file\n\n%s6 \n" % MARK, "the connection ended"),
        (b"no such file\n\n%s6 \nout of memory\n" % MARK, "the connection ended: out of memory"),
        (b"no such file\n\n%s1" % MARK, "the connection ended"),
    ],
)
def test_last_words(words: bytes, told: str) -> None:
    streams = Streams("lab01", Dying(words), MARK)
    with pytest.raises(Lost) as caught:
        streams.until(MARK + b"99", False, float("inf"), 1)
    assert caught.value.why == told
