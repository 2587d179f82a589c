"""A far-away network: forwards TCP connections, each byte half a round trip late, in order and at any rate.

``python -I -S delay.py RTT_MS PORT`` listens at every loopback address, prints its own port, and hands a connection to
one of its addresses on to that same address at PORT. It lives as long as its standard input, and answers each line on
that with a line: the round trips of each connection since the last time, as a JSON list.

A connection begins as it would out there: a round trip goes by before what the client says is on its way, half of one
more before the server hears of it. The kernel's own handshake on loopback takes no time, so it is waited for here.

Round trips are counted as Lamport counts time: what the client says after it has heard something comes one later than
that, and what the server says comes with the last that it has heard. The longest chain is what the connection cost.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from dataclasses import dataclass

_PIECE = 1 << 18


@dataclass
class Clock:
    """How many round trips each side has seen begin."""

    client: int = 0
    server: int = 0


class Delay:
    """The proxy. ``clocks`` are of the connections that were made since the last time."""

    def __init__(self, rtt_s: float, port: int) -> None:
        self.rtt_s, self.port = rtt_s, port
        self.clocks: list[Clock] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one more connection."""
        task = asyncio.create_task(self.take(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until both sides have ended it."""
        now = asyncio.get_running_loop().time
        clock, begun = Clock(), now() + self.rtt_s
        self.clocks.append(clock)
        out: asyncio.Queue[tuple[float, int, bytes]] = asyncio.Queue()
        reading = asyncio.create_task(self._read(reader, out, clock, begun, from_client=True))
        await asyncio.sleep(1.5 * self.rtt_s)
        try:
            far_reader, far_writer = await asyncio.open_connection(writer.get_extra_info("sockname")[0], self.port)
        except OSError:
            reading.cancel()
            writer.close()
            return
        _at_once(far_writer)
        _at_once(writer)
        back: asyncio.Queue[tuple[float, int, bytes]] = asyncio.Queue()
        await asyncio.gather(
            reading,
            self._read(far_reader, back, clock, begun, from_client=False),
            self._write(far_writer, out, clock, to_client=False),
            self._write(writer, back, clock, to_client=True),
            return_exceptions=True,
        )
        far_writer.close()
        writer.close()

    async def _read(
        self,
        reader: asyncio.StreamReader,
        queue: asyncio.Queue[tuple[float, int, bytes]],
        clock: Clock,
        begun: float,
        *,
        from_client: bool,
    ) -> None:
        now = asyncio.get_running_loop().time
        data = b"-"
        while data:
            try:
                data = await reader.read(_PIECE)
            except OSError:
                data = b""
            count = clock.client + 1 if from_client else clock.server
            await queue.put((max(now(), begun) + self.rtt_s / 2, count, data))

    async def _write(
        self,
        writer: asyncio.StreamWriter,
        queue: asyncio.Queue[tuple[float, int, bytes]],
        clock: Clock,
        *,
        to_client: bool,
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, count, data = await queue.get()
            await asyncio.sleep(max(0.0, due - now()))
            if not data:
                writer.write_eof()
                return
            if to_client:
                clock.client = max(clock.client, count)
            else:
                clock.server = max(clock.server, count)
            writer.write(data)
            await writer.drain()

    async def serve(self) -> None:
        """Until standard input ends."""
        sock = socket.socket()
        # All of 127.0.0.0/8 at once, and nobody from outside.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        sock.bind(("0.0.0.0", 0))
        async with await asyncio.start_server(self.accept, sock=sock, backlog=4096):
            print(sock.getsockname()[1], flush=True)
            while await asyncio.to_thread(sys.stdin.readline):
                # The one for the TCP handshake is in no chain: nobody says anything in it.
                print(json.dumps([clock.client + 1 for clock in self.clocks]), flush=True)
                self.clocks.clear()


def _at_once(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


if __name__ == "__main__":
    asyncio.run(Delay(float(sys.argv[1]) / 1000, int(sys.argv[2])).serve())
