"""A BMC that speaks IPMI 2.0, by pyghmi, for machines that cannot have ipmi_sim: chassis, boot device and identify; no
event log, no FRU. It knows cipher suite 3. What is so already it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyghmi.ipmi.bmc import Bmc

from runbooks.lab.bmc.ipmi_sim import IpmiBmc
from runbooks.lab.detached import write_secret

_NOT_NOW = 0xD5


class IpmiPyghmi(IpmiBmc):
    """One process with pyghmi's BMC server in it."""

    program = "pyghmi"

    def prepare(self) -> Sequence[str]:
        """ipmi.json, in the board's folder."""
        board = self.board
        told = {
            "address": board.address,
            "port": board.port,
            "user": board.user,
            "password": board.password.reveal(),
            "chassis": list(board.chassis),
            "guid": str(self.guid),
        }
        write_secret(self.folder / "ipmi.json", json.dumps(told))
        house = Path(__file__).parents[3]
        return ["env", f"PYTHONPATH={house}", sys.executable, "-m", __name__, str(self.folder / "ipmi.json")]


class _Bmc(Bmc):  # type: ignore[misc]
    """pyghmi's server, which acts on the chassis."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__({told["user"]: told["password"]}, told["port"], uuid.UUID(told["guid"]), told["address"])
        self.boot = 0
        self.chassis: list[str] = told["chassis"]

    def _chassis(self, *words: str) -> str:
        argv = [*self.chassis, *words]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout.decode()

    def get_system_guid(self) -> uuid.UUID:
        return self.uuid  # type: ignore[no-any-return]

    def get_power_state(self) -> int:
        return int("power:1" in self._chassis("get", "power"))

    def _change(self, wanted: bool, *words: str) -> int:
        """Refused, as by some vendors' BMCs, where the power is not as it has to be."""
        if bool(self.get_power_state()) is not wanted:
            return _NOT_NOW
        self._chassis("set", *words)
        return 0

    def power_off(self) -> int:
        return self._change(True, "power", "0")

    def power_on(self) -> int:
        return self._change(False, "power", "1")

    def power_cycle(self) -> int:
        return self.power_off() or self.power_on()

    def power_reset(self) -> int:
        return self._change(True, "reset", "1")

    def power_shutdown(self) -> int:
        return self._change(True, "shutdown", "1")

    def handle_raw_request(self, request: dict[str, Any], session: Any) -> None:
        data, asked = request["data"], (request["netfn"], request["command"])
        if asked == (0, 4):
            session.send_ipmi_response()
        elif asked == (0, 8) and data[0] == 5:
            self.boot = data[2] if data[1] & 0x80 else 0
            session.send_ipmi_response()
        elif asked == (0, 9) and data[0] == 5:
            session.send_ipmi_response(data=[1, 5, 0x80 if self.boot else 0, self.boot, 0, 0, 0])
        else:
            super().handle_raw_request(request, session)


def main(file: str) -> None:
    """Serve, for ever."""
    _Bmc(json.loads(Path(file).read_text())).listen()


if __name__ == "__main__":
    main(sys.argv[1])
