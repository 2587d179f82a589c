"""Power a machine off and on through its board controller (duty page, "Powercycling / reboots")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import UsageError
from runbooks.machine.back import IsBack, Reset
from runbooks.machine.event_log import ShowLog
from runbooks.machine.gates import Answers, LogIn
from runbooks.machine.power import PowerOff, PowerOn, ShutDown
from runbooks.machine.puppet import PuppetRuns
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Ability
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.machines import (
    KnownHardware,
    Machine,
    heard_again,
    look_at,
    machines_of,
    resolve,
    silence_record,
    silenced,
    step_on,
    subjects,
    to_type,
    warnings,
)
from runbooks.site import Site

ACTIONS = ("cycle", "off", "on", "reset")


@dataclass(frozen=True)
class Case:
    """Which machines, and what is done to their power; times in seconds."""

    machines: tuple[Mapping[str, Any], ...]
    action: str
    graceful: bool
    insecure: bool
    power_s: int
    shutdown_s: int
    boot_s: int
    silence: Mapping[str, Any] = field(default_factory=dict)
    puppet: Mapping[str, Any] = field(default_factory=dict)


def look(
    site: Site,
    *,
    hosts: Sequence[str],
    action: str = "cycle",
    driver: str = "",
    graceful: bool = False,
    insecure: bool = False,
    puppet: bool = False,
    no_silence: bool = False,
    task: str = "",
    reason: str = "",
) -> Case:
    """The machines as they are. Raises UsageError, InventoryError, and what a source of hardware raises."""
    if action not in ACTIONS:
        raise UsageError(f"power {action}: one of --off, --on, --reset and --status, or none of them for a cycle")
    if puppet and action == "off":
        raise UsageError("--puppet: there is no system to run it once the power is off")
    if graceful and action not in ("cycle", "off"):
        raise UsageError(f"--graceful: there is nothing to end gracefully before power {action}")
    oob = site.settings.oob
    longest_s = oob.shutdown_s + 2 * oob.power_s + oob.boot_s
    return Case(
        machines=look_at(site, hosts, driver, insecure),
        action=action,
        graceful=graceful,
        insecure=insecure,
        power_s=oob.power_s,
        shutdown_s=oob.shutdown_s,
        boot_s=oob.boot_s,
        silence={} if no_silence else silence_record(site, longest_s, task, reason),
        puppet=site.puppet_record() if puppet else {},
    )


def steps(case: Case) -> Steps:
    """Look up, log in, look; then off, on, each until it is so, and wait until the system is back in another boot."""
    machines = machines_of(case.machines)
    names = tuple(machine.name for machine in machines)
    yield step_on("Look the hardware up", machines, lambda m: KnownHardware(m.what, m.contradictions))
    yield step_on("Log in to the BMC, and look", machines, lambda m: LogIn(m.bmc, m.serial, m.others))
    yield step_on("Look whether the system answers", machines, lambda _: Answers())
    yield from silenced(names, "power-cycle", case.silence)
    if case.graceful:
        yield step_on("Ask the system to end by itself", machines, lambda m: ShutDown(m.bmc, case.shutdown_s))
    yield from _power(case, machines)
    if case.puppet:
        yield step_on("Run puppet, which fails at nothing", machines, lambda _: PuppetRuns(case.puppet))
    if case.action in ("cycle", "reset"):
        yield from _new_in_the_log(machines)
    if case.action != "off":
        yield from heard_again(names, case.silence)


def _power(case: Case, machines: Sequence[Machine]) -> Steps:
    is_cycle = case.action == "cycle"
    if case.action in ("cycle", "off"):
        undo = "Turn the power on again"
        yield step_on("Turn the power off", machines, lambda m: PowerOff(m.bmc, case.power_s, case.graceful), undo)
    if case.action in ("cycle", "on"):
        yield step_on("Turn the power on", machines, lambda m: PowerOn(m.bmc, case.power_s, is_cycle))
        name, boot_s = "Wait until the system is back", case.boot_s
        yield step_on(name, machines, lambda m: IsBack(m.bmc, m.boot, boot_s, not is_cycle))
    if case.action == "reset":
        name = "Reset the machine, and wait until its system is back"
        yield step_on(name, machines, lambda m: Reset(m.bmc, m.boot, case.boot_s))


def _new_in_the_log(machines: Sequence[Machine]) -> Steps:
    if having := [m for m in machines if Ability.LOG in driver_class(m.bmc.driver).abilities]:
        yield step_on("Show what the event log has since", having, lambda m: ShowLog(m.bmc, m.log))


def typed(case: Case) -> str:
    """The machines' own name, where one of them is well, and not only turned on, or critical."""
    return to_type(machines_of(case.machines), interrupts=case.action != "on")


def notes(case: Case) -> tuple[str, ...]:
    """What the operator should see before it is done."""
    machines = machines_of(case.machines)
    risks = warnings(machines, interrupts=case.action != "on")
    trust = [
        f"{m.name}: whoever answers at {m.bmc.address} is believed (--insecure)" for m in machines if case.insecure
    ]
    return (*risks, *trust)


# The first that does not come back is the last that was touched.
PROCEDURE = Procedure("powercycle", Case, look, steps, subjects, notes, batch_size="1", typed=typed, resolve=resolve)
