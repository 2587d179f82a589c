"""The lab's registry reads like the field's, and takes in more people wherever it has got to."""

from __future__ import annotations

import pytest
import yaml

from runbooks.errors import UsageError
from runbooks.lab import Person, cast
from runbooks.lab.registry_text import registry_text, with_people

KEYS = {person.name: f"ssh-ed25519 AAAA {person.name}@example.org" for person in cast()}
MANY = [Person(f"member{n:03}", 3000 + n, ("ops", "deployment")) for n in range(60)]


def flat(members: list[object]) -> list[object]:
    return [name for item in members for name in (flat(item) if isinstance(item, list) else [item])]


def test_the_cast_follows_the_rules() -> None:
    data = yaml.safe_load(registry_text(cast(), KEYS))
    users = data["users"]
    assert len({user["uid"] for user in users.values()}) == len(users)
    absent = [name for name, user in users.items() if user["ensure"] == "absent"]
    assert data["groups"]["absent"]["members"] == absent == ["mallory"]
    assert all(user["gid"] == 500 for user in users.values())
    members = {name for group in data["groups"].values() for name in flat(group["members"])}
    assert members - {"trent"} == set(users), "everyone is a member of something"
    assert "alice" in flat(data["groups"]["restricted"]["members"]), "by the anchored list"
    assert data["ldap_only_users"]["victor"]["ensure"] == "present"


def test_members_are_wrapped_at_fourteen_spaces() -> None:
    text = registry_text(MANY, {})
    assert max(len(line) for line in text.splitlines()) <= 110
    assert "\n              member" in text
    assert yaml.safe_load(text)["groups"]["ops"]["members"] == [person.name for person in MANY]


def test_more_people_change_nothing_else() -> None:
    before = registry_text(cast(), KEYS).replace("present\n", "present  # seen\n", 1)
    after = with_people(before, [*MANY[:2], Person("zoe", 4000, ("fresh",)), Person("yan", 4001, (), absent=True)], {})
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    assert set(new["users"]) - set(old["users"]) == {"member000", "member001", "zoe", "yan"}
    assert {name: new["users"][name] for name in old["users"]} == old["users"]
    assert new["groups"]["absent"]["members"] == ["mallory", "yan"]
    assert new["groups"]["fresh"]["members"] == ["zoe"]
    assert "# seen" in after


@pytest.mark.parametrize("wrong", [("-x", 1001), ("x", 999), ("Root", 1001)])
def test_impossible_people_are_refused(wrong: tuple[str, int]) -> None:
    with pytest.raises(UsageError):
        Person(*wrong)


def test_someone_without_a_group_would_be_cleaned_up() -> None:
    with pytest.raises(UsageError, match="clean-up"):
        Person("x", 1001, ())
