"""Signals, and terminals that go away: what ends a command, and what must not end a run half-way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

from runbooks.errors import Interrupted

if TYPE_CHECKING:
    from runbooks.walker import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Outside a walk nothing is changed, so SIGTERM and SIGHUP end the command as SIGINT does: by KeyboardInterrupt.
    The second signal ends it at once, whatever it still waits for."""

    def handle(_number: int, _frame: object) -> None:
        for number in SIGNALS:
            signal.signal(number, lambda *_: os._exit(Interrupted.exit_status))
        raise KeyboardInterrupt

    with _handled(handle):
        yield


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP during a walk: start nothing new. A second SIGINT ends at once, which is safe, too:
    what was begun is in the journal."""

    def handle(number: int, _frame: object) -> None:
        if stop and number == signal.SIGINT:
            _say(b"\ninv: ended at once; `inv resume` looks at what was under way\n")
            os._exit(Interrupted.exit_status)
        stop.ask(signal.Signals(number).name)
        _say(b"\ninv: stopping: what is under way is finished, nothing new is started (again: at once)\n")

    with _handled(handle):
        yield


def _say(line: bytes) -> None:
    # The terminal may be gone: that is what SIGHUP says.
    with suppress(OSError):
        os.write(2, line)


@contextmanager
def _handled(handle: Callable[[int, object], None]) -> Iterator[None]:
    earlier = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def quiet(progress: AbstractContextManager[object]) -> Iterator[None]:
    """A progress display whose own troubles (a closed pipe, a lost terminal) don't count."""
    with suppress(OSError):
        progress.__enter__()
    try:
        yield
    finally:
        with suppress(OSError):
            progress.__exit__(None, None, None)
