"""Take a shell user out of groups of the registry (duty page, "Removing access")."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import some
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, subjects
from runbooks.registry.edits import Edit
from runbooks.site import Site


@dataclass(frozen=True)
class Case(Patched):
    """Who goes out of which groups."""

    name: str
    groups: tuple[str, ...]


def look(site: Site, *, name: str, groups: tuple[str, ...], task: str = "") -> Case:
    """Whether the registry has them there. Raises UsageError, RegistryError."""
    site.refuse_protected(name)
    some(groups)
    common = patched(site, site.registry(), [Edit("leave", name, {"groups": list(groups)})], task)
    return Case(**common, name=name, groups=tuple(groups))


def steps(case: Case) -> Steps:
    """One patch."""
    patch = patch_of(case, f"admin: {case.name} leaves {', '.join(case.groups)}")
    yield from patch_steps(case, patch, f"leave-{case.name}-{'-'.join(case.groups)}")


PROCEDURE = Procedure("leave-group", Case, look, steps, subjects)
