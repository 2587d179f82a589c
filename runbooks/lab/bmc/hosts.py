"""The BMCs of a lab's hosts: what each of them speaks, where, and what the inventory says of it.

Every host's speaks IPMI: 0.1 s to start, a few MB. One of each other kind is enough: such a server takes half a second
of a processor to start, and 30 to 90 MB.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from runbooks.errors import Blocked
from runbooks.lab.bmc.board import Board
from runbooks.lab.fleet import side_by_side
from runbooks.lab.host import living, wait_for
from runbooks.lab.layout import SERVER, Layout, State
from runbooks.lab.machine import say
from runbooks.lab.network import bmc_address
from runbooks.secret import Secret

SUFFIX = ".mgmt"
"""What a host's BMC is called, behind the host's name."""
_USER = "root"
_BESIDES = {"lab01": "redfish", "lab02": "ilo", "lab03": "smash", "lab04": "racadm"}
"""What some hosts' BMCs speak besides IPMI; it is what the host's vendor has (inventory.py)."""
_STANDARD = {"ipmi": 623, "redfish": 443, "ilo": 22, "smash": 22, "racadm": 22}


class Server(Protocol):
    """What answers for a BMC in one protocol: a process of its own."""

    def pid(self) -> int | None: ...

    def frozen(self) -> bool: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...


@dataclass(frozen=True)
class HostBmc:
    """A host's BMC with all its protocols, IPMI the first of them; ``port`` is that one's."""

    name: str
    address: str
    port: int
    servers: Mapping[str, Server]

    def pid(self) -> int | None:
        """The process that speaks IPMI."""
        return self.servers["ipmi"].pid()

    def powered(self) -> bool:
        """Whether all of it runs."""
        return all(server.pid() for server in self.servers.values())

    def frozen(self) -> bool:
        """Whether any of it stands still."""
        return any(server.frozen() for server in self.servers.values())

    def start(self) -> None:
        """Until all of it answers; what lives is left alone. Raises Blocked."""
        for server in self.servers.values():
            server.start()

    def kill(self) -> None:
        """Pull its plug; the host goes on."""
        for server in self.servers.values():
            server.kill()

    def freeze(self) -> None:
        """Have it stand still: nothing is answered. Raises Unreachable where it is dead."""
        for server in self.servers.values():
            server.freeze()

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        for server in self.servers.values():
            server.thaw()


def bmc_of(layout: Layout, state: State, host: str) -> HostBmc:
    """The BMC of a host, in a lab that has them."""
    address = bmc_address(state.hosts[host])
    spoken = [name for name in ("ipmi", _BESIDES.get(host)) if name in state.bmc_ports]
    servers = {name: _server(name, _board(layout, state, host, name)) for name in spoken}
    return HostBmc(f"{host}{SUFFIX}", address, state.bmc_ports["ipmi"], servers)


def bmcs_of(layout: Layout, state: State) -> list[HostBmc]:
    """Every host's; none in a lab without."""
    return [bmc_of(layout, state, host) for host in sorted(state.hosts)] if state.bmc_ports else []


def _board(layout: Layout, state: State, host: str, spoken: str) -> Board:
    name, folder, address = f"{host}{SUFFIX}", layout.bmcs / host / spoken, bmc_address(state.hosts[host])
    password = Secret(layout.bmc_password.read_text())
    port, switch = state.bmc_ports[spoken], chassis(layout.top, host)
    return Board(name, address, port, _USER, password, switch, folder, serial_of(host))


def serial_of(host: str) -> str:
    """A host's serial number: seven characters, as service tags have."""
    return f"LAB{host.removeprefix('lab') if host != SERVER else 0:>04}"


def chassis(top: Path, host: str) -> tuple[str, ...]:
    """The power switch of a host of the lab there, as ``Board.chassis`` is."""
    return "/bin/sh", str(Path(__file__).with_name("chassis.sh")), sys.executable, str(top), host


def _server(spoken: str, board: Board) -> Any:
    from runbooks.lab.bmc.cli import CliBmc
    from runbooks.lab.bmc.redfish import RedfishBmc

    if spoken == "ipmi":
        return ipmi_bmc(board)
    return RedfishBmc(board) if spoken == "redfish" else CliBmc(board, spoken)


def ipmi_bmc(board: Board) -> Server:
    """What speaks IPMI for a board: ipmi_sim, or pyghmi's where that cannot be had."""
    from runbooks.lab.bmc.ipmi_pyghmi import IpmiPyghmi
    from runbooks.lab.bmc.ipmi_sim import IpmiSim, need_ipmi_sim

    try:
        need_ipmi_sim()
    except Blocked:
        return IpmiPyghmi(board)
    return IpmiSim(board)


# ---- their life


def bring_up(layout: Layout, state: State) -> None:
    """Make the BMCs, or start those that are dead. Ports are noted in ``state``, for the caller to save. Raises
    Blocked."""
    if not layout.bmc_password.exists():
        layout.bmc_password.touch(mode=0o600)
        layout.bmc_password.write_text(secrets.token_hex(8))
    if not state.bmc_ports:
        state.bmc_ports = _choose_ports(state)
    side_by_side(lambda bmc: bmc.start(), bmcs_of(layout, state), 4)


def _choose_ports(state: State) -> dict[str, int]:
    """The usual ones as root, where nobody has them at any address of ours; else others."""
    addresses = [bmc_address(address) for address in state.hosts.values()]
    chosen: dict[str, int] = {}
    for spoken, usual in _STANDARD.items():
        if spoken == "redfish" and not find_spec("sushy_tools"):
            say("no BMC speaks Redfish here: pip install 'ops-clinic[dev]' has what is missing")
            continue
        tried = [*([] if state.rootless else [usual]), *range(20000 + usual, 30000, 101)]
        kind = socket.SOCK_DGRAM if spoken == "ipmi" else socket.SOCK_STREAM
        chosen[spoken] = next(port for port in tried if all(_is_free(kind, address, port) for address in addresses))
    return chosen


def _is_free(kind: int, address: str, port: int) -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET, kind) as probe:
        # What a connection leaves behind for a minute does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
        probe.bind((address, port))
        return True
    return False


def move(layout: Layout, state: State) -> None:
    """The hosts' addresses are others now: the BMCs' are, too."""
    remove(layout)
    if state.bmc_ports:
        state.bmc_ports = _choose_ports(state)


def remove(layout: Layout) -> None:
    """End them and remove their files, however far they had come."""
    noted = list(layout.bmcs.glob("*/*/pid"))
    for pid in filter(None, map(living, noted)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(living, noted)), 60, f"lab: BMCs in {layout.bmcs} do not end")
    shutil.rmtree(layout.bmcs, ignore_errors=True)


# ---- what the tool is told


def row(layout: Layout, state: State, host: str) -> dict[str, Any]:
    """``serial`` and ``bmc`` of a host in the inventory; nothing in a lab without."""
    if not state.bmc_ports:
        return {}
    bmc = bmc_of(layout, state, host)
    first, *others = reversed(tuple(bmc.servers))
    port = state.bmc_ports[first]
    told: dict[str, Any] = {"address": bmc.address}
    if port != _STANDARD[first]:
        told["port"] = port
    # A row has one port, the first driver's: what listens at an unusual one besides cannot be told.
    told["drivers"] = [first, *(name for name in others if state.bmc_ports[name] == _STANDARD[name])]
    server: Any = bmc.servers[first]
    told |= {name: str(getattr(server, name)) for name in ("ca", "fingerprint") if hasattr(server, name)}
    return {"serial": serial_of(host), "bmc": told}


def settings(layout: Layout, state: State) -> dict[str, Any]:
    """The ``oob`` section of the lab's settings; nothing in a lab without."""
    return {"oob": {"user": _USER, "password_file": str(layout.bmc_password)}} if state.bmc_ports else {}
