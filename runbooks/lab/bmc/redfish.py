"""A BMC of the lab that speaks Redfish: sushy-emulator with TLS under a CA of its own, over the board's machine.

It needs 0.6 s to start, and 39 MB of memory, 31 MB of them its own (Python 3.11, sushy-tools 2.2).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import runbooks
from runbooks.errors import Blocked, Unreachable
from runbooks.lab import certificates
from runbooks.lab.bmc.board import Board
from runbooks.lab.host import living, process_stat, wait_for
from runbooks.lab.machine import CLEAN
from runbooks.lab.network import answers


@dataclass(frozen=True)
class RedfishBmc:
    """Nothing is remembered here: every question is asked of the kernel, and it outlives the command that starts it."""

    board: Board

    @property
    def ca(self) -> Path:
        """The certificate that its own is signed with."""
        return self.board.folder / "ca.pem"

    def pid(self) -> int | None:
        """Its process."""
        return living(self.board.folder / "pid")

    def frozen(self) -> bool:
        """Whether it stands still."""
        pid = self.pid()
        seen = process_stat(pid) if pid else None
        return seen is not None and seen[0] == "T"

    def start(self) -> None:
        """Until it answers; a live one is left alone. Raises Blocked."""
        if self.pid() is not None:
            return
        if not find_spec("sushy_tools"):
            raise Blocked(
                "lab: missing here: sushy-tools, for a BMC that speaks Redfish; pip install 'ops-clinic[dev]'"
            )
        if answers(self.board.address, self.board.port):
            raise Blocked(f"lab: {self.board.name}: {self.board.address}:{self.board.port} is taken")
        config = self._configure()
        argv = [sys.executable, "-m", "runbooks.lab.bmc.redfish_emulator", str(config)]
        # It is this code that is to run, wherever that is from. LAB_HOST_DIR is what a lab's processes are known by.
        env = CLEAN | {
            "PYTHONPATH": str(Path(runbooks.__path__[0]).parent),
            "LAB_HOST_DIR": str(self.board.folder),
        }
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=env)
        if done.returncode:
            raise Blocked(f"lab: {self.board.name}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        wait_for(self._answers_or_died, 60, f"lab: {self.board.name}: its BMC does not answer")
        if self.pid() is None:
            said = (self.board.folder / "console.log").read_text(errors="replace").strip().splitlines()
            raise Blocked(f"lab: {self.board.name}: its BMC did not start: {'; '.join(said[-1:])}")

    def _answers_or_died(self) -> bool:
        return self.pid() is None or answers(self.board.address, self.board.port)

    def _configure(self) -> Path:
        """Its files; certificates are made once. The password is kept as a hash alone."""
        import bcrypt

        folder = self.board.folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not self.ca.exists():
            certificates.make(folder, self.board.address)
        # Whoever can read the file has the lab; a dearer hash would cost 0.2 s for each request.
        hashed = bcrypt.hashpw(self.board.password.reveal().encode(), bcrypt.gensalt(4)).decode()
        _write(folder / "htpasswd", f"{self.board.user}:{hashed}\n")
        name = self.board.name
        system = {"uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "name": name, "nics": [], "power_state": "Off"}
        settings = {
            "SUSHY_EMULATOR_LISTEN_IP": self.board.address,
            "SUSHY_EMULATOR_LISTEN_PORT": self.board.port,
            "SUSHY_EMULATOR_SSL_CERT": str(folder / "server.pem"),
            "SUSHY_EMULATOR_SSL_KEY": str(folder / "server.key"),
            "SUSHY_EMULATOR_AUTH_FILE": str(folder / "htpasswd"),
            "SUSHY_EMULATOR_STATE_DIR": str(folder),
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [system],
            "SECRET_KEY": secrets.token_hex(),
            "LAB_CHASSIS": self.board.chassis,
        }
        config = folder / "sushy.conf"
        _write(config, "".join(f"{key} = {value!r}\n" for key, value in settings.items()))
        return config

    def kill(self) -> None:
        """End it as a power cut would; its machine goes on."""
        if self._signal(signal.SIGKILL):
            # A process on its way out has ended already, and its port is still open.
            where = self.board.address, self.board.port
            wait_for(
                lambda: self.pid() is None and not answers(*where), 60, f"lab: {self.board.name}: its BMC does not end"
            )

    def freeze(self) -> None:
        """Have it stand still: connections are made, and nothing is answered. Raises Unreachable where it is dead."""
        self._require(signal.SIGSTOP)
        wait_for(self.frozen, 60, f"lab: {self.board.name}: its BMC does not stand still")

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        self._require(signal.SIGCONT)
        wait_for(lambda: not self.frozen(), 60, f"lab: {self.board.name}: its BMC does not go on")

    def _require(self, number: signal.Signals) -> None:
        if not self._signal(number):
            raise Unreachable(self.board.name, "its BMC is dead")

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid()
        if pid:
            os.kill(pid, number)
        return pid is not None


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
