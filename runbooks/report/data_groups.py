"""The groups for data: what each is for, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.model import Json
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean, number


def print_data_groups(groups: Sequence[Mapping[str, Json]], meant: str, ldap: str, name: str, *, file: TextIO) -> None:
    """Print groups as the document has them. ``meant`` are the patterns that they match, ``ldap`` names the directory's
    groups, ``name`` is who wants to be in one."""
    canvas = Canvas(file)
    if not groups:
        canvas.line(f"The registry has no group like {clean(meant)} (access.data_groups in invoke.yaml).")
    width = column((group["name"] for group in groups), 60)
    for group in groups:
        head = [number(group["members"], "member"), f"{group['kerberos']:,} with Kerberos"]
        head += [f"{group['ldap']:,} in {clean(ldap)}"] if group["ldap"] is not None else []
        head += ["gives sudo"] if group["sudo"] else []
        head += [f"{clean(name)} is in it"] if group["is_member"] else []
        canvas.line((padded(clean(group["name"]), width), "bold"), "  ", ", ".join(head), hang=width + 2)
        if group["description"]:
            canvas.line((clean(group["description"]), "dim"), indent=2)
        who = clean(" or ".join(group["approval"])) or "whoever leads its project (the registry names nobody)"
        canvas.line(f"approved by {who}", indent=2)
        canvas.line(f"needs {clean(', '.join(group['needs']))}", indent=2)
    canvas.show()
