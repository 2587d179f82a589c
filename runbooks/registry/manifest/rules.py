"""The rules that a registry of the old style can be held against.

``uid`` (there, unique), ``realname`` (unique: it is the title that puppet knows an account by), ``members`` (each
include leads to an account's class), ``ssh-keys`` (a key that is present can be read, and its owner is not disabled),
``reserved-name``, and ``unsure``: what is written so that nobody can edit it safely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from runbooks.registry.keys import parse_key
from runbooks.registry.manifest.people import ACCOUNTS
from runbooks.registry.manifest.reading import Reading
from runbooks.registry.model import Violation
from runbooks.registry.names import RESERVED


def violations(reading: Reading) -> list[Violation]:
    """Every broken rule, ordered by line, then rule."""
    found = [violation for rule in RULES for violation in rule(reading)]
    return sorted(found, key=lambda violation: (violation.line, violation.rule, violation.message))


def _uids(reading: Reading) -> Iterator[Violation]:
    holders: dict[int, list[str]] = defaultdict(list)
    for user in reading.users.values():
        if user.uid is None:
            yield Violation(user.line, "uid", f"accounts::{user.name} has no $uid, or not simply a number")
            continue
        if holders[user.uid]:
            others = ", ".join(holders[user.uid])
            yield Violation(user.line, "uid", f"accounts::{user.name}: uid {user.uid} is also {others}'s")
        holders[user.uid].append(user.name)


def _realnames(reading: Reading) -> Iterator[Violation]:
    holders: dict[str, str] = {}
    for user in reading.users.values():
        if user.realname and holders.setdefault(user.realname, user.name) != user.name:
            other = holders[user.realname]
            message = f"accounts::{user.name}: {user.realname!r} is also {other}'s; puppet takes one account of a title"
            yield Violation(user.line, "realname", message)


def _members(reading: Reading) -> Iterator[Violation]:
    known = {one.name for one in reading.classes}
    for group in reading.group_classes.values():
        for member in group.accounts:
            if ACCOUNTS + member.member not in known:
                line = reading.line(member.token)
                yield Violation(line, "members", f"admins::{group.owner.short}: {member.member} is not in accounts")


def _ssh_keys(reading: Reading) -> Iterator[Violation]:
    for name, account in reading.accounts.items():
        for key in (one for one in account.keys if one.present):
            line = reading.line(key.ensure)
            if not account.enabled and not account.faults:
                yield Violation(line, "ssh-keys", f"accounts::{name} is disabled, but the key {key.title!r} is present")
            try:
                parse_key(key.text)
            except ValueError as error:
                yield Violation(line, "ssh-keys", f"accounts::{name}, key {key.title!r}: {error}")


def _names(reading: Reading) -> Iterator[Violation]:
    for user in reading.users.values():
        if user.name in RESERVED:
            yield Violation(user.line, "reserved-name", f"accounts::{user.name} has the name of a system account")


def _unsure(reading: Reading) -> Iterator[Violation]:
    for prefix, found in (("accounts", reading.accounts), ("admins", reading.group_classes)):
        for name, one in found.items():
            for fault in one.faults:
                yield Violation(fault.line, "unsure", f"{prefix}::{name}: {fault.why}")


RULES: tuple[Callable[[Reading], Iterator[Violation]], ...] = (
    _uids,
    _realnames,
    _members,
    _ssh_keys,
    _names,
    _unsure,
)
