"""A sliding window: so many targets side by side, and a new one whenever one has ended."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from runbooks import fibres


@dataclass
class Window:
    """``go`` takes one target through, as a fibre, or in a thread where it ``blocks``; ``may_start`` says whether
    another may be started (once one may not, none may); ``pause`` passes before each but the first; ``halt`` is called
    where one of them raised, or we were interrupted: the others are to end soon."""

    go: Callable[[str], object]
    may_start: Callable[[], bool] = lambda: True
    pause: Callable[[], object] = lambda: None
    halt: Callable[[], object] = lambda: None
    blocks: Callable[[str], bool] = lambda _name: True
    _started: bool = field(default=False, init=False)
    _error: BaseException | None = field(default=None, init=False)

    def slide(self, names: Iterable[str], width: int) -> None:
        """Take targets through. What one of them raises is raised here, once all that were started have ended."""
        names = list(names)
        if names:
            with _undisturbed():
                fibres.slide(self._works(names), min(width, len(names)), self.halt)
        if self._error is not None:
            raise self._error

    def _works(self, names: Iterable[str]) -> Iterator[Callable[[], None]]:
        """What is to be done for each target, as long as another may be started."""
        for name in names:
            if self._started and self._may_start():
                self.pause()
            if not self._may_start():
                return
            self._started = True
            yield partial(self._work, name)

    def _may_start(self) -> bool:
        return self._error is None and self.may_start()

    def _work(self, name: str) -> None:
        try:
            if self.blocks(name):
                fibres.aside(lambda: self.go(name))
            else:
                self.go(name)
        except BaseException as error:
            self._error = self._error or error
            self.halt()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What is found on thousands of targets is no garbage: to search it for some costs a tenth of all the work. Nor is
    a thread sent away because others wait: each soon waits for its host again, and fifty that look at their watches
    every 5 ms cost a fifth of it."""
    threshold, interval_s = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(max(threshold[0], 50_000), *threshold[1:])
    sys.setswitchinterval(0.1)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval_s)
