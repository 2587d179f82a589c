"""One host: its processes, seen from outside, and the ways to start, end, stop and enter it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runbooks.errors import CommandFailed, RunbookError, Unreachable, UsageError
from runbooks.lab.layout import FILES, Layout
from runbooks.lab.machine import CLEAN, Machine
from runbooks.lab.network import Network

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def wait_for(what: Callable[[], bool], timeout_s: float, complaint: str) -> None:
    """Poll until ``what`` holds; RunbookError with the complaint when it never does."""
    end = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > end:
            raise RunbookError(complaint)
        time.sleep(0.01)


def process_stat(pid: int) -> tuple[str, str] | None:
    """A process's (state letter, start time), or None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], fields[19]


def noted(where: Path) -> tuple[int, str] | None:
    """A process's (number, start time) as ``record`` has written them; None where they are of an earlier boot."""
    try:
        pid, start, boot = where.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return (int(pid), start) if boot == _BOOT_ID.read_text().strip() else None


def living(where: Path) -> int | None:
    """The process that a file names; a number left from an earlier life or boot does not count."""
    pid, start = noted(where) or (0, "")
    seen = process_stat(pid) if pid else None
    return pid if seen and seen[1] == start and seen[0] not in "ZX" else None


def session_of(where: Path) -> list[int]:
    """The living processes of the session that the process named in a file leads, or led; the leader first.

    A session's number becomes nobody else's while anyone is left in it: where it is another process's, nobody is.
    """
    leader, start = noted(where) or (0, "")
    seen = process_stat(leader) if leader else None
    if not leader or (seen and seen[1] != start):
        return []
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = [pid for pid in found if _session(pid) == leader and (seen := process_stat(pid)) and seen[0] not in "ZX"]
    return sorted(found, key=lambda pid: (pid != leader, pid))


def _session(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def record(pid: int, where: Path) -> None:
    """Write what ``living`` reads, at once or not at all."""
    seen = process_stat(pid)
    new = where.with_suffix(".new")
    new.write_text(f"{pid} {seen[1] if seen else 0} {_BOOT_ID.read_text().strip()}\n")
    new.rename(where)


@dataclass(frozen=True)
class Host:
    """A host of the lab. Nothing is remembered here: every question is asked of the kernel."""

    name: str
    address: str
    port: int
    layout: Layout
    machine: Machine
    network: Network

    @property
    def folder(self) -> Path:
        """own/ (read-only, the host's identity), upper/ (its disk), work/, root/, power, pid, console.log."""
        return self.layout.host(self.name)

    def pid(self) -> int | None:
        """The first process on this machine; None while there is no power, and in a boot until it can be entered."""
        return living(self.folder / "pid")

    def powered(self) -> bool:
        """Whether it has power: also while it restarts, hangs or is stuck in its boot."""
        return living(self.folder / "power") is not None

    def frozen(self) -> bool:
        """Whether the first process is stopped."""
        pid = self.pid()
        seen = process_stat(pid) if pid else None
        return seen is not None and seen[0] == "T"

    def boot(self, lower: Sequence[Path], *, usr: str, first_run_s: int) -> None:
        """Give it power unless it has, and return; ``wait_until_up`` waits for its sshd. From here on it can be killed.
        Raises RunbookError."""
        if self.powered():
            return
        for part in ("own", "upper", "work", "root"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "pid").unlink(missing_ok=True)
        self.network.attach(self.name, self.address)
        env = self._boot_environment(lower, usr, first_run_s)
        own = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--"]
        boot = [*self.network.prefix(self.name), *own, "bash", str(FILES / "boot.sh")]
        power = ["unshare", "--pid", "--fork", "--kill-child", "--", "sh", str(FILES / "power.sh"), *boot]
        # In a session of its own, without a terminal and without our files: it outlives the command that starts it.
        argv = ["setsid", "--fork", *self.machine.inside(power)]
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        with (
            (self.folder / "console.log").open("ab") as console,
            subprocess.Popen(argv, env=env, stdin=null, stdout=pipe, stderr=console, cwd="/") as start,
        ):
            assert start.stdout
            on = start.stdout.readline()
        if not on:
            raise RunbookError(f"lab: {self.name}: did not start: {self._console()}")

    def _boot_environment(self, lower: Sequence[Path], usr: str, first_run_s: int) -> dict[str, str]:
        """What power.sh and boot.sh read; they say what each is."""
        return {
            **CLEAN,
            "LAB_NAME": self.name,
            "LAB_HOST_DIR": str(self.folder),
            "LAB_LOWER": ":".join(str(path) for path in (self.folder / "own", *lower)),
            "LAB_OVERLAY": ",userxattr" if self.machine.rootless else "",
            "LAB_USR": usr,
            "LAB_FIRST_RUN_S": str(first_run_s),
            "LAB_UNPLUG": " ".join(self.network.unplugging(self.name)),
        }

    def wait_until_up(self, timeout_s: float = 60) -> None:
        """Wait for the first process, then for a greeting from sshd."""
        complaint = f"lab: {self.name}: did not start: {self._console()}"
        wait_for(lambda: (self.folder / "pid").exists() or not self.powered(), timeout_s, complaint)
        wait_for(self._greets_or_died, timeout_s, f"lab: {self.name}: sshd does not answer: {self._console()}")
        if not self.pid():
            raise RunbookError(f"lab: {self.name}: ended at once: {self._console()}")

    def _greets_or_died(self) -> bool:
        return not self.pid() or self.greets()

    def greets(self) -> bool:
        """Whether an ssh server answers at the host's address."""
        try:
            with socket.create_connection((self.address, self.port), timeout=0.5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _console(self) -> str:
        log = self.folder / "console.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1] if lines else "its console is empty"

    def kill(self) -> None:
        """Pull the plug: every process ends at once, the disk stays as it is."""
        # With the first process of its outer namespace all ends that was started in there: also a restart under way.
        power = living(self.folder / "power")
        if power:
            os.kill(power, signal.SIGKILL)
            wait_for(lambda: not self.powered(), 60, f"lab: {self.name}: process {power} does not end")

    def freeze(self) -> None:
        """Stop EVERY process of the host: stopping the first one alone would leave its sshd answering."""
        self._signal_all(signal.SIGSTOP, lambda letter: letter not in "TtZX")

    def thaw(self) -> None:
        """Let every process go on."""
        self._signal_all(signal.SIGCONT, lambda letter: letter in "Tt")

    def _signal_all(self, sign: signal.Signals, wrong: Callable[[str], bool]) -> None:
        def settled() -> bool:
            left = [pid for pid in self.processes() if (seen := process_stat(pid)) and wrong(seen[0])]
            for pid in left:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
            return not left

        self.require_alive()
        wait_for(settled, 60, f"lab: {self.name}: its processes do not all take {sign.name}")

    def processes(self) -> list[int]:
        """Every process of the host, by its number on this machine."""
        pid = self.require_alive()
        space = Path(f"/proc/{pid}/ns/pid").readlink()
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if Path(f"/proc/{entry.name}/ns/pid").readlink() == space:
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def require_alive(self) -> int:
        """The first process; Unreachable when the host is dead."""
        pid = self.pid()
        if pid is None:
            raise Unreachable(self.name, f"the lab host is dead; start it with: inv lab.start {self.name}")
        return pid

    def enter(self, argv: Sequence[str]) -> list[str]:
        """``argv`` inside the host's namespaces, as root, without ssh."""
        spaces = ["--mount", "--uts", "--ipc", "--pid", *(["--user"] if self.machine.rootless else ["--net"])]
        return ["nsenter", f"--target={self.require_alive()}", *spaces, "--", *argv]

    def run(
        self, argv: Sequence[str], stdin: bytes | None, check: bool, timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside the host; on timeout it is ended there as well."""
        if not argv:
            raise UsageError(f"lab: {self.name}: no command given")
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self.enter(argv), stdin=source, stdout=pipe, stderr=pipe, env=CLEAN, cwd="/", start_new_session=True
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if check and process.returncode:
            said = (err or out).decode(errors="replace").strip()[-500:]
            raise CommandFailed(f"{self.name}: {' '.join(argv)[:200]}: status {process.returncode}: {said}")
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)
