"""The ssh server of a stand-in for a vendor's command line; ``python -m runbooks.lab.bmc.cli_server FOLDER`` is one."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import socket
import sys
import threading
import time
from hashlib import sha1
from pathlib import Path
from typing import Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_group14 import KexGroup14SHA256

from runbooks.lab.bmc.cli import VENDORS
from runbooks.lab.bmc.cli_dialog import Behind, Dialog, Left, Silent

_GARBAGE = "\x1b[2J\x00\x07~}#@\n0xDEADBEEF &^%$ \n"


class _OldKey(paramiko.RSAKey):  # type: ignore[misc]
    HASHES = paramiko.RSAKey.HASHES | {"ssh-rsa": hashes.SHA1}


class _OldExchange(KexGroup14SHA256):  # type: ignore[misc]
    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class _OldTransport(paramiko.Transport):  # type: ignore[misc]
    """Ssh as iDRAC 7 has it, and no better."""

    _kex_info: ClassVar = {_OldExchange.name: _OldExchange}
    _preferred_kex = (_OldExchange.name,)
    _key_info: ClassVar = {"ssh-rsa": _OldKey}
    _preferred_keys = ("ssh-rsa",)


class Served:
    """What the server is told."""

    def __init__(self, folder: Path) -> None:
        self.told: dict[str, Any] = json.loads((folder / "cli.json").read_text())
        self.key = _OldKey.from_private_key_file(str(folder / "host_key"))
        self.behind = Behind(self.told["chassis"], folder, self.told["serial"])

    def dialog(self) -> Dialog:
        """A new session's; with that trouble, another vendor's."""
        place = self.told["dialog"]
        if self.behind.trouble() == "dialect":
            places = list(VENDORS.values())
            place = places[(places.index(place) + 1) % len(places)]
        module, _, name = place.partition(":")
        made: Dialog = getattr(importlib.import_module(module), name)(self.behind, self.told["variant"])
        return made


class _Door(paramiko.ServerInterface):  # type: ignore[misc]
    """Who may come in, and what for."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._terminals: set[int] = set()

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's
        return "keyboard-interactive" if self._served.told["asks"] else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_FAILED if self._served.told["asks"] else self._judge(username, password)

    def check_auth_interactive(self, username: str, submethods: str) -> Any:  # noqa: ARG002 - paramiko's
        if not self._served.told["asks"]:
            return paramiko.AUTH_FAILED
        self._user = username
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._judge(self._user, responses[0] if responses else "")

    def _judge(self, user: str, password: str) -> int:
        told = self._served.told
        right = (user, password) == (told["user"], told["password"])
        return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's
        return int(paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)

    def check_channel_pty_request(self, channel: Any, *_: object) -> bool:
        self._terminals.add(channel.chanid)
        return True

    def check_channel_shell_request(self, channel: Any) -> bool:
        _beside(_Session(channel, self._served.dialog(), channel.chanid in self._terminals).shell)
        return True

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        dialog = self._served.dialog()
        if dialog.alone:
            _beside(_Session(channel, dialog, echo=False).alone, command.decode())
        return dialog.alone


class _Session:
    """One channel."""

    def __init__(self, channel: Any, dialog: Dialog, echo: bool) -> None:
        self._channel = channel
        self._dialog = dialog
        self._echo = echo
        self._after_cr = False

    def alone(self, command: str) -> None:
        """One command."""
        with contextlib.suppress(EOFError, OSError, Left):
            self._say(self._answer(command))
            self._channel.send_exit_status(0)
        self._channel.close()

    def shell(self) -> None:
        """Commands, as long as any come."""
        with contextlib.suppress(EOFError, OSError, Left):
            self._say(self._dialog.greeting + self._dialog.prompt)
            while True:
                self._say(self._answer(self._line()) + self._dialog.prompt)
        self._channel.close()

    def _answer(self, line: str) -> str:
        if not line.strip():
            return ""
        if self._dialog.behind.trouble() == "garbage":
            return _GARBAGE
        try:
            return self._dialog.answer(line.strip(), self)
        except Silent:
            while self._channel.recv(1):
                pass
            raise EOFError from None

    def line(self, words: str) -> str:
        """Ask for a line."""
        self._say(words)
        return self._line().strip()

    def key(self, words: str) -> str:
        """Ask for a key, and take away the last line."""
        self._say(words)
        byte = self._channel.recv(1)
        if not byte:
            raise EOFError
        self._channel.sendall(b"\r" + b" " * 60 + b"\r")
        return str(byte.decode(errors="replace"))

    def _say(self, words: str) -> None:
        # In two parts, so that nobody counts on one.
        data = words.replace("\n", "\r\n").encode()
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._channel.sendall(part)

    def _line(self) -> str:
        line = bytearray()
        while byte := self._channel.recv(1):
            second, self._after_cr = byte == b"\n" and self._after_cr, byte == b"\r"
            if second and not self._dialog.twice:
                continue
            if byte in (b"\r", b"\n"):
                self._channel.sendall(b"\r\n" if self._echo else b"")
                return line.decode(errors="replace")
            line += byte
            self._channel.sendall(byte if self._echo else b"")
        raise EOFError


def _beside(work: Any, *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _welcome(connection: socket.socket, served: Served) -> None:
    time.sleep(served.told["banner_s"])
    transport = (_OldTransport if served.told["old"] else paramiko.Transport)(connection)
    transport.add_server_key(served.key)
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        transport.start_server(server=_Door(served))
        transport.join()


def main(folder: Path) -> None:
    """Serve until it is killed."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    served = Served(folder)
    with socket.create_server((served.told["address"], served.told["port"]), backlog=64) as listening:
        while True:
            connection, _ = listening.accept()
            _beside(_welcome, connection, served)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
