"""A sliding window: so many targets side by side, and a new one whenever one has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field


@dataclass
class Window:
    """``go`` takes one target through; ``may_start`` says whether another may be started; ``pause`` passes before each
    but the first; ``halt`` is called where one of them raised, or we were interrupted: the others are to end soon."""

    go: Callable[[str], None]
    may_start: Callable[[], bool]
    pause: Callable[[], object]
    halt: Callable[[], None]
    _started: bool = field(default=False, init=False)

    def slide(self, names: Sequence[str], width: int) -> None:
        """Take targets through. What one of them raises is raised here, once all that were started have ended."""
        waiting, running = deque(names), set[Future[None]]()
        with ThreadPoolExecutor(width) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < width and self._turn():
                        running.add(pool.submit(self.go, waiting.popleft()))
                    if not running:
                        return
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
            except BaseException:
                self.halt()
                raise

    def _turn(self) -> bool:
        if self._started and self.may_start():
            self.pause()
        may = self.may_start()
        self._started = self._started or may
        return may
