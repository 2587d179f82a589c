"""Take all of somebody's access: the shell account, the keys, the LDAP groups (duty page, "Removing access")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import RegistryError, UsageError
from runbooks.inventory import fold
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.patching import LDAP, Patched, patch_of, patch_steps, patched, subjects
from runbooks.procedures.root_keys import root_key_steps, root_keys_of
from runbooks.procedures.shared_keys import edits_of_others, notes_of_others
from runbooks.registry import AccountRegistry, User
from runbooks.registry.edits import Edit
from runbooks.registry.model import LdapOnlyUser
from runbooks.site import Site
from runbooks.systems.archive import ArchiveHome
from runbooks.systems.authorized_keys import KeysOut, KeysRefused, blobs_of
from runbooks.systems.belongings import Belongings
from runbooks.systems.ldap_groups import OutOfGroup
from runbooks.systems.puppet import Puppet
from runbooks.systems.sessions import Sessions


@dataclass(frozen=True)
class Case(Patched):
    """Who goes. ``uid`` is None where there is no shell account; ``ldap_groups`` are those that are left, each
    with the one that excludes it; ``remarks`` are what others have to see to; ``purged`` says whether puppet deletes
    the account. The home is packed into a file of the directory ``archive`` (empty: it is not) on the hosts ``packed``,
    which have the account or may have it, and not on those ``left_out``."""

    name: str
    uid: int | None
    keys: tuple[str, ...]
    ldap_groups: Mapping[str, str]
    end_sessions: bool
    hosts: tuple[str, ...]
    remarks: tuple[str, ...]
    puppet: Mapping[str, Any] = field(default_factory=dict)
    root_keys: Mapping[str, Any] = field(default_factory=dict)
    purged: bool = True
    archive: str = ""
    packed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def look(
    site: Site,
    *,
    name: str,
    drop_all: bool = False,
    end_sessions: bool = False,
    without: tuple[str, ...] = (),
    task: str = "",
) -> Case:
    """Where somebody has access: the registry, the directory. Raises UsageError, RegistryError, Blocked."""
    site.refuse_protected(name)
    registry = site.registry()
    user, person = registry.user(name), registry.ldap_only(name)
    if user is None and person is None:
        raise RegistryError(f"{name} is not in the registry: check the name")
    present = [entry for entry in (user, person) if entry is not None and entry.present]
    lines = (*user.ssh_keys, *user.buster_ssh_keys) if user else ()
    edits = [Edit("absent", name)] if present else []
    common = patched(site, registry, [*edits, *edits_of_others(registry, name, lines)], task)
    keys = site.keys(lines)
    return Case(
        **common,
        name=name,
        uid=user.uid if user else None,
        keys=keys,
        ldap_groups=_ldap_groups(site, name, drop_all),
        end_sessions=end_sessions,
        hosts=tuple(site.inventory.hosts) if user else (),
        remarks=tuple(_remarks(registry, name)),
        puppet=site.puppet_record(),
        root_keys=root_keys_of(site) if user else {},
        purged=registry.purges,
        **_packing(site, user, without),
    )


def _packing(site: Site, user: User | None, without: tuple[str, ...]) -> dict[str, Any]:
    """Where the home is packed into a file, if the settings want that. Raises UsageError, InventoryError."""
    archive = site.settings.access.archive
    if without and not (archive and user):
        raise UsageError("--without leaves a host out where homes are archived: there is none here to be")
    if not archive or user is None or user.uid is None:
        return {}
    left_out = site.hosts_named(without)
    packed = site.hosts_with_account(user.name, user.uid, except_for=left_out)
    return {"archive": archive, "packed": packed, "left_out": left_out}


def _ldap_groups(site: Site, name: str, drop_all: bool) -> dict[str, str]:
    """The groups that are left, the privileged ones or all, each with the one that excludes it; nothing where somebody
    is in both: what is undone is as it was."""
    ldap = site.settings.ldap
    if not ldap.url:
        return {}
    reader = site.targets["@ldap"].reader()
    found = reader.groups_of(reader.dn_of(name))  # type: ignore[attr-defined]
    privileged = {ldap.staff, ldap.others, *ldap.privileged}
    other = {group: ldap.not_with(group) for group in found if drop_all or group in privileged}
    return {group: "" if excluded in found else excluded for group, excluded in other.items()}


def _remarks(registry: AccountRegistry, name: str) -> list[str]:
    """What in the registry names somebody who is not there any more."""
    approves = [group.name for group in registry.groups() if name in group.approval]
    people: list[User | LdapOnlyUser] = [*registry.users(), *registry.ldap_only_users()]
    asked = [one.name for one in people if one.expiry_contact == name and one.present]
    found = [f"{name} approves of {', '.join(approves)}: name somebody else there"] if approves else []
    return found + ([f"{name} is asked about the access of {', '.join(asked)}: name somebody else"] if asked else [])


def steps(case: Case) -> Steps:
    """Out of the registry, off every host, out of the directory. A home stays where it is; where it is packed into a
    file, that is before the merge: puppet may delete the account from then on, and a clean-up job the home."""
    if case.uid is not None:
        yield Step(f"Look what else {case.name} owns", Belongings(case.name, case.uid), on=case.hosts, patient=True)
    patch = patch_of(case, f"admin: remove {case.name}")
    yield from patch_steps(case, patch, f"remove-{case.name}", list(_archive_step(case)))
    if case.uid is not None:
        blobs = blobs_of(case.keys)
        yield from root_key_steps(case.root_keys, case.name, blobs, case.operator)
        keys = KeysOut((case.name, "root"), blobs, (case.name,), Puppet.of(case.puppet))
        undo = "Put the keys back"
        yield Step("Take the keys out of every file that sshd reads", keys, on=case.hosts, patient=True, undo=undo)
        what = "End" if case.end_sessions else "Look for"
        sessions = Sessions(case.name, case.uid, case.end_sessions)
        yield Step(f"{what} the sessions of {case.name}", sessions, on=case.hosts, patient=True)
        again = KeysRefused((case.name, "root"), blobs, (case.name,), refused=case.keys)
        yield Step("Look again: no file has a key, and no sshd takes it", again, on=case.hosts, patient=True)
    for group, not_with in case.ldap_groups.items():
        undo = f"Put {case.name} into {group}"
        yield Step(f"Take {case.name} out of {group}", OutOfGroup(group, case.name, not_with), on=LDAP, undo=undo)


def _archive_step(case: Case) -> Steps:
    if case.packed and case.uid is not None:
        change = ArchiveHome(case.name, case.uid, case.archive)
        yield Step(f"Pack the home into {case.archive}", change, on=case.packed, must_all=True)


def notes(case: Case) -> tuple[str, ...]:
    """What stays, and what others have to see to."""
    home = f"the home of {case.name} stays; puppet deletes the account at its next run"
    both = f"home and account of {case.name} stay; puppet takes the keys at its next run"
    found = [home if case.purged else both] if case.hosts else []
    if case.packed:
        found.append(
            f"a host that cannot be reached stands in the way: `inv revoke-key {case.name}` does not wait for it"
        )
    if case.left_out:
        where = fold(case.left_out)
        found.append(f"left out: {where}. Before such a host rejoins: pack the home there; puppet may have it deleted")
    return (*found, *notes_of_others(case, case.name), *case.remarks)


PROCEDURE = Procedure("remove-account", Case, look, steps, subjects, notes, batch_size="50")
