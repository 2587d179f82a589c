"""The registry of the old style: what it says, the lines that an edit touches, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runbooks.errors import RegistryError
from runbooks.registry import Registry, registry_of
from runbooks.registry.manifest import Manifest
from tests.registry.manifests import OLD, blob, key_line
from tests.registry.small import changed

MANIFEST = Manifest(OLD)
ALICE = key_line(1, "alice@laptop")


def old(*replacements: tuple[str, str]) -> Manifest:
    """The manifest with texts replaced, each of which must stand in it."""
    text = OLD
    for one, other in replacements:
        assert one in text, one
        text = text.replace(one, other, 1)
    return Manifest(text)


def line_of(text: str, manifest: Manifest = MANIFEST) -> int:
    return manifest.text[: manifest.text.index(text)].count("\n") + 1


def touched(edit: Callable[[Manifest], Manifest], before: Manifest = MANIFEST) -> tuple[list[str], list[str]]:
    gone, come = changed(before.text, edit(before).text)
    return [line.strip() for line in gone], [line.strip() for line in come]


# reading


def test_people() -> None:
    said = {
        user.name: (user.present, user.uid, user.gid, user.realname, len(user.ssh_keys)) for user in MANIFEST.users()
    }
    assert said == {
        "alice": (True, 1001, None, "Alice Liddell", 1),
        "bob": (True, 1002, 500, 'Bob "Bobby" O\'Neil', 1),
        "carol": (False, 1003, None, "Carol", 0),
        "dave": (True, 1004, None, "Dave", 0),
        "erin": (True, 1005, None, "Erin", 1),
        "mover": (True, 10002, 10002, "mover", 0),
    }
    assert MANIFEST.user("alice").ssh_keys == (ALICE,)  # type: ignore[union-attr]
    assert MANIFEST.user("alice").line == line_of("class alice")  # type: ignore[union-attr]
    assert MANIFEST.user("nobody") is None


def test_members_are_those_who_have_access_through_other_groups_too() -> None:
    groups = {group.name: group.members for group in MANIFEST.groups()}
    assert groups == {
        "roots": ("alice", "erin"),
        "mortals": ("bob", "dave"),
        "everybody": ("bob", "dave", "alice", "erin"),
    }
    assert MANIFEST.groups_of("alice") == ("roots", "everybody")
    assert MANIFEST.groups_of("carol") == ()


def test_who_is_disabled_and_has_a_key_that_is_present_has_access() -> None:
    found = old(
        (
            "ensure\t=> absent,\n\t\t\t\tuser\t=> $username,\n\t\t\t\ttype",
            "ensure\t=> present,\n\t\t\t\tuser\t=> $username,\n\t\t\t\ttype",
        )
    )
    assert found.user("carol").present  # type: ignore[union-attr]
    assert "carol" in found.group("roots").members  # type: ignore[union-attr]
    (violation,) = [one for one in found.validate() if one.rule == "ssh-keys"]
    assert violation.message == "accounts::carol is disabled, but the key 'carol' is present"
    assert found.absent("carol").text == OLD


def test_the_kind_of_registry_follows_from_the_name_of_its_file() -> None:
    assert isinstance(registry_of("manifests/admins.pp", OLD.encode()), Manifest)
    assert isinstance(registry_of("data.yaml", b"users: {}\ngroups: {}\n"), Registry)


UNREADABLE = {
    "no classes": ("users: {}\n", "line 1: there is no class accounts"),
    "a brace too few": (OLD.replace("\n\t}\n\tclass bob", "\n\tclass bob"), r"line 52: '\{' is never closed"),
    "a brace too many": (OLD + "}\n", r"line \d+: '\}' closes nothing that was opened"),
    "a string without an end": (OLD + "$x = 'a\n", "begins nothing that Puppet knows, or has no end"),
    "a comment without an end": (OLD + "/* a\n", "a comment without an end"),
    "a heredoc": (OLD + "$x = @(END)\nEND\n", "a heredoc"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read(case: str) -> None:
    text, why = UNREADABLE[case]
    with pytest.raises(RegistryError, match=why):
        Manifest(text)


def test_bytes_that_are_no_utf_8() -> None:
    with pytest.raises(RegistryError, match="line 2: the registry is not UTF-8"):
        Manifest.from_bytes(b"class accounts { }\n\xff")


def test_somebody_of_whom_it_is_not_sure_has_access() -> None:
    found = old(("ensure\t=> absent,\n\t\t\t\tuser", "ensure => $x,\n\t\t\t\tuser"))
    assert found.user("carol").present  # type: ignore[union-attr]


def test_a_class_within_a_group_is_no_group() -> None:
    found = old(
        ("class admins::everybody {", "class admins::roots::more { include accounts::bob }\nclass admins::everybody {")
    )
    assert [group.name for group in found.groups()] == ["roots", "mortals", "everybody"]


# edits


def test_a_lost_key_turns_absent_and_stays() -> None:
    expected = (["ensure\t=> present,"], ["ensure\t=> absent,"])
    assert touched(lambda it: it.remove_key("alice", ALICE)) == expected
    assert touched(lambda it: it.remove_key("alice", f"ssh-ed25519 {blob(1)} other")) == expected
    assert touched(lambda it: it.clear_keys("alice")) == expected


def test_a_key_that_was_absent_is_present_again() -> None:
    assert touched(lambda it: it.add_key("alice", key_line(2))) == (["ensure\t=> absent,"], ["ensure\t=> present,"])


def test_another_key_gets_a_resource_like_the_last_one_and_a_title_of_its_own() -> None:
    after = MANIFEST.add_key("erin", key_line(9, "erin@desk"))
    added = [line[1:] for line in MANIFEST.diff(after).split("\n")[2:] if line.startswith("+")]
    values = {"ensure": "present", "user": "$username", "type": '"ssh-ed25519"', "key": f'"{blob(9)}"'}
    assert added == [
        '\t\t\tssh_authorized_key { "erin@desk-2":',
        *(f"\t\t\t\t{name}\t=> {value}," for name, value in values.items()),
        "\t\t\t}",
    ]
    assert after.text.index("erin@desk-2") > after.text.index(blob(5))


def test_a_key_is_not_added_where_only_some_hosts_would_have_it() -> None:
    after = MANIFEST.add_key("bob", key_line(9)).text.partition(".bashrc")[2].partition("class carol")[0]
    assert "somebody@9" in after
    assert "\n\n\t\tif $manage_home {\n\t\t\tSsh_authorized_key { require => Unixaccount[$realname] }\n" in after


def test_a_first_key_needs_an_account_of_the_title_that_it_requires() -> None:
    before = old(('unixaccount { "Bob \\"Bobby\\" O\'Neil":', 'unixaccount { "Bob":'))
    with pytest.raises(RegistryError, match=r"bob \(line 77\) has no unixaccount \{ \$realname: \}"):
        before.add_key("bob", key_line(9))


def test_options_are_not_copied_to_another_key() -> None:
    before = old((f'key\t=> "{blob(5)}",', f'key\t=> "{blob(5)}",\n\t\t\t\toptions => \'command="x"\','))
    _, come = touched(lambda it: it.add_key("erin", key_line(9)), before)
    assert [line for line in come if "options" in line] == []


def test_a_removed_account_is_disabled_with_its_keys_absent_and_stays_included() -> None:
    gone, come = touched(lambda it: it.absent("alice"))
    assert (gone, come) == (["ensure\t=> present,"], ["ensure\t=> absent,", '$enabled = "false"'])
    after = MANIFEST.absent("alice")
    assert after.groups_of("alice") == ()
    assert "include\taccounts::alice" in after.text


@pytest.mark.parametrize(("said", "then"), [("true", "false"), ("'true'", "'false'"), ('"true"', '"false"')])
def test_a_switch_is_turned_in_the_words_that_stand_there(said: str, then: str) -> None:
    before = old(("$uid = 1005", f"$uid = 1005\n\t\t$enabled  = {said}\t# since 2012"))
    gone, come = touched(lambda it: it.absent("erin"), before)
    assert come[0] == f"$enabled  = {then}\t# since 2012"
    assert len(gone) == 2


def test_a_new_switch_is_aligned_as_the_number_is() -> None:
    before = old(("$uid = 1005", "$uid      = '1005'"))
    assert '$enabled  = "false"' in touched(lambda it: it.absent("erin"), before)[1]


def test_what_puppet_leaves_on_hosts_is_said() -> None:
    assert "keys and account stay there" in MANIFEST.remarks("leave", "alice")
    assert MANIFEST.remarks("absent", "alice") == ""
    guarded = old(("if $manage_home {\n\t\t\tSsh_", 'if $enabled == "true" and $manage_home {\n\t\t\tSsh_'))
    assert "a host that is not reached keeps them" in guarded.remarks("absent", "erin")


def test_groups_come_and_go() -> None:
    assert touched(lambda it: it.join("alice", ["mortals"])) == ([], ["include accounts::alice"])
    assert touched(lambda it: it.leave("erin", ["roots"])) == (["include accounts::erin #shell"], [])


def test_somebody_new_comes_behind_the_last_plain_account() -> None:
    after = MANIFEST.add_user(
        "nova", uid=1010, realname="Nova", gid=600, groups=["roots"], ssh_keys=[key_line(9, "n@x")]
    )
    assert after.text.index("class erin") < after.text.index("class nova") < after.text.index("class mover")
    user = after.user("nova")
    assert (user.uid, user.gid, user.realname) == (1010, 600, "Nova")  # type: ignore[union-attr]
    assert after.groups_of("nova") == ("roots", "everybody")
    assert "new key" not in after.text.partition("class nova")[2]


# refusals

ENSURE, UID = "ensure\t=> present, # RT 1", "$uid = 1005"
UNSURE = {
    "ensure is computed": (ENSURE, "ensure\t=> $x, # RT 1", "'erin@desk' is computed"),
    "ensure is missing": (ENSURE, "# RT 1", "'erin@desk' is missing"),
    "ensure is something else": (ENSURE, "ensure => latest,", "is neither present nor absent"),
    "a key with a selector": (f'key\t=> "{blob(5)}",', "key => $a ? { default => 'x' },", "key of the key 'erin@desk'"),
    "somebody else's": ("user\t=> $username,\n\t\t\t\ttype\t=> \"ssh-ed25519\",\n\t\t\t\tkey\t=> \"" + blob(5),
                        "user => root,\ntype => rsa, key => \"" + blob(5), "is somebody else's"),
    "two names": ('$username = "erin"', '$username = "eryn"', "is not simply 'erin'"),
    "a switch behind a condition": (UID, "$uid = 1005\nif $x { $enabled = false }", r"\$enabled is not simply"),
    "a switch twice": (UID, "$uid = 1005\n$enabled = true $enabled = false", r"\$enabled is not simply"),
    "an expression": (UID, "$uid = 1005\n$enabled = true and $x", r"\$enabled is not simply"),
    "an override": ("# new key", 'Ssh_authorized_key["x"] { ensure => absent }', "Ssh_authorized_key is used in"),
    "a collector": ("# new key", "Ssh_authorized_key <| |> { ensure => absent }", "Ssh_authorized_key is used in"),
    "a virtual one": ("# new key", '@ssh_authorized_key { "x": ensure => present }', "ssh_authorized_key is used in"),
    "a function": ("# new key", "create_resources('ssh_authorized_key', $all)", "'ssh_authorized_key' is used in"),
    "a loop": ("# new key", "$a.each |$k| { ssh_authorized_key { $k: } }", "ssh_authorized_key is used in"),
    "another define": ("# new key", "account_ssh_key { x: }", "says of no key whether it is present"),
    "a file of keys": ("# new key", 'file { "/home/erin/.ssh/authorized_keys": content => "" }', "a file of keys"),
    "a class twice": ("class mover inherits", "class erin inherits", "another class has the same name"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSURE)
def test_nobody_is_edited_on_a_guess_and_others_still_are(case: str) -> None:
    text, instead, why = UNSURE[case]
    before = old((text, instead))
    for edit in (lambda it: it.clear_keys("erin"), lambda it: it.absent("erin"), lambda it: it.add_key("erin", ALICE)):
        with pytest.raises(RegistryError, match=rf"erin \(line \d+\): .*{why}.*edit it by hand"):
            edit(before)
    assert [one.message for one in before.validate() if one.rule == "unsure" and "erin" in one.message]
    assert before.user("erin").present  # type: ignore[union-attr]
    assert before.absent("alice").user("alice").present is False  # type: ignore[union-attr]


def test_an_unsure_line_is_named() -> None:
    with pytest.raises(RegistryError, match=rf"dave \(line {line_of('$enabled = $svnkey')}\): "):
        MANIFEST.absent("dave")


REFUSED: dict[str, tuple[Callable[[Manifest], Manifest], str]] = {
    "nobody": (lambda it: it.absent("ghost"), "ghost is not in accounts: check the name"),
    "disabled already": (lambda it: it.absent("carol"), r"carol \(line \d+\) is disabled"),
    "a key for a disabled one": (lambda it: it.add_key("carol", key_line(9)), r"carol \(line \d+\) is disabled"),
    "no such key": (lambda it: it.remove_key("alice", "SHA256:x"), r"alice \(line 53\) has no key 'SHA256:x'"),
    "an absent key": (lambda it: it.remove_key("alice", key_line(2)), "alice .* has no key"),
    "no keys": (lambda it: it.clear_keys("mover"), "mover .* has no keys"),
    "has it already": (lambda it: it.add_key("alice", ALICE), "alice has the key already: SHA256:"),
    "another's key": (lambda it: it.add_key("erin", ALICE), "erin cannot have alice's key"),
    "no key": (lambda it: it.add_key("erin", "x"), "no known key type"),
    "options": (lambda it: it.add_key("erin", f'from="a" {key_line(9)}'), "the key comes with options"),
    "no such group": (lambda it: it.join("alice", ["none"]), "none is no group"),
    "in it already": (lambda it: it.join("alice", ["roots"]), "alice is in roots already"),
    "a disabled member": (lambda it: it.join("carol", ["mortals"]), r"carol \(line \d+\) is disabled"),
    "not in it": (lambda it: it.leave("alice", ["mortals"]), "alice is not in mortals"),
    "in it through another": (lambda it: it.leave("bob", ["everybody"]), "through mortals: leave that"),
    "known already": (lambda it: it.add_user("bob", uid=1, realname="B"), r"bob is already in accounts \(line 77\)"),
    "a uid that is taken": (lambda it: it.add_user("nova", uid=1001, realname="N"), "uid 1001 is also alice's"),
    "a title that is taken": (lambda it: it.add_user("nova", uid=9, realname="Erin"), "'Erin' is also erin's"),
    "a dash": (lambda it: it.add_user("no-va", uid=9, realname="N"), "no-va: a Puppet class has no dash"),
    "a reserved name": (lambda it: it.add_user("root", uid=9, realname="N"), "system account"),
    "one key twice": (
        lambda it: it.add_user("nova", uid=9, realname="N", ssh_keys=[key_line(9), key_line(9)]),
        "one key is given twice",
    ),
    "an address": (lambda it: it.add_user("nova", uid=9, realname="N", email="n@x"), r"\(admins.pp\) has no e-mail"),
    "an expiry": (
        lambda it: it.add_user("nova", uid=9, realname="N", expiry_date="2099-01-01", expiry_contact="a"),
        r"nova: the old registry \(admins.pp\) has no expiry",
    ),
    "Kerberos": (lambda it: it.add_user("nova", uid=9, realname="N", krb="present"), "has no Kerberos principal"),
    "set an expiry": (
        lambda it: it.set_expiry("alice", "2099-01-01", "bob"),
        "alice: the old registry .* has no expiry",
    ),
    "an LDAP-only entry": (lambda it: it.add_ldap_only("lyn", realname="L", email="l@x"), "no people without a shell"),
    "a promotion": (lambda it: it.promote("lyn", uid=9), "no people without a shell: `inv create-user lyn`"),
    "a contact": (lambda it: it.set_contact("alice", email="a@x"), "has no contact"),
    "a rename": (lambda it: it.rename("alice", "alicia"), "has no stub that purges a renamed account"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    edit, why = REFUSED[case]
    with pytest.raises(RegistryError, match=why) as told:
        edit(MANIFEST)
    assert "\n" not in str(told.value)


def test_no_account_is_disabled_whose_home_puppet_would_delete_then() -> None:
    before = old(
        ('$enabled = "false"\n\t\t$uid = 1003', "$uid = 1003"),
        ("ensure\t=> absent,\n\t\t\t\tuser", "ensure => present,\n\t\t\t\tuser"),
    )
    with pytest.raises(RegistryError, match=r"carol \(line \d+\): enabled is passed to its unixaccount"):
        before.absent("carol")
    assert before.clear_keys("carol").user("carol").ssh_keys == ()  # type: ignore[union-attr]


GROUPS = {
    "a line of two": ("include accounts::erin #shell", "include accounts::erin, accounts::dave", "shares its line"),
    "more on its line": ("include accounts::erin #shell", "include accounts::erin notify { x: }", "shares its line"),
    "a condition": ("include accounts::erin #shell", "if $x {\n\t\tinclude accounts::erin\n\t}", "behind a condition"),
    "a class twice": ("class admins::mortals", "class admins::roots", "it is there twice"),
    "another way": ("include accounts::erin #shell", "class { 'accounts::erin': }\ninclude accounts::erin",
                    "accounts::erin is named there in another way than by include"),
}  # fmt: skip


@pytest.mark.parametrize("case", GROUPS)
def test_includes_that_are_not_taken_out(case: str) -> None:
    text, instead, why = GROUPS[case]
    with pytest.raises(RegistryError, match=rf"line \d+.*{why}"):
        old((text, instead)).leave("erin", ["roots"])


VIOLATIONS = {
    "uid twice": ("$uid = 1005", "$uid = 1001", "uid", "accounts::erin: uid 1001 is also alice's"),
    "no uid": ("$uid = 1005", "$uid = $x", "uid", "accounts::erin has no $uid, or not simply a number"),
    "a title twice": ('$realname = "Erin"', '$realname = "Dave"', "realname", "'Dave' is also dave's"),
    "a broken key": (f'"{blob(5)}"', '"AAAA"', "ssh-keys", "accounts::erin, key 'erin@desk': the key"),
    "nobody included": ("accounts::erin #shell", "accounts::eryn", "members", "admins::roots: eryn is not in accounts"),
    "a system account's name": ("class mover ", "class daemon ", "reserved-name", "accounts::daemon has the name"),
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_rules(case: str) -> None:
    text, instead, rule, message = VIOLATIONS[case]
    found = old((text, instead))
    assert [one.line for one in found.validate() if one.rule == rule and message in one.message]
    assert rule not in {one.rule for one in MANIFEST.validate()}
