"""Renames over made-up registries of every style: meaning, lines touched, and the way back."""

from __future__ import annotations

import difflib
import re
from functools import cache

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.registry import Registry
from runbooks.registry.lists import WIDEST
from runbooks.registry.synthetic import synthetic

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NEW = "zz-new-name"


@cache
def made_up(seed: int, users: int = 40) -> Registry:
    return Registry(synthetic(users=users, groups=users // 4, ldap_only=users // 3, seed=seed))


def plainly_loaded(text: str) -> dict:
    return yaml.load(text, Loader=LOADER)


def renamable(registry: Registry) -> list[str]:
    return [user.name for user in registry.users() if user.present and not user.system]


def replaced(value: object, old: str) -> object:
    if isinstance(value, list):
        return [replaced(item, old) for item in value]
    return NEW if value == old else value


def intended(text: str, old: str) -> dict:
    """The rename on what a plain YAML loader reads: worked out apart from the code under test."""
    data = plainly_loaded(text)
    entry = data["users"][old]
    stub = {"ensure": "absent", "uid": entry["uid"], "gid": entry["gid"], "rename": True}
    users = {}
    for name, fields in data["users"].items():
        users[NEW if name == old else name] = fields
        if name == old:
            users[old] = stub
    if entry.get("name") == old:
        entry["name"] = NEW
    for group in data["groups"].values():
        group["members"] = replaced(group["members"], old)
    data["groups"]["absent"]["members"].append(old)
    return {**data, "users": users}


def shapes(text: str) -> list[str]:
    return [text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n"), text.removeprefix("---\n")]


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 12), pick=st.integers(0), shape=st.integers(0, 4), task=st.sampled_from([None, "T123"]))
def test_a_rename_means_its_intent_and_touches_nothing_else(seed: int, pick: int, shape: int, task: str | None) -> None:
    made = made_up(seed)
    names = renamable(made)
    old = names[pick % len(names)]
    before = Registry(shapes(made.text)[shape])
    after = before.rename(old, NEW, task)

    data, expected = plainly_loaded(after.text), intended(before.text, old)
    assert data == expected
    assert list(data["users"]) == list(expected["users"])
    assert after.validate() == []

    # Line by line: replaced words, the stub's lines, one name more at the end of the absent list.
    entry_lines = 0
    matcher = difflib.SequenceMatcher(None, before.text.split("\n"), after.text.split("\n"), autojunk=False)
    word = re.compile(rf"(?<![\w-]){re.escape(old)}(?![\w-])")
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        ours, theirs = before.text.split("\n")[i1:i2], after.text.split("\n")[j1:j2]
        if tag == "equal":
            continue
        assert tag in ("replace", "insert"), (ours, theirs)
        for line in ours:
            code = line.split("#")[0]
            last_of_absent = i1 < before.text.split("\n").index("  absent_ldap:" + "\r" * (shape == 1))
            assert word.search(code) or last_of_absent or (shape == 3 and i2 == before.text.count("\n") + 1), line
        entry_lines += len(theirs) - len(ours)
    wrapped = after.text.count("\n") - before.text.count("\n") - 5
    assert wrapped in (0, 1)
    assert entry_lines == 5 + wrapped


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 12), pick=st.integers(0))
def test_the_inverse_edit_restores_every_character(seed: int, pick: int) -> None:
    """A rename can't be renamed back (the old name is taken by its stub); by hand it can: stub and absent out again."""
    before = made_up(seed)
    names = renamable(before)
    old = names[pick % len(names)]
    text = before.rename(old, NEW, "T1").text
    uid = before.user(old).uid
    stub = re.search(
        rf"  (['\"]?){old}\1:\n    ensure: absent\n    uid: {uid}\n    gid: 500\n    rename: true  # T1\n", text
    )
    assert stub is not None
    text = text.replace(stub.group(), "", 1)
    text = re.sub(rf",\s+'?{old}'?\]", "]", text, count=1)
    assert text.replace(NEW, old) == before.text


def test_absent_lists_stay_within_the_margin() -> None:
    """Renaming one after the other fills and wraps the absent list's last line many times."""
    registry = made_up(99, users=160)
    for number, old in enumerate(renamable(registry)[:40]):
        registry = registry.rename(old, f"zz-{number}")
    lines = registry.text.split("  absent_ldap:")[0].split("members: ")[1].split("\n")
    assert max(map(len, lines[1:])) <= WIDEST
    assert all(line.startswith(" " * 14) for line in lines[1:] if line and not line.lstrip().startswith("#"))
    assert registry.validate() == []
