"""A BMC with a vendor's command line over ssh: a stand-in, as no such BMC can be had without its board.

It is a server by itself, which outlives the command that starts it. In ``folder``: ``cli.json`` (mode 600) is what it
is told, ``host_key`` its key, ``pid`` its process, ``log.jsonl`` its event log, ``console.log`` what it complains of;
``trouble`` is what it does wrong meanwhile: ``hangs``, ``garbage``, ``dialect`` or ``lies``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runbooks.errors import Blocked, Unreachable
from runbooks.lab.bmc.board import Board
from runbooks.lab.host import process_stat, wait_for
from runbooks.lab.machine import CLEAN
from runbooks.lab.network import answers

VENDORS = {
    "racadm": "runbooks.lab.bmc.cli_dell:Dell",
    "ilo": "runbooks.lab.bmc.cli_hpe:Hpe",
    "cimc": "runbooks.lab.bmc.cli_cisco:Cisco",
    "ilom": "runbooks.lab.bmc.cli_oracle:Oracle",
    "smash": "runbooks.lab.bmc.cli_supermicro:Supermicro",
}
"""The command lines there are, by the driver that speaks them."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class CliBmc:
    """A board with the command line of a driver. ``variant`` is a generation of it, as its module says. ``banner_s`` is
    how long it takes to greet; ``asks``: it takes no password but the answer to a question (keyboard-interactive);
    ``old``: it has no ssh algorithms but old ones."""

    board: Board
    driver: str
    variant: str = ""
    banner_s: float = 0.0
    asks: bool = False
    old: bool = False

    @property
    def fingerprint(self) -> str:
        """Its host key's, as ssh writes it. It has one from its first start on."""
        from paramiko import RSAKey

        digest = hashlib.sha256(RSAKey.from_private_key_file(str(self._file("host_key"))).asbytes()).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def _file(self, name: str) -> Path:
        return self.board.folder / name

    def pid(self) -> int | None:
        """Its process; a number left from an earlier life or boot does not count."""
        try:
            pid, start, boot = self._file("pid").read_text().split()
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
        """Until it answers; a live one is left alone. Raises Blocked where something else does."""
        if self.pid() is not None:
            return
        board = self.board
        if answers(board.address, board.port):
            raise Blocked(f"lab: {board.name}: something else answers at {board.address}:{board.port}")
        board.folder.mkdir(parents=True, exist_ok=True)
        self._write()
        env = CLEAN | {"LAB_HOST_DIR": str(board.folder)}
        argv = ["setsid", "--fork", sys.executable, "-m", "runbooks.lab.bmc.cli_server", str(board.folder)]
        null = subprocess.DEVNULL
        with self._file("console.log").open("ab") as console:
            subprocess.run(argv, env=env, stdin=null, stdout=null, stderr=console, check=True, cwd=_ROOT)
        wait_for(self._is_up, 30, f"lab: {board.name}: its command line does not start: see {console.name}")

    def _is_up(self) -> bool:
        return self.pid() is not None and answers(self.board.address, self.board.port)

    def _write(self) -> None:
        from paramiko import RSAKey

        board, key = self.board, self._file("host_key")
        if not key.exists():
            RSAKey.generate(2048).write_private_key_file(str(key))
        told = {
            "dialog": VENDORS[self.driver], "variant": self.variant, "banner_s": self.banner_s, "asks": self.asks,
            "old": self.old, "name": board.name, "address": board.address, "port": board.port, "user": board.user,
            "password": board.password.reveal(), "chassis": board.chassis,
        }  # fmt: skip
        self._file("pid").unlink(missing_ok=True)
        self._file("cli.json").touch(mode=0o600)
        self._file("cli.json").write_text(json.dumps(told))

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._signal(signal.SIGKILL):
            # A process on its way out has its port still.
            board = self.board
            gone = f"lab: {board.name}: its command line does not end"
            wait_for(lambda: self.pid() is None and not answers(board.address, board.port), 10, gone)

    def freeze(self) -> None:
        """Have it stand still: connections are made, and nothing is answered. Raises Unreachable where it is dead."""
        self._require(signal.SIGSTOP)
        wait_for(self.frozen, 10, f"lab: {self.board.name}: its command line does not stand still")

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        self._require(signal.SIGCONT)
        wait_for(lambda: not self.frozen(), 10, f"lab: {self.board.name}: its command line does not go on")

    def _require(self, number: signal.Signals) -> None:
        if not self._signal(number):
            raise Unreachable(self.board.name, "the lab's BMC is dead")

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid()
        if pid:
            os.kill(pid, number)
        return pid is not None
