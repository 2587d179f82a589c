"""Reboot hosts through their own systems, one after the other (duty page, "Powercycling / reboots")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.inventory import fold
from runbooks.looking import side_by_side
from runbooks.machine.back import Reboot
from runbooks.machine.gates import Answers
from runbooks.machine.puppet import PuppetRuns
from runbooks.machine.target import MACHINE, MachineChange
from runbooks.model import Step, way
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.machines import heard_again, resolve, silence_record, silenced, subjects
from runbooks.site import Site


@dataclass(frozen=True)
class Case:
    """Which boot each host is in (empty: it does not answer), and how it is told to begin another one; in seconds.
    ``with_bmc`` are those that have a power button to fall back on."""

    boots: Mapping[str, str]
    with_bmc: tuple[str, ...]
    critical: tuple[str, ...]
    command: tuple[str, ...]
    boot_s: int
    silence: Mapping[str, Any] = field(default_factory=dict)
    puppet: Mapping[str, Any] = field(default_factory=dict)


def look(
    site: Site,
    *,
    hosts: Sequence[str],
    puppet: bool = False,
    no_silence: bool = False,
    task: str = "",
    reason: str = "",
) -> Case:
    """Which boot each is in."""
    boots: dict[str, str] = {}

    def look_at(place: str) -> None:
        target = site.targets[place]
        reader: Any = target.reader()
        boot = reader.boot()
        boots[target.name] = boot.id if boot else ""
        site.targets.rest(place)

    side_by_side([way(MACHINE, name) for name in hosts], site.targets, look_at)
    known = {name: site.inventory[name] for name in hosts}
    critical = set(site.settings.oob.critical)
    return Case(
        boots={name: boots[name] for name in hosts},
        with_bmc=tuple(name for name, host in known.items() if host.bmc),
        critical=tuple(name for name, host in known.items() if critical & set(host.roles)),
        command=site.settings.reboot.command,
        boot_s=site.settings.reboot.boot_s,
        silence={} if no_silence else silence_record(site, site.settings.reboot.boot_s, task, reason),
        puppet=site.puppet_record() if puppet else {},
    )


def steps(case: Case) -> Steps:
    """Each has to answer, and to come back in another boot before the next one goes."""

    def each(name: str, make: Any) -> Step:
        changes: dict[str, MachineChange] = {host: make(host) for host in case.boots}
        return Step(name, next(iter(changes.values())), tuple(changes), changes=changes)

    def reboot(host: str) -> Reboot:
        return Reboot(tuple(case.command), case.boots[host], case.boot_s, host in case.with_bmc)

    yield each("Look whether the system answers", lambda host: Answers(True, host in case.with_bmc))
    yield from silenced(case.boots, "reboot", case.silence)
    yield each("Reboot, and wait until the system is back", reboot)
    if case.puppet:
        yield each("Run puppet, which fails at nothing", lambda _: PuppetRuns(case.puppet))
    yield from heard_again(case.boots, case.silence)


def typed(case: Case) -> str:
    """The hosts' own name, where one of them is critical."""
    return fold(list(case.boots)) if case.critical else ""


def notes(case: Case) -> tuple[str, ...]:
    """What the operator should see before it is done."""
    return (f"critical: {fold(list(case.critical))}",) if case.critical else ()


PROCEDURE = Procedure("reboot", Case, look, steps, subjects, notes, batch_size="1", typed=typed, resolve=resolve)
