"""Who is in which group of a manifest: one line that includes an account in the group's class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runbooks.errors import RegistryError
from runbooks.registry.manifest.people import ACCOUNTS, GroupClass
from runbooks.registry.manifest.reading import Change, Reading
from runbooks.registry.manifest.spelling import crowded, indent, line_behind, respelled
from runbooks.registry.manifest.statements import Include
from runbooks.registry.splice import Edit


def join(reading: Reading, name: str, groups: Sequence[str]) -> Change:
    """The account is included behind the others of each group. Raises RegistryError."""
    reading.enabled_account(name)
    return included(reading, name, groups)


def included(reading: Reading, name: str, groups: Sequence[str]) -> Change:
    """A name, known or new, included behind the others of each group. Raises RegistryError."""
    edits, meant = [], dict(reading.meaning.groups)
    for group in dict.fromkeys(groups):
        found = reading.group_class(group)
        if name in reading.groups[group].members:
            raise RegistryError(f"{name} is in {group} already (line {reading.line(found.owner.first)})")
        edits.append(_include(reading, found, name))
        meant[group] = (*meant[group], name)
    return Change(tuple(edits), replace(reading.meaning, groups=meant))


def _include(reading: Reading, group: GroupClass, name: str) -> Edit:
    source, tokens = reading.source, reading.source.tokens
    plain = [one for one in group.body.includes if not one.conditional]
    if not plain:
        line = reading.line(group.owner.first)
        raise RegistryError(f"{group.owner.short} (line {line}) includes nothing yet: write the first include by hand")
    last, token = plain[-1], tokens[plain[-1].names[-1]]
    before = indent(source, tokens[last.first].start)
    offset = line_behind(source, token.end, "the include")
    if before is None:
        raise crowded(source, token.start, "the include")
    blanks = source.text[tokens[last.first].end : tokens[last.names[0]].start]
    prefix = "::" if (token.value or "").startswith("::") else ""
    named = f"{prefix}{ACCOUNTS}{name}"
    written = named if token.kind == "word" else respelled(token, named)
    return Edit(offset, offset, f"{source.line_break}{before}include{blanks}{written}")


def leave(reading: Reading, name: str, groups: Sequence[str]) -> Change:
    """The account is not included in these groups any more. Raises RegistryError."""
    reading.account(name)
    edits, meant = [], dict(reading.meaning.groups)
    for group in dict.fromkeys(groups):
        found = reading.group_class(group)
        line = reading.line(found.owner.first)
        if name not in reading.groups[group].members:
            raise RegistryError(f"{name} is not in {group} (line {line})")
        if through := [one for one in found.groups if one in reading.groups and name in reading.groups[one].members]:
            raise RegistryError(f"{name} is in {group} (line {line}) through {' and '.join(through)}: leave that")
        mine = [one for one in found.accounts if one.member == name]
        edits += [_exclusion(reading, one.include) for one in mine]
        meant[group] = tuple(one for one in meant[group] if one != name)
    return Change(tuple(edits), replace(reading.meaning, groups=meant))


def _exclusion(reading: Reading, include: Include) -> Edit:
    source, tokens = reading.source, reading.source.tokens
    first, last = tokens[include.first], tokens[include.names[-1]]
    if include.conditional:
        raise RegistryError(f"line {source.line(first.start)}: the include stands behind a condition; edit it by hand")
    if len(include.names) > 1 or indent(source, first.start) is None:
        raise crowded(source, first.start, "the include")
    end = line_behind(source, last.end, "the include")
    return Edit(source.line_start(first.start), end + len(source.line_break), "")
