"""Each rule: broken once, found once, on its line."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from runbooks.registry import Registry

from .small import ED25519, SMALL, small

BOBS_KEYS = "    ssh_keys: []\n  bobby"
EXPIRY = '    expiry_date: "2030-01-02"\n    expiry_contact: d@x\n'


def bob(fields: str) -> str:
    return small((BOBS_KEYS, f"{fields}{BOBS_KEYS}"))


def lyn(fields: str) -> str:
    return small(("lyn: {ensure: present", f"lyn: {{ensure: present, {fields}"))


def ops(fields: str) -> str:
    return small(("    gid: 700\n", f"    gid: 700\n{fields}"))


@pytest.mark.parametrize(
    ("text", "line", "rule", "message"),
    [
        (SMALL + "hosts: {}\n", 24, "schema", "hosts: unknown table"),
        (bob("    shoe_size: 9\n"), 15, "schema", "users.bob.shoe_size is an unknown field"),
        (ops("    shoe_size: 9\n"), 9, "schema", "groups.ops.shoe_size is an unknown field"),
        (
            small(("lyn: {ensure: present", "lyn: {ensure: present, uid: 5")),
            23,
            "schema",
            "lyn.uid is an unknown field",
        ),
        (small(("    uid: 1001\n", "")), 11, "schema", "users.bob.uid is missing"),
        (small(("lyn: {ensure: present}", "lyn: {realname: Lyn}")), 23, "schema", "lyn.ensure is missing"),
        (small(("lyn: {ensure: present}", "lyn:")), 23, "schema", "lyn has no fields"),
        (small(("uid: 1001", "uid: '1001'")), 13, "schema", "users.bob.uid is no number"),
        (small(("uid: 1001", "uid: 499")), 13, "schema", "users.bob.uid is 499, outside 500-65535"),
        (small(("gid: 500", "gid: 65536")), 14, "schema", "users.bob.gid is 65536, outside"),
        (bob("    krb: maybe\n"), 15, "schema", "users.bob.krb is neither present nor absent"),
        (bob("    realname: 7\n"), 15, "schema", "users.bob.realname is no text"),
        (bob("    rename: 'true'\n"), 15, "schema", "users.bob.rename is neither true nor false"),
        (bob("    buster_ssh_keys: x\n"), 15, "schema", "users.bob.buster_ssh_keys is no list"),
        (bob(EXPIRY.replace('"', "")), 15, "schema", "users.bob.expiry_date is no quoted date"),
        (bob(EXPIRY.replace("01-02", "02-30")), 15, "schema", "users.bob.expiry_date is no date: 2030-02-30"),
        (bob(EXPIRY.replace("2030-01-02", "20300102")), 15, "schema", "is not written as YYYY-MM-DD"),
        (small(("bobby]", "bobby, on]")), 9, "schema", "groups.ops.members holds something that is no name"),
        (small(("  lyn", "  on")), 23, "schema", "ldap_only_users.on: a name that YAML reads as no text"),
        (small(("    members: [bob, bobby]\n", "")), 7, "schema", "groups.ops.members is missing"),
        (small(("    members: [bob, bobby]", "    members: bob")), 9, "schema", "groups.ops.members is no list"),
        (ops("    approval: Ann\n"), 9, "schema", "groups.ops.approval is no list"),
        (ops("    privileges: [7]\n"), 9, "schema", "groups.ops.privileges holds something that is no text"),
        (ops("    deprecated: 'yes'\n"), 9, "schema", "groups.ops.deprecated is neither true nor false"),
        (small(("    gid: 700", "    gid: 499")), 8, "schema", "groups.ops.gid is 499, outside 500-65535"),
        (
            small(("    ensure: present", "    ensure: here"), ("bob, ", "")),
            12,
            "schema",
            "users.bob.ensure is neither",
        ),
        (small(("lyn: {ensure: present", "lyn: {ensure: off")), 23, "schema", "lyn.ensure is neither present nor"),
        (lyn("expiry_date: 2030-01-02, expiry_contact: x"), 23, "schema", "lyn.expiry_date is no quoted date"),
        (lyn("krb: present"), 23, "schema", "ldap_only_users.lyn.krb is an unknown field"),
        (SMALL.split("  lgone: ")[0], 21, "schema", "ldap_only_users is nothing"),
        (small(("uid: 1003", "uid: 1001")), 18, "uid", "users.bobby: uid 1001 is also bob's"),
        (small(("uid: 1001", "uid: 950")), 13, "uid", "users.bob: uid 950, but only a system account"),
        (bob("    system: true\n"), 13, "uid", "users.bob: uid 1001, but a system account is"),
        (small(("uid: 1001", "uid: 50000")), 13, "uid", "users.bob: uid 50000 is above 49999"),
        (ops("    members: [bob]\n  two:\n    gid: 700\n"), 11, "gid", "groups.two: gid 700 is also ops's"),
        (small(("[gone]", "[]")), 20, "absent", "users.gone is absent, but not in groups.absent"),
        (small(("[gone]", "[gone, bob]")), 4, "absent", "groups.absent: bob is no absent entry of users"),
        (small(("[gone]", "[gone, nosuch]")), 4, "absent", "groups.absent: nosuch is no absent entry of users"),
        (small(("[lgone]", "[]")), 22, "absent-ldap", "ldap_only_users.lgone is absent, but not in groups.absent_ldap"),
        (small(("[lgone]", "[lgone, lyn]")), 6, "absent-ldap", "groups.absent_ldap: lyn is no absent entry"),
        (
            small(("[lgone]", "[lgone, gone]"), ("  lyn: {ensure: present", "  gone: {ensure: absent")),
            6,
            "absent-ldap",
            "gone is in both groups.absent and groups.absent_ldap",
        ),
        (small(("bobby]", "bobby, nosuch]")), 9, "members", "groups.ops: nosuch is not in users"),
        (small(("bobby]", "bobby, gone]")), 9, "members", "groups.ops: gone is not present"),
        (small(("bobby]", "bobby, lyn]")), 9, "members", "groups.ops: lyn is not in users"),
        (small((BOBS_KEYS, "  bobby")), 11, "ssh-keys", "users.bob has no ssh_keys"),
        (
            bob("    buster_ssh_keys: [ssh-rsa x]\n"),
            15,
            "ssh-keys",
            "users.bob.buster_ssh_keys, key 1: the key is no base64",
        ),
        (bob("    expiry_contact: x@y\n"), 15, "expiry", "users.bob has expiry_contact alone"),
        (bob('    expiry_date: "2030-01-02"\n'), 15, "expiry", "users.bob has expiry_date alone"),
        (bob("    email: bob-ctr@x.org\n"), 15, "expiry", "users.bob: a contractor's address needs an expiry_date"),
        (lyn("expiry_contact: x@y"), 23, "expiry", "ldap_only_users.lyn has expiry_contact alone"),
        (lyn("email: lyn-ctr@x.org"), 23, "expiry", "ldap_only_users.lyn: a contractor's address needs"),
        (bob("    system_members: [x]\n"), 15, "schema", "users.bob.system_members is an unknown field"),
        (ops("    privileges: ['ALL = NOPASSWD: /usr/bin/strace*']\n"), 9, "sudo", "groups.ops: 'strace'"),
        (ops("    deprecated: true\n").replace("[bob, bobby]", "[[], [bob]]"), 10, "deprecated", "has members"),
        (ops("    deprecated: true\n"), 10, "deprecated", "groups.ops is deprecated, but has members"),
        (ops("    privileges: ['ALL = NOPASSWD: /usr/bin/vi /x']\n"), 9, "sudo", "groups.ops: 'vi' in a sudo line"),
        (ops("    privileges:\n      - 'ALL = x'\n      - 'ALL = strace'\n"), 11, "sudo", "groups.ops: 'strace'"),
        (ops("    privileges: ['ALL = /usr/sbin/tcpdump']\n"), 9, "sudo", "groups.ops: 'tcpdump'"),
        (ops("    privileges: ['ALL = /bin/systemctl *']\n"), 9, "sudo", r"groups.ops: 'systemctl \*'"),
        (small(("  lyn", "  bob")), 23, "two-tables", "bob is present in both users and ldap_only_users"),
        (
            small(("  bobby:", "  backup:"), ("bobby]", "backup]")),
            16,
            "reserved-name",
            "users.backup has the name of a",
        ),
    ],
)
def test_a_broken_rule(text: str, line: int, rule: str, message: str) -> None:
    found = Registry(text).validate()
    assert [(violation.line, violation.rule) for violation in found if violation.rule == rule] == [(line, rule)], found
    assert message.replace("\\", "") in next(violation.message for violation in found if violation.rule == rule)


@pytest.mark.parametrize(
    "text",
    [
        SMALL,
        bob(EXPIRY + "    email: bob-ctr@x.org\n"),
        small(("uid: 1003", "uid: 1001\n    rename: true")),
        small((BOBS_KEYS, f"    ssh_keys:\n      - {ED25519}\n  bobby")),
        ops("    privileges: ['ALL = /bin/systemctl restart x', 'ALL = /usr/bin/view, /usr/bin/vim-x, /srv/vi/x']\n"),
        small(("uid: 1001", "uid: 901\n    system: true"), ("    ssh_keys: []\n", "")),
        small(("  lyn: {ensure: present}", "  gone: {ensure: present}")),
    ],
)
def test_nothing_to_find(text: str) -> None:
    assert Registry(text).validate() == []


def test_accounts_that_expire_within_a_week_are_listed_only_when_asked() -> None:
    registry = Registry(bob(EXPIRY))
    assert registry.validate() == registry.validate(today=date(2029, 12, 25)) == []
    soon = registry.validate(today=date(2029, 12, 26))
    assert [(violation.line, violation.message) for violation in soon] == [(15, "users.bob expires on 2030-01-02")]
    assert registry.validate(today=date(2030, 1, 3))[0].message == "users.bob expired on 2030-01-02"
    assert registry.validate(today="2029-12-26") == registry.validate(today=datetime(2029, 12, 26, 9)) == soon
    person = Registry(lyn('expiry_date: "2030-01-02", expiry_contact: x'))
    assert [violation.message for violation in person.validate(date(2030, 1, 2))] == [
        "ldap_only_users.lyn expires on 2030-01-02"
    ]


def test_a_missing_table_is_a_violation_only() -> None:
    assert [violation.message for violation in Registry("users: {}\n").validate()] == [
        "groups is missing",
        "ldap_only_users is missing",
    ]
