"""What is alike, told once: findings of a plan and outcomes of a run, grouped with the targets that share them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from runbooks.inventory import fold
from runbooks.model import Event, Facts, Finding, Result, Run, RunStatus, Status
from runbooks.report.words import GOOD, NOT_BEGUN, OK, RESULT_WORDS, STATUS_WORDS, clean, counted

Key = tuple[int, str]
IN_THE_WAY = (Status.BLOCKED, Status.UNREACHABLE)
Transcript = tuple[tuple[str, int | None, str], ...]
"""Commands of a step on one target: the command, its exit status, what came back."""


@dataclass(frozen=True)
class Group:
    """Targets of one step that have the same word (``to do``, ``failed`` …), note and preview."""

    word: str
    note: str
    preview: tuple[str, ...]
    targets: tuple[str, ...]

    @cached_property
    def where(self) -> str:
        """The targets, folded."""
        return folded(self.targets)


@lru_cache(maxsize=512)
def folded(targets: tuple[str, ...]) -> str:
    """Targets folded and harmless: ``lab[01-08]``. Kept, because most steps of a plan act on the same hosts."""
    return clean(fold(targets))


def of_findings(findings: Mapping[str, Finding]) -> list[Group]:
    """The findings of a step, alike ones together: what stands in the way first, then the biggest group."""
    together: dict[tuple[Status, str, tuple[str, ...]], list[str]] = {}
    for target, f in findings.items():
        together.setdefault((f.status, f.note, f.preview), []).append(target)
    groups = [Group(STATUS_WORDS[s], note, preview, tuple(ts)) for (s, note, preview), ts in together.items()]
    order = [STATUS_WORDS[s] for s in (*IN_THE_WAY, Status.TODO, Status.LATER, Status.DONE)]
    return sorted(groups, key=lambda g: (order.index(g.word), -len(g.targets)))


def by_preview(groups: Iterable[Group]) -> list[Group]:
    """Groups with a preview, together where it is the same, whatever else was remarked."""
    together: dict[tuple[str, ...], list[str]] = {}
    for group in groups:
        if group.preview:
            together.setdefault(group.preview, []).extend(group.targets)
    return [Group("", "", preview, tuple(targets)) for preview, targets in together.items()]


def told(findings: Mapping[str, Finding]) -> str:
    """The statuses of a step in a few words: ``to do`` where all are alike, else ``5 to do, 3 ok``.

    Where something stands in the way, that alone is counted: it is what has to be seen.
    """
    counts = Counter(f.status for f in findings.values())
    if len(counts) == 1 and not any(s in counts for s in IN_THE_WAY):
        return STATUS_WORDS[next(iter(counts))]
    order = IN_THE_WAY if any(s in counts for s in IN_THE_WAY) else (Status.TODO, Status.LATER, Status.DONE)
    return counted((STATUS_WORDS[s], counts[s]) for s in order)


@dataclass(frozen=True)
class Told:
    """What the journal says about one step on one target. ``seconds`` is what it took; 0 where nobody measured."""

    word: str
    note: str = ""
    at: float | None = None
    seconds: float = 0.0
    commands: Sequence[Facts] = ()

    @property
    def transcript(self) -> Transcript:
        """The commands without their times, so that hosts where the same happened can be told together."""
        return tuple((str(c.get("command", "")), c.get("status"), str(c.get("output", ""))) for c in self.commands)


NOTHING_TOLD = Told(NOT_BEGUN)


@dataclass
class Story:
    """A run's events, read once. ``words`` counts per step; ``told`` has the newest word per step and target."""

    run: Run
    told: dict[Key, Told] = field(default_factory=dict)
    begun: dict[Key, float] = field(default_factory=dict)
    _groups: dict[int, list[Group]] = field(default_factory=dict)
    _windows: dict[int, tuple[float, float] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for event in self.run.events:
            if event.step is not None and event.target is not None:
                self._take((event.step, event.target), event)

    def _take(self, key: Key, event: Event) -> None:
        if event.kind == "begin":
            self.begun[key] = event.at
            self.told[key] = Told(str(Result.UNKNOWN), "begun, and no outcome recorded", event.at)
        elif event.kind == "outcome":
            data = event.data
            word = str(data["result"])
            if word == Result.DONE and key not in self.begun:
                word = OK
            seconds, commands = float(data.get("seconds") or 0.0), data.get("commands") or ()
            self.told[key] = Told(word, str(data.get("note") or ""), event.at, seconds, commands)

    def of(self, number: int, target: str) -> Told:
        """The newest word on a step and target."""
        return self.told.get((number, target), NOTHING_TOLD)

    def counts(self, number: int) -> Counter[str]:
        """How many targets of a step have each word."""
        counts: Counter[str] = Counter()
        for group in self.groups(number):
            counts[group.word] += len(group.targets)
        return counts

    @cached_property
    def totals(self) -> Counter[str]:
        """The counts of all steps together."""
        return sum((self.counts(n) for n in range(len(self.run.plan.steps))), Counter())

    def groups(self, number: int) -> list[Group]:
        """The outcomes of a step, alike ones together: trouble first, then the biggest group."""
        if number not in self._groups:
            self._groups[number] = self._grouped(number)
        return self._groups[number]

    def _grouped(self, number: int) -> list[Group]:
        together: dict[tuple[str, str], list[str]] = {}
        for target in self.run.plan.steps[number].hosts:
            told = self.of(number, target)
            together.setdefault((told.word, told.note), []).append(target)
        groups = [Group(word, note, (), tuple(targets)) for (word, note), targets in together.items()]
        return sorted(groups, key=lambda g: (g.word in GOOD or g.word == NOT_BEGUN, _rank(g.word), -len(g.targets)))

    def trouble(self) -> list[tuple[int, Group]]:
        """What the journal has a word on and is not as it should be, step by step."""
        return [
            (number, group)
            for number in range(len(self.run.plan.steps))
            for group in self.groups(number)
            if group.word not in GOOD and group.word != NOT_BEGUN
        ]

    def transcripts(self, number: int) -> list[tuple[tuple[str, ...], Transcript]]:
        """What was sent and came back in a step; targets where it was the same are together."""
        together: dict[Transcript, list[str]] = {}
        for target in self.run.plan.steps[number].hosts:
            if commands := self.of(number, target).transcript:
                together.setdefault(commands, []).append(target)
        return [(tuple(targets), commands) for commands, targets in together.items()]

    def took(self, number: int) -> list[tuple[float, str]]:
        """How long a step took on each target that it was begun on, in seconds; the slowest first."""
        timed = [(self.of(number, t).seconds, t) for t in self.run.plan.steps[number].hosts]
        return sorted((pair for pair in timed if pair[0]), key=lambda pair: -pair[0])

    def window(self, number: int) -> tuple[float, float] | None:
        """When a step began first and ended last."""
        if number not in self._windows:
            self._windows[number] = self._window(number)
        return self._windows[number]

    def _window(self, number: int) -> tuple[float, float] | None:
        hosts = self.run.plan.steps[number].hosts
        ends = [at for t in hosts if (at := self.of(number, t).at) is not None]
        starts = [self.begun[number, t] for t in hosts if (number, t) in self.begun]
        return (min(starts or ends), max(ends)) if ends else None

    @property
    def ended(self) -> float:
        """When the run was finished, or its last event."""
        last = max((event.at for event in self.run.events), default=self.run.created)
        return self.run.finished if self.run.finished is not None else last

    @property
    def can_be_undone(self) -> bool:
        """Whether there is something for an undo to take back."""
        over = self.run.status in (RunStatus.UNDONE, RunStatus.ABANDONED)
        steps = self.run.plan.steps
        taken_back = any(not steps[number].no_inverse for number, _ in self.begun)
        return taken_back and not over and self.run.plan.procedure != "undo"


def _rank(word: str) -> int:
    return RESULT_WORDS.index(word)
