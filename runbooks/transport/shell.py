"""Many commands over one shell that is kept open on a host: a command costs a round trip, not a log-in.

A command is an argv list, quoted here and nowhere else. After it the shell prints a token that nothing else can know,
with the exit status, on both of its streams, so output of any bytes comes back whole. While it acts, the shell holds an
``flock`` and sends output to a file: a client that is killed kills no command, and whoever comes next can wait for it.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runbooks.errors import Busy, CommandFailed, Fenced, Lost, Unreachable

Argument = str | bytes

MAX_OUTPUT_BYTES = 16 * 1024 * 1024
KEPT_OUTPUT_BYTES = 64 * 1024
STATE_DIR = "/var/lib/ops-clinic"
"""Where a host keeps what may not leave it (a password hash) and who may act for a run: root's alone, by run id."""
# Root's home: only root can open it, so nobody else can hold the lock and so keep us out.
_LOCKED_DIR = "/root"
_BUSY, _FENCED = 75, 76

_START = b"export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nunset CDPATH ENV; cd /\n"


class Channel(Protocol):
    """A running ``/bin/sh`` as root, with its three streams."""

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises OSError, EOFError."""

    def receive(self, timeout_s: float) -> tuple[bytes, bytes]:
        """What has come on standard output and error: at least a byte. Raises TimeoutError, EOFError, OSError."""
        ...

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came back: the exit status (128 + N for signal N), and both streams as bytes."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 come as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")


def quote(argument: Argument) -> bytes:
    """One argument, quoted for sh. Raises ValueError for a NUL byte, which no argument can hold."""
    raw = argument.encode("utf-8", "surrogateescape") if isinstance(argument, str) else argument
    if b"\0" in raw:
        raise ValueError("an argument cannot hold a NUL byte")
    return shlex.quote(raw.decode("latin-1")).encode("latin-1")


def command_line(argv: Sequence[Argument]) -> str:
    """An argv list as a person would type it."""
    return b" ".join(quote(argument) for argument in argv).decode("utf-8", "replace")


def _program(name: Argument) -> bytes:
    """A command's name, always in quotes: ``if`` or ``A=b`` is no word of the shell's language here."""
    quoted = quote(name)
    return quoted if quoted.startswith(b"'") else b"'" + quoted + b"'"


def _fed(argv: Sequence[Argument], feed: bytes | None) -> bytes:
    """The command with its standard input: the given bytes, never the shell's own."""
    line = b" ".join([_program(argv[0]), *(quote(argument) for argument in argv[1:])])
    if feed is None:
        return line + b" </dev/null"
    # printf is the shell's own, so what is fed never stands in a process list.
    return b"printf %s " + quote(base64.b64encode(feed)) + b" | base64 -d | " + line


class Shell:
    """One shell on one host. Not for two threads at once. What a log-in script prints comes before the first token,
    and is dropped. Raises Unreachable."""

    def __init__(self, target: str, channel: Channel, timeout_s: float) -> None:
        self.target = target
        self.timeout_s = timeout_s
        self._channel = channel
        self._token = secrets.token_hex(12)
        self._count = 0
        self._out = bytearray()
        self._err = bytearray()
        self._closed = False
        self._hello = self._next_token()
        try:
            self._send(_START + _report(self._hello, b"0"))
        except Lost as lost:
            raise Unreachable(target, lost.why) from lost

    def read(self, commands: Sequence[Sequence[Argument]], timeout_s: float | None = None) -> list[Result]:
        """Run commands that only look, in one round trip. Raises Unreachable where the host does not answer."""
        tokens = [self._next_token() for _ in commands]
        parts = []
        for argv, token in zip(commands, tokens, strict=True):
            parts.append(b"( " + _fed(argv, None) + b" ) 9<&-\n" + _report(token, b"$?"))
        try:
            self._send(b"".join(parts))
            return [self._result(token, timeout_s) for token in tokens]
        except Lost as lost:
            raise Unreachable(self.target, lost.why) from lost

    def lock(self, run_id: str, epoch: int, wait_s: float) -> None:
        """Hold the host's lock from here on. Raises Busy after ``wait_s``, Fenced where a newer driver was here."""
        wait = f"{max(0.0, wait_s):.1f}"
        directory = quote(f"{STATE_DIR}/{run_id}")
        status = self._script(
            b"exec 9<" + quote(_LOCKED_DIR) + b"\n"
            b"if ! flock -w " + wait.encode() + b" 9; then _s=%d; else _s=0; umask 077; mkdir -p %s || _s=1\n"
            b"_e=0; [ -s %s/epoch ] && read _e < %s/epoch\n"
            b'if [ $_s = 0 ] && [ "$_e" -gt %d ]; then _s=%d\n'
            b'elif [ $_s = 0 ] && [ "$_e" -lt %d ]; then echo %d > %s/epoch.new && mv %s/epoch.new %s/epoch || _s=1\n'
            b"fi; umask 022; fi\n[ $_s = 0 ] || exec 9<&-\n"
            % (_BUSY, directory, directory, directory, epoch, _FENCED, epoch, epoch, directory, directory, directory),
            b"$_s",
            wait_s + self.timeout_s,
        )
        if status == _BUSY:
            raise Busy(f"{self.target}: an earlier command still runs there: wait for it, then `inv resume`")
        if status == _FENCED:
            raise Fenced(f"{self.target}: a newer driver of run {run_id} was here: nothing more is done from this one")
        if status:
            raise CommandFailed(f"{self.target}: cannot write {STATE_DIR}/{run_id}: is the disk full, or read-only?")

    def unlock(self) -> None:
        """Let go of the lock."""
        if not self._closed:
            # No answer is waited for: the next command's answer says enough.
            with contextlib.suppress(Lost):
                self._send(b"exec 9<&-\n")

    def wait_for_lock(self, wait_s: float) -> None:
        """Wait until nobody holds the lock, holding it for no time; writes nothing. Raises Busy."""
        script = b"( exec 9<" + quote(_LOCKED_DIR) + b"; flock -w " + f"{wait_s:.1f}".encode() + b" 9 ); _s=$?\n"
        if self._script(script, b"$_s", wait_s + self.timeout_s):
            raise Busy(f"{self.target}: an earlier command still runs there after {wait_s:.0f} s: try again later")

    def act(self, argv: Sequence[Argument], feed: bytes | None, timeout_s: float | None) -> Result:
        """Run a command that changes something; both of its streams come back as one. Raises Lost.

        Descriptor 9, the lock, stays with the shell: a daemon that the command starts must not keep it.
        """
        token = self._next_token()
        script = (
            b"_o=$(mktemp /run/ops-clinic.XXXXXX) && {\n( " + _fed(argv, feed) + b' ) >"$_o" 2>&1 9<&-; _s=$?\n'
            b'head -c %d "$_o"; rm -f "$_o"; } || _s=1\n' % KEPT_OUTPUT_BYTES
        )
        self._send(script + _report(token, b"$_s"))
        return self._result(token, timeout_s)

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    def close(self) -> None:
        """End the shell and its connection."""
        self._closed = True
        self._channel.close()

    # framing

    def _next_token(self) -> bytes:
        self._count += 1
        return f"{self._token}{self._count}".encode()

    def _script(self, script: bytes, status: bytes, timeout_s: float) -> int:
        token = self._next_token()
        try:
            self._send(script + _report(token, status))
            return self._result(token, timeout_s).status
        except Lost as lost:
            raise Unreachable(self.target, lost.why) from lost

    def _send(self, data: bytes) -> None:
        if self._closed:
            raise Lost(self.target, "the connection is closed")
        try:
            self._channel.send(data)
        except (OSError, EOFError) as error:
            said = self._last_words()
            self.close()
            raise Lost(self.target, f"the connection broke ({error or type(error).__name__}){said}") from error

    def _last_words(self) -> str:
        """What it said before it ended, such as why sudo refused."""
        with contextlib.suppress(OSError, EOFError):
            for _ in range(10):
                self._err += self._channel.receive(0.2)[1]
        said = bytes(self._err[-300:]).decode("utf-8", "replace").strip()
        return f": {said}" if said else ""

    def _result(self, token: bytes, timeout_s: float | None) -> Result:
        if self._hello and self._hello != token:
            self._result(self._hello, timeout_s)
            self._hello = b""
        end = b"\n" + token + b" "
        limit = timeout_s or self.timeout_s
        deadline = time.monotonic() + limit
        while True:
            at, until = self._out.find(end), -1
            if at >= 0:
                until = self._out.find(b"\n", at + len(end))
            error_at = self._err.find(end)
            if until >= 0 and error_at >= 0:
                break
            self._fill(deadline, limit)
        status = int(self._out[at + len(end) : until])
        result = Result(status, bytes(self._out[:at]), bytes(self._err[:error_at]))
        del self._out[: until + 1], self._err[: error_at + len(end) + 1]
        return result

    def _fill(self, deadline: float, limit_s: float) -> None:
        try:
            out, err = self._channel.receive(max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            self.close()
            raise Lost(self.target, f"no answer within {limit_s:.0f} s") from error
        except (OSError, EOFError) as error:
            said = self._last_words()
            self.close()
            raise Lost(self.target, f"the connection ended{said}") from error
        self._out += out
        self._err += err
        if len(self._out) + len(self._err) > MAX_OUTPUT_BYTES:
            self.close()
            raise Lost(self.target, f"a command printed more than {MAX_OUTPUT_BYTES >> 20} MiB")


def _report(token: bytes, status: bytes) -> bytes:
    return b"_r=%s; printf '\\n%s %%s\\n' \"$_r\"; printf '\\n%s \\n' >&2\n" % (status, token, token)
