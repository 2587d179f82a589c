"""What a rename refuses, each in one line that names the account, the line, and what to do."""

from __future__ import annotations

import pytest

from runbooks.errors import RegistryError
from runbooks.registry import Registry, registry

from .small import BOB, SMALL, small

ALIASED = BOB.replace("  bob:\n", "  bob: *x\n").split("\n")[0] + "\n"
CASES = {
    "unknown": (SMALL, "bo", "rob", r"^bo is not in users"),
    "absent": (SMALL, "gone", "rob", r"users.gone \(line 20\) has ensure: absent"),
    "only in LDAP": (SMALL, "lyn", "rob", r"lyn is only in ldap_only_users \(line 23\)"),
    "in both tables": (small(("  lyn:", "  bob:")), "bob", "rob", r"in ldap_only_users too \(line 23\)"),
    "new is a user": (SMALL, "bob", "bobby", r"bobby is already in users \(line 16\)"),
    "new is absent": (SMALL, "bob", "gone", r"gone is already in users \(line 20\)"),
    "new is LDAP-only": (SMALL, "bob", "lgone", r"lgone is already in ldap_only_users \(line 22\)"),
    "new is listed": (
        small(("bobby]", "rob]")),
        "bob",
        "rob",
        r"rob is .* listed in groups.ops.members \(line 9\)",
    ),
    "same": (SMALL, "bob", "bob", "already has that name"),
    "capital": (SMALL, "bob", "Rob", "'Rob' is no account name"),
    "dash": (SMALL, "bob", "-rob", "'-rob' is no account name"),
    "newline": (SMALL, "bob", "rob\n", "no account name"),
    "long": (SMALL, "bob", "r" * 33, "33 characters"),
    "reserved": (SMALL, "bob", "www-data", "'www-data' is the name of a system account"),
    "system name": (small(("  bob:", "  mail:")), "mail", "rob", "mail is the name of a system account"),
    "system flag": (
        small(("uid: 1001", "uid: 1001\n    system: true")),
        "bob",
        "rob",
        r"\(line 11\) is a system account",
    ),
    "system uid": (small(("uid: 1001", "uid: 901")), "bob", "rob", r"line 11\) is a system"),
    "home": (
        small(("uid: 1001", "uid: 1001\n    home_dir: /home/bob")),
        "bob",
        "rob",
        r"users.bob.home_dir \(line 14\) pins the home to '/home/bob'",
    ),
    "run as": (
        small(("[bob, bobby]", "[bob, bobby]\n    privileges: ['ALL = (www-data,bob) NOPASSWD: ALL']")),
        "bob",
        "rob",
        r"groups.ops.privileges \(line 10\)",
    ),
    "alias": (small((BOB, ALIASED), ("absent:", "absent: &x")), "bob", "rob", r"users.bob \(line 11\) is an alias"),
    "no fields": (small((BOB, "  bob:\n")), "bob", "rob", r"users.bob \(line 11\) has no fields"),
    "explicit key": (small(("  bob:\n", "  ? bob\n  :\n")), "bob", "rob", r"\(line 11\) doesn't begin its line \('\?'"),
    "no uid": (small(("    uid: 1001\n", "")), "bob", "rob", r"users.bob \(line 11\) has no uid"),
    "uid is text": (small(("uid: 1001", "uid: '1001'")), "bob", "rob", r"users.bob.uid \(line 13\) is no number"),
    "gid is nothing": (small(("gid: 500", "gid:")), "bob", "rob", r"users.bob.gid \(line 14\) is no number"),
    "users in braces": (
        "groups: {absent: {members: []}}\nusers: {bob: {ensure: present, uid: 1001}}\n",
        "bob",
        "rob",
        r"users.bob \(line 2\) stands in a table in braces",
    ),
    "no absent group": (small(("  absent:", "  missing:")), "bob", "rob", "groups.absent is missing"),
    "no absent list": (small(("[gone]", "")), "bob", "rob", r"groups.absent \(line 3\) has no list of members"),
    "absent list shared": (
        small(("[gone]", "&z [gone]"), ("[lgone]", "[lgone]\n    approval: *z")),
        "bob",
        "rob",
        r"groups.absent \(line 3\) shares its members",
    ),
    "absent list odd": (small(("[gone]", "\n      - - gone")), "bob", "rob", r"line 5: this list .* add bob by hand"),
    "already in absent": (small(("[gone]", "[gone, bob]")), "bob", "rob", r"bob is listed in groups.absent \(line 4\)"),
    "block scalar": (
        small(("[bob, bobby]", "\n      - |-\n        bob")),
        "bob",
        "rob",
        "line 10: 'bob' is written",
    ),
    "anchor of something else": (
        small(("    uid: 1001", "    name: &n bob\n    realname: *n\n    uid: 1001")),
        "bob",
        "rob",
        "would not mean what it should at users.rob.realname",
    ),
    "anchor outside the tables": (
        small(("groups:\n", "lists: &x [bob]\ngroups:\n"), ("[bob, bobby]", "[*x, bobby]")),
        "bob",
        "rob",
        r"would not mean what it should at lists\[0\]",
    ),
    "shared entry with a name field": (
        small(("  bob:\n", "  bob: &e\n    name: bob\n"), ("  gone:", "  car: *e\n  gone:")),
        "bob",
        "rob",
        "uid 1001 is also car's",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    text, old, new, message = CASES[case]
    with pytest.raises(RegistryError, match=message) as caught:
        Registry(text).rename(old, new)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", ["", "123", "T", "T1\n", "T1 # x", "t1"])
def test_what_is_no_task_is_refused(task: str) -> None:
    with pytest.raises(RegistryError, match="no task"):
        Registry(SMALL).rename("bob", "rob", task=task)


def test_a_rename_that_breaks_a_rule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No known text brings this about; the guard is for the ones not known."""
    violation = registry.Violation(1, "uid", "users.bob: uid 1001 is also carol's")
    monkeypatch.setattr(registry, "introduced", lambda *_: [violation])
    with pytest.raises(RegistryError, match=r"would break a rule: users\.bob: uid 1001 is also carol's"):
        Registry(SMALL).rename("bob", "rob")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda text: text.replace("1003", "1004"), "would not mean what it should at users.bobby.uid"),
        (lambda text: text.replace("  bobby:", "bobby:"), "would break the file"),
        (lambda text: text.replace("[lgone]", "[lgone, x]"), r"at groups.absent_ldap.members\[1\]"),
        (lambda text: text.replace("uid: 1003\n    ssh_keys: []", "ssh_keys: []\n    uid: 1003"), "users.bobby"),
        (lambda text: text.replace("uid: 1003", "uid: '1003'"), "users.bobby.uid"),
    ],
)
def test_a_wrong_splice_is_never_handed_out(monkeypatch: pytest.MonkeyPatch, wrong, message: str) -> None:
    splice = registry.splice
    monkeypatch.setattr(registry, "splice", lambda text, edits: wrong(splice(text, edits)))
    with pytest.raises(RegistryError, match=message):
        Registry(SMALL).rename("bob", "rob")
