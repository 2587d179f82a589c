"""What the benchmark does on every host: ordered shell commands, and the procedure that does them here.

A host keeps a mark, the number of the last command that was done there. Command N needs mark N-1, leaves mark N, and
prints the host's name with N: so it is seen, in what it prints and on the host, whether it ran, there, and in its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, Json, Step, done, later, todo
from runbooks.procedure import Procedure, Steps
from runbooks.site import Site
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.reads import Read

MARK = Read(("eval", 'read m </root/mark && echo "$m"'), lambda result: int(result.text))
"""How far a host has come."""


def command(number: int) -> str:
    """Command N, for sh; it starts no further process."""
    return (
        f'read m </root/mark && [ "$m" = {number - 1} ] && echo {number} >/root/mark && '
        f'read n </root/name && echo "$n {number}"'
    )


def answer(host: str, number: int) -> str:
    """What command N prints on a host, when all is well."""
    return f"{host} {number}"


@dataclass(frozen=True)
class Mark(Change[HostReader, HostWriter]):
    """Do command N."""

    number: int

    no_inverse = "a benchmark goes on from fresh hosts"

    def check(self, reader: HostReader) -> Finding:
        """Done, todo, or later, by the host's mark."""
        mark = reader.ask(MARK)
        if mark >= self.number:
            return done()
        preview = f"$ {command(self.number)}"
        return later(preview) if mark < self.number - 1 else todo(preview, facts={"mark": mark})

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Do it. Raises CommandFailed for another answer than the expected one."""
        said = writer.run("eval", command(self.number)).text
        if said != f"{answer(writer.host, self.number)}\n":
            raise CommandFailed(f"unexpected answer: {said!r}")


@dataclass(frozen=True)
class Case:
    """On which hosts, and how many commands."""

    hosts: tuple[str, ...]
    steps: int


def look(site: Site, *, steps: int) -> Case:
    """Every host of the inventory."""
    return Case(tuple(site.inventory.hosts), steps)


def steps(case: Case) -> Steps:
    """One step a command."""
    for number in range(1, case.steps + 1):
        yield Step(f"Do command {number}", Mark(number), on=case.hosts)


def subjects(arguments: Mapping[str, Json]) -> tuple[str, ...]:  # noqa: ARG001
    """The marks, all of them."""
    return ("benchmark:marks",)


PROCEDURE = Procedure("mark", Case, look, steps, subjects)
