"""Take an ssh key out of use everywhere, at once: a laptop was stolen (duty page, "Removing access")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import RegistryError, UsageError
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.patching import Patched, patch_of, patch_steps, patched, subjects
from runbooks.procedures.root_keys import root_key_steps, root_keys_of
from runbooks.procedures.shared_keys import edits_of_others, notes_of_others
from runbooks.registry import User
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import Edit, fingerprints
from runbooks.site import Site
from runbooks.systems.authorized_keys import KeysOut, KeysRefused, blobs_of
from runbooks.systems.puppet import Puppet
from runbooks.systems.sessions import Sessions


@dataclass(frozen=True)
class Case(Patched):
    """Whose keys go (``keys``, ``type base64``, and ``shown``, their fingerprints), and which stay (``kept``);
    ``all_keys``: whatever else the account's files hold goes, too. ``hosts`` are all there are."""

    name: str
    uid: int
    keys: tuple[str, ...]
    kept: tuple[str, ...]
    shown: tuple[str, ...]
    all_keys: bool
    end_sessions: bool
    hosts: tuple[str, ...]
    puppet: Mapping[str, Any] = field(default_factory=dict)
    root_keys: Mapping[str, Any] = field(default_factory=dict)


def look(
    site: Site, *, name: str, key: str = "", all_keys: bool = False, end_sessions: bool = False, task: str = ""
) -> Case:
    """Which keys are meant: one, by its fingerprint or text, or all. Raises UsageError, RegistryError."""
    site.refuse_protected(name)
    if key and all_keys:
        raise UsageError("--key and --all: the one key, or all of them?")
    registry = site.registry()
    user = registry.user(name)
    if user is None or user.uid is None:
        raise RegistryError(f"{name} is not in users, or has no uid there: check the name")
    lines = _meant(user, key)
    edits = [Edit("remove_key", name, {"key": line}) for line in lines if _is_held(user, line)]
    edits += edits_of_others(registry, name, lines)
    common = patched(site, registry, edits, task)
    keys = site.keys(lines)
    return Case(
        **common,
        name=name,
        uid=user.uid,
        keys=keys,
        kept=tuple(key for key in site.keys((*user.ssh_keys, *user.buster_ssh_keys)) if key not in keys),
        shown=tuple(dict.fromkeys(fingerprint_of(line) for line in lines)),
        all_keys=not key,
        end_sessions=end_sessions,
        hosts=tuple(site.inventory.hosts),
        puppet=site.puppet_record(),
        root_keys=root_keys_of(site),
    )


def _meant(user: User, key: str) -> list[str]:
    """The lines of the keys that are meant."""
    held = [line for line in (*user.ssh_keys, *user.buster_ssh_keys) if fingerprints([line])]
    if not key:
        return held
    if not key.startswith("SHA256:"):
        fingerprint_of(key)
        return [key]
    found = [line for line in held if fingerprint_of(line) == key]
    if not found:
        raise UsageError(f"{user.name} (line {user.line}) has no key {key}: give its text if it is on hosts alone")
    return found


def _is_held(user: User, line: str) -> bool:
    return fingerprint_of(line) in fingerprints((*user.ssh_keys, *user.buster_ssh_keys))


def steps(case: Case) -> Steps:
    """Out of the registry, so that puppet puts it nowhere any more; then off every host, without waiting for puppet."""
    patch = patch_of(case, f"admin: revoke {_what(case)} of {case.name}", "\n".join(case.shown))
    yield from patch_steps(case, patch, f"revoke-key-{case.name}")
    blobs = blobs_of(case.keys)
    yield from root_key_steps(case.root_keys, case.name, blobs, case.operator)
    puppet = Puppet.of(case.puppet)
    every = (case.name,) if case.all_keys else ()
    yield Step(
        f"Take {_what(case)} out of every file that sshd reads, root's too",
        KeysOut((case.name, "root"), blobs, every, puppet),
        on=case.hosts,
        patient=True,
        undo="Put the keys back",
    )
    what = "End the sessions" if case.end_sessions else "Look for sessions"
    yield Step(f"{what} of {case.name}", Sessions(case.name, case.uid, case.end_sessions), on=case.hosts, patient=True)
    yield Step(
        "Look again: no file has it, and no sshd takes it",
        KeysRefused((case.name, "root"), blobs, every, refused=case.keys, kept=case.kept),
        on=case.hosts,
        patient=True,
    )


def _what(case: Case) -> str:
    return "all keys" if case.all_keys else f"the key {case.shown[0]}"


def notes(case: Case) -> tuple[str, ...]:
    """What an operator has to see to besides."""
    kept = () if case.edits else (f"the registry has no such key of {case.name}: it is not edited",)
    others = notes_of_others(case, case.name)
    return (*kept, f"keys that go: {', '.join(case.shown) or 'none in the registry'}", *others)


# A lost key is in nobody's hands for longer than it takes.
PROCEDURE = Procedure("revoke-key", Case, look, steps, subjects, notes, batch_size="50")
