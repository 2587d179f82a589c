"""Rename a shell user everywhere, keeping UID and home (duty page, "Renaming shell users")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.errors import UsageError
from runbooks.inventory import fold
from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.registry import Registry
from runbooks.registry.patches import RenamePatch
from runbooks.site import Site
from runbooks.systems.homes import CarryOver, MoveHome
from runbooks.systems.proposals import Merge, Propose
from runbooks.systems.puppet import Deploy, Idle, Puppet, RunAgain, Start, Stop
from runbooks.systems.renamed import Ready, Renamed
from runbooks.systems.subject import Subject
from runbooks.systems.unix import CreateAccount, DeleteAccount

GIT = ("@git",)


@dataclass(frozen=True)
class Case:
    """What a rename saw when it looked. ``hosts`` are those that have the account, or that could not be read and so may
    have it; ``left_out`` those that the operator leaves out. ``keys`` are ``type base64``."""

    old: str
    new: str
    uid: int
    gid: int | None
    keys: tuple[str, ...]
    hosts: tuple[str, ...]
    left_out: tuple[str, ...]
    servers: tuple[str, ...]
    reason: str
    task: str
    end_processes: bool
    registry: str
    registry_groups: tuple[str, ...]
    repository_branch: str
    checkout: str
    puppet: Mapping[str, Any] = field(default_factory=dict)


def look(
    site: Site,
    *,
    old: str,
    new: str,
    task: str = "",
    reason: str = "",
    without: tuple[str, ...] = (),
    end_processes: bool = False,
) -> Case:
    """Check the names, read the registry, and find every host with the account: all are asked, live.

    Raises UsageError, RegistryError, InventoryError, Unreachable.
    """
    site.refuse_protected(old, new)
    registry = site.registry()
    registry.rename(old, new, task or None)
    user = registry.user(old)
    assert user is not None and user.uid is not None  # rename() refused anything else
    left_out = site.hosts_named(without)
    hosts = site.hosts_with_account(old, user.uid, except_for=left_out)
    if not hosts:
        besides = f" besides {fold(left_out)}" if left_out else ""
        raise UsageError(
            f"no host{besides} has an account {old} with UID {user.uid}: change the registry alone, by a commit"
        )
    why = f"rename-user {old} to {new}" + (f" ({task})" if task else "") + f", {site.operator}"
    return Case(
        old,
        new,
        user.uid,
        user.gid,
        site.keys(user.ssh_keys),
        hosts,
        left_out,
        site.puppet_servers(),
        f"{why}: {reason}" if reason else why,
        task,
        end_processes,
        site.settings.repository.registry,
        tuple(sorted(group.posix_name or group.name for group in registry.groups())),
        site.settings.repository.branch,
        site.settings.puppet.server_checkout,
        site.puppet_record(),
    )


def steps(case: Case) -> Steps:
    """The page's order. The patch is made ready before anything is touched; no home is without an owner for longer than
    it takes; and puppet runs nowhere by itself in between."""
    puppet = Puppet.of(case.puppet)
    old = Subject(case.old, case.new, case.uid, puppet, case.registry_groups, case.end_processes)
    new = old.swapped()
    patch = RenamePatch(case.registry, case.old, case.new, case.task)
    branch = f"ops-clinic/rename-{case.old}-to-{case.new}"
    deploy = Deploy(case.checkout, case.repository_branch, patch)
    hosts = case.hosts

    yield Step(
        "Look at the account on every host",
        Ready(old, case.gid, case.keys),
        on=hosts,
        must_all=True,
        undo=f"Look again: {case.old} is back",
    )
    yield Step(
        "Prepare the registry patch, unmerged but mergeable", Propose(patch, branch), on=GIT, undo="Withdraw the patch"
    )
    yield Step("Stop puppet", Stop(puppet, case.reason, case.old), on=hosts, must_all=True, undo="Let puppet run again")
    yield Step(
        "Delete the old account, keep its home",
        DeleteAccount(old),
        on=hosts,
        must_all=True,
        undo="Run puppet, which creates the old account",
    )
    yield Step(
        "Make sure that puppet is stopped and the UID free", Idle(puppet, case.old, case.uid), hosts, must_all=True
    )
    yield Step("Merge the registry patch", Merge(patch, branch), on=GIT, undo="Revert the registry patch")
    yield Step(
        "Deploy it to the puppet servers",
        deploy,
        on=case.servers,
        must_all=True,
        carries=True,
        undo="Deploy the revert to the puppet servers",
    )
    yield Step(
        "Run puppet, which creates the new account",
        CreateAccount(new),
        on=hosts,
        undo="Delete the new account, keep its home",
    )
    yield Step("Move the old home into place", MoveHome(new), on=hosts, undo="Move the home back")
    yield Step("Carry over mail, crontab and lingering", CarryOver(new), on=hosts, undo="Carry them back")
    yield Step("Let puppet run again", Start(puppet, case.reason, case.new), on=hosts, undo="Stop puppet")
    yield Step("Run puppet once more, which must change nothing", RunAgain(puppet, case.new, (case.old,)), on=hosts)
    yield Step("Look again: same UID, same home, the old name gone", Renamed(new, case.keys), on=hosts)


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Both names: nobody else may work on either."""
    return f"user:{arguments['old']}", f"user:{arguments['new']}"


def notes(case: Case) -> tuple[str, ...]:
    """What to do with hosts that are left out, and what cannot be taken back."""
    found = []
    if case.left_out:
        found.append(
            f"left out: {fold(case.left_out)}. Before such a host rejoins: boot it off the network or with puppet "
            f"disabled, userdel {case.old}, rename the home (mv -T /home/{case.old} /home/{case.new}), then let puppet "
            "run; puppet before that can archive and delete the home"
        )
    if case.end_processes:
        found.append(f"processes of {case.old} are ended, and an undo does not start them again")
    return tuple(found)


PROCEDURE = Procedure("rename-user", Case, look, steps, subjects, notes)

__all__ = ["PROCEDURE", "Case", "Registry", "look", "notes", "steps", "subjects"]
