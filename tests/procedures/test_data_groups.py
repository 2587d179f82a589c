"""`inv data-groups`: which groups for data there are, and what each needs, from the registry and the directory."""

from __future__ import annotations

import io
from dataclasses import asdict

import pytest

from runbooks.errors import UsageError
from runbooks.lab.directory import GROUPS, PEOPLE
from runbooks.procedures.data_groups import data_groups
from runbooks.report.data_groups import print_data_groups
from tests.systems.repositories import DATA

from .conftest import World

MORE = """\
groups:
  analytics-privatedata-users:
    gid: 720
    description: "private data: see the wiki"
    members: [alice, bob]
    approval: [zoe, bob]
  analytics-admins:
    gid: 721
    members: [zoe]
    privileges: ['ALL = (hdfs) NOPASSWD: ALL']
  analytics-old:
    gid: 722
    members: []
    deprecated: true
  analytics-daemon:
    gid: 723
    members: []
    system: true
  researchers:
    gid: 724
    description: databases
    members: [bob]
"""


@pytest.fixture
def registry(world: World) -> None:
    text = world.remote.show(DATA).replace("groups:\n", MORE, 1)
    text = text.replace("    uid: 1002\n", "    uid: 1002\n    krb: present\n", 1)
    world.remote.push({DATA: text}, "Groups for data")
    world.server.modify(f"dn: cn=nda,{GROUPS}\nchangetype: modify\nadd: member\nmember: uid=alice,{PEOPLE}\n")


@pytest.mark.usefixtures("registry")
def test_what_each_needs(world: World) -> None:
    found = {group.name: group for group in data_groups(world.site, "zoe")}
    assert list(found) == ["analytics-privatedata-users", "analytics-admins", "researchers"]
    private, admins, readers = found.values()
    assert (private.members, private.kerberos, private.ldap, private.approval) == (2, 1, 1, ("zoe", "bob"))
    assert private.needs == (
        "the supervisor's approval",
        "the approval for analytics-privatedata-users",
        "the responsibilities document",
        "the NDA",
        "Wait 3 days for the security review",
    )
    assert admins.needs[-1] == "the meeting's review"
    assert (private.is_member, admins.is_member) == (False, True)
    assert (readers.kerberos, readers.ldap) == (1, 0)


@pytest.mark.usefixtures("registry")
def test_as_it_is_printed(world: World) -> None:
    paper = io.StringIO()
    groups = [asdict(group) for group in data_groups(world.site, "zoe")]
    print_data_groups(groups, "analytics-*", "wmf or nda", "zoe", file=paper)
    lines = paper.getvalue().splitlines()
    assert lines[0] == "analytics-privatedata-users  2 members, 1 with Kerberos, 1 in wmf or nda"
    assert lines[1:3] == ["  private data: see the wiki", "  approved by zoe or bob"]
    assert "analytics-admins             1 member, 0 with Kerberos, 0 in wmf or nda, gives sudo, zoe is in it" in lines
    assert "  approved by whoever leads its project (the registry names nobody)" in lines


def test_which_ones_is_a_setting(world: World) -> None:
    assert data_groups(world.site) == []
    paper = io.StringIO()
    print_data_groups([], "analytics-*", "wmf or nda", "", file=paper)
    assert "no group like analytics-*" in paper.getvalue()
    object.__setattr__(world.site.settings.access, "data_groups", ("o[pt]*",))
    object.__setattr__(world.site.settings.ldap, "url", None)
    assert [(group.name, group.ldap) for group in data_groups(world.site)] == [("ops", None), ("other", None)]


def test_no_name(world: World) -> None:
    with pytest.raises(UsageError, match="is no account name"):
        data_groups(world.site, "zoe)(uid=*")
