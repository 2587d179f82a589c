"""Give a shell user one key more (duty page, "Access requests": the key is confirmed by another way than mail)."""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.procedure import Procedure, Steps
from runbooks.procedures.gates import key_confirmed
from runbooks.procedures.new_keys import read_key, refuse_used
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, subjects
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import Edit
from runbooks.site import Site


@dataclass(frozen=True)
class Case(Patched):
    """Whose key it is."""

    name: str
    fingerprint: str


def look(site: Site, *, name: str, key: str, task: str = "") -> Case:
    """Whether the key is one, and nobody's yet. Raises UsageError, RegistryError, Blocked, Unreachable."""
    site.refuse_protected(name)
    registry, line = site.registry(), read_key(key)
    refuse_used(site, registry, name, line)
    common = patched(site, registry, [Edit("add_key", name, {"key": line})], task)
    return Case(**common, name=name, fingerprint=fingerprint_of(line))


def steps(case: Case) -> Steps:
    """Confirmed, then merged."""
    yield key_confirmed(case.name, case.fingerprint)
    patch = patch_of(case, f"admin: a key more for {case.name}", case.fingerprint)
    yield from patch_steps(case, patch, f"add-key-{case.name}")


PROCEDURE = Procedure("add-key", Case, look, steps, subjects)
