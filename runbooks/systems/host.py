"""A host as the engine sees it: a Reader that can only ask, a Writer that acts under the host's lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from runbooks import fibres
from runbooks.errors import CommandFailed, Lost, Unreachable
from runbooks.model import Reader, Target, Writer
from runbooks.systems.reads import Read
from runbooks.transport.quoting import Argument, command_line
from runbooks.transport.shell import Question, Result, Shell

T = TypeVar("T")
_SHOWN_OUTPUT = 4000
REMEMBERED_S = 20.0
"""How long a host that could not be reached is not tried again."""
FRESH_S = 1.0
"""How long what a look has seen may serve the next one, where nothing was done in between."""


class _Answer(NamedTuple):
    """What a host said, when (monotonic), and whether it was to be quick with it."""

    result: Result
    at: float
    is_quick: bool


Answers = dict[Question, _Answer]
"""By question."""


AskSshd = Callable[[str, Sequence[str]], Mapping[str, bool | None]]
"""For an account and public keys (``type base64``): which of them the host's sshd would let it in by; None for one that
could not be asked about. Raises Unreachable."""


def _nobody_asks(_account: str, keys: Sequence[str]) -> Mapping[str, bool | None]:
    return dict.fromkeys(keys)


class HostReader(Reader):
    """Asks a host the questions of ``systems.reads``, and its sshd about keys; it has no way to run anything else."""

    def __init__(self, shell: Shell, run_id: str, ask_sshd: AskSshd = _nobody_asks) -> None:
        self.host = shell.target
        self.run_id = run_id
        self.__shell = shell
        self._answers: Answers = {}
        self._recalled: Answers = {}
        self._still = False
        self._likely: Answers = {}
        self.__ask_sshd = ask_sshd

    def hold_still(self, likely: Answers | None = None) -> None:
        """Ask each question once, and those that are ``likely`` along with the first."""
        self._still = True
        self._likely = likely or {}

    def seen(self) -> Answers:
        """What it was told."""
        return self._answers

    def recall(self, seen: Answers) -> None:
        """Ask what the other one was told not again so soon, unless it is asked twice."""
        self._recalled = dict(seen)

    def ask(self, read: Read[T]) -> T:
        """One question. Raises Unreachable, CommandFailed (an answer that makes no sense)."""
        self._refuse_other(read)
        if read.secret:
            fed = f"{read.secret.reveal()}\n".encode()
            return read.answer(self.host, self.__shell.read([read.argv], read.timeout_s, fed)[0])
        if not self._knows(read):
            self._ask([read])
        return read.answer(self.host, self._answers[read.argv].result)

    def ask_all(self, reads: Sequence[Read[T]]) -> list[T]:
        """Several questions in one round trip; the same errors."""
        for read in reads:
            self._refuse_other(read)
            if read.secret:
                raise TypeError("a question about a secret is asked alone")
        if asked := [read for read in reads if not self._knows(read)]:
            self._ask(asked)
        return [read.answer(self.host, self._answers[read.argv].result) for read in reads]

    def would_open(self, account: str, keys: Sequence[str]) -> Mapping[str, bool | None]:
        """Which public keys (``type base64``) sshd says it would let an account in by; None for one that it could not
        be asked about. Raises Unreachable."""
        return fibres.aside(lambda: self.__ask_sshd(account, keys)) if keys else {}

    def _ask(self, reads: Sequence[Read[Any]]) -> None:
        questions = {read.argv: not read.timeout_s for read in reads}
        asked = len(questions)
        # What takes long is only asked where it has to be.
        if self._likely:
            questions |= {argv: True for argv, told in self._likely.items() if told.is_quick and argv not in questions}
            self._likely = {}
        timeout_s = max([read.timeout_s for read in reads if read.timeout_s], default=None)
        results = self.__shell.read(list(questions), timeout_s)
        now = time.monotonic()
        for number, (argv, is_quick) in enumerate(questions.items()):
            known = self._answers if number < asked else self._recalled
            known[argv] = _Answer(results[number], now, is_quick)

    @staticmethod
    def _refuse_other(read: object) -> None:
        if not isinstance(read, Read):
            raise TypeError(f"{read!r} is no read command")

    def _knows(self, read: Read[Any]) -> bool:
        """Whether the answer is there without asking."""
        if self._still and read.argv in self._answers:
            return True
        found = self._recalled.pop(read.argv, None)
        if found is None or (not self._still and time.monotonic() > found.at + FRESH_S):
            return False
        self._answers[read.argv] = found
        return True


class HostWriter(Writer):
    """Runs commands that change a host, each one noted in ``transcript``; it can ask, too."""

    def __init__(self, shell: Shell, run_id: str) -> None:
        self.host = shell.target
        self.run_id = run_id
        self.transcript = []
        self._shell = shell
        self._reader = HostReader(shell, run_id)
        self._questions: dict[Question, None] = {}
        self._last = 0

    def foresee(self, seen: Sequence[Answers], commands: int) -> None:
        """What the last of so many commands will be followed by."""
        self._questions = {question: None for some in seen for question, told in some.items() if told.is_quick}
        self._last = commands

    def ask(self, read: Read[T]) -> T:
        """As a Reader does."""
        return self._reader.ask(read)

    def run(
        self,
        *argv: Argument,
        feed: bytes | None = None,
        ok: Sequence[int] = (0,),
        timeout_s: float | None = None,
    ) -> Result:
        """Run a command and give back what it printed (both streams as one). Raises CommandFailed for a status that is
        not in ``ok``, Lost where its end was not seen. ``feed`` goes to its standard input and into no record."""
        started = time.monotonic()
        entry = {"command": command_line(argv), "status": None, "seconds": 0.0, "output": ""}
        self.transcript.append(entry)
        try:
            then = self._questions if len(self.transcript) == self._last else ()
            result = self._shell.act(argv, feed, timeout_s, then)
        except Lost as lost:
            entry["output"] = lost.why
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - started, 3)
        entry["status"] = result.status
        entry["output"] = result.stdout[:_SHOWN_OUTPUT].decode("utf-8", "replace")
        if result.status not in ok:
            raise CommandFailed(f"{command_line(argv)} returned {result.status}: {_said(result)}")
        return result


def _said(result: Result) -> str:
    lines = (result.stdout + result.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it printed nothing"


class HostTarget(Target):
    """One host; its one connection is opened when first used, and again after it was lost. Not for two at once."""

    blocks = False

    def __init__(self, name: str, connect: Callable[[], Shell], ask_sshd: AskSshd = _nobody_asks) -> None:
        self.name = name
        self._connect = connect
        self._ask_sshd = ask_sshd
        self._shell: Shell | None = None
        self._why = ""
        self._failed_at = 0.0

    def _open(self) -> Shell:
        if self._shell is None or self._shell.is_closed:
            # A dead host costs its timeout once, not again for each look that follows.
            if self._why and time.monotonic() < self._failed_at + REMEMBERED_S:
                raise Unreachable(self.name, self._why)
            try:
                self._shell = fibres.aside(self._connect)
            except Unreachable as failure:
                self._why, self._failed_at = failure.why, time.monotonic()
                raise
        return self._shell

    @property
    def is_open(self) -> bool:
        """Whether it holds a connection."""
        return self._shell is not None and not self._shell.is_closed

    def reader(self, run_id: str = "") -> HostReader:
        """A Reader. Raises Unreachable."""
        return HostReader(self._open(), run_id, self._ask_sshd)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[HostWriter]:
        """A Writer that holds the host's lock. Raises Unreachable, Busy, Fenced."""
        shell = self._open()
        shell.lock(run_id, epoch, wait_s)
        try:
            yield HostWriter(shell, run_id)
            shell.granted()
        finally:
            shell.unlock()

    def settle(self, wait_s: float) -> None:
        """Wait until no command of ours runs there. Raises Unreachable, Busy."""
        self._open().wait_for_lock(wait_s)

    def rest(self) -> None:
        """Nothing more is asked or done for now."""
        if self._shell is not None:
            self._shell.rest()

    def close(self) -> None:
        """Close the connection, and try anew when next asked."""
        self._why = ""
        if self._shell is not None:
            self._shell.close()
            self._shell = None
