"""Streams that say what a terminal, a pipe and an old terminal say."""

from __future__ import annotations

import io

import pytest


class Stream(io.StringIO):
    """Text that remembers; ``tty`` makes it look like a terminal, and writing what ``encoding`` lacks fails."""

    def __init__(self, encoding: str = "utf-8", tty: bool = False) -> None:
        super().__init__()
        self._encoding, self._tty = encoding, tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        text.encode(self._encoding)
        return super().write(text)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same surroundings wherever the tests run."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def pipe() -> Stream:
    return Stream()


@pytest.fixture
def tty() -> Stream:
    return Stream(tty=True)


@pytest.fixture
def ascii_pipe() -> Stream:
    return Stream("ascii")
