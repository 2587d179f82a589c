"""``@person``: a step that a person does, or confirms. It stands in the order like any other, and waits.

A run stops in front of it (exit status 9); ``inv resume --confirmed`` says that it is so, and the journal keeps who
said it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from runbooks.errors import Waiting
from runbooks.model import Change, Facts, Finding, Reader, Target, Writer, done, todo

PERSON = "@person"


class PersonReader(Reader):
    """Knows what has been confirmed since this process was started, and by whom."""

    def __init__(self, confirmed: dict[str, str], run_id: str) -> None:
        self.run_id = run_id
        self.__confirmed = confirmed

    def today(self) -> date:
        """The day, in UTC."""
        return datetime.now(UTC).date()

    def who(self, question: str) -> str:
        """Who confirmed it; empty where nobody did."""
        return self.__confirmed.get(question, "")


class PersonWriter(Writer):
    """Takes the one confirmation that the operator came with."""

    def __init__(self, target: PersonTarget, run_id: str) -> None:
        self.run_id = run_id
        self.transcript = []
        self._target = target

    def confirm(self, question: str) -> None:
        """Note that it is so. Raises Waiting where the operator did not come to say that."""
        if not self._target.comes_to_confirm:
            raise Waiting(f"{question} When it is so: `inv resume --confirmed`")
        self._target.comes_to_confirm = False
        self._target.confirmed[question] = self._target.operator


@dataclass
class PersonTarget(Target):
    """The operator, who may have come to confirm one question: the first that is asked, and no other."""

    operator: str
    comes_to_confirm: bool = False
    confirmed: dict[str, str] = field(default_factory=dict)
    name: str = field(default=PERSON, init=False)

    def reader(self, run_id: str = "") -> PersonReader:
        """What has been confirmed."""
        return PersonReader(self.confirmed, run_id)

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[PersonWriter]:  # noqa: ARG002
        """A person needs no lock."""
        yield PersonWriter(self, run_id)

    def settle(self, wait_s: float) -> None:
        """Nothing runs here."""

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True)
class Confirmed(Change[PersonReader, PersonWriter]):
    """Whether a person has confirmed something; a full sentence, as a question or a condition."""

    question: str

    def check(self, reader: PersonReader) -> Finding:
        """To do until it was confirmed."""
        who = reader.who(self.question)
        return done(f"confirmed by {who}") if who else todo(f"ask: {self.question}")

    def do(self, writer: PersonWriter, before: Facts) -> None:  # noqa: ARG002
        """Take the confirmation. Raises Waiting."""
        writer.confirm(self.question)
