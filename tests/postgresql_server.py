"""Debian's PostgreSQL for the tests: a cluster of its own, never the system's, that ends with them."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from runbooks.lab.machine import install

PASSWORD = "geheim"  # of every role but the superuser, who comes through the socket alone
_CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{top}'
unix_socket_permissions = 0777
fsync = on
max_connections = 300
shared_buffers = 32MB
min_wal_size = 8MB
max_wal_size = 64MB
"""
_HBA = """
local all postgres trust
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


_NUMBERS = itertools.count()


class NoServer(Exception):
    """No PostgreSQL can be had here; says why."""


def programs() -> Path:
    """Where Debian keeps the newest version's programs. Raises NoServer."""
    if not _installed() and os.geteuid() == 0 and shutil.which("apt-get"):
        install(lambda: [] if _installed() else ["postgresql"])
    if not (found := _installed()):
        raise NoServer("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql")
    return found[-1]


def _installed() -> list[Path]:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@dataclass
class Server:
    """One server on a cluster in ``top``. It is a child of this process and dies with it."""

    top: Path
    bin: Path = field(default_factory=programs)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._unprivileged: list[str] = []
        self._keeper = ThreadPoolExecutor(1)
        if os.geteuid() == 0:
            user = next(name for name in ("postgres", "nobody") if _exists(name))
            os.chown(self.top, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            self._unprivileged = ["--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups"]
        self.top.chmod(0o755)
        self.data = self.top / "data"
        argv = ["initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(self._argv(*argv, "--no-sync", "--wal-segsize=4"), check=True, capture_output=True, cwd="/")
        with (self.data / "postgresql.conf").open("a") as stream:
            stream.write(_CONFIG.format(top=self.top))
        (self.data / "pg_hba.conf").write_text(_HBA)
        self.port = _free_port()

    def _argv(self, program: str, *rest: str) -> list[str]:
        # Should this process be killed, the server shuts down at once, and its own processes with it.
        return ["setpriv", *self._unprivileged, "--pdeathsig", "QUIT", str(self.bin / program), *rest]

    def start(self) -> None:
        """Until it answers; nothing where it runs already."""
        if self.process is not None and self.process.poll() is None:
            return None
        with (self.top / "log").open("ab") as log:
            argv = self._argv("postgres", "-D", str(self.data), "-c", f"port={self.port}")
            # The signal comes when the thread that started it ends, so that is one which lasts as long as we do.
            self.process = self._keeper.submit(
                subprocess.Popen, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            ).result()
        end = time.monotonic() + 60
        while True:
            try:
                return self.connect().close()
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise NoServer(f"{self.bin}/postgres: {(self.top / 'log').read_text()[-500:]}") from error
                time.sleep(0.02)

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """End it: SIGINT: fast; SIGQUIT: at once, to be recovered at the next start; SIGKILL: as a power cut would."""
        if self.process is None:
            return
        if number == signal.SIGKILL:
            self._kill_all()
        else:
            self.process.send_signal(number)
        self.process.wait(60)
        self.process = None

    def _kill_all(self) -> None:
        assert self.process
        # Stopped first, so that it starts no more of them.
        self.process.send_signal(signal.SIGSTOP)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(_lives(pid) for pid in children):
            time.sleep(0.01)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """The superuser, each statement a transaction of its own."""
        return psycopg.connect(host=str(self.top), port=self.port, user="postgres", dbname="postgres", autocommit=True)

    def execute(self, statement: str) -> None:
        """As the superuser."""
        with self.connect() as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def fresh(self) -> str:
        """The URL of a journal that nobody has used."""
        name = f"journal{next(_NUMBERS)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def hang_up(self) -> None:
        """End every connection."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                     " AND pid <> pg_backend_pid()")  # fmt: skip

    def url(self, schema: str = "public", user: str = "postgres", database: str = "postgres") -> str:
        """Through the socket, with a schema to itself."""
        return f"postgresql://{user}@/{database}?host={self.top}&port={self.port}&options=-csearch_path%3D{schema}"

    def tcp(self, user: str, database: str = "postgres", password: str = "") -> str:
        """Over the network."""
        return f"postgresql://{user}{':' + password if password else ''}@127.0.0.1:{self.port}/{database}"


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _free_port() -> int:
    """Below those that the kernel gives to anybody while the server is stopped."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
