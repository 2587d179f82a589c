"""Give a shell user a key in place of another, or of all (duty page, "Access requests")."""

from __future__ import annotations

from runbooks.errors import UsageError
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.add_key import Case
from runbooks.procedures.gates import key_confirmed
from runbooks.procedures.new_keys import read_key, refuse_used
from runbooks.procedures.patching import patch_of, patch_steps, patched, subjects
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import Edit
from runbooks.site import Site


def look(site: Site, *, name: str, key: str, old: str = "", task: str = "") -> Case:
    """Which keys go, and whether the new one is nobody's yet. Raises UsageError, RegistryError, Blocked."""
    site.refuse_protected(name)
    registry, line = site.registry(), read_key(key)
    refuse_used(site, registry, name, line)
    user = registry.user(name)
    gone = [old] if old else list(dict.fromkeys((*user.ssh_keys, *user.buster_ssh_keys)) if user else ())
    if user and not gone:
        raise UsageError(f"{name} has no key to be replaced: `inv add-key {name}`")
    edits = [*(Edit("remove_key", name, {"key": one}) for one in gone), Edit("add_key", name, {"key": line})]
    return Case(**patched(site, registry, edits, task), name=name, fingerprint=fingerprint_of(line))


def steps(case: Case) -> Steps:
    """Confirmed, then merged in one patch."""
    yield key_confirmed(case.name, case.fingerprint)
    patch = patch_of(case, f"admin: another key for {case.name}", case.fingerprint)
    yield from patch_steps(case, patch, f"replace-key-{case.name}")


PROCEDURE = Procedure("replace-key", Case, look, steps, subjects)
