"""The lab's account registry, written the way people have written the field's for ten years."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from runbooks.lab.people import Person

_WIDTH = 110
_INDENT = " " * 14
# name: (gid, description, sudo lines). "restricted" also takes in everyone of the anchored list of "deployment".
_GROUPS: dict[str, tuple[int, str, list[str]]] = {
    "ops": (700, "roots", ["ALL = (ALL) NOPASSWD: ALL"]),
    "deployment": (705, "those who deploy", ["ALL = (www-data) NOPASSWD: ALL"]),
    "restricted": (706, "access to restricted hosts", []),
    "analytics-users": (731, "users of the analytics cluster", []),
}
_FIRST_FREE_GID = 800
_HEAD = """\
---
# Shell accounts of the lab. Rules: UIDs are never used twice; an entry that is absent stays for ever.
# UIDs are taken from LDAP; 1042 is reserved for the archive.
groups:
  wikidev:
    gid: 500
    description: primary group of every person
    members: []
"""
_TAIL = """\
ldap_only_users:
  victor:
    ensure: present
    realname: Victor Vega
    email: victor@example.org
  trent:
    ensure: absent  # left
    realname: Trent Tully
"""


def registry_text(people: Sequence[Person], keys: dict[str, str]) -> str:
    """data.yaml for these people; ``keys`` has the public key of each present one."""
    used = {name for person in people for name in person.groups}
    unknown = sorted(used - set(_GROUPS))
    groups = _GROUPS | {name: (_FIRST_FREE_GID + i, f"{name} people", []) for i, name in enumerate(unknown)}
    parts = [_HEAD]
    for name, (gid, description, privileges) in groups.items():
        parts.append(_group(name, gid, description, privileges, [p.name for p in people if name in p.groups]))
    parts.append(_members("absent", [p.name for p in people if p.absent], "  # purged everywhere"))
    parts.append(_members("absent_ldap", ["trent"]))
    parts.append("\nusers:\n")
    parts += [user_entry(person, keys.get(person.name), style) for style, person in enumerate(people)]
    return "".join([*parts, _TAIL])


def _group(name: str, gid: int, description: str, privileges: list[str], members: list[str]) -> str:
    text = f"  {name}:\n    gid: {gid}\n    description: {description}\n"
    anchor = ""
    if name == "deployment":
        anchor = "&deployers "
    if name == "restricted":
        members = ["*deployers", *members]
    text += wrap(anchor, members)
    if privileges:
        text += "    privileges: [" + ", ".join(f"'{line}'" for line in privileges) + "]\n"
    return text


def _members(name: str, members: list[str], comment: str = "") -> str:
    return f"  {name}:{comment}\n    description: no group on any host\n{wrap('', members)}"


def wrap(anchor: str, members: Sequence[str]) -> str:
    """A flow list of members, continued at 14 spaces."""
    lines = [f"    members: {anchor}["]
    for i, member in enumerate(members):
        word = member + ("," if i + 1 < len(members) else "")
        glue = "" if lines[-1].endswith("[") or lines[-1] == _INDENT else " "
        if len(lines[-1]) + len(glue) + len(word) + 1 > _WIDTH:
            lines.append(_INDENT)
            glue = ""
        lines[-1] += glue + word
    return "\n".join(lines) + "]\n"


def user_entry(person: Person, key: str | None, style: int) -> str:
    """One entry of ``users``; styles differ as the field's do."""
    realname = (person.realname or person.name.title()).replace("'", "''")
    lines = [f"  {person.name}:", f"    ensure: {'absent' if person.absent else 'present'}"]
    ids = [f"    gid: 500{'  # wikidev' if style % 5 == 0 else ''}", f"    uid: {person.uid}"]
    lines += ids if style % 2 else ids[::-1]
    lines.append(f"    realname: '{realname}'" if "'" in realname or style % 3 == 0 else f"    realname: {realname}")
    if person.absent or not key:
        return "\n".join([*lines, "    ssh_keys: []", ""])
    lines.append(f"    email: {person.email}")
    block = [
        ["    ssh_keys:", f"      - {key}"],
        [f"    ssh_keys: [{key}]"],
        ["    ssh_keys:", f"      - '{key}'"],
        ["    ssh_keys:", f'      - "{key}"'],
    ]
    return "\n".join([*lines, *block[style % len(block)], ""])


def with_people(text: str, people: Sequence[Person], keys: dict[str, str]) -> str:
    """An existing registry with more people in it, wherever it has got to since the lab was made."""
    entries = "".join(user_entry(person, keys.get(person.name), style) for style, person in enumerate(people))
    text = text.replace("\nldap_only_users:\n", f"\n{entries}ldap_only_users:\n", 1)
    for group in sorted({name for person in people for name in person.groups}):
        text = _add_members(text, group, [p.name for p in people if group in p.groups])
    return _add_members(text, "absent", [p.name for p in people if p.absent])


def _add_members(text: str, group: str, names: Sequence[str]) -> str:
    if not names:
        return text
    members = _find(_find(_find(yaml.compose(text, yaml.CSafeLoader), "groups"), group), "members")
    if members is None:
        gid = 1 + max([_FIRST_FREE_GID, *(g.get("gid", 0) for g in yaml.safe_load(text)["groups"].values())])
        fresh = f"  {group}:\n    gid: {gid}\n    description: {group} people\n{wrap('', names)}"
        return text.replace("\n  absent:", f"\n{fresh}  absent:", 1)
    close = members.end_mark.index - 1
    glue = f",\n{_INDENT}" if isinstance(members, yaml.SequenceNode) and members.value else ""
    return text[:close] + glue + f",\n{_INDENT}".join(names) + text[close:]


def _find(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)
