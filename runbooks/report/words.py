"""The small words of a report: times, counts, arguments, and other people's text made harmless. Pure, and no rich."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from runbooks.inventory.fold import fold
from runbooks.model import Json, Plan, PlannedStep, Result, Run, RunStatus, Status

STATUS_WORDS: Mapping[Status, str] = {
    Status.DONE: "ok",
    Status.TODO: "to do",
    Status.LATER: "later",
    Status.BLOCKED: "blocked",
    Status.UNREACHABLE: "unreachable",
}
"""``done`` in a plan reads "ok": a gate that was passed, or a step with nothing left to do, is as it should be."""

OK, NOT_BEGUN = "ok", "not begun"
RESULT_WORDS: tuple[str, ...] = (
    str(Result.DONE),
    OK,
    str(Result.FAILED),
    str(Result.UNVERIFIED),
    str(Result.UNKNOWN),
    str(Result.PENDING),
    NOT_BEGUN,
    str(Result.UNDONE),
)
"""What became of a step on a target, in the order of telling. ``ok`` is done without a begin: nothing was to do."""

GOOD = frozenset({str(Result.DONE), OK, str(Result.UNDONE)})


def clean(text: str) -> str:
    """One line of anybody's text with what could steer a terminal (or hide text on a page) spelled out.

    Control characters, bidirectional overrides, line separators and lone surrogates become ``\\x1b``, ``\\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "    " if c == "\t" else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def lines(text: str) -> list[str]:
    """Somebody's text as clean lines; a carriage return before the end of a line is not worth showing."""
    return [clean(line.removesuffix("\r")) for line in text.removesuffix("\n").split("\n")]


def stamp(at: float) -> str:
    """A moment in UTC: ``2026-11-23 03:37:12Z``."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def clock(at: float) -> str:
    """The time of day in UTC: ``03:37:12Z``."""
    return time.strftime("%H:%M:%SZ", time.gmtime(at))


def span(seconds: float) -> str:
    """A duration: ``0.4s``, ``45s``, ``1m 12s``, ``2h 03m``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"


def number(count: int, one: str, many: str = "") -> str:
    """A count and its noun: ``1 host``, ``2,000 hosts``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def title(procedure: str) -> str:
    """A procedure's name as people say it: ``Rename user``."""
    return clean(procedure.replace("-", " ").capitalize())


def arguments(values: Mapping[str, Json]) -> str:
    """Arguments as they would be typed: ``old=alice end-processes``."""
    words = ((name, f"{value!r}" if " " in value else value) for name, value in argument_words(values))
    return clean(" ".join(f"{name}={value}" if value else name for name, value in words))


def argument_words(values: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Names and values; empty and false ones are left out, and a true one has no value."""
    return [
        (name.replace("_", "-"), "" if value is True else fold(value) if name == "hosts" else _argument(value))
        for name, value in values.items()
        if value or (value == 0 and value is not False)
    ]


def _argument(value: Json) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def counted(counts: Iterable[tuple[str, int]]) -> str:
    """``5 to do, 3 ok`` from words and counts; a word with no count is left out."""
    return ", ".join(f"{count:,} {word}" for word, count in counts if count)


def hosts_of(plan: Plan) -> tuple[str, ...]:
    """All hosts of a plan (not its systems), each once, in the order of the steps."""
    return tuple(dict.fromkeys(host for step in plan.steps for host in step.hosts if not host.startswith("@")))


def is_system(step: PlannedStep) -> bool:
    """Whether a step acts on a shared system, or is a person's, and so has no hosts to count."""
    return step.kind != "hosts" or all(target.startswith("@") for target in step.hosts)


def stands(status: RunStatus) -> str:
    """Where a run stands, in a few words for a person."""
    return {
        RunStatus.RUNNING: "running, or its driver died",
        RunStatus.WAITING: "waiting for a person",
        RunStatus.INCOMPLETE: "INCOMPLETE",
        RunStatus.DONE: "done",
        RunStatus.UNDONE: "undone",
        RunStatus.ABANDONED: "abandoned",
    }[status]


def is_asked(run: Run) -> bool:
    """Whether a run waits for an answer of the operator's; else it may wait for a review elsewhere."""
    outcomes = (event for event in reversed(run.events) if event.kind == "outcome")
    last = next(outcomes, None)
    is_manual = last is not None and last.step is not None and run.plan.steps[last.step].kind == "manual"
    return run.status is RunStatus.WAITING and is_manual


def resume_command(run: Run) -> str:
    """What goes on with a run: one that asks a person only goes on when told that it is so, and where to read it."""
    return f"inv resume {'--confirmed WHERE ' if is_asked(run) else ''}--run {run.id}"


def resume_meaning(run: Run) -> str:
    """What ``resume_command`` does."""
    if is_asked(run):
        return "when it is so: goes on, and keeps who said it, and where to read it"
    return "goes on once that is so" if run.status is RunStatus.WAITING else "goes on; what is done stays done"
