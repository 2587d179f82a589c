"""Debian's Prometheus Alertmanager for the tests: one of its own, never the system's, that ends with them."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from runbooks.lab import certificates
from runbooks.lab.machine import install

USER, PASSWORD = "ops", "geheim-alertmanager"
_PROGRAM = "prometheus-alertmanager"
_CONFIG = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"


class NoServer(Exception):
    """No Alertmanager can be had here; says why."""


def program() -> str:
    """Where Debian's is. Raises NoServer."""
    if not shutil.which(_PROGRAM) and os.geteuid() == 0 and shutil.which("apt-get"):
        install(lambda: [] if shutil.which(_PROGRAM) else [_PROGRAM])
    found = shutil.which(_PROGRAM)
    if found is None:
        raise NoServer(f"no {_PROGRAM} here: apt-get install {_PROGRAM}")
    return found


@dataclass
class AlertmanagerServer:
    """One server that keeps what it holds in ``top``. It is a child of this process and dies with it. ``secured``: it
    speaks TLS, with a certificate of its own CA (``ca``), and asks for USER and PASSWORD."""

    top: Path
    secured: bool = False
    program: str = field(default_factory=program)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._keeper = ThreadPoolExecutor(1)
        (self.top / "alertmanager.yml").write_text(_CONFIG)
        if self.secured:
            self._secure()

    def _secure(self) -> None:
        import bcrypt

        certificates.make(self.top, "127.0.0.1")
        known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (self.top / "web.yml").write_text(
            f"tls_server_config: {{cert_file: server.pem, key_file: server.key}}\n"
            f"basic_auth_users: {{{USER}: {known}}}\n"
        )

    @property
    def ca(self) -> Path:
        """The certificate that its own is signed with."""
        return self.top / "ca.pem"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self.secured else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Until it answers, on the port that it had; nothing where it runs already. Raises NoServer."""
        if self.process is not None and self.process.poll() is None:
            return
        for port in [self.port] if self.port else [_free_port() for _ in range(5)]:
            self.port = port
            if self._starts():
                return
        raise NoServer(f"{self.program}: {(self.top / 'log').read_text()[-500:]}")

    def _starts(self) -> bool:
        """Whether it does, on the port that it has: what somebody else says there does not count."""
        # Should this process be killed, the server is, too.
        argv = ["setpriv", "--pdeathsig", "KILL", self.program, f"--config.file={self.top}/alertmanager.yml"]
        argv += [f"--storage.path={self.top}/data", f"--web.listen-address=127.0.0.1:{self.port}"]
        argv += ["--cluster.listen-address=", *([f"--web.config.file={self.top}/web.yml"] if self.secured else [])]
        with (self.top / "log").open("wb") as log:
            # The signal comes when the thread that started it ends, so that is one which lasts as long as we do.
            self.process = self._keeper.submit(
                subprocess.Popen, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": os.defpath, "GOMAXPROCS": "1"},
            ).result()  # fmt: skip
        end = time.monotonic() + 60
        while not ("Listening on" in (self.top / "log").read_text() and self._is_ready()):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop(signal.SIGKILL)
                return False
            time.sleep(0.02)
        return True

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return self._ask("GET", "/-/ready").ok
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it: SIGTERM: what it holds is kept; SIGKILL: as a power cut would, and new silences are lost."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def close(self) -> None:
        """End it for good."""
        self.stop(signal.SIGKILL)
        self._keeper.shutdown()

    def freeze(self) -> None:
        """Have it stand still: connections are made, and nothing is answered."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)

    def thaw(self) -> None:
        """Have it go on."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    # as Prometheus, and as somebody else

    def _ask(self, method: str, path: str, **what: Any) -> requests.Response:
        auth = (USER, PASSWORD) if self.secured else None
        verify = str(self.ca) if self.secured else True
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, auth=auth, verify=verify, timeout=30, **what)

    def _json(self, method: str, path: str, **what: Any) -> Any:
        answer = self._ask(method, f"/api/v2/{path}", **what)
        assert answer.ok, answer.text
        return answer.json() if answer.text else None

    def fire(self, name: str, **labels: str) -> None:
        """An alert fires, for an hour."""
        now = datetime.now(UTC)
        alert = {"labels": {"alertname": name, **labels}, "startsAt": now.isoformat(),
                 "endsAt": (now + timedelta(hours=1)).isoformat()}  # fmt: skip
        self._json("POST", "alerts", json=[alert])

    def states(self, label: str = "instance") -> dict[str, str]:
        """What each alert's state is (active, suppressed), by a label of it."""
        return {one["labels"][label]: one["status"]["state"] for one in self._json("GET", "alerts")}

    def silences(self, *states: str) -> list[dict[str, Any]]:
        """What it holds in these states; without any, what is active."""
        return [one for one in self._json("GET", "silences") if one["status"]["state"] in (states or ("active",))]

    def silence(self, value: str, is_regex: bool = False, label: str = "instance", **other: Any) -> str:
        """Somebody silences something for an hour; the silence's id."""
        now = datetime.now(UTC)
        matcher = {"name": label, "value": value, "isRegex": is_regex}
        silence = {"matchers": [matcher], "startsAt": now.isoformat(), "createdBy": "marta", "comment": "disk swap",
                   "endsAt": (now + timedelta(hours=1)).isoformat()} | other  # fmt: skip
        return str(self._json("POST", "silences", json=silence)["silenceID"])

    def clear(self) -> None:
        """End every silence and alert."""
        for one in self.silences("active", "pending"):
            self._json("DELETE", f"silence/{one['id']}")
        now = datetime.now(UTC).isoformat()
        over = [{"labels": one["labels"], "startsAt": one["startsAt"], "endsAt": now}
                for one in self._json("GET", "alerts")]  # fmt: skip
        self._json("POST", "alerts", json=over)


def _free_port() -> int:
    """Below those that the kernel gives to anybody while the server is stopped."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
