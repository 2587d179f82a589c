"""sushy-tools' Redfish service over a machine of the lab: ``python -m runbooks.lab.bmc.redfish_emulator CONFIG``.

The service, its TLS and its log-in are sushy-emulator's. Its fake driver knows no machine: what it is told comes true 1
to 11 seconds later, at the next question. So power is asked of the chassis, and set there, at once; and there is a
system event log, which sushy-emulator has none of. It goes into the background by itself, once all is loaded.

Sources: sushy-tools 2.2, "sushy-emulator", ``emulator/main.py``, ``resources/systems/fakedriver.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from sushy_tools import error
from sushy_tools.emulator import main as sushy
from sushy_tools.emulator.resources.systems import fakedriver

from runbooks.lab.host import record

#: Reset types that the chassis has a command for; the others are 501, as sushy-emulator has it.
SETS = {
    "On": "power 1",
    "ForceOn": "power 1",
    "ForceOff": "power 0",
    "GracefulShutdown": "shutdown 1",
    "ForceRestart": "reset 1",
    "GracefulRestart": "reset 1",
}
_LOG = "/redfish/v1/Systems/<identity>/LogServices"


class Machine(fakedriver.FakeDriver):  # type: ignore[misc]
    """What sushy-emulator asks about a system."""

    def __init__(self) -> None:
        super().__init__()
        self._chassis: tuple[str, ...] = self._config["LAB_CHASSIS"]
        self._log = Path(self._config["SUSHY_EMULATOR_STATE_DIR"]) / "sel"
        self._lock = threading.Lock()
        self._last = ""

    def get_power_state(self, identity: str) -> str:
        self._get(identity)
        said = self._call("get", "power").stdout
        if said.strip() not in ("power:0", "power:1"):
            raise error.FishyError(f"The chassis says {said[:80]!r}")
        state = "On" if said.strip() == "power:1" else "Off"
        with self._lock:
            before, self._last = self._last, state
        if before and before != state:
            self.note(f"Power is {state.lower()}")
        return state

    def set_power_state(self, identity: str, state: str) -> None:
        self._get(identity)
        if state not in SETS:
            raise error.NotSupportedError(f"Power state {state} is not supported")
        done = self._call("set", *SETS[state].split())
        if done.returncode:
            raise error.FishyError(f"The chassis refuses {state}: status {done.returncode}")
        self.note(f"{state} requested through Redfish")

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._chassis, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def note(self, message: str) -> None:
        """Put something into the event log."""
        with self._lock, self._log.open("a") as log:
            log.write(json.dumps({"Created": datetime.now(UTC).isoformat(timespec="seconds"), "Message": message}))
            log.write("\n")

    def notes(self) -> list[dict[str, Any]]:
        """The event log, the oldest entry first."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [{"Id": str(number), "Severity": "OK", **json.loads(line)} for number, line in enumerate(lines, 1)]


@sushy.app.after_request  # type: ignore[untyped-decorator]
def _with_log(response: Response) -> Response:
    if request.endpoint == "system_resource" and request.method == "GET" and response.status_code == 200:
        system = json.loads(response.get_data())
        system["LogServices"] = {"@odata.id": f"{request.path.rstrip('/')}/LogServices"}
        response.set_data(json.dumps(system))
    return response


@sushy.app.route(_LOG)  # type: ignore[untyped-decorator]
def _services(identity: str) -> Response:  # noqa: ARG001 - Flask's
    return jsonify({"Members": [{"@odata.id": f"{request.path}/SEL"}]})


@sushy.app.route(f"{_LOG}/SEL")  # type: ignore[untyped-decorator]
def _service(identity: str) -> Response:  # noqa: ARG001 - Flask's
    return jsonify({"Id": "SEL", "Entries": {"@odata.id": f"{request.path}/Entries"}})


@sushy.app.route(f"{_LOG}/SEL/Entries")  # type: ignore[untyped-decorator]
def _entries(identity: str) -> Response:
    sushy.app.systems.uuid(identity)
    return jsonify(
        {"Members": [{"@odata.id": f"{request.path}/{one['Id']}", **one} for one in sushy.app.systems.notes()]}
    )


def main(config: Path) -> None:
    """Serve until killed. What is said goes into ``console.log`` beside ``config``, the process into ``pid``."""
    fakedriver.FakeDriver = Machine
    # Its handler would take the ends of our chassis commands for its own.
    sushy.cleanup_zombies = signal.SIG_DFL
    if pid := os.fork():
        record(pid, config.with_name("pid"))
        os._exit(0)
    os.setsid()
    console = os.open(config.with_name("console.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, console), (2, console)):
        os.dup2(source, number)
    sys.argv = ["sushy-emulator", "--config", str(config)]
    sushy.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
