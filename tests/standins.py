"""Stand-ins for hosts, in memory, for the engine's tests: what a host holds is a dict, and a test can look into it,
break it, or pull its plug at any point. With ``World.real`` the same tests go to real hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from real_hosts import RealHosts, get, put

from runbooks import fibres
from runbooks.driver import Driver
from runbooks.engine import Draft, Engine
from runbooks.errors import Busy, CommandFailed, Fenced, Unreachable
from runbooks.journal import Journal
from runbooks.model import Batch, Change, Finding, Reader, Run, Step, Target, Writer, blocked, done, later, todo
from runbooks.systems.host import HostReader, HostWriter
from runbooks.walker import Stop

HOSTS = ("h1", "h2", "h3", "h4")


class PowerCut(BaseException):
    """The process is gone: nothing of ours may catch it."""


@dataclass
class World:
    """What the hosts hold, and what happens to them. ``hooks`` are called with a point (``check``, ``begin``, ``half``,
    ``end``, ``verify``), the host and the key; ``told`` lists all of these, in order."""

    real: ClassVar[RealHosts | None] = None

    hosts: Mapping[str, MutableMapping[str, Any]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    hooks: list[Callable[[str, str, str], None]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    foreseen: list[tuple[str, list[Any], int]] = field(default_factory=list)
    waits: set[float] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    most_active: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    place: str = ""

    @classmethod
    def of(cls, *names: str) -> World:
        """Empty hosts."""
        if cls.real is None:
            return cls({name: {} for name in names or HOSTS})
        place = cls.real.new_place()
        return cls({name: cls.real.held(name, place) for name in names or HOSTS}, place=place)

    def tell(self, point: str, host: str, key: str) -> None:
        """Something happens."""
        with self.lock:
            self.told.append((point, host, key))
        for hook in self.hooks:
            # They may wait for each other.
            fibres.aside(partial(hook, point, host, key))

    def did(self, point: str = "begin") -> list[tuple[str, str]]:
        """Host and key of each time that something was done."""
        return [(host, key) for what, host, key in self.told if what == point]

    def __getitem__(self, name: str) -> StandIn:
        return StandIn(self, name)

    def rest(self, name: str) -> None:
        """As the real one is told."""
        if self.real is not None:
            self.real.target(name).rest()

    def holds(self) -> dict[str, dict[str, Any]]:
        """A copy of what all hosts hold."""
        return {name: dict(held) for name, held in self.hosts.items()}


class WorldReader(Reader):
    """Looks at one host."""

    def __init__(self, world: World, host: str, run_id: str, real: HostReader | None = None) -> None:
        self.world, self.host, self.run_id, self.real = world, host, run_id, real

    def hold_still(self, likely: Any = None) -> None:
        """As the real one does."""
        if self.real is not None:
            self.real.hold_still(likely)

    def seen(self) -> Any:
        """As the real one does."""
        return self.real and self.real.seen()

    def recall(self, seen: Any) -> None:
        """As the real one does."""
        if self.real is not None:
            self.real.recall(seen)

    def get(self, key: str) -> Any:
        """What the host holds."""
        if self.host in self.world.down:
            raise Unreachable(self.host, "no answer")
        if self.real is not None:
            return get(self.real, self.world.place, key)
        return self.world.hosts[self.host].get(key)


class WorldWriter(Writer):
    """Changes one host."""

    def __init__(self, world: World, host: str, run_id: str, real: HostWriter | None = None) -> None:
        self.world, self.host, self.run_id, self.real = world, host, run_id, real
        self.transcript = []

    def foresee(self, seen: Sequence[Any], commands: int) -> None:
        """As the real one does."""
        self.world.foreseen.append((self.host, list(seen), commands))
        if self.real is not None:
            self.real.foresee(seen, commands)

    def put(self, key: str, value: Any) -> None:
        """Make the host hold it; None: nothing."""
        if self.real is not None:
            put(self.real, self.world.place, key, value)
        elif value is None:
            self.world.hosts[self.host].pop(key, None)
        else:
            self.world.hosts[self.host][key] = value


@dataclass
class StandIn(Target):
    """One host."""

    world: World
    name: str

    @property
    def blocks(self) -> bool:  # type: ignore[override]
        """Hosts are fibres, as real ones are."""
        return self.name.startswith("@")

    def reader(self, run_id: str = "") -> WorldReader:
        """Looks."""
        if self.name in self.world.down:
            raise Unreachable(self.name, "no answer")
        if self.world.real is None:
            return WorldReader(self.world, self.name, run_id)
        return WorldReader(self.world, self.name, run_id, self.world.real.target(self.name).reader(run_id))

    @contextmanager
    def writer(self, run_id: str, epoch: int, wait_s: float) -> Iterator[WorldWriter]:
        """Acts, under the lock and the newest epoch."""
        world = self.world
        world.waits.add(wait_s)
        if self.name in world.down:
            raise Unreachable(self.name, "no answer")
        if self.name in world.busy:
            raise Busy(f"{self.name}: an earlier command still runs there")
        if self.name in world.full:
            raise CommandFailed(f"{self.name}: cannot write: is the disk full?")
        if world.real is not None:
            with world.real.target(self.name).writer(run_id, epoch, wait_s) as writer:
                yield WorldWriter(world, self.name, run_id, writer)
            return
        seen = world.epochs.get((run_id, self.name), 0)
        if epoch < seen:
            raise Fenced(f"{self.name}: a newer driver was here")
        world.epochs[run_id, self.name] = epoch
        yield WorldWriter(world, self.name, run_id)

    def settle(self, wait_s: float) -> None:  # noqa: ARG002
        """Waits for the lock."""
        if self.name in self.world.down:
            raise Unreachable(self.name, "no answer")
        if self.name in self.world.busy:
            raise Busy(f"{self.name}: an earlier command still runs there")

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Put(Change[WorldReader, WorldWriter]):
    """Make a host hold a value under a key; half-way it holds half of it. ``needs`` is a key that has to be there."""

    key: str
    value: Any = "new"
    needs: str = ""

    def check(self, reader: WorldReader) -> Finding:
        """Done where it holds it; later without what it needs."""
        reader.world.tell("check", reader.host, self.key)
        now = reader.get(self.key)
        if self.needs and reader.get(self.needs) is None:
            return later()
        if now == self.value:
            return done()
        if now == "stop":
            return blocked("someone says stop")
        return todo(f"$ put {self.key}", before={"was": now}, facts={"now": now})

    def do(self, writer: WorldWriter, before: Any) -> None:  # noqa: ARG002
        """In two halves."""
        world = writer.world
        with world.lock:
            world.active.add(writer.host)
            world.most_active = max(world.most_active, len(world.active))
        try:
            world.tell("begin", writer.host, self.key)
            writer.put(self.key, f"half {self.value}")
            world.tell("half", writer.host, self.key)
            writer.put(self.key, self.value)
            world.tell("end", writer.host, self.key)
        finally:
            with world.lock:
                world.active.discard(writer.host)

    def verify(self, reader: WorldReader, before: Any) -> Finding:  # noqa: ARG002
        """Looks again."""
        reader.world.tell("verify", reader.host, self.key)
        now = reader.get(self.key)
        return done() if now == self.value else todo(note=f"it holds {now}")

    def inverse(self, before: Any) -> Put:
        """What was before."""
        return Put(self.key, before["was"])


@dataclass(frozen=True)
class Gate(Change[WorldReader, WorldWriter]):
    """Passes where a host holds no ``closed``."""

    looks_only = True

    def check(self, reader: WorldReader) -> Finding:
        """Done, or blocked."""
        reader.world.tell("gate", reader.host, "")
        return blocked("closed") if reader.get("closed") else done()


def step(name: str, *on: str, change: Any = None, **options: Any) -> Step:
    """A step that puts its name on the hosts."""
    return Step(name, change or Put(name), on or HOSTS, **options)


def draft(*steps: Step, **options: Any) -> Draft:
    """A draft of such steps."""
    return Draft("stand-in", {"name": "alice"}, {}, steps, options.pop("subjects", ("user:alice",)), **options)


class FakeEvent(threading.Event):
    """Notes what was waited for, and waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Does not wait."""
        self.waited.append(timeout)
        return self.is_set()


_LIVES = iter(range(1, 1 << 30))


@dataclass
class Life:
    """One process's life over a journal. Once ``dead``, it writes and does nothing more, and its driver is known to
    have ended. It dies after its ``events``-th event is durable, or at the ``points``-th point inside a ``do``."""

    url: str
    world: World
    events: int = -1
    points: int = -1
    clock: Callable[[], float] = lambda: 1_000_000.0

    def __post_init__(self) -> None:
        self.dead = False
        self.seen: list[Any] = []
        self.journal = MortalJournal(self)
        self.world.hooks[:] = [
            hook for hook in self.world.hooks if not isinstance(getattr(hook, "__self__", None), Life)
        ]
        self.world.hooks.append(self.on_point)
        self.engine = Engine(
            self.journal, self.world, "operator", self.seen.append, Stop(), heartbeat_s=3600, patience_s=0
        )
        number = next(_LIVES)
        this = Driver.this()
        # The same pid with another start time: a process that has ended.
        self.driver = Driver(this.machine, this.machine_name, this.pid, -number)

    def breathe(self) -> None:
        """Raise PowerCut when dead."""
        if self.dead:
            raise PowerCut

    def on_point(self, point: str, _host: str, _key: str) -> None:
        """A point in the world is passed."""
        self.breathe()
        if point not in ("begin", "half", "end"):
            return
        with self.world.lock:
            self.points -= 1
            if self.points == -1:
                self.dead = True
        self.breathe()

    def apply(self, the_draft: Draft, policy: Batch | None = None) -> Any:
        """Plan and apply."""
        plan = self.engine.plan(the_draft)
        return self.engine.apply(plan, the_draft, policy or Batch())

    def resume(self, run_id: str, the_draft: Draft) -> Any:
        """Take it up again."""
        run = self.journal.run(run_id)
        self.engine.remaining(run, the_draft.steps)
        return self.engine.resume(run, the_draft.steps)

    def unfinished(self) -> Run:
        """The oldest unfinished run."""
        return self.journal.run(self.journal.unfinished()[0].id)

    def undo(self, run_id: str, the_draft: Draft, policy: Batch | None = None) -> Any:
        """Take it back."""
        return self.apply(self.engine.undo(self.journal.run(run_id), the_draft, {}), policy)


class MortalJournal(Journal):
    """A journal that its process can die over."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.url, clock=life.clock)
        self.life = life
        self.commits = 0

    def create(self, plan: Any, subjects: Any, driver: Any, *rest: Any, **options: Any) -> Any:  # noqa: ARG002
        """Under this life's driver."""
        self.life.breathe()
        return super().create(plan, subjects, self.life.driver, *rest, **options)

    def take_over(self, run_id: str, driver: Any) -> Any:  # noqa: ARG002
        """Under this life's driver."""
        self.life.breathe()
        return super().take_over(run_id, self.life.driver)

    def write(self, lease: Any, events: Any) -> None:
        """Die after, perhaps."""
        self.life.breathe()
        super().write(lease, events)
        self.commits += 1
        if events and self.life.events >= 0:
            self.life.events -= len(events)
            if self.life.events <= 0:
                self.life.dead = True
                raise PowerCut

    def set_status(self, *args: Any) -> Any:
        """Not when dead."""
        self.life.breathe()
        return super().set_status(*args)

    def discard(self, *args: Any) -> None:
        """Not when dead."""
        self.life.breathe()
        super().discard(*args)
