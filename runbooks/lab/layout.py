"""Where a lab keeps its things, and what it remembers between two commands."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from runbooks.errors import Blocked, SettingsError
from runbooks.lab.people import Person

FILES = Path(__file__).parent / "files"
SERVER = "puppet01"

Life = Literal["running", "frozen", "cut", "dead"]


def scratch() -> Path:
    """A fresh directory for a lab to throw away: in memory where that carries xattrs (Linux 6.6), else on disk."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK):
        top = Path(tempfile.mkdtemp(prefix="ops-clinic-", dir=memory))
        with contextlib.suppress(OSError):
            os.setxattr(top, b"user.probe", b"1")
            os.removexattr(top, b"user.probe")
            return top
        top.rmdir()
    return Path(tempfile.mkdtemp(prefix="ops-clinic-"))


@dataclass(frozen=True)
class HostStatus:
    """One line of ``lab.status``; ``pid`` is the host's first process on this machine, or None."""

    name: str
    address: str
    port: int
    state: Life
    pid: int | None


@dataclass
class State:
    """What a lab remembers: written whole, and only ``ready`` once everything stands; ``ldap_port`` is 0 where there is
    no directory, ``bmc_ports`` (by driver) empty where there are no BMCs, ``mx`` the mail hosts,
    ``list_ports`` (REST, LMTP, SMTP) empty where there is no list server."""

    rootless: bool
    network: Literal["netns", "loopback"]
    subnet: str
    port: int
    git_port: int
    puppet_every_s: int
    hosts: dict[str, str]
    people: list[Person] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    ldap_port: int = 0
    bmc_ports: dict[str, int] = field(default_factory=dict)
    mx: list[str] = field(default_factory=list)
    list_ports: list[int] = field(default_factory=list)
    ready: bool = False


@dataclass(frozen=True)
class Layout:
    """The files of one lab, all below one directory."""

    top: Path

    def __post_init__(self) -> None:
        if set(str(self.top)) & set(":,\\ \t\n'\""):
            raise SettingsError(f"lab: {self.top}: overlay mounts cannot take a path with ':', ',' or blanks; move it")

    @property
    def state(self) -> Path:
        return self.top / "lab.json"

    @property
    def base(self) -> Path:
        return self.top / "base"

    @property
    def layer(self) -> Path:
        return self.top / "layer"

    @property
    def image(self) -> Path:
        return self.top / "image"

    @property
    def compiled(self) -> Path:
        return self.top / "compiled"

    @property
    def keys(self) -> Path:
        return self.top / "keys"

    @property
    def inventory(self) -> Path:
        return self.top / "inventory"

    @property
    def directory(self) -> Path:
        return self.top / "ldap"

    @property
    def lists(self) -> Path:
        return self.top / "lists"

    @property
    def bmcs(self) -> Path:
        return self.top / "bmc"

    @property
    def bmc_password(self) -> Path:
        return self.top / "bmc-password"

    @property
    def ssh_config(self) -> Path:
        return self.top / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.top / "known_hosts"

    @property
    def tool_key(self) -> Path:
        return self.keys / "tool"

    def person_key(self, name: str) -> Path:
        return self.keys / "people" / name

    def host(self, name: str) -> Path:
        return self.top / "hosts" / name

    def load(self) -> State | None:
        """The lab's state, or None where there is no lab."""
        try:
            saved = json.loads(self.state.read_text())
            saved["people"] = [Person.load(person) for person in saved["people"]]
            return State(**saved)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError(
                f"lab: {self.state} cannot be read ({error}); remove {self.top} and start anew"
            ) from error

    def save(self, state: State) -> None:
        """Replace the state in one move."""
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state), indent=1))
        fresh.replace(self.state)

    @contextlib.contextmanager
    def locked(self, patience_s: float = 60) -> Iterator[None]:
        """One command at a time changes a lab; another one waits for it, and gives up in the end."""
        end = time.monotonic() + patience_s
        while (fd := self._try_lock()) is None:
            if time.monotonic() > end:
                raise Blocked(f"lab: another command has long been changing the lab in {self.top}; see to it")
            time.sleep(0.02)
        try:
            yield
        finally:
            os.close(fd)

    def _try_lock(self) -> int | None:
        self.top.mkdir(parents=True, exist_ok=True)
        path = self.top / ".lock"
        try:
            fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # lab.down removes the file while it holds it: a lock on a file that is gone keeps nobody out.
            if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except BlockingIOError:
            pass
        os.close(fd)
        return None
