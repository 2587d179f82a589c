"""Lists of a real Mailman 3: what it says of them, what it is told, and the core lost at every moment."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import Blocked, CommandFailed, Lost, SettingsError, Unreachable
from runbooks.lab import certificates
from runbooks.lab.mail.mailman import Mailman
from runbooks.lists import mailman3, mailman3_api, mailman3_reader
from runbooks.lists.drivers import open_lists
from runbooks.lists.mailman3 import Mailman3Target, Mailman3Writer
from runbooks.lists.mailman3_api import Core
from runbooks.lists.mailman3_reader import Mailman3Reader
from runbooks.lists.model import EVERYBODY
from runbooks.secret import Fresh, Secret
from runbooks.settings.sections import ListDomain
from runbooks.systems.host import HostTarget
from tests.systems.proxy_standin import Answer, ProxyStandIn
from tests.waiting import eventually

from .mailman3_server import hold, running

DOMAIN, OTHER = "lists.example.org", "lists.example.com"
LENA, ULI = "lena@example.net", "uli@example.net"
_numbers = count(1)


@pytest.fixture(scope="module")
def _server(quick_place: Path) -> Iterator[Mailman]:
    with running(quick_place) as server:
        for domain in (DOMAIN, OTHER):
            server.rest("domains", {"mail_host": domain})
        yield server


@pytest.fixture
def server(_server: Mailman) -> Iterator[Mailman]:
    """Running."""
    yield _server
    if _server.pid():
        _server.thaw()
    _server.start()


def no_host() -> HostTarget:
    raise AssertionError("nothing is done on a host")


@dataclass
class Opened:
    """A domain's lists, and the new password."""

    target: Mailman3Target
    fresh: Fresh

    @property
    def reader(self) -> Mailman3Reader:
        return self.target.reader("run")

    def write(self, do: Callable[[Mailman3Writer], None]) -> list[Any]:
        with self.target.writer("run", 1, 1.0) as writer:
            do(writer)
        return writer.transcript

    def configure(self, name: str, **values: Any) -> list[str]:
        return [str(entry["command"]) for entry in self.write(lambda writer: writer.configure(name, values))]


def opened(server: Mailman, url: str = "", **settings: Any) -> Opened:
    password, fresh = Secret(server.password_file.read_text()), Fresh()
    domain = replace(ListDomain(DOMAIN, url=url or server.url, timeout_s=60), **settings)
    target = open_lists(domain, password, no_host, fresh)
    assert isinstance(target, Mailman3Target)
    return Opened(target, fresh)


@pytest.fixture
def lists(server: Mailman) -> Opened:
    return opened(server)


@pytest.fixture
def proxy(server: Mailman) -> Iterator[ProxyStandIn]:
    with ProxyStandIn(server.url) as standin:
        yield standin


@pytest.fixture
def behind(server: Mailman, proxy: ProxyStandIn) -> Opened:
    """The same, with a proxy in between."""
    return opened(server, proxy.url)


@pytest.fixture
def name(server: Mailman) -> str:
    """A public list of Mailman's own making, with two owners."""
    made = f"ops{next(_numbers)}"
    server.rest("lists", {"fqdn_listname": f"{made}@{DOMAIN}", "style_name": "legacy-default"})
    for address in (LENA, ULI):
        server.rest("members", {"list_id": f"{made}.{DOMAIN}", "subscriber": address, "role": "owner"})
    return made


def config(server: Mailman, name: str, domain: str = DOMAIN) -> dict[str, Any]:
    """As a witness sees it."""
    found: dict[str, Any] = server.rest(f"lists/{name}@{domain}/config")
    return {key: value for key, value in found.items() if key != "http_etag"}


def told(server: Mailman, name: str, **values: Any) -> None:
    server.rest(f"lists/{name}@{DOMAIN}/config", values, "PATCH")


def join(server: Mailman, name: str, address: str) -> None:
    sure = {"pre_verified": True, "pre_confirmed": True, "pre_approved": True, "send_welcome_message": False}
    server.rest("members", {"list_id": f"{name}.{DOMAIN}", "subscriber": address, "role": "member", **sure})


# what is found


def test_names_are_the_domain_s_own_and_come_in_pages(
    server: Mailman, lists: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"many{number:02}" for number in range(60)]
    for one in many:
        server.rest("lists", {"fqdn_listname": f"{one}@{DOMAIN}", "style_name": "legacy-default"})
    server.rest("lists", {"fqdn_listname": f"elsewhere@{OTHER}", "style_name": "legacy-default"})
    everything = list(lists.reader.names())
    assert [one for one in everything if one.startswith("many")] == many and "elsewhere" not in everything
    monkeypatch.setattr(mailman3_api, "PAGE", 20)
    assert lists.reader.names() == everything == sorted(everything)
    assert lists.reader.settings("elsewhere") is None


def test_settings_are_all_that_can_be_written_but_no_secret(
    server: Mailman, proxy: ProxyStandIn, behind: Opened, name: str
) -> None:
    told(server, name, moderator_password="geheim", description="Café ⚓ “ops”")
    server.rest(f"lists/{name}@{DOMAIN}/bans", {"email": "spam@example.com"})
    server.rest("members", {"list_id": f"{name}.{DOMAIN}", "subscriber": "Mo@Example.NET", "role": "moderator"})
    settings = behind.reader.settings(name)
    assert len(proxy.asked) == 4
    assert settings is not None
    seen = config(server, name)
    assert seen.pop("moderator_password").startswith("$")
    collections = {"owner": [LENA, ULI], "moderator": ["mo@example.net"], "ban_list": ["spam@example.com"]}
    assert {key: settings[key] for key in collections} == collections
    for key, value in seen.items():
        read_only = key not in settings
        assert read_only or settings[key] == value
        try:
            told(server, name, **{key: "" if value == [] else value})
        except Blocked as refused:
            assert read_only, refused
        else:
            assert not read_only, key


def test_a_list_that_is_not_there_has_no_settings(lists: Opened, name: str) -> None:
    for other in (f"{name}x", "op", f"x{name}", name.upper(), "none", "a+b", "a=b", "a/b", "%", "?"):
        assert lists.reader.settings(other) is None, other
        assert lists.reader.accounts(other) == [] and not lists.reader.held(other) and lists.reader.in_use(other) == ""
    assert lists.reader.settings(name)


def test_held_messages_come_oldest_first_from_all_pages(server: Mailman, lists: Opened, name: str) -> None:
    subjects = [f"mail {number}" for number in range(118)]
    hold(server, f"{name}@{DOMAIN}", *subjects, "=?utf-8?q?Caf=C3=A9?=", "two\n lines")
    held = lists.reader.held(name)
    assert lists.reader.oldest_held(name, 0) == (120, []) and lists.reader.oldest_held(name, 12) == (120, held[:12])
    assert [one.subject for one in held] == [*subjects, "Café", "two lines"]
    assert held[3].sender == "anna3@example.net"
    assert server.rest(f"lists/{name}@{DOMAIN}/held/{held[3].id}")["subject"] == "mail 3"


@pytest.mark.parametrize(
    ("use", "why"),
    [
        (lambda _server, _name: None, ""),
        (lambda server, name: join(server, name, LENA), ""),
        (lambda server, name: join(server, name, "anna@example.net"), "1 member besides its owners"),
        (
            lambda server, name: [join(server, name, f"a{n}@example.net") for n in range(3)],
            "3 members besides its owners",
        ),
        (lambda server, name: hold(server, f"{name}@{DOMAIN}", "a"), "1 held message"),
        (
            lambda server, name: server.rest(
                "members", {"list_id": f"{name}.{DOMAIN}", "subscriber": "n@example.net", "role": "nonmember"}
            ),
            "it has had mail",
        ),
        (
            lambda server, name: server.rest(
                "members", {"list_id": f"{name}.{DOMAIN}", "subscriber": "n@example.net", "role": "member"}
            ),
            "1 request to join or leave",
        ),
    ],
)
def test_what_a_list_is_in_use_for(server: Mailman, lists: Opened, name: str, use: Any, why: str) -> None:
    use(server, name)
    assert lists.reader.in_use(name) == why


# what is told


@pytest.mark.parametrize("private", [False, True])
def test_a_new_list(server: Mailman, lists: Opened, private: bool) -> None:
    name = f"new{next(_numbers)}"
    server.rest("lists", {"fqdn_listname": f"{name}@{OTHER}", "style_name": "legacy-default"})
    other = config(server, name, OTHER)
    commands = [entry["command"] for entry in lists.write(lambda writer: writer.create(name, [ULI, LENA], private))]
    url = f"{server.url}/3.1"
    style = "private-default" if private else "legacy-default"
    assert commands == [
        f"POST {url}/lists    # {name}@{DOMAIN}, {style}",
        f"POST {url}/members    # {ULI}, owner of {name}",
        f"POST {url}/members    # {LENA}, owner of {name}",
    ]
    assert lists.reader.accounts(name) == [LENA, ULI] and lists.reader.in_use(name) == ""
    lists.configure(name, **lists.reader.fresh(private))
    found = config(server, name)
    assert found["subscription_policy"] == "confirm_then_moderate"
    assert (found["archive_policy"], found["advertised"]) == (("private", False) if private else ("public", True))
    assert config(server, name, OTHER) == other


def test_a_list_that_is_there_is_not_made_again(lists: Opened, name: str) -> None:
    with pytest.raises(CommandFailed, match="Mailing list exists"):
        lists.write(lambda writer: writer.create(name, ["new@example.net"], True))
    assert lists.reader.accounts(name) == [LENA, ULI]


def test_a_core_without_a_style_makes_no_list_of_none(
    server: Mailman, lists: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mailman3Reader, "styles", lambda _: ["house"])
    with pytest.raises(CommandFailed, match=r"none of the styles legacy-default: there are house"):
        lists.write(lambda writer: writer.create("styleless", [LENA], False))
    monkeypatch.setattr(Mailman3Reader, "styles", lambda _: ["legacy-default"])
    lists.write(lambda writer: writer.create("styled", [LENA], True))
    lists.configure("styled", **lists.reader.fresh(True))
    assert config(server, "styled")["archive_policy"] == "private"
    assert "styleless" not in lists.reader.names()


@pytest.mark.parametrize("name_", ["b ad", "bad@", ""])
def test_a_name_that_is_none_is_refused(lists: Opened, name_: str) -> None:
    before = lists.reader.names()
    with pytest.raises(CommandFailed, match="400"):
        lists.write(lambda writer: writer.create(name_, [LENA], False))
    assert lists.reader.names() == before


def test_a_list_is_removed_and_no_other(lists: Opened, name: str) -> None:
    near = f"{name}-x"
    lists.write(lambda writer: writer.create(near, [LENA], False))
    for _ in range(2):
        lists.write(lambda writer: writer.remove(name))
        assert lists.reader.settings(name) is None and lists.reader.settings(near)


@pytest.mark.parametrize(
    "values",
    [
        {"description": "Café ⚓ “ops” & co = 100 % + more; a,b"},
        {"description": "x" * 5000},
        {"description": ""},
        {"description": "[disabled] was here", "advertised": False, "archive_policy": "private"},
        {"emergency": True, "max_message_size": 0, "digest_size_threshold": 12.5},
        {"accept_these_nonmembers": ["a@example.net", "^b.*@example.net"], "filter_types": ["text/html"]},
        {"acceptable_aliases": ("one@example.net",)},
        {"autoresponse_grace_period": "3d", "bounce_info_stale_after": "1d3600.0s"},
        {"preferred_language": "de", "info": "two\nlines ä"},
    ],
)
def test_only_what_is_given_is_set(server: Mailman, lists: Opened, name: str, values: dict[str, Any]) -> None:
    before = config(server, name)
    owners = lists.reader.accounts(name)
    commands = lists.configure(name, **values)
    url = f"{server.url}/3.1/lists/{name}@{DOMAIN}"
    assert commands == [f"PATCH {url}/config    # {', '.join(values)}"]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    assert config(server, name) == before | plain
    assert lists.reader.accounts(name) == owners
    settings = lists.reader.settings(name)
    assert settings is not None and {key: settings[key] for key in plain} == plain
    lists.configure(name, **{key: before[key] for key in values})
    assert config(server, name) == before


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"description": "a\nb", "emergency": True}, "must be a single line"),
        ({"emergency": "perhaps", "advertised": False}, "Invalid boolean value"),
        ({"no_such_setting": "1", "advertised": False}, "Unknown attribute: no_such_setting"),
        ({"list_name": "other", "advertised": False}, "Read-only attribute: list_name"),
        ({"default_member_action": "explode"}, "Accepted Values"),
        ({"owner": [LENA, ULI, "no address"]}, "400"),
        ({"owner": [LENA, ULI, "{name}@lists.example.org"]}, "posting address"),
        ({"ban_list": ["^["]}, "valid email address or regular expression"),
    ],
)
def test_what_is_refused_changes_nothing(lists: Opened, name: str, values: dict[str, Any], why: str) -> None:
    before = lists.reader.settings(name)
    values = {
        key: [word.replace("{name}", name) for word in value] if isinstance(value, list) else value
        for key, value in values.items()
    }
    with pytest.raises(CommandFailed, match=why) as caught:
        lists.configure(name, **values)
    assert str(caught.value).startswith(f"@{DOMAIN}: ") and "\n" not in str(caught.value)
    assert lists.reader.settings(name) == before


def test_admins_whatever_their_case(lists: Opened, name: str) -> None:
    moderators = ["a+b@example.net", "o'x@example.net"]
    lists.configure(name, owner=["LENA@example.net", "Max@Example.net"], moderator=moderators)
    settings = lists.reader.settings(name)
    assert settings is not None
    assert settings["owner"] == [LENA, "max@example.net"]
    assert settings["moderator"] == moderators
    assert lists.configure(name, owner=["lena@EXAMPLE.net", "max@example.net"]) == []
    lists.configure(name, owner=[], moderator=[])
    assert lists.reader.accounts(name) == []


def test_what_somebody_has_done_already_is_no_failure(
    lists: Opened, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a run that was killed in the middle, or when two do the same."""
    stale = lists.reader.members(name, "owner")
    lists.configure(name, owner=["max@example.net"], ban_list=["spam@example.com"])

    def first(really: Any, answer: Any) -> Any:
        answers = iter([answer])
        return lambda reader, *of: (
            next(answers, None) if (of[-1] != "moderator" and 0) else next(answers, really(reader, *of))
        )

    monkeypatch.setattr(Mailman3Reader, "members", first(Mailman3Reader.members, stale))
    entries = lists.write(lambda writer: writer.configure(name, {"owner": ["max@example.net"]}))
    assert [entry["status"] for entry in entries] == [400, 404, 404]
    monkeypatch.setattr(Mailman3Reader, "bans", first(Mailman3Reader.bans, ["gone@example.com"]))
    entries = lists.write(lambda writer: writer.configure(name, {"ban_list": ["spam@example.com"]}))
    assert [entry["status"] for entry in entries] == [404, 400]
    assert lists.reader.accounts(name) == ["max@example.net"] and lists.reader.bans(name) == ["spam@example.com"]


def test_bans_go_in_an_order_that_mailman_takes(lists: Opened, name: str) -> None:
    wanted = sorted([EVERYBODY, "^.*@spam\\.example", "a@spam.example", "0@example.com", "z+1@example.com"])
    lists.configure(name, ban_list=wanted)
    assert lists.reader.bans(name) == wanted
    assert lists.configure(name, ban_list=wanted) == []
    lists.configure(name, ban_list=["b@spam.example"])
    assert lists.reader.bans(name) == ["b@spam.example"]


def test_who_is_banned_by_the_site_is_said_to_be(server: Mailman, lists: Opened, name: str) -> None:
    server.rest("bans", {"email": "evil@example.net"})
    try:
        with pytest.raises(CommandFailed, match="Membership is banned"):
            lists.configure(name, owner=[LENA, ULI, "evil@example.net"])
        with pytest.raises(CommandFailed, match="already banned"):
            lists.configure(name, ban_list=["evil@example.net"])
    finally:
        server.rest("bans/evil@example.net", method="DELETE")
    assert lists.reader.accounts(name) == [LENA, ULI] and lists.reader.bans(name) == []


# closed, and open again

BUSY: dict[str, Any] = {
    "emergency": True,
    "default_member_action": "accept",
    "default_nonmember_action": "reject",
    "subscription_policy": "open",
    "unsubscription_policy": "moderate",
    "autorespond_owner": "respond_and_discard",
    "autorespond_postings": "respond_and_continue",
    "autorespond_requests": "respond_and_discard",
    "admin_notify_mchanges": True,
    "dmarc_mitigate_action": "reject",
    "ban_list": ["0@example.com", "spam@example.com"],
}


@pytest.mark.parametrize("was", [{}, BUSY, {"ban_list": [EVERYBODY]}], ids=["new", "busy", "banned"])
def test_a_closed_list_comes_back_as_it_was(lists: Opened, name: str, was: dict[str, Any]) -> None:
    lists.configure(name, **was)
    before = lists.reader.settings(name)
    assert (before is not None and lists.reader.reopened(before) == {}) or was.get("ban_list") == [EVERYBODY]
    closed = lists.reader.closed(before)
    assert not {"owner", "moderator", "description", "advertised", "archive_policy"} & set(closed)
    assert set(closed) <= set(before)
    lists.configure(name, **closed)
    lists.configure(name, owner=[], moderator=[])
    now = lists.reader.settings(name)
    assert now is not None and lists.reader.closed(now) == {}
    assert EVERYBODY in now["ban_list"] and now["emergency"] is False
    assert now["subscription_policy"] in ("moderate", "confirm_then_moderate")
    # The admins come back while it is still closed.
    lists.configure(name, owner=before["owner"])
    assert lists.reader.bans(name) == now["ban_list"]
    lists.configure(name, **{key: before[key] for key in closed})
    assert lists.reader.settings(name) == before


def test_what_nobody_remembers_becomes_as_a_new_list_is(lists: Opened, name: str) -> None:
    fresh = lists.reader.settings(name)
    assert fresh is not None
    lists.configure(name, **BUSY)
    busy = lists.reader.settings(name)
    assert busy is not None
    lists.configure(name, **lists.reader.closed(busy))
    closed = lists.reader.settings(name)
    assert closed is not None
    lists.configure(name, **lists.reader.reopened(closed))
    again = lists.reader.settings(name)
    assert again is not None
    kept = {"ban_list": BUSY["ban_list"], "subscription_policy": "confirm_then_moderate"}
    assert again == fresh | kept
    assert lists.reader.reopened(again) == {}


def test_a_list_that_was_closed_by_hand_with_emergency_opens(server: Mailman, lists: Opened, name: str) -> None:
    by_hand = {"emergency": True, "default_member_action": "discard", "default_nonmember_action": "reject"}
    lists.configure(name, ban_list=[EVERYBODY], **by_hand)
    closed = lists.reader.settings(name)
    assert closed is not None
    lists.configure(name, **lists.reader.reopened(closed))
    found = config(server, name)
    assert {key: found[key] for key in by_hand} == {
        "emergency": False,
        "default_member_action": "defer",
        # Not what closing sets: somebody's own choice.
        "default_nonmember_action": "reject",
    }
    assert lists.reader.bans(name) == []


@pytest.mark.parametrize("ban", ["^.*", "^.+@.+$", "^"])
def test_a_ban_of_everybody_in_other_words_is_one(lists: Opened, name: str, ban: str) -> None:
    """Beside it, Mailman takes no other."""
    lists.configure(name, ban_list=["^.*@spam\\.example", ban])
    before = lists.reader.settings(name)
    assert before is not None and "ban_list" not in lists.reader.closed(before)
    lists.configure(name, **lists.reader.closed(before))
    closed = lists.reader.settings(name)
    assert closed is not None and lists.reader.closed(closed) == {}
    lists.configure(name, **lists.reader.reopened(closed))
    assert lists.reader.bans(name) == ["^.*@spam\\.example"]


def test_a_ban_that_is_lifted_for_an_admin_is_put_back_when_that_fails(lists: Opened, name: str) -> None:
    lists.configure(name, ban_list=[EVERYBODY, "^.*@example\\.net"])
    with pytest.raises(CommandFailed):
        lists.configure(name, owner=[LENA, ULI, "no address", f"{name}@{DOMAIN}"])
    assert lists.reader.bans(name) == sorted([EVERYBODY, "^.*@example\\.net"])


def test_held_messages_are_discarded_and_no_others(server: Mailman, lists: Opened, name: str) -> None:
    hold(server, f"{name}@{DOMAIN}", "a", "b", "c")
    held = [one.id for one in lists.reader.held(name)]
    for _ in range(2):
        lists.write(lambda writer: writer.discard(name, [held[0], held[2], "999999"]))
        assert [one.subject for one in lists.reader.held(name)] == ["b"]


def test_many_held_messages_are_read_and_discarded_a_few_at_a_time(
    server: Mailman, lists: Opened, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others let go of some, and one more comes, in the middle."""
    monkeypatch.setattr(mailman3, "HELD_PAGE", 3)
    monkeypatch.setattr(mailman3_reader, "HELD_PAGE", 3)
    hold(server, f"{name}@{DOMAIN}", *(f"mail {number}" for number in range(8)))
    total, oldest = lists.reader.oldest_held(name, 4)
    assert (total, [one.subject for one in oldest]) == (8, ["mail 0", "mail 1", "mail 2", "mail 3"])
    told: list[str] = []

    def tell(how_far: str) -> None:
        told.append(how_far)
        if len(told) == 2:
            number = lists.reader.held(name)[1].id
            server.rest(f"lists/{name}@{DOMAIN}/held/{number}", {"action": "discard"})
            hold(server, f"{name}@{DOMAIN}", "late")

    def do(writer: Mailman3Writer) -> None:
        writer.tell = tell
        writer.discard_all(name)

    statuses = [entry["status"] for entry in lists.write(do)]
    assert sorted(statuses) == [0] * 8 + [404]
    assert told == ["0 of 8 discarded", "3 of 8 discarded", "6 of 9 discarded"]
    assert lists.reader.oldest_held(name, 4) == (0, [])


def test_a_hurried_writer_stops_between_held_messages(server: Mailman, lists: Opened, name: str) -> None:
    hold(server, f"{name}@{DOMAIN}", *(f"mail {number}" for number in range(12)))

    def do(writer: Mailman3Writer) -> None:
        told: list[str] = []
        writer.tell, writer.hurried = told.append, lambda: bool(told)
        writer.discard_all(name)

    with pytest.raises(CommandFailed, match="10 of 12 discarded: stopped before the rest"):
        lists.write(do)
    assert [one.subject for one in lists.reader.held(name)] == ["mail 10", "mail 11"]


# passwords


def test_a_password_is_the_owner_s(server: Mailman, lists: Opened, name: str) -> None:
    assert not lists.reader.has_password(name, LENA) and not lists.fresh.is_made
    entries = lists.write(lambda writer: writer.set_password(name, LENA))
    assert lists.fresh.taken == [LENA]
    assert lists.reader.has_password(name, LENA) and not lists.reader.has_password(name, ULI)
    assert not lists.reader.has_password(name, "nobody@example.net")
    assert not opened(server).reader.has_password(name, LENA)
    assert [entry["command"] for entry in entries] == [f"PATCH {server.url}/3.1/users/{LENA}    # password of {LENA}"]
    assert lists.fresh.make().reveal() not in str(entries)


def test_an_apostrophe_is_part_of_an_address(lists: Opened, name: str) -> None:
    brien = "o'brien@example.net"
    lists.configure(name, ban_list=[brien])
    lists.configure(name, owner=[LENA, brien])
    assert (lists.reader.accounts(name), lists.reader.bans(name)) == ([LENA, brien], [brien])
    lists.write(lambda writer: writer.set_password(name, brien))
    assert lists.reader.has_password(name, brien) and not lists.reader.has_password(name, LENA)
    lists.configure(name, owner=[LENA], ban_list=[])
    assert (lists.reader.accounts(name), lists.reader.bans(name)) == ([LENA], [])


def test_an_owner_who_is_no_user_becomes_one(server: Mailman, lists: Opened, name: str) -> None:
    server.rest(f"addresses/{ULI}/user", method="DELETE")
    lists.write(lambda writer: writer.set_password(name, ULI))
    assert lists.reader.has_password(name, ULI) and lists.reader.accounts(name) == [LENA, ULI]


def test_what_the_operator_is_told_of_passwords(server: Mailman, lists: Opened) -> None:
    assert lists.reader.web == "" and not lists.reader.has_web_password(LENA)
    assert "Django" in lists.reader.password_note and "NOT changed" in lists.reader.password_note
    with_web = opened(server, host="lists1", web=("sudo", "mailman-web"))
    assert with_web.reader.web == "sudo mailman-web (on lists1)"
    assert "NOT" not in with_web.reader.password_note


# who cannot be asked, or does not let us


def test_settings_that_cannot_be_used(server: Mailman, tmp_path: Path) -> None:
    for settings, why in (
        ({"url": None}, r"lists.domains.lists.example.org.url is not set"),
        ({"url": "http://lists.example.org:8001"}, "only sent over https"),
        ({"url": "http://127.0.0.1.example.org:8001"}, "only sent over https"),
        ({"ca": tmp_path / "none.pem"}, "no such file"),
    ):
        with pytest.raises(SettingsError, match=why):
            open_lists(replace(ListDomain(DOMAIN, url="http://localhost:1"), **settings), Secret("x"), no_host, Fresh())
    assert opened(server, f"{server.url}/3.1/").target.core.url == opened(server).target.core.url == f"{server.url}/3.1"


def test_a_wrong_password_is_told_and_not_repeated(server: Mailman) -> None:
    target = open_lists(ListDomain(DOMAIN, url=server.url), Secret("wrong-secret"), no_host, Fresh())
    for ask in (lambda: target.reader().names(), lambda: target.writer("run", 1, 1.0).__enter__()):
        with pytest.raises(Blocked, match=r"refuses restadmin \(.*password_file") as caught:
            ask()
        assert "wrong-secret" not in str(caught.value)


def test_a_domain_that_the_server_does_not_have(server: Mailman) -> None:
    target = open_lists(
        ListDomain("lists.example.edu", url=server.url), Secret(server.password_file.read_text()), no_host, Fresh()
    )
    for ask in (target.reader().names, lambda: target.reader().settings("ops1")):
        with pytest.raises(Blocked, match=r"has no domain lists.example.edu: look at lists.domains"):
            ask()


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/html", "<html>Welcome to <b>nginx</b></html>"),
        (200, "application/json", "[1, 2]"),
        (200, "application/json", '{"total_size": 1, "entries": [{"name": "x"}]}'),
        (200, "application/json", '{"start": 0}'),
        (200, "application/json", ""),
        (302, "https://login.example.org/", ""),
        (404, "text/html", "Not Found"),
        (400, "application/json", "[]"),
        (403, "text/plain", "Forbidden"),
    ],
)
def test_what_is_no_mailman_is_said_to_be_none(proxy: ProxyStandIn, behind: Opened, answer: Answer) -> None:
    proxy.before = lambda _method: answer
    for ask in (behind.reader.names, lambda: behind.reader.settings("ops1")):
        with pytest.raises(Blocked, match=r"look at lists\.domains\.lists\.example\.org") as caught:
            ask()
        assert "\n" not in str(caught.value) and "<" not in str(caught.value)


@pytest.mark.parametrize("answer", [(500, "text/html", "<h1>Oh</h1>"), (502, "text/plain", "Bad Gateway"), (0, "", "")])
def test_a_server_in_trouble_cannot_be_asked(proxy: ProxyStandIn, behind: Opened, name: str, answer: Answer) -> None:
    proxy.before = lambda _method: answer
    behind.fresh.make()
    for ask in (
        behind.reader.names,
        lambda: behind.reader.settings(name),
        lambda: behind.reader.has_password(name, LENA),
    ):
        with pytest.raises(Unreachable):
            ask()


def test_a_dead_server_and_a_frozen_one(server: Mailman, name: str) -> None:
    lists = opened(server, timeout_s=1)
    server.freeze()
    with pytest.raises(Unreachable, match="timed out"):
        lists.reader.names()
    server.kill()
    for ask in (lists.reader.names, lambda: lists.configure(name, description="x")):
        with pytest.raises(Unreachable, match="Connection refused"):
            ask()
    server.start()
    assert name in opened(server).reader.names()


def test_proxies_of_the_environment_see_nothing(server: Mailman, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyStandIn("http://127.0.0.1:1") as other:
        for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, other.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert name in opened(server).reader.names()
        assert other.asked == []


def test_a_certificate_is_checked(
    server: Mailman, proxy: ProxyStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.make(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    url = proxy.url.replace("http:", "https:")
    proxy.server.socket = context.wrap_socket(proxy.server.socket, server_side=True)
    assert opened(server, url, ca=tmp_path / "ca.pem").reader.names()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    asked = len(proxy.asked)
    for target in (opened(server, url), opened(server, url.replace("127.0.0.1", "127.0.0.2"), ca=tmp_path / "ca.pem")):
        with pytest.raises(Unreachable):
            target.reader.names()
    assert len(proxy.asked) == asked


# a write, and the core lost before it, after it, or in the middle


@dataclass(frozen=True)
class Write:
    """What is written, and whether it is so as a witness sees it: of a list, or of the owner with a new password."""

    method: str
    do: Callable[[Mailman3Writer, str], None]
    is_so: Callable[[Mailman, str, str], bool]


def rows(server: Mailman, path: str, key: str) -> list[str]:
    return [row[key] for row in server.rest(path).get("entries", [])]


def of(name: str, part: str) -> str:
    return f"lists/{name}@{DOMAIN}/{part}"


def exists(server: Mailman, name: str) -> bool:
    return name in rows(server, f"domains/{DOMAIN}/lists", "list_name")


def logs_in(server: Mailman, address: str, password: str) -> bool:
    try:
        server.rest(f"users/{address}/login", {"cleartext_password": password})
    except Blocked:
        return False
    return True


def discard_all(writer: Mailman3Writer, name: str) -> None:
    writer.discard(name, [one.id for one in writer.reader.held(name)])


def configured(**values: Any) -> Callable[[Mailman3Writer, str], None]:
    return lambda writer, name: writer.configure(name, values)


WRITES = {
    "create": Write("POST", lambda w, n: w.create(f"{n}-new", [], False), lambda s, n, _: exists(s, f"{n}-new")),
    "remove": Write("DELETE", lambda w, n: w.remove(n), lambda s, n, _: not exists(s, n)),
    "configure": Write(
        "PATCH",
        configured(description="Café", filter_types=("a/b",), emergency=True),
        lambda s, n, _: config(s, n)["description"] == "Café",
    ),
    "ban": Write(
        "POST", configured(ban_list=[EVERYBODY]), lambda s, n, _: EVERYBODY in rows(s, of(n, "bans"), "email")
    ),
    "unban": Write("DELETE", configured(ban_list=[]), lambda s, n, _: not rows(s, of(n, "bans"), "email")),
    "give": Write(
        "POST", configured(moderator=[LENA]), lambda s, n, _: bool(rows(s, of(n, "roster/moderator"), "email"))
    ),
    "take": Write("DELETE", configured(owner=[ULI]), lambda s, n, _: rows(s, of(n, "roster/owner"), "email") == [ULI]),
    "discard": Write("POST", discard_all, lambda s, n, _: not rows(s, of(n, "held"), "request_id")),
    "password": Write("PATCH", lambda w, n: w.set_password(n, LENA), lambda s, _, password: logs_in(s, LENA, password)),
}


@pytest.fixture(params=list(WRITES))
def write(request: pytest.FixtureRequest, server: Mailman, name: str) -> Write:
    """Each of them, with something to do."""
    if request.param == "discard":
        hold(server, f"{name}@{DOMAIN}", "a")
    if request.param == "unban":
        server.rest(of(name, "bans"), {"email": "a@example.com"})
    made = WRITES[request.param]
    assert not made.is_so(server, name, "none yet")
    return made


def new_password(lists: Opened) -> str:
    return lists.fresh.make().reveal()


@pytest.mark.parametrize("answer", [(502, "text/html", "<h1>Bad Gateway</h1>"), (200, "text/html", "hi")])
def test_a_write_whose_answer_is_lost_is_looked_for(
    server: Mailman, proxy: ProxyStandIn, behind: Opened, name: str, write: Write, answer: Answer
) -> None:
    proxy.after = lambda method: answer if method == write.method else None
    if write is WRITES["password"]:
        behind.fresh.make()
    entries = behind.write(lambda writer: write.do(writer, name))
    assert write.is_so(server, name, new_password(behind))
    sent = [asked for asked in proxy.asked if asked.startswith(write.method) and not asked.endswith("/login")]
    assert len(entries) == len(sent) == 1
    assert entries[0]["status"] in (None, 502) and entries[0]["output"]


@pytest.mark.parametrize("answer", [(0, "", ""), (503, "text/plain", "Service Unavailable")])
def test_a_write_that_did_not_get_through_is_unknown(
    server: Mailman, proxy: ProxyStandIn, behind: Opened, name: str, write: Write, answer: Answer
) -> None:
    writes = count()
    proxy.before = lambda method: answer if method == write.method and next(writes) == 0 else None
    with pytest.raises(Lost, match="it is not so now, and may yet come"):
        behind.write(lambda writer: write.do(writer, name))
    assert not write.is_so(server, name, new_password(behind))


def test_a_write_after_which_nobody_answers_is_unknown(
    proxy: ProxyStandIn, behind: Opened, name: str, write: Write
) -> None:
    def hang_up(method: str) -> Answer | None:
        if method != write.method:
            return None
        proxy.before = lambda _: (0, "", "")
        return 0, "", ""

    proxy.after = hang_up
    with pytest.raises(Lost, match=r"; @lists\.example\.org: unreachable"):
        behind.write(lambda writer: write.do(writer, name))


@pytest.mark.parametrize("write", ["create", "configure", "take", "password"], indirect=True)
def test_a_frozen_core_carries_a_write_out_when_it_wakes(
    server: Mailman, name: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists, really = opened(server), Core.send
    soon: list[Core] = []  # how the core is asked once it stands still; before that, it may only be slow

    def send(core: Core, method: str, path: str, form: Any = None) -> Any:
        if method != "GET" and not path.endswith("/login"):
            server.freeze()
            soon.append(replace(core, timeout_s=1))
        return really(soon[-1] if soon else core, method, path, form)

    with lists.target.writer("run", 1, 1.0) as writer:
        monkeypatch.setattr(Core, "send", send)
        with pytest.raises(Lost, match="timed out"):
            write.do(writer, name)
    server.thaw()
    eventually(lambda: write.is_so(server, name, new_password(lists)))
    assert [entry["status"] for entry in writer.transcript] == [None]


def test_a_core_that_is_killed_in_the_middle(server: Mailman, lists: Opened, name: str) -> None:
    def do(writer: Mailman3Writer) -> None:
        writer.configure(name, {"ban_list": [EVERYBODY]})
        server.kill()
        writer.configure(name, {"description": "x"})

    with pytest.raises(Lost, match="Connection refused"):
        lists.write(do)
    server.start()
    assert config(server, name)["description"] == "" and lists.reader.bans(name) == [EVERYBODY]


# nothing is told that nobody is to know


def test_secrets_are_nowhere(server: Mailman, proxy: ProxyStandIn, behind: Opened, name: str) -> None:
    told(server, name, moderator_password="geheim")
    secret = behind.fresh.make().reveal()
    rest = server.password_file.read_text()
    seen: list[Any] = [
        repr(behind.target),
        repr(vars(behind.target)),
        repr(behind.reader),
        behind.reader.settings(name),
    ]
    for status in (400, 502):
        echo = status, "text/plain", f"no {secret} and {rest}"
        proxy.before = lambda method, echo=echo: echo if method == "PATCH" else None  # type: ignore[misc]
        with behind.target.writer("run", 1, 1.0) as writer:
            seen += [writer, vars(writer)]
            with pytest.raises((CommandFailed, Lost)) as caught:
                writer.set_password(name, LENA)
            seen += [caught.value, writer.transcript]
    proxy.before = lambda _method: None
    with behind.target.writer("run", 1, 1.0) as writer:
        writer.set_password(name, LENA)
    text = str([*seen, writer.transcript, behind.reader.password_note])
    assert "no *** and ***" in text
    assert not [one for one in (secret, rest, "geheim", "moderator_password", "$6$") if one in text]
    assert not [asked for asked in proxy.asked if secret in asked]
