"""A BMC of the lab that is one process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runbooks.lab.bmc.board import Board
from runbooks.lab.detached import Detached


@dataclass(frozen=True)
class DetachedBmc(Detached):
    """A board's BMC."""

    board: Board

    @property
    def name(self) -> str:
        """The board's."""
        return self.board.name

    @property
    def where(self) -> str:
        """The board's."""
        return f"port {self.board.port} of {self.board.address}"

    @property
    def folder(self) -> Path:
        """The board's; what holds the password is its owner's alone."""
        return self.board.folder

    def pids(self) -> list[int]:
        """The BMC alone: what it has set going at its machine goes on."""
        pid = self.pid()
        return [pid] if pid else []
