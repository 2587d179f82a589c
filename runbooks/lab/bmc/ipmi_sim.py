"""A BMC that speaks IPMI 2.0, by Debian's ipmi_sim: chassis, event log with power events, FRU, boot device, identify.

ipmi_sim(1), ipmi_lan(5), ipmi_sim_cmd(5) of OpenIPMI 2.0.33. Of cipher suites it knows 3, not 17.
"""

from __future__ import annotations

import errno
import os
import shlex
import socket
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import suppress

from runbooks.errors import Blocked
from runbooks.lab.bmc.detached import DetachedBmc
from runbooks.lab.detached import write_secret
from runbooks.lab.machine import CLEAN, find, install

_LAN = """name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid}
  endlan
  chassis_control "exec {folder}/chassis"
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
# Sensor 1: power unit, "power off" (bit 0), read from a file; a change is an event. SEL: may be added to, and deleted.
_MC = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_add_fru_data 0x20 0 128 file 0 "{folder}/fru"
sensor_add 0x20 0 1 0x09 0x6f poll 1000 file "{folder}/off" base=10
sensor_set_event_support 0x20 0 1 enable scanning per-state {bit} {bit} {bit} {bit}
mc_enable 0x20
"""
_CHASSIS = """#!/bin/bash
# Called by ipmi_sim; `off` is what it makes power events of.
cd {folder} || exit
# ipmi_sim's port is not to outlive it here (nor in the shell that calls this: its `exec`). 255 is this file.
for fd in /proc/self/fd/*; do fd=${{fd##*/}}; (( fd < 3 || fd == 255 )) || eval "exec $fd>&-"; done
case "$1 $2" in
"get boot") echo "boot:$(cat boot)"; exit ;;
"set boot" | "set identify") verb=$2; shift 2; echo "$@" >"$verb"; exit ;;
esac
{chassis} "$@" || exit
case "$1 $2 $3" in
"set power 0" | "set shutdown "*) echo 1 >off ;;
"set power "* | "set reset "*) echo 0 >off ;;
esac
"""
# RMCP, no session, Get Channel Authentication Capabilities for this channel (IPMI 2.0, 22.13).
_HELLO = bytes.fromhex("0600ff07 00 00000000 00000000 09 2018c8 8100388e04b5")


class IpmiBmc(DetachedBmc):
    """A BMC on a UDP port."""

    def answers(self) -> bool:
        """Asked what everybody may ask."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.2)
            with suppress(OSError):
                asker.connect((self.board.address, self.board.port))
                asker.send(_HELLO)
                return asker.recv(100)[:4] == _HELLO[:4]
        return False

    def port_is_free(self) -> bool:
        """Whether it can be had, and given back. Raises Blocked where the address is not this machine's."""
        board = self.board
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((board.address, board.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Blocked(f"lab: {board.name}: {board.address} port {board.port}: {error.strerror}") from error
        return True

    @property
    def serial(self) -> str:
        """The machine's serial number."""
        return self.board.serial or f"LAB-{self.board.name}"[:40]

    @property
    def guid(self) -> uuid.UUID:
        """The board's own."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.board.name}.{self.board.address}.{self.board.port}")


class IpmiSim(IpmiBmc):
    """One ipmi_sim."""

    program = "ipmi_sim"

    def prepare(self) -> Sequence[str]:
        """lan.conf, bmc.emu, chassis, fru, off and boot, in the board's folder."""
        need_ipmi_sim()
        board, folder = self.board, self.folder
        words = (board.name, board.user, board.password.reveal(), str(folder))
        if any(mark in word for word in words for mark in '"\\\n'):
            raise Blocked(f"lab: {board.name}: quotation marks and backslashes cannot be told to ipmi_sim")
        (folder / "state").mkdir(exist_ok=True)
        lan = _LAN.format(
            name=board.name, address=board.address, port=board.port, guid=self.guid.hex, folder=folder,
            user=board.user, password=board.password.reveal(),
        )  # fmt: skip
        write_secret(folder / "lan.conf", lan)
        (folder / "bmc.emu").write_text(_MC.format(folder=folder, bit=f"{1:015}"))
        (folder / "fru").write_bytes(_fru("Ops Clinic", "lab BMC", self.serial))
        (folder / "off").write_text("0\n")
        (folder / "boot").write_text("none\n")
        script = _CHASSIS.format(chassis=shlex.join(board.chassis), folder=shlex.quote(str(folder)))
        (folder / "chassis").write_text(script)
        (folder / "chassis").chmod(0o700)
        files = ["-c", str(folder / "lan.conf"), "-f", str(folder / "bmc.emu"), "-s", str(folder / "state")]
        return [str(find("ipmi_sim")), "-n", *files]

    def started(self) -> None:
        """Its clock counts from this machine's start until somebody sets it."""
        where = ["-H", self.board.address, "-p", str(self.board.port), "-U", self.board.user, "-E", "-C", "3"]
        once = ["-N", f"{self.patience_s:.0f}", "-R", "1"]
        argv = ["ipmitool", "-I", "lanplus", *where, *once, "sel", "time", "set", "now"]
        env = CLEAN | {"IPMI_PASSWORD": self.board.password.reveal(), "TZ": "UTC"}
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=env)
        if done.returncode:
            raise Blocked(f"lab: {self.board.name}: ipmitool: {done.stderr.decode(errors='replace').strip()[-200:]}")


def need_ipmi_sim() -> None:
    """Installed where we may. Raises Blocked."""
    programs = {"ipmi_sim": "openipmi", "ipmitool": "ipmitool"}

    def missing() -> list[str]:
        return [package for program, package in programs.items() if not find(program)]

    if missing() and os.geteuid() == 0 and find("apt-get"):
        install(missing)
    if missing():
        raise Blocked(f"lab: missing here: {' '.join(missing())}; ask root for: apt-get install {' '.join(missing())}")


def _fru(manufacturer: str, product: str, serial: str) -> bytes:
    """A product area (Platform Management FRU Information Storage Definition 1.0, revision 1.3, chapters 8 and 12)."""

    def text(words: str) -> bytes:
        return bytes([0xC0 | len(words)]) + words.encode("latin-1", "replace")

    fields = text(manufacturer) + text(product) + text("") + text("") + text(serial) + text("") + text("") + b"\xc1"
    body = b"\x19" + fields
    body += bytes(-(len(body) + 3) % 8)
    area = bytes([1, (len(body) + 3) // 8]) + body
    header = bytes([1, 0, 0, 0, 1, 0, 0])
    return b"".join(part + bytes([-sum(part) & 0xFF]) for part in (header, area)).ljust(128, b"\0")
