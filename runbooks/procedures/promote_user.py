"""Give somebody with LDAP access a shell account, in one edit (duty page, "Creating new shell users")."""

from __future__ import annotations

from runbooks.procedure import Procedure
from runbooks.procedures.create_user import Case, case_of, notes, steps
from runbooks.procedures.patching import said, subjects
from runbooks.site import Site


def look(
    site: Site,
    *,
    name: str,
    key: str,
    groups: tuple[str, ...] = (),
    realname: str = "",
    email: str = "",
    expires: str = "",
    contact: str = "",
    moved: str = "",
    task: str = "",
) -> Case:
    """What the registry says of the person is kept, unless given. Raises as for a new one."""
    return case_of(site, "promote", name, key, groups, moved, task, said(realname, email, expires, contact))


PROCEDURE = Procedure("promote-user", Case, look, steps, subjects, notes)
