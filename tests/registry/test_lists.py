"""Names into lists and out of them, in every style that a list may be written in."""

from __future__ import annotations

import pytest

from runbooks.errors import RegistryError
from runbooks.registry import Registry
from tests.registry.small import small

FLOW = "    members: [bob, bobby]\n"

GONE = {
    "the first": ("[ann, bob, bobby]", "[bob, bobby]"),
    "in the middle": ("[bob, ann, bobby]", "[bob, bobby]"),
    "the last": ("[bob, bobby, ann]", "[bob, bobby]"),
    "the only one": ("[ann]", "[]"),
    "the only one, in blanks": ("[ ann ]", "[]"),
    "the only one, with a comma": ("[ann,]", "[]"),
    "before a comma": ("[bob, ann,]", "[bob,]"),
    "quoted": ("[bob, 'ann', \"bobby\"]", '[bob, "bobby"]'),
    "in a nested list": ("[bob, [ann, bobby]]", "[bob, [bobby]]"),
    "behind a nested list": ("[[bob, bobby], ann]", "[[bob, bobby]]"),
    "first on a line": ("[bob,\n              ann, bobby]", "[bob,\n              bobby]"),
    "last on a line": ("[bob, ann,\n              bobby]", "[bob,\n              bobby]"),
    "first of all, alone": ("[ann,\n              bob, bobby]", "[bob, bobby]"),
    "alone on a line": ("[bob,\n              ann,\n              bobby]", "[bob,\n              bobby]"),
    "alone on the last line": ("[bob,\n              ann]", "[bob]"),
    "with a comment of its own": (
        "[bob,\n              ann,  # why\n              bobby]",
        "[bob,\n              bobby]",
    ),
    "with a comment of others, too": (
        "[bob, ann,  # both\n              bobby]",
        "[bob,  # both\n              bobby]",
    ),
    "behind a comment": ("[bob,  # why bob\n              ann]", "[bob  # why bob\n              ]"),
    "behind a comment, the bracket below": (
        "[bob,  # why bob\n              ann\n              ]",
        "[bob  # why bob\n              ]",
    ),
    "its comment before the bracket": (
        "[bob,\n              ann  # why\n              ]",
        "[bob  # why\n              ]",
    ),
    "the only one, behind a comment": ("[  # nobody yet\n      ann]", "[  # nobody yet\n      ]"),
}


def registry(members: str) -> Registry:
    ann = "  ann:\n    ensure: present\n    uid: 1007\n    ssh_keys: []\n"
    ann += "  zed: {ensure: present, uid: 1008, ssh_keys: []}\n"
    gap = "" if members[:1] in "\n " else " "
    return Registry(small((FLOW, f"    members:{gap}{members}\n"), ("users:\n", f"users:\n{ann}")))


@pytest.mark.parametrize("case", GONE)
def test_a_name_goes(case: str) -> None:
    before, after = GONE[case]
    assert registry(before).leave("ann", ["ops"]).text == registry(after).text


BLOCK = {
    "the first": ("\n      - ann\n      - bob", "\n      - bob"),
    "the last": ("\n      - bob\n      - ann", "\n      - bob"),
    "at the key's own depth": ("\n    - bob\n    - ann", "\n    - bob"),
    "with comments": (
        "\n      - bob\n      # on leave\n      - ann  # until May\n      - bobby",
        "\n      - bob\n      - bobby",
    ),
    "the first, below a comment": ("\n      # sorted\n      - ann\n      - bob", "\n      # sorted\n      - bob"),
    "the only one": ("\n      - ann", " []"),
    "the only one, and a comment": ("  # who\n      - ann  # why", " []  # who"),
    "the only one, under an anchor": (" &ops\n      - ann", " &ops []"),
}


@pytest.mark.parametrize("case", BLOCK)
def test_a_name_goes_from_a_list_of_lines(case: str) -> None:
    before, after = BLOCK[case]
    assert registry(before).leave("ann", ["ops"]).text == registry(after).text


COME = {
    "[]": "[ann]",
    "[ ]": "[ann]",
    "[bob]": "[bob, ann]",
    "[bob,]": "[bob, ann,]",
    "['bob']": "['bob', 'ann']",
    "[bob  # why\n    ]": "[bob,  # why\n              ann\n    ]",
    "[bob, zed,\n     bobby]": "[bob, zed,\n     bobby, ann]",
    "[bob,\n              bobby]": "[bob,\n              bobby,\n              ann]",
    "[\n      bob,\n      bobby,\n    ]": "[\n      bob,\n      bobby,\n      ann,\n    ]",
    "[\n      bob\n    ]": "[\n      bob,\n      ann\n    ]",
    "[bob, zed,\n     bobby\n    ]": "[bob, zed,\n     bobby, ann\n    ]",
    "[\n      bob, zed,\n      bobby\n    ]": "[\n      bob, zed,\n      bobby, ann\n    ]",
    "\n      - bob": "\n      - bob\n      - ann",
    "\n    - 'bob'  # why\n    # the end": "\n    - 'bob'  # why\n    - 'ann'\n    # the end",
}


@pytest.mark.parametrize("before", COME)
def test_a_name_comes(before: str) -> None:
    after = registry(before).join("ann", ["ops"])
    assert after.text == registry(COME[before]).text
    if "[ ]" not in before:
        assert after.leave("ann", ["ops"]).text == registry(before).text


SHARED = (FLOW, "    members: &ops [bob, bobby]\n  deploy:\n    members: [*ops, ann]\n  all:\n    members: *ops\n")


def test_a_list_that_others_use() -> None:
    """It is edited where it is written, and only where all whom that touches are named."""
    one = Registry(
        small(SHARED, ("users:\n", "users:\n  ann:\n    ensure: present\n    uid: 1007\n    ssh_keys: []\n"))
    )
    for groups, others in ((["ops"], "deploy, all"), (["ops", "all"], "deploy"), (["deploy"], "ops, all")):
        with pytest.raises(RegistryError, match=f"to leave {groups[0]}, bob would have to leave {others}, too"):
            one.leave("bob", groups)
    alone = one.leave("bob", ["all", "ops", "deploy"])
    assert alone.text == one.text.replace("&ops [bob, bobby]", "&ops [bobby]")
    assert alone.join("bob", ["all", "deploy", "ops"]).text == one.text.replace(
        "&ops [bob, bobby]", "&ops [bobby, bob]"
    )
    with pytest.raises(
        RegistryError, match=r"to join ops, ann would have to join all, too, which uses the list in line 9"
    ):
        one.join("ann", ["ops"])
    assert one.join("ann", ["ops", "all"]).text == one.text.replace("&ops [bob, bobby]", "&ops [bob, bobby, ann]")
    assert one.absent("bob").groups_of("bob") == ("absent",)


def test_a_list_that_is_used_elsewhere_too() -> None:
    """Outside of the groups an edit would change what nobody asked for."""
    text = small(("groups:\n", "lists: &x [bob]\ngroups:\n"), ("[bob, bobby]", "[*x, bobby]"))
    with pytest.raises(RegistryError, match="the list in line 2 is used elsewhere, too"):
        Registry(text).leave("bob", ["ops"])


def test_an_entry_that_another_one_is() -> None:
    text = small(("  bobby:\n    ensure: present\n    uid: 1003\n    ssh_keys: []\n", "  bobby: *e\n"),
                 ("  bob:\n", "  bob: &e\n    email: b@x\n"))  # fmt: skip
    for edit in (
        lambda r: r.set_contact("bob", email="c@x"),
        lambda r: r.absent("bobby"),
        lambda r: r.clear_keys("bob"),
    ):
        with pytest.raises(RegistryError, match="used again through an alias"):
            edit(Registry(text))


REFUSED = {
    "a name twice in one list": ("[ann, ann]", "stands twice in one list"),
    "dashes on one line": ("\n      - - ann\n        - bob", "dash has company"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_edited(case: str) -> None:
    before, why = REFUSED[case]
    with pytest.raises(RegistryError, match=why):
        registry(before).leave("ann", ["ops"])
