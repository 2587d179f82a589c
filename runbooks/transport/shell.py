"""Many commands over one shell that is kept open on a host: a command costs a round trip, not a log-in.

A command is an argv list, quoted here and nowhere else. After it the shell prints a token that nothing else can know,
with the exit status, on both of its streams, so output of any bytes comes back whole. While it acts, the shell holds an
``flock`` and sends output to a file: a client that is killed kills no command, and whoever comes next can wait for it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbooks.errors import Busy, Fenced, Lost, Unreachable, Unwritable
from runbooks.transport import scripts
from runbooks.transport.quoting import Argument, fed
from runbooks.transport.scripts import KEPT_OUTPUT_BYTES
from runbooks.transport.streams import Channel, Streams

Question = tuple[Argument, ...]
"""A command that only looks."""
STATE_DIR = "/var/lib/ops-clinic"
"""Where a host keeps what may not leave it (a password hash) and who may act for a run: root's alone, by run id."""
_FRESH_S = 1.0
# Root's home: only root can open it, so nobody else can hold the lock and so keep us out.
_LOCKED_DIR = "/root"


@dataclass(frozen=True, slots=True)
class Result:
    """What came back: the exit status (128 + N for signal N), and both streams as bytes; of a command that ended well
    (status 0) maybe without what it wrote to standard error."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 come as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A lock that was asked for, and whose answer is still to come."""

    token: bytes
    run_id: str
    epoch: int
    wait_s: float


class Shell:
    """One shell on one host. Not for two threads at once. What a log-in script prints comes before the first token,
    and is dropped. Raises Unreachable."""

    def __init__(self, target: str, channel: Channel, timeout_s: float) -> None:
        self.target = target
        self.timeout_s = timeout_s
        self._token = secrets.token_hex(12).encode()
        self._streams = Streams(target, channel, self._token)
        self._count = 0
        self._ahead: list[bytes] = []
        self._unheard: deque[bytes] = deque()
        self._unread = b""
        self._asked: _Asked | None = None
        self._held: tuple[str, int] | None = None
        self._foretold: dict[Question, bytes] = {}
        self._foretold_at = 0.0
        try:
            self._send(scripts.START + scripts.report(self._next_token(), b"0"))
        except Lost as lost:
            raise Unreachable(target, lost.why) from lost

    def read(
        self, commands: Sequence[Sequence[Argument]], timeout_s: float | None = None, feed: bytes | None = None
    ) -> list[Result]:
        """Run commands that only look, in one round trip; ``feed`` goes to the standard input of each. Raises
        Unreachable where the host does not answer, and what ``granted`` does."""
        self.granted()
        if time.monotonic() > self._foretold_at + _FRESH_S:
            self._foretold.clear()
        parts: list[bytes] = []
        tokens = [self._foretold.pop(tuple(argv), b"") or self._asking(argv, parts, feed) for argv in commands]
        try:
            if parts:
                self._send(b"".join(parts))
            # In the order in which they were sent.
            results = {token: self._result(token, timeout_s) for token in [t for t in self._unheard if t in tokens]}
        except Lost as lost:
            raise Unreachable(self.target, lost.why) from lost
        return [results[token] for token in tokens]

    def _asking(self, argv: Sequence[Argument], parts: list[bytes], feed: bytes | None = None) -> bytes:
        """The token that stands behind the answer."""
        token = self._next_token()
        parts += (fed(argv, feed), b" 9<&-\n", scripts.report(token, b"$?"))
        return token

    def lock(self, run_id: str, epoch: int, wait_s: float) -> None:
        """Ask for the host's lock, to be held from here on: along with the next command, which is only carried out
        under the lock, or with ``granted``. One that was held until now is kept. Raises Unreachable."""
        if self.is_closed:
            raise Unreachable(self.target, "the connection is closed")
        if self._ahead and self._held == (run_id, epoch):
            self._ahead.clear()
            return
        self._asked = _Asked(self._next_token(), run_id, epoch, wait_s)
        place = f"{STATE_DIR}/{run_id}"
        script = scripts.lock(_LOCKED_DIR, place, f"{place}/output.{self._token.decode()}", epoch, wait_s)
        self._ahead.append(script + scripts.report(self._asked.token, b"$_k"))

    def granted(self) -> None:
        """Make sure of the lock that was asked for. Raises Busy, Fenced, Unwritable, Unreachable: nothing was done."""
        if self._asked is None:
            return
        try:
            if self._ahead:
                self._send(b"")
            self._grant(self._asked)
        except Lost as lost:
            raise Unreachable(self.target, lost.why) from lost

    def _grant(self, asked: _Asked) -> None:
        self._asked = None
        status = self._result(asked.token, asked.wait_s + self.timeout_s).status
        if status == scripts.BUSY:
            raise Busy(f"{self.target}: an earlier command still runs there: wait for it, then `inv resume`")
        if status == scripts.FENCED:
            raise Fenced(
                f"{self.target}: a newer driver of run {asked.run_id} was here: nothing more is done from this one"
            )
        if status:
            place = f"{STATE_DIR}/{asked.run_id}"
            raise Unwritable(f"{self.target}: cannot write {place}: is the disk full, or read-only?")
        self._held = (asked.run_id, asked.epoch)

    def unlock(self) -> None:
        """Let go of the lock, along with the next question: one always follows, or ``rest``."""
        if self._asked is not None and self._ahead:
            # Nothing needed it.
            self._asked = None
            self._ahead.pop()
            self._unheard.pop()
        else:
            self._ahead.append(scripts.UNLOCK)

    def rest(self) -> None:
        """Let go of the lock now, if that is still to be said. No answer is waited for: the next one says enough."""
        self._foretold.clear()
        if self._ahead and not self.is_closed:
            with contextlib.suppress(Lost):
                self._send(b"")

    def wait_for_lock(self, wait_s: float) -> None:
        """Wait until nobody holds the lock, holding it for no time; writes nothing. Raises Busy."""
        script = scripts.wait_for_lock(_LOCKED_DIR, wait_s)
        if self._script(script, b"$_s", wait_s + self.timeout_s):
            raise Busy(f"{self.target}: an earlier command still runs there after {wait_s:.0f} s: try again later")

    def act(
        self, argv: Sequence[Argument], feed: bytes | None, timeout_s: float | None, then: Iterable[Question] = ()
    ) -> Result:
        """Run a command that changes something; both of its streams come back as one. What will be read ``then`` is
        asked along with it, and answered when it has ended. Raises Lost, and what ``granted`` does: then it was not
        run.

        Descriptor 9, the lock, stays with the shell: a daemon that the command starts must not keep it.
        """
        token = self._next_token()
        parts = [scripts.act(fed(argv, feed)), scripts.report(token, b"$_s")]
        self._foretold.clear()
        foretold = {question: self._asking(question, parts) for question in then}
        self._send(b"".join(parts))
        try:
            if self._asked is not None:
                self._grant(self._asked)
        except (Busy, Fenced, Unwritable):
            self._result(token, timeout_s)
            raise
        result = self._result(token, timeout_s)
        self._foretold, self._foretold_at = foretold, time.monotonic()
        return result

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self._streams.is_closed

    def close(self) -> None:
        """End the shell and its connection."""
        self._streams.close()

    # framing

    def _next_token(self) -> bytes:
        self._count += 1
        token = b"%s%d" % (self._token, self._count)
        self._unheard.append(token)
        return token

    def _script(self, script: bytes, status: bytes, timeout_s: float) -> int:
        token = self._next_token()
        try:
            self._send(script + scripts.report(token, status))
            return self._result(token, timeout_s).status
        except Lost as lost:
            raise Unreachable(self.target, lost.why) from lost

    def _send(self, data: bytes) -> None:
        if self._ahead and not self.is_closed:
            data = b"".join([*self._ahead, data])
            self._ahead.clear()
            self._held = None
        self._streams.send(data)

    def _result(self, token: bytes, timeout_s: float | None) -> Result:
        limit_s = timeout_s or self.timeout_s
        deadline = time.monotonic() + limit_s
        while (first := self._unheard.popleft()) != token:
            # Nobody asked for that answer in its turn; who asks later is answered anew.
            self._foretold = {question: told for question, told in self._foretold.items() if told != first}
            self._streams.until(first, False, deadline, limit_s)
            self._unread = first
        out, word = self._streams.until(token, False, deadline, limit_s)
        status = int(word)
        if status == 0 and self._streams.errors_held < KEPT_OUTPUT_BYTES:
            # Nobody asks what was complained of where all went well; whoever asks next passes over it.
            self._unread = token
            return Result(0, out, b"")
        if self._unread:
            self._streams.until(self._unread, True, deadline, limit_s)
            self._unread = b""
        return Result(status, out, self._streams.until(token, True, deadline, limit_s)[0])
