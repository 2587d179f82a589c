"""What powercycle, reboot and the power reports have in common: machines, looked up and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runbooks.errors import RunbookError
from runbooks.inventory import fold
from runbooks.inventory.hardware import Hardware, LookedUp
from runbooks.looking import side_by_side
from runbooks.machine.access import Access, access_to
from runbooks.machine.event_log import KNOWN
from runbooks.machine.target import MACHINE, MachineReader
from runbooks.model import AnyChange, Change, Finding, Reader, Step, Writer, blocked, done, way
from runbooks.oob.model import Ability, Bmc
from runbooks.procedure import Steps
from runbooks.site import Site
from runbooks.systems.silences import EndSilence, Silence

MARGIN_S = 600
"""How much longer a silence lasts than what it is for."""


@dataclass(frozen=True)
class Machine:
    """One machine, as the case of a run has it. ``others`` are drivers besides that of ``bmc``; ``critical`` are those
    of its roles that are; ``boot`` is empty where its system does not answer; ``log`` are the ids of the entries that
    its event log has."""

    name: str
    bmc: Bmc
    others: tuple[str, ...]
    what: str
    serial: str
    critical: tuple[str, ...]
    contradictions: tuple[str, ...]
    boot: str
    log: tuple[str, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Machine:
        """From a case, where tuples have become lists."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        values["bmc"] = Bmc(**record["bmc"])
        return cls(**values)


def machines_of(records: Iterable[Mapping[str, Any]]) -> tuple[Machine, ...]:
    """From a case."""
    return tuple(map(Machine.of, records))


@dataclass(frozen=True)
class KnownHardware(Change[Reader, Writer]):
    """A gate: what the sources of hardware say of a machine, and that they do not contradict each other."""

    what: str
    contradictions: tuple[str, ...]

    looks_only = True
    through = MACHINE

    def check(self, reader: Reader) -> Finding:  # noqa: ARG002 - it was looked up before
        """Done, or blocked by a contradiction."""
        if self.contradictions:
            return blocked(f"the sources of hardware contradict each other: {'; '.join(self.contradictions)}")
        return done(self.what, hardware=self.what)


def resolve(site: Site, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The names of the ``hosts`` that a query means now, whatever it will mean later. Raises InventoryError."""
    return {**given, "hosts": list(site.inventory.query(given["hosts"]))}


def access(site: Site, name: str, looked_up: LookedUp, driver: str, insecure: bool) -> Access:
    """How a machine's BMC is reached. Raises UsageError, InventoryError."""
    oob = site.settings.oob
    return access_to(site.inventory[name], looked_up, oob.user, str(oob.ca or ""), driver, insecure)


def look_at(site: Site, hosts: Sequence[str], driver: str, insecure: bool) -> tuple[dict[str, Any], ...]:
    """Each machine, with its BMC and its system as they are now, for a case. A BMC that cannot be had is for the plan
    to tell. Raises UsageError, InventoryError, and what a source of hardware raises."""
    looked_up = site.hardware(hosts)
    known = {name: access(site, name, looked_up[name], driver, insecure) for name in hosts}
    seen: dict[str, tuple[str, tuple[str, ...]]] = {}

    def look(place: str) -> None:
        target = site.targets[place]
        reader: Any = target.reader()
        seen[target.name] = _boot(reader), _log(reader, known[target.name].bmc)
        site.targets.rest(place)

    side_by_side([way(MACHINE, name) for name in hosts], site.targets, look)
    critical = set(site.settings.oob.critical)
    return tuple(_record(name, known[name], looked_up[name], critical, *seen[name]) for name in hosts)


def _boot(reader: MachineReader) -> str:
    boot = reader.boot()
    return boot.id if boot else ""


def _log(reader: MachineReader, bmc: Bmc) -> tuple[str, ...]:
    board = reader.board(bmc)
    if Ability.LOG not in board.abilities:
        return ()
    try:
        return tuple(entry.id for entry in board.log(KNOWN))
    except RunbookError:
        return ()


def _record(
    name: str, access: Access, looked_up: LookedUp, critical: set[str], boot: str, log: tuple[str, ...]
) -> dict[str, Any]:
    hardware = looked_up.hardware
    machine = Machine(
        name=name,
        bmc=access.bmc,
        others=access.others,
        what=_words(hardware, access.bmc),
        serial=hardware.serial,
        critical=tuple(sorted(critical & set(hardware.roles))),
        contradictions=looked_up.contradictions,
        boot=boot,
        log=log,
    )
    return asdict(machine)


def _words(hardware: Hardware, bmc: Bmc) -> str:
    parts = [
        f"{hardware.vendor} {hardware.model}".strip(),
        hardware.rack and f"rack {hardware.rack}",
        hardware.serial and f"serial {hardware.serial}",
        hardware.asset_tag and f"asset {hardware.asset_tag}",
        f"BMC {bmc.address} by {bmc.driver}",
    ]
    return ", ".join(filter(None, parts))


def step_on(name: str, machines: Iterable[Machine], make: Callable[[Machine], AnyChange], undo: str = "") -> Step:
    """A step with a Change for each machine."""
    changes = {machine.name: make(machine) for machine in machines}
    return Step(name, next(iter(changes.values())), tuple(changes), undo=undo, changes=changes)


def silence_record(site: Site, for_s: int, task: str, reason: str) -> dict[str, Any]:
    """For a case: how long alerts of a machine are silenced, and what is said of it; empty without an Alertmanager."""
    if not site.settings.alertmanager.url:
        return {}
    return {"for_s": for_s + MARGIN_S, "ticket": task, "reason": reason}


def silenced(machines: Iterable[str], purpose: str, record: Mapping[str, Any]) -> Steps:
    """Nobody is paged for what is about to be done."""
    if record:
        name, undo = "Silence its alerts", "End the silence"
        yield Step(name, Silence(purpose=purpose, **record), tuple(machines), undo=undo)


def heard_again(machines: Iterable[str], record: Mapping[str, Any]) -> Steps:
    """Its alerts are heard again. What cannot be ended now ends by itself, and stops nobody."""
    if record:
        yield Step("End the silence", EndSilence(), tuple(machines), patient=True)


def to_type(machines: Sequence[Machine], *, interrupts: bool) -> str:
    """The name that has to be typed: where a machine that is well is interrupted, or one of its roles is critical."""
    risky = any((machine.boot and interrupts) or machine.critical for machine in machines)
    return fold([machine.name for machine in machines]) if risky else ""


def warnings(machines: Sequence[Machine], *, interrupts: bool) -> tuple[str, ...]:
    """What the operator should see before a name is typed."""
    well = [machine.name for machine in machines if machine.boot and interrupts]
    lines = [f"well, as it answers by ssh; this interrupts it: {fold(well)}"] if well else []
    return (*lines, *(f"{m.name} is critical: {', '.join(m.critical)}" for m in machines if m.critical))


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The machines' power."""
    return tuple(f"power:{name}" for name in arguments["hosts"])
