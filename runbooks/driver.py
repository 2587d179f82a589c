"""Who drives: the process that applies a run, told apart from every other one, and the person behind it."""

from __future__ import annotations

import json
import os
import pwd
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

_NO_LOGIN = 4294967295


@dataclass(frozen=True, slots=True)
class Driver:
    """A process. ``machine`` is its pid namespace on its boot, so that the same pid in another container or after a
    reboot is another driver; ``started``, the kernel's start time in clock ticks (0 if unknown), tells a reused pid."""

    machine: str
    machine_name: str
    pid: int
    started: int

    @classmethod
    def this(cls) -> Driver:
        """The running process."""
        return cls(_machine(), socket.gethostname(), os.getpid(), _start_time(os.getpid()))

    def to_text(self) -> str:
        """As the journal keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Driver:
        """What ``to_text`` gave."""
        return cls(**json.loads(text))

    def is_dead(self) -> bool:
        """Whether it is known to have ended; of another machine's process that is never known."""
        if self.machine != _machine():
            # Cloned machines share a machine-id, but not their name.
            return self.machine_name == socket.gethostname() and _same_machine_earlier_boot(self.machine)
        return _start_time(self.pid) != self.started and not _is_hidden(self.pid)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _machine() -> str:
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    identity = _read("/etc/machine-id") or socket.gethostname()
    return f"{identity} {_read('/proc/sys/kernel/random/boot_id')} {namespace}"


def _same_machine_earlier_boot(machine: str) -> bool:
    ours, theirs = _machine().split(" "), machine.split(" ")
    return ours[0] == theirs[0] and ours[1] != theirs[1] and bool(ours[1])


def _start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat (proc(5)), counted after the command's closing parenthesis; 0 for no such process, and
    for one that has ended and only waits to be reaped."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else 0


def _is_hidden(pid: int) -> bool:
    """Whether there is such a process, and /proc does not show it (mounted with hidepid, another user's)."""
    if Path(f"/proc/{pid}").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def operator() -> str:
    """The person at the keyboard: the login uid, or who called sudo; root only where nobody else can be found."""
    login = _read("/proc/self/loginuid")
    if login.isdigit() and int(login) not in (_NO_LOGIN, 0):
        return _name_of(int(login))
    # What is no UTF-8 is spelt out: no database would take it.
    return os.environ.get("SUDO_USER", "").encode(errors="backslashreplace").decode() or _name_of(os.getuid())


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
