"""Debian's MariaDB for the tests: a server of its own, never the system's, that ends with them."""

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
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from runbooks.lab import certificates
from runbooks.lab.machine import install

PASSWORD = "geheim"
READER = "ops-clinic"
_PROGRAMS = ("mariadbd", "mariadb-install-db")
_SMALL = ("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
          "--skip-log-bin", "--performance-schema=OFF", "--skip-name-resolve")  # fmt: skip
_NUMBERS = itertools.count()


class NoServer(Exception):
    """No MariaDB can be had here; says why."""


def _missing() -> list[str]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return [] if all(shutil.which(name, path=path) for name in _PROGRAMS) else ["mariadb-server"]


@dataclass
class Server:
    """One server with its data in ``top``. It is a child of this process and dies with it."""

    top: Path
    tls: bool = True
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _unprivileged: list[str] = field(default_factory=list)
    _keeper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def __post_init__(self) -> None:
        if _missing() and os.geteuid() == 0 and shutil.which("apt-get"):
            install(_missing)
        if _missing():
            raise NoServer("no MariaDB here: apt-get install mariadb-server")
        if os.geteuid() == 0:
            user = pwd.getpwnam("mysql")
            os.chown(self.top, user.pw_uid, user.pw_gid)
            self._unprivileged = ["--reuid", "mysql", "--regid", str(user.pw_gid), "--clear-groups"]
        self.top.chmod(0o755)
        certificates.make(self.top, "127.0.0.1")
        (self.top / "server.key").chmod(0o644)
        self.socket, self.data = self.top / "socket", self.top / "data"
        made = self._argv("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                          "--auth-root-authentication-method=normal", *_SMALL[:3])  # fmt: skip
        done = subprocess.run(made, check=False, capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    def _argv(self, program: str, *rest: str) -> list[str]:
        # Should this process be killed, the server goes, too.
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        return ["setpriv", *self._unprivileged, "--pdeathsig", "KILL", str(found), *rest]

    def start(self) -> None:
        """Until it answers."""
        self.port = _free_port()
        secured = (f"--ssl-cert={self.top}/server.pem", f"--ssl-key={self.top}/server.key")
        argv = self._argv("mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                          f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.top}/pid",
                          *(secured if self.tls else ("--skip-ssl",)), *_SMALL)  # fmt: skip
        with (self.top / "log").open("ab") as log:
            # The signal comes when the thread that started it ends, so that is one which lasts as long as we do.
            self.process = self._keeper.submit(
                subprocess.Popen, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            ).result()
        end = time.monotonic() + 60
        while True:
            try:
                return self.connect().close()
            except pymysql.MySQLError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise NoServer(f"mariadbd: {(self.top / 'log').read_text()[-500:]}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once: nothing in it is kept."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(60)

    def connect(self, database: str | None = None) -> Any:
        """The superuser."""
        return pymysql.connect(unix_socket=str(self.socket), user="root", database=database, autocommit=True)

    def execute(self, *statements: str, database: str | None = None) -> None:
        """As the superuser."""
        connection = self.connect(database)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def fresh(self, *statements: str) -> str:
        """A database that nobody has used, made with statements; the reader may only SELECT in it."""
        name = f"racktables{next(_NUMBERS)}"
        self.execute(
            f"CREATE DATABASE {name} CHARACTER SET utf8 COLLATE utf8_unicode_ci",
            f"CREATE USER IF NOT EXISTS '{READER}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON {name}.* TO '{READER}'@'%'",
        )
        self.execute(*statements, database=name)
        return name


@contextmanager
def running(tls: bool = True) -> Iterator[Server]:
    """A server until the end. Raises NoServer."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 500_000_000
    # Not below pytest's own directory, which others than root can't enter.
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as top:
        server = Server(Path(top), tls)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    """Below those that the kernel gives to anybody."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
