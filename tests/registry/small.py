"""A small registry that breaks no rule, as a base for the tests to vary."""

from __future__ import annotations

from collections import Counter

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
    return _surplus(before.split("\n"), after.split("\n")), _surplus(after.split("\n"), before.split("\n"))


def _surplus(lines: list[str], others: list[str]) -> list[str]:
    left = Counter(others)
    surplus = []
    for line in lines:
        left[line] -= 1
        if left[line] < 0:
            surplus.append(line)
    return surplus
