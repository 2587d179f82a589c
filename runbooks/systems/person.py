"""``@person``: a step that a person does, or confirms. It stands in the order like any other, and waits.

A run stops in front of it (exit status 9); ``inv resume --confirmed WHERE`` says that it is so, and where that can be
read. The journal keeps who said it, when, and where.
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
    """Knows what has been confirmed since this process was started: by whom, when, and where that can be read."""

    def __init__(self, confirmed: dict[str, str], run_id: str) -> None:
        self.run_id = run_id
        self.__confirmed = confirmed

    def today(self) -> date:
        """The day, in UTC."""
        return datetime.now(UTC).date()

    def confirmed(self, question: str) -> str:
        """Who confirmed it, when and where, as a note; empty where nobody did."""
        return self.__confirmed.get(question, "")


class PersonWriter(Writer):
    """Takes the one confirmation that the operator came with."""

    def __init__(self, target: PersonTarget, run_id: str) -> None:
        self.run_id = run_id
        self.transcript = []
        self._target = target

    def confirm(self, question: str) -> None:
        """Note that it is so. Raises Waiting where the operator did not come to say that."""
        if not self._target.where:
            raise Waiting(f"{question} When it is so: `inv resume --confirmed WHERE`, where that can be read")
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        self._target.confirmed[question] = f"confirmed by {self._target.operator}, {now}: {self._target.where}"
        self._target.where = ""


@dataclass
class PersonTarget(Target):
    """The operator, who may have come to confirm one question: the first that is asked, and no other. ``where`` says
    where it can be read that it is so; empty: the operator did not come for that."""

    operator: str
    where: str = ""
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
        told = reader.confirmed(self.question)
        return done(told) if told else todo(f"ask: {self.question}")

    def do(self, writer: PersonWriter, before: Facts) -> None:  # noqa: ARG002
        """Take the confirmation. Raises Waiting."""
        writer.confirm(self.question)
