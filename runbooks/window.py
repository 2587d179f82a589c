"""A sliding window: so many targets side by side, and a new one whenever one has ended."""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Window:
    """``go`` takes one target through; ``may_start`` says whether another may be started (once one may not, none may);
    ``pause`` passes before each but the first; ``halt`` is called where one of them raised, or we were interrupted: the
    others are to end soon."""

    go: Callable[[str], None]
    may_start: Callable[[], bool] = lambda: True
    pause: Callable[[], object] = lambda: None
    halt: Callable[[], object] = lambda: None
    _started: bool = field(default=False, init=False)
    _over: bool = field(default=False, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def slide(self, names: Iterable[str], width: int) -> None:
        """Take targets through. What one of them raises is raised here, once all that were started have ended."""
        waiting = deque(names)
        if not waiting:
            return
        with _undisturbed(), ThreadPoolExecutor(min(width, len(waiting))) as pool:
            try:
                # Each worker takes one target after another: starting one costs the same, however many there are.
                workers = [pool.submit(self._work, waiting) for _ in range(min(width, len(waiting)))]
                for worker in wait(workers, return_when=FIRST_EXCEPTION).done:
                    worker.result()
            except BaseException:
                self._over = True
                self.halt()
                raise

    def _work(self, waiting: deque[str]) -> None:
        while (name := self._next(waiting)) is not None:
            try:
                self.go(name)
            except BaseException:
                self._over = True
                raise

    def _next(self, waiting: deque[str]) -> str | None:
        """The next target to start, or None where nothing more is started."""
        with self._turn:
            if waiting and self._started and self.may_start():
                self.pause()
            if not waiting or self._over or not self.may_start():
                return None
            self._started = True
            return waiting.popleft()


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
