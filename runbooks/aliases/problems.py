"""What is wrong with alias files: one line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runbooks.aliases.names import printable


class Severity(StrEnum):
    """How bad it is: with an ``error`` mail does not go where it shall; a ``warning`` works, but not as it looks."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Problem:
    """A problem in a file of the repository. ``line`` counts from 1; 0 stands for the whole file. ``what`` stays the
    same wherever it stands, and whatever else is in the file: by it two looks at a file are compared."""

    path: str
    line: int
    severity: Severity
    what: str
    todo: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.severity}: {self.what}: {self.todo}"


def error(path: str, line: int, what: str, todo: str) -> Problem:
    """A problem with which mail does not go where it shall."""
    return Problem(path, line, Severity.ERROR, printable(what), printable(todo))


def warning(path: str, line: int, what: str, todo: str) -> Problem:
    """A problem with which mail goes where it shall all the same."""
    return Problem(path, line, Severity.WARNING, printable(what), printable(todo))
