"""Put a shell user into groups of the registry (duty page, "Access requests")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import Request, gates, request_of
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched
from runbooks.registry.edits import Edit
from runbooks.site import Site


@dataclass(frozen=True)
class Case(Patched):
    """Who comes into which groups, and what the request says."""

    name: str
    groups: tuple[str, ...]
    approvals: Mapping[str, Any]
    sudo: bool | None
    moved: str


def look(site: Site, *, name: str, groups: tuple[str, ...], moved: str = "", task: str = "") -> Case:
    """Whether the registry takes them. Raises UsageError, RegistryError, Blocked."""
    site.refuse_protected(name)
    registry = site.registry()
    request = request_of(registry, name, groups, moved)
    common = patched(site, registry, [Edit("join", name, {"groups": list(groups)})], task)
    return Case(**common, name=name, groups=tuple(groups), approvals=request.approvals, sudo=request.sudo, moved=moved)


def steps(case: Case) -> Steps:
    """Approved, then merged."""
    yield from gates(Request(case.name, case.approvals, case.sudo, case.moved))
    patch = patch_of(case, f"admin: {case.name} joins {', '.join(case.groups)}")
    yield from patch_steps(case, patch, f"join-{case.name}-{'-'.join(case.groups)}")


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The account."""
    return (f"user:{arguments['name']}",)


PROCEDURE = Procedure("join-group", "Join groups", Case, look, steps, subjects, lambda _case: ())
