"""What a real shell answered, written down, and played again as any number of hosts: for tests and measurements.

Which of its recorded answers a script gets depends on what was done: the first holds from the start, another one from
the acting command that it was heard after. Where it changed with nothing done in between, the nth asking gets the nth.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from runbooks import fibres
from runbooks.errors import UsageError
from runbooks.transport.scripts import ACT, UNLOCK
from runbooks.transport.streams import Channel

# How transport.scripts ends one: a line that prints its token, with the exit status, and again on standard error.
_REPORT = re.compile(rb"_r=[^\n]*?printf '\\n([0-9a-f]{24}\d+) [^\n]*\n")
# Run ids, waits and epochs: they differ from run to run, and no answer rests on them.
_VARIES = re.compile(rb"\d{8}-\d{6}-[0-9a-f]{6}|(?<=flock -w )[\d.]+|(?<=-[gl]t )\d+|(?<=echo )\d+(?= > )")

Act = tuple[bytes, int]
"""An acting script, and the how manieth time of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a shell said to a script; bytes that are no UTF-8 are surrogates."""

    script: str
    status: int
    out: str
    err: str


@dataclass(slots=True)
class _Turn:
    """What a script is answered once ``after`` was done (None: from the start), until something else is heard."""

    after: Act | None
    said: list[tuple[bytes, bytes, bytes]]


@dataclass(slots=True)
class _Script:
    """A script, and how its answers changed; ``acts``: what is done by it may change those of others."""

    text: bytes
    acts: bool
    turns: list[_Turn] = field(default_factory=list)


@dataclass
class Recording:
    """All that one host answered, in order."""

    answers: list[Answer] = field(default_factory=list)
    _scripts: dict[bytes, _Script] = field(default_factory=dict, repr=False, compare=False)

    def to_text(self) -> str:
        """JSON, for people to read, too."""
        return json.dumps({"recording": 1, "answers": [asdict(answer) for answer in self.answers]}, indent=1)

    @classmethod
    def from_text(cls, text: str) -> Recording:
        """What ``to_text`` gave. Raises UsageError."""
        try:
            return cls([Answer(**answer) for answer in json.loads(text)["answers"]])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"not a recording of a shell: {error}") from error

    def script(self, sent: bytes) -> _Script:
        """The script that was sent. Raises LookupError for one that was never answered."""
        found = self._scripts.get(sent)
        if found is None:
            if not self._scripts:
                self._scripts = _scripts_of(self.answers)
            masked = _masked(sent)
            if masked not in self._scripts:
                raise LookupError(f"the recording holds no answer to: {_text(masked)}")
            # Kept under what was really sent, too, so that this is worked out once for all hosts.
            found = self._scripts[sent] = self._scripts[masked]
        return found


def _scripts_of(answers: list[Answer]) -> dict[bytes, _Script]:
    scripts: dict[bytes, _Script] = {}
    done: dict[bytes, int] = {}
    after: Act | None = None
    for answer in answers:
        text, said = _bytes(answer.script), (b"%d" % answer.status, _bytes(answer.out), _bytes(answer.err))
        script = scripts.setdefault(text, _Script(text, ACT in text))
        turns = script.turns
        if not turns:
            turns.append(_Turn(None, [said]))
        elif turns[-1].said[-1] != said and turns[-1].after != after:
            turns.append(_Turn(after, [said]))
        elif turns[-1].said[-1] != said:
            turns[-1].said.append(said)
        if script.acts:
            done[text] = done.get(text, 0) + 1
            after = (text, done[text])
    return scripts


def _masked(script: bytes) -> bytes:
    return _VARIES.sub(b"*", script)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _scripts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The scripts that were sent together, each with its token, which may stand in the script, too. One that asks for
    no report stays unheard."""
    start = 0
    for end in _REPORT.finditer(data):
        # The lock is let go of along with whatever comes next.
        yield data[start : end.start()].removeprefix(UNLOCK).replace(end[1][:24], b"*"), end[1]
        start = end.end()


class Recorder:
    """A channel that passes everything on to another one, and writes down what was asked and answered."""

    def __init__(self, channel: Channel, recording: Recording) -> None:
        self._channel = channel
        self._recording = recording
        self._asked: list[tuple[bytes, bytes]] = []
        self._out = bytearray()
        self._err = bytearray()

    def send(self, data: bytes) -> None:
        """As the other one."""
        self._channel.send(data)
        self._asked.extend(_scripts(data))

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:
        """As the other one."""
        out, err = self._channel.receive(timeout_s, errors)
        self._out += out
        self._err += err
        while self._asked and self._heard(*self._asked[0]):
            del self._asked[0]
        return out, err

    def _heard(self, script: bytes, token: bytes) -> bool:
        """Take a script's answer down, if all of it has come."""
        end = b"\n" + token + b" "
        said, sep, rest = self._out.partition(end)
        status, line, rest = rest.partition(b"\n")
        erred, error_sep, error_rest = self._err.partition(end + b"\n")
        if not (sep and line and error_sep):
            return False
        self._recording.answers.append(
            Answer(_text(_masked(script)), int(status), _text(bytes(said)), _text(bytes(erred)))
        )
        self._out, self._err = rest, error_rest
        return True

    def close(self) -> None:
        """As the other one."""
        self._channel.close()


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong: the shares (0 to 1) of acting commands whose connection is lost before the answer comes, and of
    those that fail and change nothing. Which ones follows from ``seed``, the host's name, and the command's number."""

    seed: int = 0
    lost: float = 0.0
    failing: float = 0.0

    def of(self, host: str, number: int) -> str:
        """``lost``, ``failing`` or nothing, for the host's acting command of that number."""
        if not (self.lost or self.failing):
            return ""
        digest = hashlib.blake2b(f"{self.seed} {host} {number}".encode(), digest_size=7).digest()
        drawn = int.from_bytes(digest) / (1 << 56)
        return "lost" if drawn < self.lost else "failing" if drawn < self.lost + self.failing else ""


@dataclass(slots=True)
class _Played:
    """One host of a recording: what was done on it, whatever became of the connections to it."""

    name: str
    acts: int = 0
    done: dict[bytes, int] = field(default_factory=dict)
    asked: dict[tuple[bytes, Act | None], int] = field(default_factory=dict)

    def now(self, script: _Script) -> tuple[bytes, bytes, bytes]:
        """What is answered to a script as things stand: status and both streams."""
        for turn in reversed(script.turns):
            if turn.after is None or self.done.get(turn.after[0], 0) >= turn.after[1]:
                break
        if len(turn.said) == 1:
            return turn.said[0]
        key = (script.text, turn.after)
        number = self.asked[key] = self.asked.get(key, -1) + 1
        return turn.said[min(number, len(turn.said) - 1)]


class RecordedTransport:
    """Opens channels to hosts which all answer as the recorded one did. A round trip takes ``latency_s``."""

    def __init__(
        self,
        recording: Recording,
        *,
        latency_s: float = 0.0,
        faults: Faults | None = None,
        sleep: Callable[[float], None] = fibres.sleep,
    ) -> None:
        self.recording = recording
        self.latency_s = latency_s
        self.faults = faults or Faults()
        self.sleep = sleep
        self._hosts: dict[str, _Played] = {}

    def open(self, name: str, *_where: object) -> Player:
        """A root shell on a host, so to speak."""
        return Player(self, self._hosts.setdefault(name, _Played(name)))


class Player:
    """A channel behind which no shell is."""

    def __init__(self, transport: RecordedTransport, host: _Played) -> None:
        self._transport = transport
        self._host = host
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._ended = False

    def send(self, data: bytes) -> None:
        """Have scripts answered. Raises EOFError once it has ended, LookupError for what was never recorded."""
        if self._ended:
            raise EOFError
        for script, token in _scripts(data):
            status, out, err = self._answer(script)
            if self._ended:
                return
            self._out += (out, b"\n", token, b" ", status, b"\n")
            self._err += (err, b"\n", token, b" \n")

    def _answer(self, sent: bytes) -> tuple[bytes, bytes, bytes]:
        host, script = self._host, self._transport.recording.script(sent)
        said = host.now(script)
        if script.acts:
            fault = self._transport.faults.of(host.name, host.acts)
            host.acts += 1
            if fault == "failing":
                return b"1", b"it fails, as it was told to\n", b""
            host.done[script.text] = host.done.get(script.text, 0) + 1
            self._ended = fault == "lost"
        return said

    def receive(self, timeout_s: float, errors: bool = False) -> tuple[bytes, bytes]:  # noqa: ARG002 - both come at once
        """What was answered, after a round trip. Raises EOFError, TimeoutError."""
        if not self._ended and (not self._out or self._transport.latency_s > timeout_s):
            self._transport.sleep(timeout_s)
            raise TimeoutError
        if self._transport.latency_s:
            self._transport.sleep(self._transport.latency_s)
        if not self._out:
            raise EOFError
        out, err = b"".join(self._out), b"".join(self._err)
        self._out.clear()
        self._err.clear()
        return out, err

    def close(self) -> None:
        """Nothing comes any more."""
        self._ended = True
