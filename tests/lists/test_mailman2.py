"""The Mailman 2 driver, over real ssh, on a lab host with a stand-in for Mailman's commands (mailman2_standin)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbooks.errors import CommandFailed
from runbooks.lab import Lab
from runbooks.lists.changes import Configured, Created, HeldOut, PasswordSet, Removed, Restored
from runbooks.lists.drivers import open_lists
from runbooks.lists.mailman2 import Mailman2Target, Mailman2Writer
from runbooks.model import Status
from runbooks.secret import Fresh, Secret
from runbooks.settings.sections import ListDomain
from runbooks.systems.host import HostTarget
from tests.lists.mailman2_server import BIN, DOMAIN, HOST, MODERATOR_PASSWORD, OTHER, OWNERS, Server
from tests.surface.helpers import Inv

# making lists, and taking them away


@pytest.mark.parametrize("private", [False, True])
def test_a_new_list_is_as_the_page_has_it(server: Server, private: bool) -> None:
    server.create("ops-l", private)
    mode = server.sh("stat -c %a /var/lib/mailman/lists/ops-l/config.pck").strip()
    assert mode.endswith("0"), "nobody else can read what Mailman keeps of passwords"
    found = server.settings("ops-l")
    assert found["owner"] == list(OWNERS) and found["moderator"] == []
    assert found["subscribe_policy"] == 2
    assert (found["archive_private"], found["advertised"]) == ((1, 0) if private else (0, 1))
    assert server.reader().fresh(private).items() <= found.items()
    assert server.sent() == []
    assert server.reader().has_password("ops-l", "ops-l@" + DOMAIN)
    assert server.fresh.taken == ["ops-l@" + DOMAIN]
    assert server.outside("join", "ops-l", "x@example.org") == "held"


def test_an_apostrophe_is_part_of_an_address(server: Server) -> None:
    brien, neil = "o'brien@example.org", "o'neil@example.org"
    server.create("ops-l", owners=(brien, neil))
    was = server.apply(Configured("ops-l", {"moderator": [neil], "ban_list": [brien]}))
    found = server.settings("ops-l")
    assert (found["owner"], found["moderator"], found["ban_list"]) == ([brien, neil], [neil], [brien])
    server.apply(Restored("ops-l", was["was"], was["ours"]))
    found = server.settings("ops-l")
    assert (found["owner"], found["moderator"], found["ban_list"]) == ([brien, neil], [], [])


def test_a_list_is_of_one_domain_and_its_name_of_all(server: Server) -> None:
    server.create("ops")
    server.create("net-l", domain=OTHER)
    assert server.reader().names() == ["mailman", "ops"]
    assert (server.reader().taken("net-l"), server.reader(OTHER).taken("net-l")) == (f"net-l@{OTHER}", "")
    asked = Created("net-l", OWNERS, False).check(server.reader())
    assert asked.status is Status.BLOCKED and f"there is a list net-l@{OTHER}" in asked.note
    assert server.reader(OTHER).names() == ["net-l"]
    assert server.reader().settings("net-l") is None and server.reader().held("net-l") == ()
    web = server.sh(f"echo 'print(mlist.web_page_url)' | {BIN}/config_list -c -i /dev/stdin net-l")
    assert web.strip() == "http://www.example.net/mailman/"
    with pytest.raises(CommandFailed, match=f"there is a list net-l@{OTHER} on {HOST} already"):
        server.create("net-l")
    with pytest.raises(CommandFailed, match=f"there is no list net-l@{DOMAIN}"):
        server.write(lambda writer: writer.configure("net-l", {"emergency": 1}))
    assert server.reader(OTHER).settings("net-l")["emergency"] == 0  # type: ignore[index]


@pytest.mark.parametrize("name", ["-l", "a@b", "a b", "", "ops;true", "../x"])
def test_what_is_no_name_is_not_sent(server: Server, name: str) -> None:
    with pytest.raises(CommandFailed, match="takes no list of the name"):
        server.create(name)
    assert server.reader().names() == ["mailman"] and not server.transcript


def test_a_part_of_a_name_is_no_name(server: Server) -> None:
    for name in ("ops-l", "cats", "x.y"):
        server.create(name)
    for name in ("ops", "cat", "ats", "l", ".", "x-y", "ops-l\ncats", "", "-l"):
        assert server.reader().settings(name) is None, name
    assert server.settings("OPS-L") == server.settings("ops-l")
    server.create("ops")
    server.create("cat")
    server.write(lambda writer: writer.configure("ops", {"description": "short"}))
    server.write(lambda writer: writer.remove("cat"))
    assert server.reader().names() == ["cats", "mailman", "ops", "ops-l", "x.y"]
    assert server.settings("ops-l")["description"] == ""


def test_what_is_not_there_is_not_changed(server: Server) -> None:
    server.create("ops-l")
    before = server.settings("ops-l")
    tries: list[Callable[[Mailman2Writer], object]] = [
        lambda writer: writer.configure("ops", {"emergency": 1}),
        lambda writer: writer.discard("ops", ["1"]),
        lambda writer: writer.remove("ops"),
        lambda writer: writer.set_password("ops", "ops@" + DOMAIN),
    ]
    for one in tries:
        with pytest.raises(CommandFailed, match=f"there is no list ops@{DOMAIN}"):
            server.write(one)
    with pytest.raises(CommandFailed, match="has no setting colour"):
        server.write(lambda writer: writer.configure("ops-l", {"emergency": 1, "colour": "red"}))
    assert server.settings("ops-l") == before and server.reader().in_use("ops") == ""
    assert server.reader().held("ops") == () and not server.reader().has_password("ops", "ops@" + DOMAIN)


def test_a_list_that_was_never_used_is_gone_without_a_trace(server: Server) -> None:
    made, trace = Created("ops", OWNERS, True), "cd /var/lib/mailman; find . | grep -v mailman$ | sort"
    before = server.sh(trace)
    server.apply(made)
    assert made.check(server.reader()).status is Status.DONE
    server.apply(made.inverse({}))
    assert server.sh(trace) == before


def test_a_list_that_is_in_use_is_not_removed(server: Server) -> None:
    server.create("ops")
    assert server.reader().in_use("ops") == ""
    server.outside("join", "ops", "x@example.org")
    assert server.reader().in_use("ops") == "1 requests to join or leave"
    server.outside("member", "ops", "ann@example.org")
    server.post("ops", "ann@example.org")
    server.post("ops", "stranger@example.org")
    why = server.reader().in_use("ops")
    assert "1 members, 1 posts, 1 held messages, 1 requests to join or leave" in why and "in its archive" in why
    assert Removed("ops").check(server.reader()).status is Status.BLOCKED
    with pytest.raises(CommandFailed, match="is in use"):
        server.write(lambda writer: writer.remove("ops"))
    assert "ops" in server.reader().names()


def test_the_archive_of_an_earlier_list_of_that_name_is_not_thrown_away(server: Server) -> None:
    server.create("ops")
    server.outside("member", "ops", "ann@example.org")
    server.post("ops", "ann@example.org")
    server.sh(f"{BIN}/rmlist ops")
    server.create("ops")
    assert "bytes in its archive" in server.reader().in_use("ops")
    with pytest.raises(CommandFailed, match="is in use"):
        server.write(lambda writer: writer.remove("ops"))
    assert "hello" in server.sh("cat /var/lib/mailman/archives/private/ops.mbox/ops.mbox")


# settings

NASTY = (
    "plain",
    "with \"quotes\" and 'others'",
    "back\\slashes \\n \\\\ \\x41 \\u0041 \\",
    "__import__('os').system('touch /tmp/owned')",
    "'; __import__('os').system('touch /tmp/owned'); '",
    '"""\n__import__("os").system("touch /tmp/owned")\n"""',
    "emergency = 1\nadvertised = 0",
    "café “naïve” 日本 🐈 \\",
    'ends with é and a quote"',
    "%(real_name)s $real_name &amp; <b> # no comment",
    'two\nlines with é \\ and "',
    "",
)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_description_is_a_description_whatever_is_in_it(server: Server, language: str) -> None:
    server.create("ops")
    server.told("ops", f"preferred_language = {language!r}\n")
    before = server.settings("ops")
    for text in NASTY:
        server.write(lambda writer, text=text: writer.configure("ops", {"description": text}))  # type: ignore[misc]
        assert server.settings("ops") == before | {"description": text}
    assert server.sh("ls /tmp/owned 2>/dev/null", check=False) == ""


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_others_have_written_goes_back_byte_by_byte(server: Server, language: str) -> None:
    server.create("ops")
    server.told("ops", f"preferred_language = {language!r}\n")
    look = f"echo 'print(description.encode(\"latin-1\").hex())' | sed 's/desc/mlist.desc/' | {BIN}/config_list -c -i "
    for raw in ("caf\\xe9 \\xff\\x80", "caf\\xc3\\xa9 &#233; \\\\", "\\xa1\\xc1 \\x8f\\xa2\\xaf", "a\\nb \\xe9 \\\\n"):
        server.told("ops", f"description = '{raw}'\n")
        was = server.sh(look + "/dev/stdin ops")
        marked = Configured("ops", {"description": "[disabled] " + server.settings("ops")["description"]})
        before = server.apply(marked)
        assert server.sh(look + "/dev/stdin ops") != was
        server.apply(marked.inverse(before))  # type: ignore[arg-type]
        assert server.sh(look + "/dev/stdin ops") == was


def test_settings_are_set_as_they_are_given_and_no_others(server: Server) -> None:
    server.create("ops")
    before = server.settings("ops")
    values = {
        "owner": ["zoe@example.org", "ann@example.org"],
        "moderator": ["mod@example.org"],
        "ban_list": ["z@example.org", "^a.*@.*", "^\\w+@x\\.y$"],
        "header_filter_rules": [["^subject: (a|b)\\s\n^to: é", 7, 0]],
        "topics": [["cats", "[Cc]at", "about\ncats", 0]],
        "bounce_score_threshold": 2.5,
        "max_message_size": 0,
        "digestable": False,
        "info": "two\nlines",
    }
    server.write(lambda writer: writer.configure("ops", values))
    told = values | {"owner": ["ann@example.org", "zoe@example.org"], "digestable": 0}
    assert server.settings("ops") == before | told
    kept = server.sh(f"echo 'print(mlist.topics, mlist.owner)' | {BIN}/config_list -c -i /dev/stdin ops").strip()
    assert kept == "[('cats', '[Cc]at', 'about\\ncats', 0)] ['zoe@example.org', 'ann@example.org']"
    entry = server.transcript[-1]
    assert entry["command"].endswith(f"{BIN}/config_list -i /dev/stdin -- ops") and entry["status"] == 0
    assert "ban_list = ['z@example.org', '^a.*@.*'" in entry["output"]


def test_owners_come_sorted_and_in_small_letters(server: Server) -> None:
    server.create("ops")
    server.told("ops", "owner = ['Zoe@Example.org', 'ann@example.org']\nmoderator = ['B@x.y', 'b@x.y']\n")
    found = server.settings("ops")
    assert found["owner"] == ["ann@example.org", "zoe@example.org"] and found["moderator"] == ["b@x.y"]


def test_no_secret_is_among_the_settings(server: Server) -> None:
    server.create("ops")
    digest = hashlib.sha1(MODERATOR_PASSWORD.encode()).hexdigest()
    server.told("ops", f"mod_password = {digest!r}\n")
    assert not [key for key in server.settings("ops") if "password" in key]
    assert digest not in repr(server.settings("ops"))


# what becomes of mail


def mails(server: Server, name: str) -> list[str]:
    """Mails of every kind, and what became of each."""
    approved = f"Approved: {MODERATOR_PASSWORD}\n"
    return [
        server.post(name, "member@example.org"),
        server.post(name, "quiet@example.org"),
        server.post(name, "stranger@example.org"),
        server.post(name, "stranger@example.org", more=approved),
        server.post(name, "friend@example.org"),
        server.post(name, "reject@example.org"),
        server.post(name, "member@example.org", subject="spam"),
        server.post(name, "news@example.org", "usenet"),
        server.post(name, "stranger@example.org", "owner"),
    ]


def lively(server: Server, name: str) -> dict[str, Any]:
    """A private list with settings of its own, members, and something held."""
    server.create(name, private=True)
    digest = hashlib.sha1(MODERATOR_PASSWORD.encode()).hexdigest()
    server.told(
        name,
        f"mod_password = {digest!r}\nmoderator = ['mod@example.org']\n"
        "accept_these_nonmembers = ['friend@example.org']\n"
        "reject_these_nonmembers = ['^reject@']\nheader_filter_rules = [('^subject: spam', 7, False)]\n"
        "ban_list = ['eve@example.org']\ndescription = 'Operations'\nadmin_notify_mchanges = 1\n"
        "autorespond_postings = 1\ndigest_send_periodic = 0\n",
    )
    server.outside("member", name, "member@example.org")
    server.outside("moderated", name, "quiet@example.org")
    return server.settings(name)


AS_BEFORE = ["delivered", "held", "held", "delivered", "delivered", "rejected", "held", "delivered", "delivered"]


def test_a_closed_list_delivers_holds_and_tells_nothing_and_comes_back_as_it_was(server: Server) -> None:
    before = lively(server, "ops")
    assert mails(server, "ops") == AS_BEFORE
    assert {"post", "notice", "owner"} == {kind for kind, _ in server.sent()}
    assert [one.subject for one in server.reader().held("ops")] == ["hello", "hello", "spam"]

    quiet = Configured("ops", server.reader().closed(before))
    was = server.apply(quiet)
    server.apply(HeldOut("ops", discard=True))
    assert server.reader().closed(server.settings("ops")) == {}
    assert mails(server, "ops") == ["discarded"] * 9
    assert server.outside("join", "ops", "new@example.org") == "banned"
    server.outside("night", "ops")
    assert server.sent() == [] and server.reader().held("ops") == ()

    again = quiet.inverse(was)
    assert isinstance(again, Restored)
    server.apply(again)
    assert server.settings("ops") == before, "private, moderated and filtered as before"
    assert mails(server, "ops") == AS_BEFORE
    assert server.outside("join", "ops", "new@example.org") == "held"
    assert server.outside("join", "ops", "eve@example.org") == "banned"
    server.sent()
    server.outside("night", "ops")
    assert {kind for kind, _ in server.sent()} == {"reminder", "owner"}, "of what waits, its owners are reminded"


def test_a_closed_list_of_which_nobody_knows_anything_opens_and_stays_private(server: Server) -> None:
    before = lively(server, "ops")
    server.write(lambda writer: writer.configure("ops", server.reader().closed(before)))
    wanted = server.reader().reopened(server.settings("ops"))
    server.write(lambda writer: writer.configure("ops", wanted))
    after = server.settings("ops")
    assert server.reader().reopened(after) == {}
    assert {key for key in after if after[key] != before[key]} == {"admin_notify_mchanges", "digest_send_periodic"}
    assert (after["archive_private"], after["advertised"], after["subscribe_policy"]) == (1, 0, 2)
    assert mails(server, "ops") == AS_BEFORE


def test_what_the_common_script_closed_holds_mail_and_is_closed_and_opened_here(server: Server) -> None:
    lively(server, "ops")
    server.told(
        "ops",
        "emergency = 1\nmember_moderation_action = 2\ngeneric_nonmember_action = 2\nban_list = ['^.*@.*']\n",
    )
    assert server.post("ops", "member@example.org") == "held", "that is what it leaves"
    wanted = server.reader().reopened(server.settings("ops"))
    assert wanted == {
        "emergency": 0,
        "member_moderation_action": 0,
        "generic_nonmember_action": 1,
        "ban_list": [],
        "digest_send_periodic": 1,
    }
    server.apply(Configured("ops", server.reader().closed(server.settings("ops"))))
    assert mails(server, "ops") == ["discarded"] * 9
    server.apply(Configured("ops", server.reader().reopened(server.settings("ops"))))
    assert server.post("ops", "member@example.org") == "delivered"
    assert server.settings("ops")["advertised"] == 0


# held mail


def test_held_mail_is_shown_and_discarded_by_number_without_a_word(server: Server) -> None:
    for name in ("ops", "ops-l"):
        server.create(name)
        for subject in ("first", "=?utf-8?q?caf=C3=A9?=", "a\n folded one", "=?x?q?broken"):
            assert server.post(name, "stranger@example.org", subject=subject) == "held"
        server.outside("join", name, "new@example.org")
    held = server.reader().held("ops")
    assert [(one.sender, one.subject) for one in held] == [
        ("stranger@example.org", "first"),
        ("stranger@example.org", "café"),
        ("stranger@example.org", "a folded one"),
        ("stranger@example.org", "=?x?q?broken"),
    ]
    server.sent()
    server.write(lambda writer: writer.discard("ops", [held[0].id, "99", "5", held[2].id]))
    assert server.reader().held("ops") == (held[1], held[3])
    assert server.reader().state("ops").others == 1, "who asks to join is no message"
    server.write(lambda writer: writer.discard("ops", [held[0].id]))
    server.sh("rm /var/lib/mailman/data/heldmsg-ops-$1.pck", held[1].id)
    server.write(lambda writer: writer.discard("ops", [one.id for one in held]))
    assert server.reader().held("ops") == ()
    assert len(server.reader().held("ops-l")) == 4
    assert server.sh("ls /var/lib/mailman/data").split() == [f"heldmsg-ops-l-{n}.pck" for n in range(1, 5)]
    assert server.sent() == []


# passwords

SPY = """
import subprocess
with open('/tmp/argv', 'ab') as _stream:
    _stream.write(subprocess.run(['ps', '-ewwo', 'args='], capture_output=True).stdout)
"""


@pytest.fixture
def argv(server: Server) -> Iterator[Callable[[], str]]:
    """What all processes were called with, while any of Mailman's commands began."""
    server.sh(f"cp -p {BIN}/paths.py /tmp/paths.py; cat >> {BIN}/paths.py", input=SPY)
    yield lambda: server.sh("cat /tmp/argv")
    server.sh(f"mv /tmp/paths.py {BIN}/paths.py; rm -f /tmp/argv")


def test_a_new_password_opens_the_list_and_shows_nowhere(server: Server, argv: Callable[[], str]) -> None:
    reader, address = server.reader(), "ops@" + DOMAIN
    assert reader.has_own_password and reader.web == "" and "own password" in reader.password_note
    server.create("ops")
    digest = hashlib.sha1(MODERATOR_PASSWORD.encode()).hexdigest()
    server.told("ops", f"mod_password = {digest!r}\npassword = {hashlib.sha1(b'old').hexdigest()!r}\n")
    assert reader.accounts("ops") == (address,) and not reader.has_password("ops", address)
    server.apply(PasswordSet("ops", address))
    secret = server.fresh.make().reveal()
    assert server.fresh.taken == [address, address]
    for given, becomes in ((secret, "delivered"), (MODERATOR_PASSWORD, "delivered"), ("old", "held")):
        assert server.post("ops", "stranger@example.org", more=f"Approved: {given}\n") == becomes
    kept = hashlib.sha1(secret.encode()).hexdigest()
    assert f"{BIN}/newlist" in argv() and f"{BIN}/config_list -i /dev/stdin" in argv()
    for place in (argv(), repr(server.transcript), repr(server.reader().state("ops")), repr(server.target())):
        assert secret not in place and kept not in place


def test_nobody_has_a_password_that_was_not_made(server: Server) -> None:
    assert not server.reader().has_password("mailman", "mailman@" + DOMAIN)
    assert not server.fresh.is_made


# as an operator has it


@pytest.fixture
def inv(lab: Lab, tmp_path: Path) -> Inv:
    """`inv` in the lab, with this list server."""
    shutil.copytree(lab.inventory, tmp_path / "inventory")
    place = tmp_path / "inventory/settings.yaml"
    domain = {"driver": "mailman2", "host": HOST, "bin": BIN}
    settings = yaml.safe_load(place.read_text()) | {"lists": {"domains": {DOMAIN: domain}}}
    place.write_text(yaml.safe_dump(settings))
    ours = {"INVENTORY": str(tmp_path / "inventory"), "JOURNAL": f"sqlite:///{tmp_path}/journal/journal.db"}
    return Inv(lab, {f"INVOKE_OPS_CLINIC_{key}": value for key, value in ours.items()})


def test_a_list_is_made_disabled_and_enabled_by_inv(server: Server, inv: Inv, tmp_path: Path) -> None:
    place = tmp_path / "password"
    words = ("list-create", "ops", "--owners", ",".join(OWNERS), "--description", "Café “ops”", "--task", "T1")
    made = inv(*words, "--private", "--yes", "--password-file", str(place))
    assert made.status == 0, made.err
    secret = place.read_text().strip()
    assert server.post("ops", "x@example.org", more=f"Approved: {secret}\n") == "delivered"
    before = server.settings("ops")
    assert before["description"] == "Café “ops”" and before["owner"] == list(OWNERS)

    assert server.post("ops", "x@example.org", subject="waits") == "held"
    inv("list-disable", "ops", "--yes").refuses(3, "1 held message: x@example.org (waits)", "--discard-held")
    inv("list-disable", "op", "--yes").refuses(2, "has no list op (did you mean ops?)")
    closed = inv("list-disable", "ops", "--discard-held", "--yes", "--json")
    assert closed.status == 0 and closed.json["run"]["status"] == "done", closed.err
    assert server.settings("ops")["owner"] == [] and server.settings("ops")["description"] == "[disabled] Café “ops”"
    assert server.post("ops", "x@example.org", more=f"Approved: {secret}\n") == "discarded"
    assert inv("list-enable", "ops", "--yes").status == 0
    assert server.settings("ops") == before

    inv("list-reset-password", "ops", "--owner", "ann@example.org").refuses(2, "--owner", "one password of its own")
    new = tmp_path / "new"
    reset = inv("list-reset-password", "ops", "--yes", "--password-file", str(new))
    assert reset.status == 0 and "ops@lists.example.org" in reset.err, reset.err
    assert server.post("ops", "x@example.org", more=f"Approved: {secret}\n") == "held"
    assert server.post("ops", "x@example.org", more=f"Approved: {new.read_text().strip()}\n") == "delivered"
    shown = inv("list-info", "ops", "--all")
    assert shown.status == 0 and "Café “ops”" in shown.out and "ann@example.org" in shown.out
    kept = b"".join(path.read_bytes() for path in (tmp_path / "journal").iterdir())
    for password in (secret, new.read_text().strip()):
        for hidden in (password, hashlib.sha1(password.encode()).hexdigest()):
            assert hidden.encode() not in kept and hidden not in made.err + made.out + reset.err + reset.out + shown.out


def test_one_connection_serves_all_that_is_asked_and_done() -> None:
    opened: list[str] = []

    def connect() -> HostTarget:
        opened.append("")
        return HostTarget(HOST, lambda: pytest.fail("nothing is asked"))

    settings = ListDomain(DOMAIN, driver="mailman2", host=HOST, bin=BIN)
    made = open_lists(settings, Secret(""), connect, Fresh())
    assert isinstance(made, Mailman2Target)
    assert made.host is made.host and len(opened) == 1
