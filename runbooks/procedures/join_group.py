"""Put a shell user into groups of the registry (duty page, "Access requests")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import Request, gates, request_of, some
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, subjects, told_at_the_end
from runbooks.registry.edits import Edit
from runbooks.site import Site


@dataclass(frozen=True)
class Case(Patched):
    """Who comes into which groups, and the ``request``, as ``gates.Request`` takes it."""

    name: str
    groups: tuple[str, ...]
    request: Mapping[str, Any]


def look(site: Site, *, name: str, groups: tuple[str, ...], moved: str = "", task: str = "") -> Case:
    """Whether the registry takes them. Raises UsageError, RegistryError, Blocked."""
    site.refuse_protected(name)
    registry = site.registry()
    request = request_of(site, registry, name, some(groups), moved, task)
    common = patched(site, registry, [Edit("join", name, {"groups": list(groups)})], task)
    return Case(**common, name=name, groups=tuple(groups), request=request)


def steps(case: Case) -> Steps:
    """Approved, then merged."""
    yield from gates(Request(**case.request))
    patch = patch_of(case, f"admin: {case.name} joins {', '.join(case.groups)}")
    yield from patch_steps(case, patch, f"join-{case.name}-{'-'.join(case.groups)}")


PROCEDURE = Procedure("join-group", Case, look, steps, subjects, lambda case: (told_at_the_end(case),))
