"""Edits of one account: what stands in the file afterwards, line by line, and what is refused."""

from __future__ import annotations

import subprocess
from datetime import date

import pytest

from runbooks.errors import RegistryError
from runbooks.registry import Registry
from tests.registry.small import BOB, ED25519, changed, small

OTHER = ED25519.replace("DHYjWVcf", "EHYjWVcf").replace("bob@laptop", "bob@desk")
FINGERPRINT = "SHA256:" + "x" * 43
LYN = """\
  # lyn: until the project ends
  # see T55
  lyn:
    ensure: present
    realname: 'Lyn O''Neil'  # as she writes it
    email: "lyn@example.org"
    # the project's end
    expiry_date: "2030-01-31"
    expiry_contact: bobby
  zed:
    ensure: present
"""


def edited(before: Registry, after: Registry) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    return changed(before.text, after.text)


def test_a_new_user_is_written_as_the_field_does() -> None:
    before = Registry(small())
    after = before.add_user(
        "ann",
        uid=1010,
        realname="Ann: the first",
        email="ann@example.org",
        groups=["ops"],
        ssh_keys=[ED25519],
        expiry_date=date(2031, 2, 3),
        expiry_contact="bob",
    )
    gone, come = edited(before, after)
    assert gone == ["    members: [bob, bobby]"]
    assert come == [
        "    members: [bob, bobby, ann]",
        "  ann:",
        "    ensure: present",
        "    realname: 'Ann: the first'",
        "    email: ann@example.org",
        '    expiry_date: "2031-02-03"',
        "    expiry_contact: bob",
        "    uid: 1010",
        "    gid: 500",
        "    ssh_keys:",
        f"      - {ED25519}",
    ]
    assert after.text.index("  ann:") < after.text.index("ldap_only_users:")


def test_a_new_ldap_only_user_comes_last_and_leaves_the_end_of_the_file_as_it_is() -> None:
    before = Registry(small().rstrip("\n"))
    after = before.add_ldap_only("ann", realname="no", email="ann@example.org")
    assert after.text == before.text + "\n  ann:\n    ensure: present\n    realname: 'no'\n    email: ann@example.org"


@pytest.mark.parametrize("indent", [2, 4])
def test_the_files_own_indentation_is_kept(indent: int) -> None:
    text = small().replace("gone: {ensure: absent, uid: 1005}", "gone:\n    ensure: absent\n    uid: 1005")
    text = "\n".join(" " * ((len(line) - len(line.lstrip())) * (indent - 2) // 2) + line for line in text.split("\n"))
    after = Registry(text).add_user("ann", uid=1010, realname="Ann", email="a@example.org", ssh_keys=[ED25519])
    lines = after.text.split("\n")
    at = lines.index(" " * indent + "ann:")
    assert lines[at + 1] == " " * 2 * indent + "ensure: present"


def test_a_promotion_keeps_what_is_known_as_it_is_written() -> None:
    before = Registry(small(("  lyn: {ensure: present}\n", LYN)))
    after = before.promote("lyn", uid=1011, groups=["ops"], ssh_keys=[ED25519], email="lyn@example.net", krb="present")
    assert LYN.split("  zed:")[0] not in after.text
    users = after.text.split("users:\n")[1].split("ldap_only_")[0]
    assert users.endswith(
        "  # lyn: until the project ends\n"
        "  # see T55\n"
        "  lyn:\n"
        "    ensure: present\n"
        "    realname: 'Lyn O''Neil'  # as she writes it\n"
        "    email: lyn@example.net\n"
        '    expiry_date: "2030-01-31"\n'
        "    expiry_contact: bobby\n"
        "    uid: 1011\n"
        "    gid: 500\n"
        "    ssh_keys:\n"
        f"      - {ED25519}\n"
        "    krb: present\n"
    )
    assert after.group("ops").members == ("bob", "bobby", "lyn")


KEYS = {
    "none": ("ssh_keys: []", f"ssh_keys: [{ED25519}]"),
    "lines": (f"ssh_keys:\n      - {OTHER}", f"ssh_keys:\n      - {OTHER}\n      - {ED25519}"),
    "lines at the key's depth": (f"ssh_keys:\n    - {OTHER}", f"ssh_keys:\n    - {OTHER}\n    - {ED25519}"),
    "quoted lines": (f"ssh_keys:\n      - '{OTHER}'", f"ssh_keys:\n      - '{OTHER}'\n      - '{ED25519}'"),
    "one line": (f"ssh_keys: [{OTHER}]", f"ssh_keys: [{OTHER}, {ED25519}]"),
    "two lines": (
        f"ssh_keys: [{OTHER.replace(' bob', chr(10) + ' ' * 15 + 'bob')}]",
        f"ssh_keys: [{OTHER.replace(' bob', chr(10) + ' ' * 15 + 'bob')},\n{' ' * 15}{ED25519}]",
    ),
}


@pytest.mark.parametrize("style", KEYS)
def test_a_key_comes_in_the_style_that_stands_there(style: str) -> None:
    before, after = (Registry(small((BOB, BOB.replace("ssh_keys: []", text)))) for text in KEYS[style])
    assert before.add_key("bob", ED25519).text == after.text
    assert after.remove_key("bob", ED25519).text == before.text
    options = f'from="10.0.0.0/8" {ED25519.replace("bob@laptop", "another comment")}'
    assert after.remove_key("bob", options).text == before.text, "a key is known by its bytes"


def test_a_key_by_its_fingerprint_and_out_of_both_lists() -> None:
    """The fingerprint as ssh-keygen has it."""
    shown = subprocess.run(["ssh-keygen", "-lf", "-"], input=ED25519.encode(), capture_output=True, check=True)
    both = f"ssh_keys:\n      - {ED25519}\n    buster_ssh_keys: [{ED25519}]"
    before = Registry(small((BOB, BOB.replace("ssh_keys: []", both))))
    after = before.remove_key("bob", shown.stdout.decode().split()[1])
    assert after.user("bob").ssh_keys == after.user("bob").buster_ssh_keys == ()
    assert before.clear_keys("bob").text == after.text


def test_the_end_of_an_account() -> None:
    entry = BOB.replace(
        "ssh_keys: []",
        f"email: bob@example.org  # private\n    ssh_keys:\n      # laptop\n      - {ED25519}\n"
        '    expiry_date: "2030-01-01"\n    expiry_contact: bobby\n    krb: present  # since May',
    )
    before = Registry(small((BOB, entry), ("[bob, bobby]", "[bob,  # the first\n              bobby]")))
    gone, come = edited(before, before.absent("bob"))
    assert sorted(come) == [
        "    ensure: absent",
        "    krb: absent  # since May",
        "    members: [  # the first",
        "    members: [gone, bob]",
        "    ssh_keys: []",
    ]
    assert "    email: bob@example.org  # private" in gone
    assert "      # laptop" in gone


def test_an_ldap_only_account_ends_on_its_line() -> None:
    before = Registry(small())
    assert edited(before, before.absent("lyn")) == (
        ["    members: [lgone]", "  lyn: {ensure: present}"],
        ["    members: [lgone, lyn]", "  lyn: {ensure: absent}"],
    )


def test_ldap_access_ends_of_somebody_whose_shell_ended_before() -> None:
    """One name must not be in both lists of the absent."""
    before = Registry(small(("  lyn: {ensure: present}\n", "  lyn: {ensure: present}\n  gone:\n    ensure: present\n")))
    assert before.absent("gone").text == small()


EMPTY = {
    "braces": ("ldap_only_users: {}  # none yet\n", "ldap_only_users:  # none yet\n"),
    "nothing": ("ldap_only_users:\n", "ldap_only_users:\n"),
    "null": ("ldap_only_users: null\n", "ldap_only_users:\n"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_the_first_entry_of_a_table(case: str) -> None:
    """Indented as the other table's are; and the braces come back with the last one's end."""
    empty, opened = EMPTY[case]
    wide = small(("    members: [lgone]\n", "    members: []\n")).split("ldap_only_users:")[0].replace("  ", "    ")
    before = Registry(wide + empty)
    after = before.add_ldap_only("ann", realname="Ann", email="a@x")
    entry = "    ann:\n        ensure: present\n        realname: Ann\n        email: a@x\n"
    assert after.text == wide + opened + entry
    assert after.promote("ann", uid=1010).text.endswith(
        EMPTY["braces"][0] if case == "braces" else "ldap_only_users: {}\n"
    )
    first = Registry(f"groups: {{}}\n{empty.replace('ldap_only_users', 'users')}ldap_only_users: {{}}\n")
    assert first.add_user("ann", uid=1010, realname="Ann", email="a@x").user("ann").uid == 1010


def test_expiry_and_contact() -> None:
    before = Registry(small())
    after = before.set_expiry("bob", "2030-01-31", "bobby").set_contact("bob", email="bob@example.org", realname="Bob")
    assert edited(before, after)[1] == [
        "    realname: Bob",
        "    email: bob@example.org",
        '    expiry_date: "2030-01-31"',
        "    expiry_contact: bobby",
    ]
    later = after.set_expiry("bob", date(2031, 1, 31), "bobby")
    assert edited(after, later) == (['    expiry_date: "2030-01-31"'], ['    expiry_date: "2031-01-31"'])
    assert [user.name for user in later.expiring(30, date(2031, 1, 2))] == ["bob"]
    assert later.expiring(30, date(2030, 12, 31)) == ()


REFUSED = {
    "there already": (
        lambda r: r.add_ldap_only("bob", realname="B", email="b@x"),
        r"bob is already in users \(line 11\)",
    ),
    "no name": (lambda r: r.add_ldap_only("Bob!", realname="B", email="b@x"), "'Bob!' is no account name"),
    "a taken UID": (lambda r: r.add_user("ann", uid=1001, realname="A", email="a@x"), "uid 1001 is also bob's"),
    "a system UID": (lambda r: r.add_user("ann", uid=905, realname="A", email="a@x"), "only a system account is in"),
    "no such group": (lambda r: r.join("bob", ["nope"]), "nope is no group"),
    "in it already": (lambda r: r.join("bob", ["ops"]), "bob is in ops already"),
    "not in it": (lambda r: r.leave("bob", ["absent"]), "bob is not in absent"),
    "nobody": (lambda r: r.join("nobody1", ["ops"]), "nobody1 is not in users"),
    "somebody absent": (lambda r: r.join("gone", ["ops"]), "gone is not present|gone .* is absent"),
    "absent twice": (lambda r: r.absent("gone"), r"gone \(line 20\) is absent"),
    "no key": (lambda r: r.add_key("bob", "ssh-ed25519 AAAA"), "the key 'ssh-ed25519 AAAA'"),
    "a key of two lines": (lambda r: r.add_key("bob", f"{ED25519}\n{OTHER}"), "is not one line of text"),
    "a key that is there": (
        lambda r: r.add_key("bob", ED25519).add_key("bob", OTHER).add_key("bob", ED25519),
        "has the key already",
    ),
    "a key of another": (lambda r: r.add_key("bob", ED25519).add_key("bobby", ED25519), "bobby cannot have bob's key"),
    "no such key": (lambda r: r.remove_key("bob", FINGERPRINT), f"bob .* has no key '?{FINGERPRINT}"),
    "no keys": (lambda r: r.clear_keys("bob"), "has no keys"),
    "half an expiry": (lambda r: r.set_expiry("bob", "2030-01-01", None), "come together"),
    "no date": (lambda r: r.set_expiry("bob", "31.1.2030", "bobby"), "'31.1.2030' is no date"),
    "a contractor for ever": (lambda r: r.set_contact("bob", email="bob-ctr@x"), "a contractor's address needs"),
    "no LDAP-only user": (lambda r: r.promote("bob", uid=1), "bob is not in ldap_only_users"),
    "no list of groups": (lambda r: r.join("bob", "ops"), "groups: 'ops' is no list"),
    "no such table": (
        lambda _: Registry("users: {}").add_ldap_only("ann", realname="A", email="a@x"),
        "no table ldap_on",
    ),
    "a table that is empty in its way": (
        lambda _: Registry("users: {}\nldap_only_users: {\n}").add_ldap_only("ann", realname="A", email="a@x"),
        r"ldap_only_users \(line 2\) is empty in a way",
    ),
    "a name that YAML misreads": (
        lambda r: Registry(r.text.replace("bobby:", "on:")).add_key("on", ED25519),
        r"users.on \(line 16\) is a name that YAML reads as no text",
    ),
    "such a name again": (
        lambda r: Registry(r.text.replace("bobby:", "on:")).add_ldap_only("on", realname="A", email="a@x"),
        r"users.on \(line 16\) is a name",
    ),
    "no change": (lambda r: r.set_contact("bob"), "bob: neither email nor realname"),
    "a line that hides": (lambda r: r.set_contact("bob", realname="Bob \u202egro"), "is not one line of text"),
    "an entry in braces": (lambda r: r.promote("lyn", uid=1010), "not written on lines of its own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_told_why(case: str) -> None:
    edit, why = REFUSED[case]
    with pytest.raises(RegistryError, match=why):
        edit(Registry(small()))


def test_keys_go_from_lines_of_every_kind() -> None:
    """The list's last line may be a block scalar's, and its first may end in blanks."""
    odd = BOB.replace("ssh_keys: []", f"ssh_keys: \n      - '{OTHER}'\n      - |\n        {ED25519}")
    before = Registry(small((BOB, odd)))
    assert before.clear_keys("bob").text == small()
    with pytest.raises(RegistryError, match=r"bob: line 17: an element is written in a way that is not edited"):
        before.remove_key("bob", ED25519)


ODD = {
    "keys behind an alias": (f"ssh_keys: &k\n      - {ED25519}", lambda r: r.add_key("bob", OTHER)),
    "no list of keys": ("ssh_keys: none", lambda r: r.add_key("bob", ED25519)),
    "an expiry in a block": ('ssh_keys: []\n    expiry_date: |\n      2030\n    expiry_contact: bobby',
                             lambda r: r.set_expiry("bob", "2031-01-01", "bobby")),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_left_alone(case: str) -> None:
    text, edit = ODD[case]
    text = small((BOB, BOB.replace("ssh_keys: []", text)))
    if "&k" in text:
        text = text.replace("    uid: 1003\n    ssh_keys: []", "    uid: 1003\n    ssh_keys: *k")
    with pytest.raises(RegistryError, match=r"line \d+"):
        edit(Registry(text))
