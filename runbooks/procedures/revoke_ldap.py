"""Take somebody out of a group of the directory (duty page, "LDAP group changes")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.model import Step
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.patching import LDAP
from runbooks.registry import check_name
from runbooks.site import Site
from runbooks.systems.ldap_groups import OutOfGroup


@dataclass(frozen=True)
class Case:
    """Who goes out of which group."""

    name: str
    group: str


def look(site: Site, *, name: str, group: str) -> Case:  # noqa: ARG001
    """Whether the name is one; the directory is looked at by the step. Raises UsageError."""
    check_name(name)
    return Case(name, group)


def steps(case: Case) -> Steps:
    """One."""
    yield Step(
        f"Take {case.name} out of {case.group}",
        OutOfGroup(case.group, case.name),
        on=LDAP,
        undo=f"Put {case.name} into {case.group}",
    )


def subjects(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The account."""
    return (f"user:{arguments['name']}",)


PROCEDURE = Procedure("revoke-ldap", "Revoke LDAP access", Case, look, steps, subjects, lambda _case: ())
