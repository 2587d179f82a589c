"""A server of the lab that is one process, and outlives the command that starts it."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbooks.errors import Blocked, Unreachable
from runbooks.lab.bmc.board import Board
from runbooks.lab.host import process_stat, wait_for
from runbooks.lab.machine import CLEAN

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Started like this it is a child of nobody here, has none of our files, and says who it is.
_START = 'log=$1; shift; setsid -- "$@" </dev/null >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True)
class DetachedBmc(ABC):
    """A board's BMC. A handle on a folder that has one already is cheap: every question is asked of the kernel."""

    board: Board
    program: ClassVar[str]

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

    @property
    def folder(self) -> Path:
        """Its files; what holds the password is its owner's alone."""
        return self.board.folder

    def pid(self) -> int | None:
        """Its process; a number that somebody else has by now does not count."""
        try:
            pid, start, boot = (self.folder / "pid").read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        seen = process_stat(int(pid)) if boot == _BOOT_ID.read_text().strip() else None
        return int(pid) if seen and seen[1] == start and seen[0] not in "ZX" else None

    def frozen(self) -> bool:
        """Whether it stands still."""
        pid = self.pid()
        seen = process_stat(pid) if pid else None
        return seen is not None and seen[0] == "T"

    def start(self) -> None:
        """Until it answers; a live one is left alone. Raises Blocked."""
        if self.pid() is not None:
            return
        if not self.port_is_free():
            raise Blocked(f"lab: {self.board.name}: port {self.board.port} of {self.board.address} is taken")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        argv, log = self.prepare(), self.folder / "log"
        shell = ["/bin/sh", "-c", _START, "sh", str(log), *argv]
        # LAB_HOST_DIR is what a lab's processes are known by.
        env = CLEAN | {"LAB_HOST_DIR": str(self.folder)}
        done = subprocess.run(shell, check=True, stdout=subprocess.PIPE, env=env, cwd="/")
        seen = process_stat(int(done.stdout))
        (self.folder / "pid").write_text(f"{int(done.stdout)} {seen[1] if seen else '-'} {_BOOT_ID.read_text()}")
        try:
            self._wait(log)
        except BaseException:
            self.kill()
            raise

    def _wait(self, log: Path) -> None:
        name = self.board.name
        wait_for(lambda: self.pid() is None or self.answers(), 20, f"lab: {name}: {self.program} does not answer")
        if self.pid() is None:
            said = log.read_text(errors="replace").strip().splitlines()
            raise Blocked(f"lab: {name}: {self.program} did not start: {'; '.join(said[-2:]) or 'it does not say why'}")
        self.started()

    def kill(self) -> None:
        """End it as a power cut would; nothing where it is dead."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_for(
                lambda: self.pid() is None and self.port_is_free(), 10, f"lab: {self.board.name}: the BMC does not end"
            )

    def freeze(self) -> None:
        """Have it stand still: nothing is answered. Raises Unreachable where it is dead."""
        os.kill(self._alive(), signal.SIGSTOP)
        wait_for(self.frozen, 10, f"lab: {self.board.name}: the BMC does not stand still")

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        os.kill(self._alive(), signal.SIGCONT)
        wait_for(lambda: not self.frozen(), 10, f"lab: {self.board.name}: the BMC does not go on")

    def _alive(self) -> int:
        pid = self.pid()
        if pid is None:
            raise Unreachable(self.board.name, "the lab's BMC is dead")
        return pid


def write_secret(path: Path, text: str) -> None:
    """A file that its owner alone can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
