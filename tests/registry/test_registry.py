"""Looking things up, and comparing two registries."""

from __future__ import annotations

import subprocess
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from runbooks.registry import PATH, LdapOnlyUser, Registry, User

from .small import ED25519, SMALL, small


def test_a_user_with_every_field() -> None:
    text = small(
        (
            "    ssh_keys: []\n",
            f"    ssh_keys: [{ED25519.replace(' ', chr(10) + '      ')}, 'b']\n    buster_ssh_keys: [x]\n"
            "    name: Bob\n"
            "    realname: Zoë\n    email: b@x\n    krb: present\n    shell: /bin/zsh\n    home_dir: /srv/x\n"
            '    comment: c\n    expiry_date: "2030-01-02"\n    expiry_contact: d\n    system: yes\n    rename: true\n',
        )
    )
    assert Registry(text).user("bob") == User(
        name="bob", line=11, ensure="present", uid=1001, gid=500, login="Bob", realname="Zoë", email="b@x",
        ssh_keys=(ED25519, "b"), buster_ssh_keys=("x",), krb="present", shell="/bin/zsh", home_dir="/srv/x",
        comment="c", expiry_date="2030-01-02", expiry_contact="d", system=True, rename=True,
    )  # fmt: skip


def test_lookups() -> None:
    registry = Registry(SMALL)
    assert [user.name for user in registry.users()] == ["bob", "bobby", "gone"]
    assert registry.user("bo") is None
    assert registry.user("lyn") is None
    assert registry.ldap_only("lyn") == LdapOnlyUser("lyn", 23, "present")
    assert registry.ldap_only("bob") is None
    group = registry.group("ops")
    assert group is not None and (group.gid, group.members, group.line) == (700, ("bob", "bobby"), 7)
    assert registry.group("nosuch") is None
    assert registry.groups_of("bob") == ("ops",)
    assert registry.groups_of("gone") == ("absent",)


def test_members_are_flattened() -> None:
    registry = Registry(
        small(("[bob, bobby]", "&o [[bob], bobby]\n  all:\n    members: [*o, [[*o]]]\n  more:\n    members: *o"))
    )
    group = registry.group("all")
    assert group is not None and group.members == ("bob", "bobby") * 2
    assert registry.groups_of("bob") == ("ops", "all", "more")


def test_a_registry_is_a_frozen_value() -> None:
    registry = Registry(SMALL)
    assert registry == Registry(SMALL)
    with pytest.raises(FrozenInstanceError):
        registry.text = ""  # type: ignore[misc]
    registry.rename("bob", "rob")
    assert registry.text == SMALL


def test_what_has_another_type_reads_as_missing() -> None:
    user = Registry(small(("uid: 1001", "uid: many"), ("ssh_keys: []", "ssh_keys: none"))).user("bob")
    assert user is not None and user.uid is None and user.ssh_keys == ()


@pytest.mark.parametrize("shape", ["{}", "crlf", "no newline", "bom"])
def test_git_applies_the_diff(tmp_path: Path, shape: str) -> None:
    text = small(("    ssh_keys: []\n  bobby", "    realname: 'Zoë \u2028 x'\n    ssh_keys: []\n  bobby"))
    text = {"crlf": text.replace("\n", "\r\n"), "no newline": text.rstrip("\n"), "bom": "\ufeff" + text}.get(
        shape, text
    )
    before = Registry(text)
    after = before.rename("bob", "rob", task="T1")
    file = tmp_path / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(before.text.encode())
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, input=before.diff(after).encode(), cwd=tmp_path, check=True)
    assert file.read_bytes() == after.text.encode()
    assert before.diff(before) == ""


def test_the_diff_marks_a_missing_final_newline() -> None:
    diff = Registry("users: {}").diff(Registry("users: {}\n"), path="x")
    assert diff == "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-users: {}\n\\ No newline at end of file\n+users: {}\n"
