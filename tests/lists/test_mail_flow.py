"""The proof by mail: exim, LMTP, Mailman 3, mailboxes; and `inv` as an operator uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbooks.lab.mail import LISTS
from tests.lists.conftest import SECRET, PostOffice
from tests.surface.helpers import Inv

STYLES = pytest.mark.parametrize(("name", "style"), [("cats", "legacy-default"), ("board", "private-default")])


def everybody(office: PostOffice, name: str) -> dict[str, list[str]]:
    """All mail of all people around a list, the site's owner among them."""
    return {
        who: office.mail(who) for who in (*(f"{name}-{p}" for p in ("ann", "bob", "mo", "carol", "dave")), "postmaster")
    }


def post_all(office: PostOffice, name: str, tag: str) -> None:
    """From a member, one who may always post, a stranger, an owner; with the moderators' password, and as a bounce."""
    to = f"{name}@{LISTS}"
    for who in ("carol", "dave", "ann"):
        office.send(office.of(f"{name}-{who}"), to, f"{tag} {who}")
    office.send(office.of("stranger"), to, f"{tag} stranger")
    office.send(office.of("stranger"), to, f"{tag} approved", Approved=SECRET)
    office.send("mailer-daemon@example.net", f"{name}-bounces@{LISTS}", f"{tag} bounce")
    office.server.settle()


@STYLES
def test_a_disabled_list_is_silent_and_an_enabled_one_is_as_before(
    office: PostOffice, inv: Inv, name: str, style: str
) -> None:
    office.make(name, style)
    member, to = office.of(f"{name}-carol"), f"{name}@{LISTS}"
    office.post(member, to, "before")
    assert [len(office.mail(f"{name}-{who}")) for who in ("carol", "dave")] == [1, 1], "mail flows"
    office.post(office.of("stranger"), to, "waits")
    assert office.held(name) == 1 and office.mail(f"{name}-ann"), "a stranger's mail is held, and its owners are told"
    config, bans = office.config(name), office.bans(name)

    inv("list-disable", name, "--yes").refuses(3, "1 held message: stranger@example.net (waits)", "--discard-held")
    assert (office.config(name), office.held(name)) == (config, 1)
    done = inv("list-disable", name, "--discard-held", "--yes", "--json", "--task", "T7")
    assert done.status == 0 and done.json["run"]["status"] == "done", done.err
    assert office.held(name) == 0
    assert office.people(name, "owner") == office.people(name, "moderator") == []
    assert office.config(name)["description"] == f"[disabled] about {name}"

    office.server.settle()
    seen = everybody(office, name)
    post_all(office, name, "closed")
    assert everybody(office, name) == seen, "nobody gets anything"
    assert office.held(name) == 0, "nothing waits"
    assert "closed" not in json.dumps(office.mail("stranger"))

    assert inv("list-enable", name, "--yes").status == 0
    assert office.config(name) == config and office.bans(name) == bans
    assert office.people(name, "owner") == [office.of(f"{name}-ann"), office.of(f"{name}-bob")]
    assert office.people(name, "moderator") == [office.of(f"{name}-mo")]
    office.post(member, to, "again")
    for who in ("carol", "dave"):
        assert office.mail(f"{name}-{who}")[-1].endswith("again"), "mail flows again"
    told = len(office.mail(f"{name}-ann"))
    office.post(office.of("stranger"), to, "waits again")
    assert office.held(name) == 1 and len(office.mail(f"{name}-ann")) == told + 1
    private = style == "private-default"
    assert (config["archive_policy"], config["advertised"]) == (("private", False) if private else ("public", True))


def test_an_undo_of_a_disabled_list_gives_it_back(office: PostOffice, inv: Inv) -> None:
    office.make("dogs")
    config = office.config("dogs")
    run = inv("mailman-disable", "dogs", "--yes", "--json").json["run"]["id"]
    assert office.config("dogs") != config
    assert inv("undo", run, "--yes").status == 0
    assert office.config("dogs") == config and office.bans("dogs") == []
    assert office.people("dogs", "owner") == [office.of("dogs-ann"), office.of("dogs-bob")]


def test_a_new_private_list_is_private_and_takes_its_members_mail(office: PostOffice, inv: Inv) -> None:
    words = ("list-create", "audit", "--private", "--description", "The audit", "--task", "T8")
    owners = ",".join(office.of(f"audit-{who}") for who in ("ann", "bob"))
    assert inv(*words, "--yes").status == 2
    looked = inv(*words, "--owners", owners, "--dry-run")
    assert looked.status == 0 and "archive_policy: private" in looked.out
    assert "audit" not in json.dumps(office.rest("lists"))
    assert inv(*words, "--owners", owners, "--yes").status == 0
    made = office.config("audit")
    assert (made["archive_policy"], made["advertised"], made["description"]) == ("private", False, "The audit")
    assert made["subscription_policy"] in ("moderate", "confirm_then_moderate")
    assert office.people("audit", "owner") == sorted(owners.split(","))
    inv(*words, "--owners", owners, "--yes").refuses(3, "there is a list audit@")
    office.post(office.of("stranger"), f"audit@{LISTS}", "hello")
    assert office.held("audit") == 1 and office.mail("audit-ann"), "its owners are there"


def test_a_new_password_opens_and_is_written_nowhere(office: PostOffice, inv: Inv, tmp_path: Path) -> None:
    office.make("keys")
    words = ("list-reset-password", "keys", "--owner", office.of("keys-ann"), "--yes")
    inv(*words).refuses(2, "there is no terminal to show the new password on: give --password-file")
    place = tmp_path / "password"
    done = inv(*words, "--password-file", str(place))
    assert done.status == 0, done.err
    assert place.stat().st_mode & 0o777 == 0o600
    secret = place.read_text().strip()
    office.rest(f"users/{office.of('keys-ann')}/login", {"cleartext_password": secret})
    assert secret not in done.out + done.err
    assert "Django" in done.out and "NOT changed" in done.out
    kept = b"".join(path.read_bytes() for path in office.journal.parent.iterdir())
    assert secret.encode() not in kept
    inv(*words, "--password-file", str(place)).refuses(2, "is there already")
    shown = inv("list-info", "keys", "--all", "--json")
    assert shown.status == 0 and secret not in shown.out and "moderator_password" not in shown.out


def test_what_can_be_asked_of_a_list(office: PostOffice, inv: Inv) -> None:
    office.make("fish")
    assert office.of("fish-bob") in inv("list-owners", f"Fish@{LISTS}").out
    found = inv("list-info", "fish", "--json").json["list"]
    assert (found["address"], found["disabled"], found["held"]) == (f"fish@{LISTS}", False, [])
    inv("list-info", "fich").refuses(2, "has no list fich (did you mean fish?)")
    inv("list-disable", "fish@list.example.org", "--yes").refuses(2, "none of our lists", "did you mean lists.example")


def test_a_dead_list_server_is_told_and_nothing_is_changed(office: PostOffice, inv: Inv) -> None:
    office.make("late")
    config = office.config("late")
    office.server.mailman.kill()
    try:
        inv("list-disable", "late", "--yes").refuses(3, f"@{LISTS}: unreachable")
    finally:
        office.server.mailman.start()
    assert office.config("late") == config
