"""What a procedure is: it looks once, live, and what it saw is the case; its steps follow from the case alone.

So planning, applying and resuming make the same steps, and a run is resumed from what its journal holds, whatever the
world looks like by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

from runbooks.engine import Draft
from runbooks.errors import UsageError
from runbooks.model import Json, Step

C = TypeVar("C")


def _nothing(_case: object) -> str:
    return ""


def _no_notes(_case: object) -> tuple[str, ...]:
    return ()


def _as_given(_site: object, given: Mapping[str, Json]) -> Mapping[str, Json]:
    return given


Steps = Iterator[Step]


@dataclass(frozen=True)
class Procedure(Generic[C]):
    """One runbook.

    ``resolve`` (site, what the operator gave) gives the arguments: queries and names as what they mean today, since a
    saved plan keeps the arguments. ``look`` (site, arguments) gives the case, a frozen dataclass of JSON values.
    ``steps`` follow from the case, and so do ``notes``, what the operator should know besides. ``subjects`` are what a
    run owns, by its arguments: another run's half-done work is told as such, before it is looked at and misunderstood.
    ``batch_size`` is how many hosts at a time, unless the operator says; without, the settings do. ``typed``: the name
    that has to be typed before anything is done, empty where yes will do."""

    name: str
    case: type[C]
    look: Callable[..., C]
    steps: Callable[[C], Steps]
    subjects: Callable[[Mapping[str, Json]], tuple[str, ...]]
    notes: Callable[[C], tuple[str, ...]] = _no_notes
    batch_size: str = ""
    typed: Callable[[C], str] = _nothing
    resolve: Callable[[Any, Mapping[str, Json]], Mapping[str, Json]] = _as_given

    def draft(self, site: Any, arguments: Mapping[str, Json]) -> Draft:
        """Look, and propose. Raises whatever the arguments or the world give reason to."""
        return self.draft_of(self.look(site, **arguments), arguments)

    def draft_of(self, case: C, arguments: Mapping[str, Json]) -> Draft:
        """Propose from a case."""
        record = asdict(case)  # type: ignore[call-overload]
        steps = tuple(self.steps(case))
        draft = Draft(self.name, dict(arguments), record, steps, self.subjects(arguments), self.notes(case))
        return replace(draft, batch_size=self.batch_size, typed=self.typed(case))

    def again(self, record: Mapping[str, Json], arguments: Mapping[str, Json]) -> Draft:
        """The draft that a journal's case gives. Raises UsageError where another version of this tool wrote it."""
        try:
            values = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
            return self.draft_of(self.case(**values), arguments)
        except TypeError as error:
            raise UsageError(f"{self.name}: this run was recorded by another version of this tool: {error}") from error


def find(name: str) -> Procedure[Any]:
    """The procedure of that name. Raises UsageError."""
    from importlib import import_module

    try:
        module = import_module(f"runbooks.procedures.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise UsageError(f"{name}: no such procedure in this version") from error
    found: Procedure[Any] = module.PROCEDURE
    return found
