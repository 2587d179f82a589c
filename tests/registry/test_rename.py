"""What a rename changes: exactly the lines that a careful person would have changed."""

from __future__ import annotations

import pytest

from runbooks.errors import RegistryError
from runbooks.registry import Registry

from .small import BOB, SMALL, STUB, changed, small


def renamed(text: str, task: str | None = None) -> str:
    return Registry(text).rename("bob", "rob", task=task).text


def test_the_whole_rename_of_a_plain_entry() -> None:
    expected = SMALL.replace(BOB, BOB.replace("bob", "rob") + STUB)
    expected = expected.replace("[gone]", "[gone, bob]").replace("[bob, bobby]", "[rob, bobby]")
    assert renamed(SMALL) == expected


def test_the_task_is_named_behind_the_stub() -> None:
    assert "\n    rename: true  # T123\n" in renamed(SMALL, task="T123")
    assert "#" not in renamed(SMALL)


def test_the_stub_has_no_gid_where_the_entry_has_none() -> None:
    text = renamed(small(("    gid: 500\n", "")))
    assert "  bob:\n    ensure: absent\n    uid: 1001\n    rename: true\n  bobby:" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[bob, bobby]", "[rob, bobby]"),
        ("[bob,bobby , bob]", "[rob,bobby , rob]"),
        ("['bob', \"bob\", bobby]", "['rob', \"rob\", bobby]"),
        ("[[bobby, [bob]], bob]", "[[bobby, [rob]], rob]"),
        ("&ops [bobby,\n              bob]  # bob asked", "&ops [bobby,\n              rob]  # bob asked"),
        ("[bob,  # bob\n      # bob\n      bobby]", "[rob,  # bob\n      # bob\n      bobby]"),
        ("[!!str bob, &b bob, *b, !!str &c 'bob']", "[!!str rob, &b rob, *b, !!str &c 'rob']"),
        ("\n      - bob  # bob\n      - bobby\n      - 'bob'", "\n      - rob  # bob\n      - bobby\n      - 'rob'"),
        ("\n    - - bob\n      - bobby\n    - [bob]", "\n    - - rob\n      - bobby\n    - [rob]"),
        ('["b\\x6fb"]', '["rob"]'),
        (
            "[bobby]\n    approval:\n      - bob\n      - bob@x.org",
            "[bobby]\n    approval:\n      - rob\n      - bob@x.org",
        ),
        ("[]\n    system_members: [bob]", "[]\n    system_members: [rob]"),
        ("[bobby]\n    description: bob", "[bobby]\n    description: bob"),
    ],
)
def test_mentions(before: str, after: str) -> None:
    text = small(("[bob, bobby]", before))
    assert f"members: {after}\n" in renamed(text).replace("members:\n", "members: \n")
    only_before, only_after = changed(text, renamed(text))
    assert len(only_after) - len(only_before) == STUB.count("\n")


def test_an_alias_is_renamed_at_its_anchor_only() -> None:
    text = small(("[bob, bobby]", "&ops [bob, bobby]\n  all:\n    members: [*ops, bobby]\n  more:\n    members: *ops"))
    after = Registry(text).rename("bob", "rob")
    assert "members: &ops [rob, bobby]\n  all:\n    members: [*ops, bobby]\n  more:\n    members: *ops\n" in after.text
    assert after.groups_of("rob") == ("ops", "all", "more")


def test_the_explicit_name_field_and_contacts_follow() -> None:
    text = small(
        ("    uid: 1001", '    name: "bob"\n    realname: bob\n    email: bob@x.org\n    uid: 1001'),
        ("lyn: {ensure: present}", 'lyn: {ensure: present, expiry_date: "2099-01-01", expiry_contact: bob}'),
    )
    after = renamed(text)
    assert '    name: "rob"\n    realname: bob\n    email: bob@x.org\n' in after
    assert "expiry_contact: rob}" in after


@pytest.mark.parametrize(
    ("key", "new", "stub"),
    [
        ("bob:", "rob:", "bob:"),
        ("'bob':", "'rob':", "'bob':"),
        ('"bob" :  # x', '"rob" :  # x', '"bob":'),
        ("&k bob:", "&k rob:", "bob:"),
        ("bob: &entry", "rob: &entry", "bob:"),
        ("bob: !!map", "rob: !!map", "bob:"),
    ],
)
def test_the_key_is_spelled_as_it_was(key: str, new: str, stub: str) -> None:
    after = renamed(small(("  bob:", f"  {key}")))
    assert f"users:\n  {new}\n    ensure: present\n" in after
    assert f"\n  {stub}\n    ensure: absent\n" in after


@pytest.mark.parametrize(
    "tail",
    [
        "    ssh_keys: []  # none\n",
        "    ssh_keys: []\n    # deeper: belongs to bob\n",
        "    ssh_keys: []\n\n    # deeper: belongs to bob\n",
        "    ssh_keys: [\n      ]\n",
        "    ssh_keys:\n    -\n      x\n",
        "    ssh_keys: *none\n",
        "    ssh_keys: *none\n    # deeper\n\n    # still\n",
        "    comment: |\n      text\n\n      # text too\n",
        "    comment: >-  # why\n      text\n      # text too\n",
        "    comment: |+\n      text\n\n\n",
        '    comment: "text\n    # text too"\n',
        "    comment: text\n      goes on\n",
        "    comment:\n",
    ],
)
@pytest.mark.parametrize(
    "after", ["", "\n", "  # uid 1002 is reserved\n", "# far left\n", "\n  # next\n    # deeper\n"]
)
def test_the_stub_stands_right_behind_the_entry(tail: str, after: str) -> None:
    """Comments deeper than the key go with the entry, others stay with what follows."""
    if tail.endswith("|+\n      text\n\n\n"):
        after = after.lstrip("\n")
    text = small(("    ssh_keys: []\n  bobby", f"{tail}{after}  bobby"), ("[lgone]", "[lgone]\n    approval: &none []"))
    stub = STUB if "gid: 500" in text else ""
    registry = Registry(text)
    broken = {violation.rule for violation in registry.validate()}
    assert broken <= {"schema", "ssh-keys"}
    assert f"{tail}{stub}{after}  bobby:" in registry.rename("bob", "rob").text


def test_a_flow_style_entry_gets_a_block_stub() -> None:
    text = small((BOB, "  bob: {ensure: present, uid: 1001,\n    ssh_keys: []\n  }  # one\n  # two\n"))
    after = renamed(text)
    stub = STUB.replace("    gid: 500\n", "")
    assert "  rob: {ensure: present, uid: 1001,\n    ssh_keys: []\n  }  # one\n" + stub + "  # two\n" in after


def test_the_stub_follows_the_entrys_own_indentation() -> None:
    text = small((BOB, "  bob:\n       ensure: present\n       uid: 0x3e9\n       ssh_keys:\n       - k\n"))
    assert "  bob:\n       ensure: absent\n       uid: 0x3e9\n       rename: true\n  bobby" in renamed(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[gone]", "[gone, bob]"),
        ("[]", "[bob]"),
        ("[ ]", "[bob]"),
        ("[gone, ]", "[gone, bob, ]"),
        ("['gone']", "['gone', 'bob']"),
        ("[[gone]]", "[[gone], bob]"),
        ("&z [gone]  # all", "&z [gone, bob]  # all"),
        ("[gone\n    ]", "[gone, bob\n    ]"),
        ("[gone  # c\n      ]", "[gone,  # c\n              bob\n      ]"),
        ("[gone,  # c\n      ]", "[gone,  # c\n              bob,\n      ]"),
        ("[  # c\n      gone]", "[  # c\n      gone, bob]"),
        ("\n      - gone", "\n      - gone\n      - bob"),
        ("\n    - gone", "\n    - gone\n    - bob"),
        ("\n      -   'gone'  # c\n      # d", "\n      -   'gone'  # c\n      -   'bob'\n      # d"),
    ],
)
def test_the_old_name_is_appended_to_absent(before: str, after: str) -> None:
    assert f"  absent:\n    members: {after}\n" in renamed(small(("[gone]", before))).replace(
        "members:\n", "members: \n"
    )


@pytest.mark.parametrize(("width", "wrapped"), [(109 - 5, False), (110 - 5, False), (111 - 5, True)])
def test_the_absent_list_wraps_at_110_columns(width: int, wrapped: bool) -> None:
    """``, bob`` takes five columns; the closing bracket counts too."""
    line = "    members: [gone, "
    line += "g" * (width - len(line) - 1) + "]"
    after = renamed(small(("    members: [gone]", line)))
    assert (f"{line[:-1]},\n{' ' * 14}bob]\n" if wrapped else f"{line[:-1]}, bob]\n") in after
    assert max(map(len, after.split("\n"))) <= 110


def test_a_wrapped_absent_list_goes_on_with_its_own_indentation() -> None:
    full = "g" * 100
    after = renamed(small(("[gone]", f"[gone,\n        {full}]")))
    assert f"        {full},\n        bob]\n" in after


@pytest.mark.parametrize(
    "shape",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r\n").rstrip("\r\n"),
        lambda text: text.removeprefix("---\n"),
        lambda text: text + "...\n",
        lambda text: text + "\n\n# the end",
        lambda text: text.replace("    uid: 1001", '    realname: "Zoë 😀 \u2028 李"\n    uid: 1001', 1),
        lambda text: "# 😀😀😀 é\n" + text,
        lambda text: text.replace("groups:", "groups:  # \u2028 # é\x85 # x"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_the_files_own_shape_stays(shape, last: bool) -> None:
    """Byte-order mark, line ends, a missing final newline, characters beyond ASCII before and inside the entry."""
    text = SMALL
    if last:
        head, ldap_only = SMALL.split("ldap_only_users")
        text = "---\nldap_only_users" + ldap_only + head.removeprefix("---\n").replace(BOB, "") + BOB
    expected = text.replace(BOB, BOB.replace("bob", "rob") + STUB)
    expected = expected.replace("[gone]", "[gone, bob]").replace("[bob, bobby]", "[rob, bobby]")
    assert renamed(shape(text)) == shape(expected)


def test_names_that_yaml_reads_as_booleans_are_quoted() -> None:
    after = Registry(SMALL).rename("bob", "on")
    assert "  'on':\n" in after.text and "members: ['on', bobby]" in after.text
    assert after.user("on") is not None and after.groups_of("on") == ("ops",)


def test_a_second_rename_leaves_two_stubs() -> None:
    twice = Registry(SMALL).rename("bob", "rob", task="T1").rename("rob", "robin", task="T2")
    assert twice.validate() == []
    assert [(user.name, user.rename) for user in twice.users()][:3] == [("robin", False), ("rob", True), ("bob", True)]
    with pytest.raises(RegistryError, match=r"bob is already in users \(line \d+\)"):
        twice.rename("robin", "bob")


def test_rules_broken_before_do_not_block() -> None:
    text = small(("    ssh_keys: []\n  bobby", "    shoe_size: 9\n  bobby"), ("[bob, bobby]", "[bob, nobody-knows]"))
    registry = Registry(text)
    before = registry.validate()
    after = registry.rename("bob", "rob").validate()
    assert len(before) == len(after) == 3
    assert {violation.rule for violation in after} == {"schema", "members", "ssh-keys"}
