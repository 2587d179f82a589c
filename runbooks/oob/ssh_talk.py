"""What is said over a BMC's ssh connection: one command alone (exec), or a command line that asks for the next one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_MOST_BYTES = 1 << 20
_SETTLE_S = 0.1
"""How long a prompt stays the last thing said, until it is taken for one."""
_CODES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[()#][A-Z0-9]|[=>78cDEHM])|[\x00\x07\x08\x0e\x0f]")
_QUESTION = re.compile(r"[(\[]y(?:es)?\s*[|/]\s*n(?:o)?[)\]]\s*\??:?\s*\Z", re.IGNORECASE)
_PAUSE = re.compile(r"(?:--\s*more\s*--|press any key to continue[^\n]*)\s*\Z", re.IGNORECASE)


class Broken(Exception):
    """The connection ended, or nothing came in time; the text says which."""


class NotTaken(Exception):
    """A BMC takes no commands alone; nothing was done."""


class Unasked(Exception):
    """A BMC asked what we did not expect, and got no answer; the text is all it said."""


def plain(raw: bytes) -> str:
    """Words without terminal codes, and with ends of line of one kind."""
    return re.sub(r"\r+\n?", "\n", _CODES.sub(b"", raw).decode("utf-8", "replace"))


def session(transport: Any, silence_s: float) -> Any:
    """A session, in which nothing is said yet. Raises Broken."""
    with _told():
        return transport.open_session(timeout=silence_s)


def execute(channel: Any, command: str, silence_s: float) -> str:
    """What one command answers, in a session for it alone. Raises NotTaken, Broken."""
    from paramiko import SSHException

    with _told():
        try:
            channel.set_combine_stderr(True)
            with _bound(channel, silence_s):
                channel.exec_command(command)
        except SSHException as error:
            if channel.transport.is_active():
                raise NotTaken from error
            raise
        said = _receive(channel, silence_s, None)
        if not said and not channel.eof_received and channel.exit_status < 0:
            raise EOFError("the connection ended")
        channel.close()
        return plain(said)


class Shell:
    """A command line. ``prompt`` is what it says, at the end of all else, when it waits for a command. All of it raises
    Broken."""

    def __init__(self, channel: Any, prompt: str, silence_s: float) -> None:
        self._prompt = re.compile(rf"(?:\A|\n){prompt}\Z")
        self._silence_s = silence_s
        self._channel = channel
        with _told():
            with _bound(channel, silence_s):
                # Wide, so that nothing is wrapped.
                channel.get_pty("vt100", 250, 250)
                channel.invoke_shell()
            self._until_prompt({})

    def is_open(self) -> bool:
        """Whether it can be asked, as far as is known."""
        return not (self._channel.closed or self._channel.eof_received)

    def ask(self, command: str, replies: Mapping[str, str]) -> str:
        """What it answers. A question that a key of ``replies`` (a regular expression) is found in gets that reply,
        once. Raises Unasked for any other."""
        with _told():
            # What it said of its own accord is no answer.
            while self._channel.recv_ready():
                self._channel.recv(_MOST_BYTES)
            # A terminal's Enter: DRAC 5 takes CR LF for two (fence_drac5).
            self._channel.sendall(f"{command}\r".encode())
            said = self._until_prompt(replies)
        first, _, rest = said.partition("\n")
        return rest if first.strip() == command else said

    def _until_prompt(self, replies: Mapping[str, str]) -> str:
        found = ""
        while True:
            said = plain(_receive(self._channel, self._silence_s, self._waits))
            if at := self._prompt.search(said):
                return f"{found}{said[: at.start()]}"
            if pause := _PAUSE.search(said):
                found += said[: pause.start()]
                self._channel.sendall(b" ")
                continue
            found += said
            reply = next((reply for known, reply in replies.items() if re.search(known, found)), None)
            if reply is None:
                raise Unasked(found)
            self._channel.sendall(f"{reply}\r".encode())
            replies = {}

    def _waits(self, raw: bytes) -> bool:
        said = plain(raw[-2000:])
        return any(kind.search(said) for kind in (self._prompt, _QUESTION, _PAUSE))


@contextmanager
def _told() -> Iterator[None]:
    """What paramiko raises, in words."""
    from paramiko import SSHException

    try:
        yield
    except (SSHException, EOFError, OSError) as error:
        raise Broken(str(error) or "the connection ended") from error


@contextmanager
def _bound(channel: Any, seconds: float) -> Iterator[None]:
    """End the connection after that time: paramiko waits for ever for the answer to a channel's request."""
    rang = threading.Event()

    def ring() -> None:
        rang.set()
        channel.transport.close()

    watch = threading.Timer(seconds, ring)
    watch.daemon = True
    watch.start()
    try:
        yield
    except Exception as error:
        if rang.is_set():
            raise TimeoutError(f"no answer within {seconds:.0f} s") from error
        raise
    finally:
        watch.cancel()


def _receive(channel: Any, silence_s: float, waits: Callable[[bytes], bool] | None) -> bytes:
    """All that comes, until it ``waits`` for us and no more comes; None: until the other side ends it."""
    held, limit = bytearray(), time.monotonic() + 10 * silence_s
    while len(held) < _MOST_BYTES and time.monotonic() < limit:
        our_turn = waits is not None and waits(bytes(held))
        channel.settimeout(_SETTLE_S if our_turn else silence_s)
        try:
            data = channel.recv(65536)
        except TimeoutError:
            if our_turn:
                return bytes(held)
            raise TimeoutError(f"no answer within {silence_s:.0f} s{_tail(held)}") from None
        if not data:
            if waits is None:
                return bytes(held)
            raise EOFError(f"the connection ended{_tail(held)}")
        held += data
    raise TimeoutError(f"its answer has no end{_tail(held)}")


def _tail(held: bytearray) -> str:
    said = " ".join(plain(bytes(held[-200:])).split())
    return f", after: {said}" if said else ""
