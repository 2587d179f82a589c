"""A BMC with a vendor's command line over ssh: a stand-in, as no such BMC can be had without its board.

In its folder: ``cli.json`` (mode 600) is what it is told, ``host_key`` its key, ``log.jsonl`` its event log;
``trouble`` is what it does wrong meanwhile: ``hangs``, ``garbage``, ``dialect`` or ``lies``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runbooks.lab.bmc.detached import DetachedBmc
from runbooks.lab.detached import write_secret
from runbooks.lab.network import answers

VENDORS = {
    "racadm": "runbooks.lab.bmc.cli_dell:Dell",
    "ilo": "runbooks.lab.bmc.cli_hpe:Hpe",
    "cimc": "runbooks.lab.bmc.cli_cisco:Cisco",
    "ilom": "runbooks.lab.bmc.cli_oracle:Oracle",
    "smash": "runbooks.lab.bmc.cli_supermicro:Supermicro",
}
"""The command lines there are, by the driver that speaks them."""


@dataclass(frozen=True)
class CliBmc(DetachedBmc):
    """A board with the command line of a driver. ``variant`` is a generation of it, as its module says. ``banner_s`` is
    how long it takes to greet; ``asks``: it takes no password but the answer to a question (keyboard-interactive);
    ``old``: it has no ssh algorithms but old ones."""

    driver: str
    variant: str = ""
    banner_s: float = 0.0
    asks: bool = False
    old: bool = False
    program = "its command line"

    @property
    def fingerprint(self) -> str:
        """Its host key's, as ssh writes it. It has one from its first start on."""
        from paramiko import RSAKey

        digest = hashlib.sha256(RSAKey.from_private_key_file(str(self.folder / "host_key")).asbytes()).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def answers(self) -> bool:
        """Connections are taken."""
        return answers(self.board.address, self.board.port)

    def port_is_free(self) -> bool:
        """Nobody takes connections there."""
        return not self.answers()

    def prepare(self) -> Sequence[str]:
        """cli.json and host_key, in the board's folder."""
        from paramiko import RSAKey

        board, key = self.board, self.folder / "host_key"
        if not key.exists():
            RSAKey.generate(2048).write_private_key_file(str(key))
        told = {
            "dialog": VENDORS[self.driver], "variant": self.variant, "banner_s": self.banner_s, "asks": self.asks,
            "old": self.old, "address": board.address, "port": board.port, "user": board.user,
            "password": board.password.reveal(), "chassis": board.chassis, "serial": board.serial,
        }  # fmt: skip
        write_secret(self.folder / "cli.json", json.dumps(told))
        house = Path(__file__).parents[3]
        server = "runbooks.lab.bmc.cli_server"
        return ["env", f"PYTHONPATH={house}", sys.executable, "-m", server, str(self.folder)]
