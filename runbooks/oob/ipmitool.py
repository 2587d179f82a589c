"""IPMI 2.0 over the network, by the program ipmitool: a process and a log-in for each question.

ipmitool(1), version 1.8.19, whose words are these. Without ``-v`` it says the same of a wrong password, a wrong user
and a BMC that is not there. ``-N`` and ``-R 1``: each packet is sent once, and waited for so long; sent again, a BMC
that answers late would be told twice to cycle. It looks for a BMC twice before it says that there is none.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime

from runbooks.errors import CommandFailed, LoginRefused, Lost, RunbookError, Unreachable
from runbooks.oob.ipmi_common import IpmiDriver, boot_device
from runbooks.oob.model import Action, BootDevice, LogEntry, Power

_WORDS = {Action.SHUTDOWN: "soft"}
_DEVICES = {BootDevice.NETWORK: "pxe", BootDevice.SETUP: "bios"}
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}
_NO_SESSION, _NO_ANSWER = "Unable to establish", "Error issuing Get Channel Authentication Capabilities"
# What is behind it is what the BMC says; a log-out without an answer is one of a BMC that has fallen silent.
_REASON, _NO_GOODBYE = " failed: ", "Close Session command failed"
_LOGGED_IN = re.compile(r"Running Get|Discovered|Unable to set")
_NO_SUITE = re.compile(r"Error in open session response message|algorithm \w+ is not what we requested")
_REFUSED = re.compile(r"RAKP 2 HMAC is invalid|RAKP [24] message indicates an error : .*|.*Privilege Level.*")
_NOISE = re.compile(r"Loading IANA|Running Get|Invalid completion|Discovered IPMB|Error: Unable|Close Session|\s*$")


class Ipmitool(IpmiDriver):
    """Any BMC that speaks IPMI 2.0."""

    name, title = "ipmitool", "IPMI (ipmitool)"
    _suite = 17

    def power(self) -> Power:
        """By ``power status``."""
        said = self._run("power", "status")
        found = re.search(r"^Chassis Power is (on|off)$", said, re.MULTILINE)
        if not found:
            raise CommandFailed(f"{self.bmc.host}: ipmitool: power status: {said.strip()[-200:]!r} makes no sense")
        return Power(found[1])

    def _control(self, action: Action) -> None:
        self._run("power", _WORDS.get(action, action), changes=True)

    def log(self, limit: int) -> Sequence[LogEntry]:
        """By ``sel list last``."""
        # With -v it prints no time of day.
        said = self._run("-c", "sel", "list", "last", str(limit), wordy=False) if limit > 0 else ""
        return [_entry(row) for row in reversed([line.split(",") for line in said.splitlines()]) if len(row) > 3]

    def boot_device(self) -> BootDevice:
        """By ``chassis bootparam get 5``; nothing where the BMC calls its flags invalid."""
        said = self._run("chassis", "bootparam", "get", "5")
        found = re.search(r"Boot parameter data: ((?:[0-9a-f]{2}){2})", said)
        return boot_device(bytes.fromhex(found[1])) if found else BootDevice.NONE

    def set_boot_device(self, device: BootDevice) -> None:
        """By ``chassis bootdev``, for the next boot alone."""
        self._run("chassis", "bootdev", _DEVICES.get(device, device))

    def identify(self, on: bool) -> None:
        """By ``chassis identify``, until it is switched off."""
        self._run("chassis", "identify", "force" if on else "0")

    def serial(self) -> str:
        """By ``fru print``: the product's, the chassis's or the board's."""
        try:
            printed = self._run("fru", "print", "0")
        except CommandFailed:
            return ""
        said = dict(re.findall(r"^ (Product|Chassis|Board) Serial +: (.*\S)", printed, re.MULTILINE))
        return next((said[part] for part in ("Product", "Chassis", "Board") if part in said), "")

    def _run(self, *words: str, changes: bool = False, wordy: bool = True) -> str:
        """What it prints. ``changes``: no answer leaves it unknown. Raises what ``Driver`` does."""
        done = self._start(words, changes, wordy)
        said = done.stderr.decode(errors="replace")
        if _NO_SESSION in said:
            if self._suite == 17 and _NO_SUITE.search(said):
                self._suite = 3
                return self._run(*words, changes=changes, wordy=wordy)
            if not wordy:
                self.power()
            raise self._no_session(said)
        if done.returncode:
            raise self._failed(words, done, changes)
        return done.stdout.decode(errors="replace")

    def _start(self, words: Sequence[str], changes: bool, wordy: bool) -> subprocess.CompletedProcess[bytes]:
        self._need_fit()
        address, port = self.place
        # A power command may take a BMC a while.
        wait_s = max(1, int((self.timeout_s if changes else self.connect_s) // 2))
        argv = ["ipmitool", *(["-v"] if wordy else []), "-I", "lanplus", "-H", address, "-p", str(port)]
        argv += ["-U", self.bmc.user, "-E", "-C", str(self._suite), "-N", str(wait_s), "-R", "1", *words]
        env = _ENVIRONMENT | {"IPMI_PASSWORD": self.password.reveal()}
        try:
            # A log-in and a question are six packets: a BMC that answers each, just in time, may take so long.
            return subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=env, timeout=3 * self.timeout_s
            )
        except FileNotFoundError as error:
            raise Unreachable(self.bmc.host, "ipmitool is missing here: apt-get install ipmitool") from error
        except subprocess.TimeoutExpired as error:
            kind = Lost if changes else Unreachable
            raise kind(self.bmc.host, f"ipmitool {' '.join(words)}: no end in {3 * self.timeout_s:g} s") from error

    def _no_session(self, said: str) -> RunbookError:
        if found := _REFUSED.search(said):
            return LoginRefused(self.bmc.host, f"{self.bmc.address}: {found[0].strip()}")
        why = "no answer" if _NO_ANSWER in said else _last(said)
        return Unreachable(self.bmc.host, f"{self.bmc.address}: {why or 'it does not say why'}")

    def _failed(self, words: Sequence[str], done: subprocess.CompletedProcess[bytes], changes: bool) -> RunbookError:
        said = done.stderr.decode(errors="replace")
        what = f"ipmitool {' '.join(words)}: {_last(said) or 'it does not say why'}"
        if changes and (done.returncode < 0 or (_LOGGED_IN.search(said) and _REASON not in said)):
            return Lost(self.bmc.host, what)
        if _NO_GOODBYE in said:
            return Unreachable(self.bmc.host, what)
        return CommandFailed(f"{self.bmc.host}: {what}")


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if not _NOISE.match(line)]
    return lines[-1] if lines else ""


def _entry(row: Sequence[str]) -> LogEntry:
    number, day, time, *words = (word.strip() for word in row)
    try:
        at = datetime.strptime(f"{day} {time.split()[0]}", "%m/%d/%y %H:%M:%S").replace(tzinfo=UTC)
    except (ValueError, IndexError):
        return LogEntry(number, "", "", ": ".join(filter(None, words)))
    return LogEntry(number, at.strftime("%Y-%m-%dT%H:%M:%SZ"), "", ": ".join(filter(None, words)))
