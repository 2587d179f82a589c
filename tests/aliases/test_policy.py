"""Which aliases are roles' and groups', and which are somebody's own."""

from __future__ import annotations

import pytest

from runbooks.aliases.policy import judge, people_of
from runbooks.registry import Registry, User
from runbooks.registry.model import LdapOnlyUser
from runbooks.settings.sections import Aliases

PEOPLE = (
    User("jdoe", 1, realname="John Doe", email="john.doe@example.org"),
    User("ops", 2, realname="Olga P. Smith", email="ops@example.org"),
    User("kmueller", 3, realname="Kärin Müller-Lüdenscheidt", email="kmueller@example.org"),
    User("zoe", 4, realname="Zoë van Dyke"),
    LdapOnlyUser("ørsted", 5, realname="Søren Ørsted", email="so@example.net"),
    User("albert", 6, realname="Albert Markson", email="albert@example.org"),
    User("noname", 7),
    User("grant", 8, realname="Ulysses", email="ulysses@example.com"),
    User("mabel", 9, realname="Mabel Finch (Contractor)"),
)


def said(name: str, *targets: str, policy: Aliases = Aliases()) -> str:  # noqa: B008
    return judge(name, "example.org", targets or ("a@example.net", "b@example.net"), policy, PEOPLE)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("jdoe", "jdoe is the account of John Doe (jdoe)"),
        ("JDoe", "jdoe is the account of John Doe (jdoe)"),
        ("noname", "noname is the account of noname"),
        ("so", "so is the mail address of Søren Ørsted"),
        *(
            (name, f"{name} is the name of John Doe")
            for name in ("john", "doe", "johndoe", "john_doe", "doe.john", "jdoe2")
        ),
        *((name, f"{name} is the name of John Doe") for name in ("j.doe", "john-d", "doej", "doe-j")),
        *(
            (name, "is the name of Kärin")
            for name in ("karin", "kaerin", "muellerluedenscheidt", "kmuller-ludenscheidt")
        ),
        *(
            (name, "is the name of Zoë")
            for name in ("dyke", "vandyke", "zoe.van.dyke", "zvandyke", "zvdyke", "zoedyke")
        ),
        ("soren.orsted", "is the name of Søren"),
        ("mabelfinch", "is the name of Mabel"),
        ("jdoe+lists", "jdoe is the account of John Doe (jdoe)"),
        ("john.doe+x", "john.doe is the mail address of John Doe"),
        *((name, "is the name of Olga") for name in ("osmith", "opsmith", "olgapsmith", "smith.olga")),
        ("jane.roe", "jane.roe looks like a person's name"),
        ("anne-marie.roe", "looks like a person's name"),
        ("josé.roe", "looks like a person's name"),
    ],
)
def test_personal(name: str, why: str) -> None:
    assert why in said(name)
    assert f"{name}@example.org is a personal alias" in said(name)
    assert "OIT handles those" in said(name)


@pytest.mark.parametrize(
    "name",
    [
        "abuse", "postmaster", "ops", "ops-internal", "web-team", "press.de", "legal.eu", "alerts", "root",
        "research", "wikidata", "contractor", "press+de", "doe-fans", "johns", "marketing", "mark", "donate", "x",
        "2025", "sudo",
    ],
)  # fmt: skip
def test_roles_and_groups(name: str) -> None:
    assert said(name) == ""


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("jd", "john.doe@example.org"),
        ("jd", "JDOE"),
        ("jd", "jdoe@example.org"),
        ("joh", "jdoe"),
        ("alb", "albert@example.org"),
    ],
)
def test_one_that_leads_to_somebody_named_alike(name: str, target: str) -> None:
    assert "alone, and is named alike" in said(name, target)
    assert said(name, target, "other@example.net") == ""


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("alert", "albert@example.org"),
        ("wiki", "john.doe@example.org"),
        ("jd", "zoe@example.org"),
        ("marketing2", "albert@example.org"),
        ("jd", "jdoe@elsewhere.example"),
        ("d", "jdoe"),
    ],
)
def test_a_role_that_leads_to_one_person(name: str, target: str) -> None:
    assert said(name, target) == ""


def test_the_policy_decides() -> None:
    assert said("jdoe", policy=Aliases(policy="any")) == ""
    assert said("jdoe", policy=Aliases(roles=("jd??",))) == ""
    assert "the account" in said("ops", policy=Aliases(roles=()))
    assert said("jane.roe", policy=Aliases(personal=())) == ""
    assert "HR handles those" in said("jdoe", policy=Aliases(handled_by="HR"))


def test_system_accounts_are_no_people() -> None:
    registry = Registry(
        "groups: {absent: {members: []}}\n"
        "users:\n  deploy: {ensure: present, uid: 901, system: true}\n"
        "  ann: {ensure: present, uid: 1001, ssh_keys: []}\n"
        "ldap_only_users:\n  zed: {ensure: present}\n"
    )
    assert [one.name for one in people_of(registry)] == ["ann", "zed"]
