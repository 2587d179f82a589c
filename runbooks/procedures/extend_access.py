"""Have somebody's access end on a later day (duty page, "Creating new shell users": expiry_date, expiry_contact)."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.errors import UsageError
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, subjects, until
from runbooks.registry.edits import Edit
from runbooks.site import Site


@dataclass(frozen=True)
class Case(Patched):
    """Whose access ends when, and who is asked about it."""

    name: str
    until: str
    contact: str


def look(site: Site, *, name: str, until_day: str, contact: str, task: str = "") -> Case:
    """Whether the registry has somebody like that. Raises UsageError, RegistryError."""
    site.refuse_protected(name)
    if missing := [option for option, value in (("--until", until_day), ("--contact", contact)) if not value]:
        raise UsageError(f"give {' and '.join(missing)}: the day on which access ends, and who is asked about it then")
    day = until(until_day)
    common = patched(site, site.registry(), [Edit("set_expiry", name, {"date": day, "contact": contact})], task)
    return Case(**common, name=name, until=day, contact=contact)


def steps(case: Case) -> Steps:
    """One patch."""
    patch = patch_of(case, f"admin: {case.name} has access until {case.until}")
    yield from patch_steps(case, patch, f"extend-{case.name}-{case.until}")


PROCEDURE = Procedure("extend-access", Case, look, steps, subjects)
