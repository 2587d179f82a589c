"""Runs one command and measures its whole tree of processes, those that it leaves behind included.

``python -I -S meter.py TIMEOUT_S OUT ERR COMMAND…`` prints one JSON document (``compare.Measured``), and ends the tree
when its own standard input ends. CPU time is what the kernel accounts to children that were waited for; as
their nearest subreaper this process waits for daemons, too, having ended them. Memory is the sum of the tree's
proportional set sizes, looked at from time to time: what processes share is counted once. What looking costs is this
process's own, and in no figure; it is kept below a twentieth of a core.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SUBREAPER = 36
_FIRST_LOOK_S, _EVERY_S, _SHARE = 0.02, 0.05, 20
_GRACE_S = 2.0


def tree(pid: int) -> Iterator[int]:
    """Every process below one."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from tree(child)


def memory_kib(pid: int) -> int:
    """The proportional set size of a process; 0 for one that has ended. Source: proc(5), smaps_rollup."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def watch(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[float, int, bool]:
    """Wait for a process, or for the end of standard input: wall seconds, the tree's peak in KiB, whether it ended."""
    started, peak, pause = time.monotonic(), 0, _FIRST_LOOK_S
    ended = os.pidfd_open(process.pid)
    while True:
        left = started + timeout_s - time.monotonic()
        ready, _, _ = select.select([ended, sys.stdin], [], [], max(0.0, min(pause, left)))
        if ready or left <= 0:
            return time.monotonic() - started, peak, ended in ready
        looked = time.monotonic()
        peak = max(peak, sum(map(memory_kib, tree(os.getpid()))))
        pause = max(_EVERY_S, _SHARE * (time.monotonic() - looked))


def end_tree() -> None:
    """End whatever is left of the tree, and wait for it."""
    deadline = time.monotonic() + _GRACE_S
    while left := list(tree(os.getpid())):
        number = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        for _ in range(20):
            _reap()
            time.sleep(0.005)
    _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main() -> None:
    """Run, measure, print."""
    timeout_s, out, err, *argv = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    # A thousand connections are more than the usual soft limit of files; for every tool alike.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Path(out).open("wb") as stdout, Path(err).open("wb") as stderr:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    wall_s, peak_kib, ended = watch(process, float(timeout_s))
    status = process.wait() if ended else None
    end_tree()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {"status": status, "wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak_kib / 1024}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
