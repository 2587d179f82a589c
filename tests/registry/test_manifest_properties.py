"""Edits of made-up manifests in every style: what they mean, what they touch, the way back; and broken ones."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runbooks.errors import RegistryError
from runbooks.registry.manifest import Manifest
from tests.registry.manifests import OLD, STYLES, Made, Person, key_line
from tests.registry.small import changed

CHECKED = settings(max_examples=80, suppress_health_check=list(HealthCheck))
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")


@st.composite
def made(draw: st.DrawFn) -> tuple[Made, Manifest]:
    people = []
    for number, name in enumerate(draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))):
        present = draw(st.lists(st.booleans(), max_size=3))
        keys = tuple((number * 10 + place, one) for place, one in enumerate(present))
        switch = draw(st.sampled_from((None, True, False)))
        people.append(Person(name, 1001 + number, keys, switch, draw(st.sampled_from(("", "RT 7", "class x { } ' ")))))
    members = st.lists(st.sampled_from([one.name for one in people]), unique=True)
    result = Made(tuple(people), {group: tuple(draw(members)) for group in ("roots", "mortals")})
    text = result.text(draw(st.sampled_from(STYLES)))
    return result, Manifest(text if draw(st.booleans()) else text.rstrip("\r\n"))


MADE = made()


def pick(found: list[str], number: int) -> str:
    assume(found)
    return found[number % len(found)]


def meaning(manifest: Manifest) -> dict[str, object]:
    said: dict[str, object] = {
        user.name: (user.present, user.uid, user.realname, user.ssh_keys) for user in manifest.users()
    }
    return said | {f"in {group.name}": group.members for group in manifest.groups()}


def only_adds(before: Manifest, after: Manifest) -> list[str]:
    gone, come = changed(before.text, after.text)
    assert gone == []
    same_breaks(before, after)
    return come


def same_breaks(before: Manifest, after: Manifest) -> None:
    if "\r\n" in before.text:
        assert after.text.count("\n") == after.text.count("\r\n")
    assert after.text.endswith("\n") == before.text.endswith("\n")


@CHECKED
@given(MADE)
def test_it_reads_what_was_made(case: tuple[Made, Manifest]) -> None:
    said, manifest = case
    enabled = {one.name for one in said.people if one.switch is not False or any(present for _, present in one.keys)}
    for person in said.people:
        user = manifest.user(person.name)
        assert user is not None
        keys = tuple(key_line(seed, f"{person.name}@{seed}") for seed, present in person.keys if present)
        assert (user.uid, user.ssh_keys, user.present) == (person.uid, keys, person.name in enabled)
    for group, members in said.groups.items():
        assert manifest.group(group).members == tuple(name for name in members if name in enabled)  # type: ignore[union-attr]
    assert {violation.rule for violation in manifest.validate()} <= {"ssh-keys"}


@CHECKED
@given(MADE, st.integers(0), st.integers(0))
def test_a_key_goes_and_comes_back(case: tuple[Made, Manifest], who: int, which: int) -> None:
    _, before = case
    name = pick([user.name for user in before.users() if user.ssh_keys], who)
    line = pick(list(before.user(name).ssh_keys), which)  # type: ignore[union-attr]
    after = before.remove_key(name, line)
    gone, come = changed(before.text, after.text)
    assert (len(gone), [one.replace("absent", "present") for one in come]) == (1, gone)
    expected = meaning(before)
    user = before.user(name)
    keys = tuple(key for key in user.ssh_keys if key != line)  # type: ignore[union-attr]
    switch = next(one.switch for one in case[0].people if one.name == name)
    expected[name] = (switch is not False or bool(keys), user.uid, user.realname, keys)  # type: ignore[union-attr]
    if switch is not False:
        assert meaning(after) == expected
        assert after.add_key(name, line).text == before.text
    assert after.user(name).ssh_keys == keys  # type: ignore[union-attr]


@CHECKED
@given(MADE, st.integers(0), st.integers(1000, 10**6))
def test_a_key_is_added_and_only_lines_come(case: tuple[Made, Manifest], who: int, seed: int) -> None:
    said, before = case
    name = pick([one.name for one in said.people if one.switch is not False], who)
    if not any(one.keys and one.switch is not False for one in said.people):
        return
    after = before.add_key(name, key_line(seed, "new @ $home 'and' \"so\" \\"))
    come = only_adds(before, after)
    assert len([line for line in come if "=>" in line and "require" not in line]) == 4
    expected, user = meaning(before), before.user(name)
    line = key_line(seed, "new @ $home 'and' \"so\" \\")
    expected[name] = (True, user.uid, user.realname, (*user.ssh_keys, line))  # type: ignore[union-attr]
    assert meaning(after) == expected
    gone, come = changed(after.text, after.remove_key(name, line).text)
    assert (len(gone), len(come)) == (1, 1)


@CHECKED
@given(MADE, st.integers(0), st.booleans())
def test_groups_come_and_go(case: tuple[Made, Manifest], who: int, roots: bool) -> None:
    said, before = case
    group = "roots" if roots else "mortals"
    open_to = [one.name for one in said.people if one.switch is not False and one.name not in said.groups[group]]
    name = pick(open_to, who)
    after = before.join(name, [group])
    assert len(only_adds(before, after)) == 1
    assert meaning(after) == meaning(before) | {f"in {group}": (*before.group(group).members, name)}  # type: ignore[union-attr]
    same_breaks(before, after)
    assert after.leave(name, [group]).text == before.text


@CHECKED
@given(MADE, st.integers(0))
def test_an_account_ends(case: tuple[Made, Manifest], who: int) -> None:
    said, before = case
    name = pick([user.name for user in before.users() if user.present], who)
    person = next(one for one in said.people if one.name == name)
    after = before.absent(name)
    gone, come = changed(before.text, after.text)
    keys = sum(present for _, present in person.keys)
    assert (len(gone), len(come)) == (keys + (person.switch is True), keys + (person.switch is not False))
    left = {user.name: user for user in after.users()}.pop(name)
    assert (left.present, left.ssh_keys, after.groups_of(name)) == (False, (), ())
    same_breaks(before, after)
    others = {key: value for key, value in meaning(before).items() if key != name and not key.startswith("in ")}
    assert others.items() <= meaning(after).items()
    for line in said.groups.values():
        assert before.text.count(f"accounts::{name}") == after.text.count(f"accounts::{name}"), line


@CHECKED
@given(MADE, st.integers(0, 2))
def test_somebody_new(case: tuple[Made, Manifest], keys: int) -> None:
    said, before = case
    lines = [key_line(5000 + number, "nova@desk") for number in range(keys)]
    if not any(one.keys and one.switch is not False for one in said.people):
        return
    after = before.add_user("nova", uid=2000, realname="Nova 'N'", groups=["roots"], ssh_keys=lines)
    only_adds(before, after)
    user = after.user("nova")
    titles = ("nova@desk", "nova@desk-2")[:keys]
    written = tuple(key_line(5000 + number, title) for number, title in enumerate(titles))
    assert (user.present, user.uid, user.realname, user.ssh_keys) == (True, 2000, "Nova 'N'", written)  # type: ignore[union-attr]
    assert after.groups_of("nova") == ("roots",)
    assert after.text.count("RT 7") == before.text.count("RT 7")


EDITS: tuple[Callable[[Manifest], Manifest], ...] = (
    lambda it: it.absent("alice"),
    lambda it: it.clear_keys("alice"),
    lambda it: it.add_key("alice", key_line(77)),
    lambda it: it.add_key("bob", key_line(77)),
    lambda it: it.join("erin", ["mortals"]),
    lambda it: it.leave("erin", ["roots"]),
    lambda it: it.add_user("nova", uid=3000, realname="Nova", groups=["roots"], ssh_keys=[key_line(78)]),
)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, len(OLD)),
    st.integers(0, 40),
    st.sampled_from(
        ("", "{", "}", "(", ")", '"', "'", "#", "/*", "*/", "$", ",", ";", ":", "=>", "class ", "if ", "\r", "\n")
    ),
    st.sampled_from(EDITS),
)
def test_what_is_broken_is_refused_or_edited_and_nothing_else(
    at: int, length: int, put: str, edit: Callable[[Manifest], Manifest]
) -> None:
    text = OLD[:at] + put + OLD[at + length :]
    try:
        before = Manifest(text)
        before.validate()
        after = edit(before)
    except RegistryError as error:
        assert "report this bug" not in str(error)
        return
    gone, come = changed(text, after.text)
    assert len(gone) <= 3
    assert len(come) <= 30
