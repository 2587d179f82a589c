"""Many hosts in one thread: while one fibre waits for its host, another one goes on.

A fibre runs plain code; where that would wait, it calls one of these, which in any other thread just wait. Whatever can
only block is called ``aside``. A thread for each host costs more than all that the engine does there: it is woken three
times a step, each time with cold caches. The loop is gevent's; nothing is patched in anywhere.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_here = threading.local()


def slide(works: Iterable[Callable[[], None]], width: int, halt: Callable[[], object]) -> None:
    """Run each as a fibre, so many side by side; the next is asked for whenever one has ended. They raise nothing.
    Where ``works`` raises, or we are interrupted, ``halt`` is called, and those that run are waited for."""
    if _are_here():
        _loop(works, width, halt)
        return
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with _threads(width):
                _loop(works, width, halt)
        except BaseException as error:
            raised.append(error)

    _in_a_thread(run, halt)
    if raised:
        raise raised[0]


def _in_a_thread(work: Callable[[], None], halt: Callable[[], object]) -> None:
    """Call it in a thread of its own: Python interrupts the main thread alone, and no fibre half-way. Where we are
    interrupted, ``halt`` is called, and its end waited for."""
    # Thread.join, once interrupted, takes the thread for ended (bpo-45274).
    ended = threading.Event()
    # Taken by the thread as it begins; or by us, who were interrupted before: then it never does.
    turn = threading.Lock()

    def run() -> None:
        if turn.acquire(blocking=False):
            try:
                work()
            finally:
                ended.set()

    thread = threading.Thread(target=run, name="fibres")
    try:
        thread.start()
        ended.wait()
    except BaseException:
        halt()
        if not turn.acquire(blocking=False):
            ended.wait()
        raise


def _loop(works: Iterable[Callable[[], None]], width: int, halt: Callable[[], object]) -> None:
    from gevent.pool import Pool

    pool = Pool(width)
    try:
        for work in works:
            pool.spawn(work)
            pool.wait_available()
    except BaseException:
        halt()
        raise
    finally:
        pool.join()


@contextmanager
def _threads(width: int) -> Iterator[None]:
    """Threads for what is called aside."""
    from gevent import get_hub, sleep
    from gevent.threadpool import ThreadPool

    _here.threads, _here.sleep = ThreadPool(width), sleep
    try:
        yield
    finally:
        _here.threads.kill()
        del _here.threads, _here.sleep
        get_hub().destroy()


def aside(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises, called in a thread of its own where a fibre must not block the others."""
    if not _are_here():
        return work()

    # gevent would print what is raised there.
    def caught() -> tuple[Any, BaseException | None]:
        try:
            return work(), None
        except BaseException as error:
            return None, error

    value, error = _here.threads.apply(caught)
    if error is not None:
        raise error
    found: T = value
    return found


def sleep(seconds: float) -> None:
    """Wait."""
    getattr(_here, "sleep", time.sleep)(seconds)


def others_first() -> None:
    """Let the fibres go on that have something to go on with."""
    if _are_here():
        _here.sleep(0)


def poll() -> Any:
    """A ``select.poll()``."""
    if _are_here():
        from gevent.select import poll as waiting

        return waiting()
    return select.poll()


def wait_for_input(number: int, timeout_s: float) -> bool:
    """Whether something came on a descriptor, for at most so long."""
    if not _are_here():
        waiting = select.poll()
        waiting.register(number, select.POLLIN)
        return bool(waiting.poll(max(0.0, 1000 * timeout_s)))
    from gevent.socket import wait_read

    try:
        wait_read(number, timeout=max(0.0, timeout_s))
    except TimeoutError:
        return False
    return True


def _are_here() -> bool:
    return hasattr(_here, "threads")
