"""A server of the lab that outlives the command that starts it, with every process that it has started itself."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from runbooks.errors import Blocked, Unreachable
from runbooks.lab.host import living, process_stat, record, session_of, wait_for
from runbooks.lab.machine import CLEAN

# Started like this it is a child of nobody here, has none of our files, and leads a session of its own.
_START = 'log=$1; shift; setsid -- "$@" </dev/null >>"$log" 2>&1 & echo $!'


class Detached(ABC):
    """One server. A handle on a folder that has one already is cheap: every question is asked of the kernel."""

    program: ClassVar[str]
    patience_s: ClassVar[float] = 60
    """How long its first answer may take, on a busy machine."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the lab calls it."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Its address and port, as a person reads them."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Its files, its owner's alone; ``pid`` and ``log`` are in it."""

    @abstractmethod
    def prepare(self) -> Sequence[str]:
        """Write its files; the command that runs it. Raises Blocked."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does."""

    @abstractmethod
    def port_is_free(self) -> bool:
        """Whether nobody has its port."""

    def started(self) -> None:  # noqa: B027 - some need nothing more
        """It answers for the first time."""

    def pid(self) -> int | None:
        """Its first process; a number that somebody else has by now does not count."""
        return living(self.folder / "pid")

    def pids(self) -> list[int]:
        """All of its processes, the first one first, also where that one is dead and others are left over."""
        return session_of(self.folder / "pid")

    def frozen(self) -> bool:
        """Whether it stands still."""
        pid = self.pid()
        return pid is not None and _stopped(pid)

    def start(self) -> None:
        """Until it answers; a live one is left alone, and what a dead one has left over is ended. Raises Blocked."""
        if self.pid() is not None:
            return
        self.kill()
        if not self.port_is_free():
            raise Blocked(f"lab: {self.name}: {self.where} is taken")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        argv, log = self.prepare(), self.folder / "log"
        shell = ["/bin/sh", "-c", _START, "sh", str(log), *argv]
        # LAB_HOST_DIR is what a lab's processes are known by.
        env = CLEAN | {"LAB_HOST_DIR": str(self.folder)}
        done = subprocess.run(shell, check=True, stdout=subprocess.PIPE, env=env, cwd="/")
        record(int(done.stdout), self.folder / "pid")
        try:
            self._wait(log)
        except BaseException:
            self.kill()
            raise

    def _wait(self, log: Path) -> None:
        complaint = f"lab: {self.name}: {self.program} does not answer"
        wait_for(lambda: self.pid() is None or self.answers(), self.patience_s, complaint)
        if self.pid() is None:
            said = log.read_text(errors="replace").strip().splitlines()
            why = "; ".join(said[-2:]) or "it does not say why"
            raise Blocked(f"lab: {self.name}: {self.program} did not start: {why}")
        self.started()

    def kill(self) -> None:
        """End all of it as a power cut would; nothing where it is dead."""
        if not self.pids():
            return
        # One that is ended last may have started another one meanwhile.
        wait_for(lambda: not self._signal(signal.SIGKILL), 60, f"lab: {self.name}: {self.program} does not end")
        wait_for(self.port_is_free, 60, f"lab: {self.name}: {self.where} does not become free")

    def freeze(self) -> None:
        """Have all of it stand still: nothing is answered. Raises Unreachable where it is dead."""
        self._alive()

        def still() -> bool:
            told = self._signal(signal.SIGSTOP)
            # One that was not told yet may have started another one meanwhile.
            return all(map(_stopped, told)) and self.pids() == told

        wait_for(still, 60, f"lab: {self.name}: {self.program} does not stand still")

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        self._alive()

        def moving() -> bool:
            return not any(map(_stopped, self._signal(signal.SIGCONT)))

        wait_for(moving, 60, f"lab: {self.name}: {self.program} does not go on")

    def _signal(self, number: signal.Signals) -> list[int]:
        """Who was sent it."""
        pids = self.pids()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def _alive(self) -> None:
        if self.pid() is None:
            raise Unreachable(self.name, f"{self.program} is dead")


def _stopped(pid: int) -> bool:
    seen = process_stat(pid)
    return seen is not None and seen[0] == "T"


def write_secret(path: Path, text: str) -> None:
    """A file that its owner alone can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
