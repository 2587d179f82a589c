"""What the vendors' command lines over ssh have in common; each vendor is one short file beside this one.

A power command is sent once. Whatever is not known to mean success is an error that quotes it; whether it happened, the
next look at the power tells. Times in logs are those of the BMC's clock, taken for UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from runbooks.errors import CommandFailed, Lost, RunbookError, Unreachable
from runbooks.oob.model import Ability, Action, Bmc, Driver, LogEntry, Power
from runbooks.oob.ssh_login import log_in
from runbooks.oob.ssh_talk import Broken, NotTaken, Shell, Unasked, execute, session
from runbooks.secret import Secret

Talk = Callable[[str, Mapping[str, str]], str]

_PATIENCE = 3.0
"""So many times longer than others, a command line may be silent: greetings after more than ten seconds are seen."""


class SshCli(Driver):
    """A command line. It is talked to by single commands where ``alone``, until it refuses one; else in a shell whose
    ``prompt`` is a regular expression."""

    port = 22
    prompt: ClassVar[str]
    alone: ClassVar[bool] = False
    verbs: ClassVar[Mapping[Action, str]]
    """The command for each thing that it can."""
    taken: ClassVar[str]
    """What it says when it has taken one: a regular expression, in whichever case."""
    already: ClassVar[str] = r"(?!)"
    """What it says when it is so already; nothing known."""
    replies: ClassVar[Mapping[str, str]] = {}
    """The questions that a power command is asked back, and what they are answered."""

    def __init__(self, bmc: Bmc, password: Secret, timeout_s: float = 10.0) -> None:
        super().__init__(bmc, password, timeout_s)
        self._silence_s = _PATIENCE * timeout_s
        self._alone = self.alone
        self._connection: Any = None
        self._shell: Shell | None = None

    def set_power(self, action: Action) -> None:
        """Looks first: a command line that speaks another dialect gets no power command."""
        now = self.power()
        if now is Power.OFF:
            if action in (Action.OFF, Action.SHUTDOWN):
                return
            action = Action.ON
        if now is Power.ON and action is Action.ON:
            return
        if action not in self.verbs:
            raise self.cannot(Ability(action))
        self.accepted(self.verbs[action], self.ask(self.verbs[action], self.replies, acts=True), action)

    def accepted(self, command: str, said: str, action: Action) -> None:
        """Raises CommandFailed unless the answer is known to mean that a power command was taken."""
        has_to_change = action in (Action.CYCLE, Action.RESET)
        known = self.taken if has_to_change else f"{self.taken}|{self.already}"
        if not re.search(known, said, re.IGNORECASE | re.MULTILINE):
            raise self.strange(command, said)

    def opened(self) -> None:
        """What has to be said first in a shell."""

    def ask(self, command: str, replies: Mapping[str, str] | None = None, acts: bool = False) -> str:
        """What a command answers; ``acts``: it changes the power. Raises as ``Driver`` says."""
        try:
            talk = self._ready()
        except Broken as error:
            raise self._gone(Unreachable, error) from error
        try:
            return talk(command, replies or {})
        except NotTaken:
            self._alone = False
            return self.ask(command, replies, acts)
        except Unasked as asked:
            self.close()
            raise self.strange(command, str(asked)) from asked
        except Broken as error:
            raise self._gone(Lost if acts else Unreachable, error) from error

    def _gone(self, kind: type[Lost] | type[Unreachable], error: Broken) -> RunbookError:
        self.close()
        return kind(self.bmc.host, f"{self.title} {self.place[0]}: {self.masked(str(error))}")

    def _ready(self) -> Talk:
        """What a command can be said to; none has been. BMCs end idle connections, which are made anew."""
        if self._connection is None or not self._connection.is_connected or (self._shell and not self._shell.is_open()):
            self._log_in()
        if self._alone:
            channel = self._session()
            return lambda command, _: execute(channel, command, self._silence_s)
        if self._shell is None:
            self._shell = Shell(self._session(), self.prompt, self._silence_s)
            self.opened()
        return self._shell.ask

    def _log_in(self) -> None:
        self.close()
        self._connection = log_in(self.bmc, self.place, self.password, self.connect_s, self._silence_s)

    def _session(self) -> Any:
        try:
            return session(self._connection.transport, self._silence_s)
        except Broken as error:
            if "Timeout" in str(error):
                raise
            # Some BMCs take one session a connection.
            self._log_in()
            return session(self._connection.transport, self._silence_s)

    def close(self) -> None:
        """Log out."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._shell = None

    def found(self, pattern: str, command: str, said: str) -> str:
        """The group of a pattern in an answer. Raises CommandFailed."""
        match = re.search(pattern, said, re.IGNORECASE | re.MULTILINE)
        if match is None:
            raise self.strange(command, said)
        return match[1]

    def strange(self, command: str, said: str) -> CommandFailed:
        """The error (not raised) for an answer that means nothing known."""
        words = self.masked(" ".join(said.split()))[:300]
        return CommandFailed(f"{self.bmc.host}: {self.title}: {command}: it answers: {words or 'nothing'}")

    def masked(self, text: str) -> str:
        """Without the password, and on one line."""
        return " ".join(text.replace(self.password.reveal(), "***").split())

    def by_ssh(self, then: str = "", command: str = "") -> str:
        """A command line for a person: ssh to it with a command, or what to type ``then``."""
        port = f" -p {self.place[1]}" if self.place[1] != self.port else ""
        words = f"ssh{' -t' if command else ''}{port} {self.bmc.user}@{self.place[0]}"
        return f"{words} {command}" if command else f"{words}  # then type: {then}"


def entry(id_: str, at: str, form: str, severity: str, message: str) -> LogEntry:
    """An entry of an event log; ``form`` is how its time is written (strptime)."""
    try:
        when = datetime.strptime(" ".join(at.split()), form).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        when = ""
    return LogEntry(id_, when, severity.strip().lower(), " ".join(message.split()))
