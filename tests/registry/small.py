"""A small registry that breaks no rule, as a base for the tests to vary."""

from __future__ import annotations

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDHYjWVcfMAcmolF1a7NiXSMm7klfbacJ5QJyCTppbuG bob@laptop"

BOB = """\
  bob:
    ensure: present
    uid: 1001
    gid: 500
    ssh_keys: []
"""

SMALL = f"""\
---
groups:
  absent:
    members: [gone]
  absent_ldap:
    members: [lgone]
  ops:
    gid: 700
    members: [bob, bobby]
users:
{BOB}\
  bobby:
    ensure: present
    uid: 1003
    ssh_keys: []
  gone: {{ensure: absent, uid: 1005}}
ldap_only_users:
  lgone: {{ensure: absent}}
  lyn: {{ensure: present}}
"""

STUB = """\
  bob:
    ensure: absent
    uid: 1001
    gid: 500
    rename: true
"""


def small(*replacements: tuple[str, str]) -> str:
    """The small registry with texts replaced, each of which must stand in it."""
    text = SMALL
    for old, new in replacements:
        if old not in text:
            raise ValueError(f"not in the registry: {old!r}")
        text = text.replace(old, new, 1)
    return text


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that only the first and only the second text has, as a multiset difference, in order."""
    removed, added = before.split("\n"), after.split("\n")
    common = list(added)
    only_before = [line for line in removed if not (line in common and (common.remove(line) or True))]
    common = list(removed)
    only_after = [line for line in added if not (line in common and (common.remove(line) or True))]
    return only_before, only_after
