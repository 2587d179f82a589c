"""Edits of accounts over made-up registries of every style: what they mean, what they touch, and the way back."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runbooks.errors import RegistryError
from runbooks.registry import Registry
from runbooks.registry.lists import WIDEST
from tests.registry.small import changed
from tests.registry.test_properties import made_up, plainly_loaded, shapes

CHECKED = settings(max_examples=60, suppress_health_check=list(HealthCheck))
MADE = st.builds(lambda seed, shape: Registry(shapes(made_up(seed).text)[shape]), st.integers(0, 12), st.integers(0, 4))


def fresh_key(seed: int) -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + random.Random(seed).randbytes(32)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} somebody@{seed}"


def pick(found: list[Any], number: int) -> Any:
    assume(found)
    return found[number % len(found)]


def people(registry: Registry) -> list[str]:
    return [user.name for user in registry.users() if user.present and not user.system]


def edited(before: Registry, edit: Callable[[Registry], Registry]) -> Registry:
    """The edit, or nothing where it is refused for a list that others use."""
    try:
        return edit(before)
    except RegistryError as error:
        assume("which use" not in str(error))
        raise


def flat(value: Any) -> list[str]:
    return [name for item in value for name in (flat(item) if isinstance(item, list) else [item])]


def membership(text: str) -> dict[str, list[str]]:
    return {name: flat(group["members"]) for name, group in plainly_loaded(text)["groups"].items()}


@CHECKED
@given(before=MADE, who=st.integers(0), where=st.integers(0))
def test_join_and_leave_again(before: Registry, who: int, where: int) -> None:
    name = pick(people(before), who)
    open_to = [g.name for g in before.groups() if name not in g.members and not g.deprecated and "absent" not in g.name]
    group = pick(open_to, where)
    after = edited(before, lambda r: r.join(name, [group]))
    expected = membership(before.text)
    found = membership(after.text)
    assert found[group] == [*expected[group], name]
    # Another group may use the list, and have the name of its own as well.
    assert {g: set(m) for g, m in found.items() if g != group} == {g: set(m) for g, m in expected.items() if g != group}
    gone, come = changed(before.text, after.text)
    assert len(gone) <= 1, gone
    assert len(come) <= 2, come
    # A comment that passes the margin is not what a line is wrapped for.
    assert max(len(line.split("  #")[0]) for line in come) <= max(WIDEST + 1, *map(len, gone)), come
    assert after.leave(name, [group]).text == before.text


@CHECKED
@given(before=MADE, who=st.integers(0), where=st.integers(0))
def test_leave_touches_one_line(before: Registry, who: int, where: int) -> None:
    name = pick([name for name in people(before) if before.groups_of(name)], who)
    group = pick(list(before.groups_of(name)), where)
    after = edited(before, lambda r: r.leave(name, [group]))
    expected = membership(before.text)
    found = membership(after.text)
    assert found[group] == [one for one in expected[group] if one != name]
    assert {g: set(m) for g, m in found.items() if g != group} == {g: set(m) for g, m in expected.items() if g != group}
    gone, come = changed(before.text, after.text)
    assert len(gone) <= 2, gone
    assert len(come) <= 1, come


@CHECKED
@given(before=MADE, who=st.integers(0), seed=st.integers(0, 10**6))
def test_a_key_comes_and_goes(before: Registry, who: int, seed: int) -> None:
    name, key = pick(people(before), who), fresh_key(seed)
    after = before.add_key(name, key)
    data = plainly_loaded(before.text)
    data["users"][name]["ssh_keys"] = [*data["users"][name]["ssh_keys"], key]
    assert plainly_loaded(after.text) == data
    gone, come = changed(before.text, after.text)
    assert len(gone) <= 1
    assert len(come) <= 2
    assert after.remove_key(name, key).text == before.text


@CHECKED
@given(before=MADE, who=st.integers(0), which=st.integers(0))
def test_a_lost_key_goes(before: Registry, who: int, which: int) -> None:
    name = pick([user.name for user in before.users() if user.ssh_keys and user.present], who)
    data = plainly_loaded(before.text)
    keys = data["users"][name]["ssh_keys"]
    lost = keys[which % len(keys)]
    after = before.remove_key(name, lost)
    data["users"][name]["ssh_keys"] = [key for key in keys if key != lost]
    assert plainly_loaded(after.text) == data
    cleared = before.clear_keys(name)
    data["users"][name]["ssh_keys"] = []
    assert plainly_loaded(cleared.text) == data


@CHECKED
@given(before=MADE, who=st.integers(0))
def test_an_expiry_comes_and_goes(before: Registry, who: int) -> None:
    found = [*before.users(), *before.ldap_only_users()]
    name = pick([one.name for one in found if one.present and one.expiry_date is None], who)
    assume(before.user(name) is None or before.ldap_only(name) is None)
    after = before.set_expiry(name, "2031-02-03", "bob")
    data = plainly_loaded(before.text)
    table = "users" if name in data["users"] else "ldap_only_users"
    data[table][name] |= {"expiry_date": "2031-02-03", "expiry_contact": "bob"}
    assert plainly_loaded(after.text) == data
    assert after.set_expiry(name, None, None).text == before.text


@CHECKED
@given(before=MADE, who=st.integers(0))
def test_an_account_ends(before: Registry, who: int) -> None:
    found = [*before.users(), *before.ldap_only_users()]
    name = pick([one.name for one in found if one.present], who)
    after = edited(before, lambda r: r.absent(name))
    data = plainly_loaded(before.text)
    table, group = ("users", "absent") if name in data["users"] else ("ldap_only_users", "absent_ldap")
    entry = data[table][name] | {"ensure": "absent"}
    entry = {key: value for key, value in entry.items() if key not in ("email", "expiry_date", "expiry_contact")}
    entry |= {key: [] for key in ("ssh_keys", "buster_ssh_keys") if key in entry}
    entry |= {key: "absent" for key in ("krb",) if key in entry}
    assert plainly_loaded(after.text)[table] == data[table] | {name: entry}
    members = membership(before.text)
    without = {g: [one for one in found if one != name] for g, found in members.items()}
    assert membership(after.text) == without | {group: [*members[group], name]}
    assert after.validate() == []


@CHECKED
@given(before=MADE, who=st.integers(0), seed=st.integers(0, 10**6), where=st.integers(0))
def test_somebody_gets_a_shell(before: Registry, who: int, seed: int, where: int) -> None:
    name = pick([one.name for one in before.ldap_only_users() if one.present], who)
    group = pick([g.name for g in before.groups() if not g.deprecated and "absent" not in g.name], where)
    key = fresh_key(seed)
    after = edited(before, lambda r: r.promote(name, uid=40123, groups=[group], ssh_keys=[key]))
    data = plainly_loaded(before.text)
    known = data["ldap_only_users"].pop(name)
    new = known | {"uid": 40123, "gid": 500, "ssh_keys": [key]}
    assert plainly_loaded(after.text)["users"] == data["users"] | {name: new}
    assert plainly_loaded(after.text)["ldap_only_users"] == data["ldap_only_users"]
    assert after.validate() == []


@CHECKED
@given(before=MADE, seed=st.integers(0, 10**6))
def test_somebody_new(before: Registry, seed: int) -> None:
    keys = [fresh_key(seed), fresh_key(seed + 1)]
    after = before.add_user(
        "zz-new", uid=40123, realname="Zoë: O'Neil", email="z@example.org", ssh_keys=keys, krb="present"
    )
    data = plainly_loaded(before.text)
    person = {"ensure": "present", "realname": "Zoë: O'Neil", "email": "z@example.org"}
    new = person | {"uid": 40123, "gid": 500, "ssh_keys": keys, "krb": "present"}
    assert plainly_loaded(after.text)["users"] == data["users"] | {"zz-new": new}
    assert changed(before.text, after.text)[0] == []
    other = before.add_ldap_only("zz-new", realname="Zoë: O'Neil", email="z@example.org")
    assert plainly_loaded(other.text)["ldap_only_users"] == data["ldap_only_users"] | {"zz-new": person}


ODD = ["no", "null", "on", "~", "1_000", "12:30", "2031-02-03", "1e3", ":sym", "a: b", "a #b", "- a", "[a]", "*a", "&a",
       "!a", "|", "'", '"', "a'b\"c", " ahead", "behind ", "\\n", "%", "@x", "`", "{a: b}", "?", "---", "=", "<<",
       "Zoë\u00a0李🦊"]  # fmt: skip
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True) | st.sampled_from(["no", "null", "on", "y", "true"])
SAID = st.sampled_from(ODD) | st.text(max_size=30)


@CHECKED
@given(before=MADE, who=st.integers(0), realname=SAID, email=SAID, contact=SAID)
def test_what_is_said_is_read_back(before: Registry, who: int, realname: str, email: str, contact: str) -> None:
    """Every character of it, or it is refused."""
    said = {"realname": realname, "email": email, "expiry_date": "2031-02-03", "expiry_contact": contact}
    name = pick([one.name for one in before.ldap_only_users() if one.present], who)
    edits: list[tuple[str, str, dict[str, str], Callable[[], Registry]]] = [
        ("ldap_only_users", "zz-new", said, lambda: before.add_ldap_only("zz-new", **said)),
        ("users", "zz-new", said, lambda: before.add_user("zz-new", uid=40123, **said)),
        ("users", name, said, lambda: before.promote(name, uid=40123, **said)),
        (
            "ldap_only_users",
            name,
            {"realname": realname, "email": email},
            lambda: before.set_contact(name, email=email, realname=realname),
        ),
    ]
    for table, subject, expected, edit in edits:
        try:
            after = edit()
        except RegistryError as error:
            assert "is not one line of text" in str(error) or "contractor" in str(error)
            continue
        assert plainly_loaded(after.text)[table][subject].items() >= expected.items()


@CHECKED
@given(before=MADE, name=NAMES, where=st.integers(0))
def test_a_name_is_read_back(before: Registry, name: str, where: int) -> None:
    assume(before.entry(name) is None)
    group = pick([group.name for group in before.groups() if "team" in group.name and not group.deprecated], where)
    try:
        after = edited(before, lambda r: r.add_user(name, uid=40123, realname="A", email="a@x", groups=(group,)))
    except RegistryError as error:
        assert "the name of a system account" in str(error)
        return
    assert name in plainly_loaded(after.text)["users"]
    assert membership(after.text)[group][-1] == name
    assert name in membership(after.absent(name).text)["absent"]


WRONG = [
    None,
    7,
    True,
    1.5,
    b"x",
    object(),
    [],
    {},
    ["x", 7],
    [["x"]],
    "",
    " ",
    "x",
    "-",
    "123",
    "No",
    "\n",
    ["\n"],
    "\ud800",
]
CALLS: list[Callable[[Registry, str, Any], Registry]] = [
    lambda r, _, wrong: r.add_ldap_only(wrong, realname="A", email="a@x"),
    lambda r, _, wrong: r.add_user("zz", uid=wrong, realname="A", email="a@x"),
    lambda r, _, wrong: r.add_user("zz", uid=40123, realname="A", email="a@x", gid=wrong),
    lambda r, _, wrong: r.add_user("zz", uid=40123, realname="A", email="a@x", groups=wrong),
    lambda r, _, wrong: r.add_user("zz", uid=40123, realname="A", email="a@x", ssh_keys=wrong),
    lambda r, _, wrong: r.add_user("zz", uid=40123, realname="A", email="a@x", krb=wrong),
    lambda r, _, wrong: r.add_ldap_only("zz", realname=wrong, email=wrong),
    lambda r, _, wrong: r.add_ldap_only("zz", realname="A", email="a", expiry_date=wrong, expiry_contact="b"),
    lambda r, _, wrong: r.promote(wrong, uid=40123),
    lambda r, name, wrong: r.join(name, wrong),
    lambda r, _, wrong: r.join(wrong, ["team-1"]),
    lambda r, name, wrong: r.leave(name, wrong),
    lambda r, _, wrong: r.leave(wrong, ["team-1"]),
    lambda r, name, wrong: r.add_key(name, wrong),
    lambda r, _, wrong: r.add_key(wrong, fresh_key(1)),
    lambda r, name, wrong: r.remove_key(name, wrong),
    lambda r, _, wrong: r.clear_keys(wrong),
    lambda r, name, wrong: r.set_expiry(name, wrong, wrong),
    lambda r, name, wrong: r.set_contact(name, email=wrong),
    lambda r, _, wrong: r.absent(wrong),
    lambda r, _, wrong: r.rename(wrong, "zz-new"),
    lambda r, name, wrong: r.rename(name, wrong),
    lambda r, name, wrong: r.rename(name, "zz-new", wrong),
    lambda _r, _, wrong: Registry(wrong),
]


@CHECKED
@given(before=MADE, who=st.integers(0), call=st.sampled_from(CALLS), wrong=st.sampled_from(WRONG))
def test_what_is_no_argument_is_refused_and_nothing_else(
    before: Registry, who: int, call: Callable[[Registry, str, Any], Registry], wrong: Any
) -> None:
    """An argument of the wrong type never ends in another error; one that can be written is read back."""
    try:
        after = call(before, pick(people(before), who), wrong)
    except RegistryError as error:
        assert "\n" not in str(error)
        return
    assert len(after.validate()) <= len(before.validate()) or after.text == wrong
