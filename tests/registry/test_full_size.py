"""The made-up registry at the field's size: what the facts say of it, and what a rename of it changes."""

from __future__ import annotations

import re

import pytest
import yaml

from runbooks.registry import Registry
from runbooks.registry.synthetic import synthetic

from .small import changed


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(synthetic())


def count(pattern: str, text: str) -> int:
    return len(re.findall(pattern, text, re.MULTILINE))


def test_it_has_the_fields_size_and_styles(registry: Registry) -> None:
    text = registry.text
    assert 7100 <= text.count("\n") <= 7600
    assert 240_000 <= len(text.encode()) <= 290_000
    assert (len(registry.users()), len(registry.groups()), len(registry.ldap_only_users())) == (629, 126, 228)
    assert sum(not user.present for user in registry.users()) == 260
    assert 250 <= count(r"^ *#", text) <= 320
    assert 40 <= count(r"\S +# ", text) <= 80
    assert 18 <= count(r": &\w", text) <= 24
    assert 35 <= count(r"[\[ ]\*team", text) <= 50
    assert 290 <= count(r"ssh_keys: \[\]$", text) <= 330
    assert 220 <= count(r"ssh_keys:$", text) <= 260
    assert count(r"ssh_keys: \[\S+ [^\]]*\]$", text) >= 38
    assert count(r"ssh_keys: \[[a-z]\S+$", text) == 13
    assert count(r"^  '", text) > 5 and count(r'^  "', text) > 5
    assert any(user.rename for user in registry.users())
    orders = {tuple(entry) for entry in yaml.load(text, Loader=yaml.CSafeLoader)["users"].values()}
    assert len(orders) >= 90


def test_it_breaks_no_rule(registry: Registry) -> None:
    assert registry.validate() == []


def test_the_same_seed_gives_the_same_text(registry: Registry) -> None:
    assert synthetic() == registry.text
    assert synthetic(seed=2) != registry.text


def test_a_rename_changes_as_many_lines_as_a_careful_person(registry: Registry) -> None:
    """Counted from the text alone: one line for the key, one for ``name:``, one per list line that holds the name.

    The stub repeats the key's line, which so is among the lines kept; the absent list's end is one line more.
    """
    for user in [user for user in registry.users() if user.present and not user.system][::25]:
        word = re.compile(rf"(?<![\w-]){user.name}(?![\w-])")
        lines = [line.split("#")[0] for line in registry.text.split("\n") if not line.lstrip().startswith("#")]
        holding = [line for line in lines if word.search(line) and "@" not in line and "realname" not in line]
        after = registry.rename(user.name, "zz-new", task="T123")
        removed, added = changed(registry.text, after.text)
        assert len(removed) == len(holding), removed
        wrapped = any(line.strip() == f"{user.name}]" for line in added)
        diff = registry.diff(after).split("\n")[2:]
        assert sum(line.startswith("-") for line in diff) == len(holding) + 1
        assert sum(line.startswith("+") for line in diff) == len(holding) + 1 + 5 + wrapped
