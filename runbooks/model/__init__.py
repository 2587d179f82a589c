"""The words of the design as frozen values: no I/O here, and nothing is imported but the standard library."""

from runbooks.model.change import (
    NOTHING,
    AnyChange,
    Change,
    Facts,
    Finding,
    Json,
    Reader,
    Status,
    Target,
    Writer,
    blocked,
    done,
    later,
    todo,
    unreachable,
)
from runbooks.model.plan import Plan, PlannedStep, canonical, differences, same
from runbooks.model.run import Event, Outcome, Result, Run, RunStatus
from runbooks.model.step import Batch, HostSet, Step

__all__ = [
    "NOTHING",
    "AnyChange",
    "Batch",
    "Change",
    "Event",
    "Facts",
    "Finding",
    "HostSet",
    "Json",
    "Outcome",
    "Plan",
    "PlannedStep",
    "Reader",
    "Result",
    "Run",
    "RunStatus",
    "Status",
    "Step",
    "Target",
    "Writer",
    "blocked",
    "canonical",
    "differences",
    "done",
    "later",
    "same",
    "todo",
    "unreachable",
]
