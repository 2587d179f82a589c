"""A UDP relay in front of a real BMC, to break what goes through it."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

#: What is done to a packet; ``None`` in place of it: it is lost.
Change = Callable[[bytes], bytes | None]


def unchanged(packet: bytes) -> bytes | None:
    return packet


def lost(_: bytes) -> bytes | None:
    return None


class Relay:
    """Listens on a port of its own; each client has a socket towards the BMC."""

    def __init__(self, behind: tuple[str, int]) -> None:
        self.behind = behind
        self.question: Change = unchanged
        self.answer: Change = unchanged
        self.questions = 0
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self.port: int = self._front.getsockname()[1]
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._stop, self._stopped = socket.socketpair()
        self._selector.register(self._stopped, selectors.EVENT_READ, "stop")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.send(b"x")
        self._thread.join()
        for each in (self._front, self._stop, self._stopped, *self._backs.values()):
            each.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data == "stop":
                    return
                # What is not there answers with an ICMP message, which is an error of the next call.
                with suppress(OSError):
                    self._from_client() if key.data is None else self._from_bmc(key.fileobj, key.data)

    def _from_client(self) -> None:
        packet, client = self._front.recvfrom(4096)
        self.questions += 1
        if client not in self._backs:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.connect(self.behind)
            self._backs[client] = back
            self._selector.register(back, selectors.EVENT_READ, client)
        if (changed := self.question(packet)) is not None:
            self._backs[client].send(changed)

    def _from_bmc(self, back: object, client: tuple[str, int]) -> None:
        assert isinstance(back, socket.socket)
        if (changed := self.answer(back.recv(4096))) is not None:
            self._front.sendto(changed, client)
