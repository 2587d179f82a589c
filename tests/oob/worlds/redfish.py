"""A BMC that speaks Redfish: the lab's, which is sushy-emulator with TLS over a chassis; broken for real, and where it
cannot be brought to answer nonsense, by servers of the tests' own at another port."""

from __future__ import annotations

import random
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from runbooks.lab.bmc import Board
from runbooks.lab.bmc.redfish import RedfishBmc
from runbooks.lab.network import answers
from runbooks.oob.model import Bmc
from runbooks.secret import Secret
from tests.oob.chassis import Chassis, OnChassis
from tests.oob.https_server import ADDRESS, serving
from tests.oob.world import Trouble, Worlds

USER, PASSWORD = "root", Secret("geheim & mehr")
GARBAGE = b"\x00\xff<<<\x07 {]" * 20
#: What an older Supermicro's web server says to whatever it does not know.
LOGIN_PAGE = b"<html><head><title>Supermicro BMC Login</title></head><body><form action='/cgi/login.cgi'></body></html>"


def free_port() -> int:
    """Below those that the kernel gives to clients, and nobody's."""
    return next(port for port in iter(lambda: random.randrange(20000, 32000), 0) if not answers(ADDRESS, port))


@contextmanager
def nonsense(certificates: Path, kind: str, body: bytes) -> Iterator[int]:
    """An HTTPS server that says the same to everything; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, certificates) as port:
        yield port


@dataclass
class RedfishWorld(OnChassis):
    chassis: Chassis
    server: RedfishBmc
    user: str = USER
    password: Secret = PASSWORD
    tells_wrong_password: bool = True
    troubles: frozenset[Trouble] = frozenset(Trouble)
    port: int = 0

    def bmc(self, user: str = "", insecure: bool = False) -> Bmc:
        port = self.port or self.server.board.port
        ca = str(self.server.ca)
        return Bmc("db1001", "redfish", ADDRESS, user or self.user, port, ca, insecure=insecure)

    @contextmanager
    def broken(self, trouble: Trouble) -> Iterator[None]:
        match trouble:
            case Trouble.DEAD:
                self.server.kill()
                try:
                    yield
                finally:
                    self.server.start()
            case Trouble.HANGS | Trouble.LIES:
                flag = self.chassis.folder / ("hangs" if trouble is Trouble.HANGS else "lies")
                flag.touch()
                try:
                    yield
                finally:
                    flag.unlink()
            case Trouble.GARBAGE | Trouble.DIALECT:
                kind, body = ("application/json", GARBAGE) if trouble is Trouble.GARBAGE else ("text/html", LOGIN_PAGE)
                with nonsense(self.server.board.folder, kind, body) as self.port:
                    yield
                self.port = 0


def broken_command(chassis: Chassis) -> tuple[str, ...]:
    """The chassis' command, which falls silent at a `set` while there is a file `hangs`, and does nothing, with
    success, while there is one named `lies`."""
    folder, command = shlex.quote(str(chassis.folder)), shlex.join(chassis.command)
    script = (
        f'if [ "$1" = set ]; then while [ -e {folder}/hangs ]; do sleep 0.05; held=1; done; '
        f'[ -n "$held" ] || [ -e {folder}/lies ] && exit 0; fi; exec {command} "$@"'
    )
    return ("/bin/sh", "-c", script, "chassis")


@contextmanager
def world() -> Worlds:
    pytest.importorskip("sushy_tools", reason="no sushy-tools here: pip install 'ops-clinic[dev]'")
    with tempfile.TemporaryDirectory() as top, ExitStack() as stack:
        chassis = Chassis(Path(top) / "chassis")
        command, folder = broken_command(chassis), Path(top) / "bmc"
        server = RedfishBmc(Board("db1001", ADDRESS, free_port(), USER, PASSWORD, command, folder))
        stack.callback(server.kill)
        server.start()
        yield RedfishWorld(chassis, server)
