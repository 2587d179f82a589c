"""`inv alias-add` and its like on a real private repository, real puppet and real mail hosts."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from runbooks.lab.inventory import PRIVATE
from runbooks.lab.mail.hosts import REPOSITORY_FILES
from tests.aliases.conftest import MAIL_HOSTS, Post
from tests.surface.helpers import Inv, finish
from tests.waiting import eventually

ALL_OF_IT = ("example.org", "example.info", "example.edu", "www.example.org")
"""The domains that share one file: links of the repository, and of a manifest."""


def run_of(out: str) -> str:
    """The run's id, as a summary tells it."""
    found = re.search(r"^run (\S+),", out, re.MULTILINE)
    assert found, out
    return found[1]


def test_an_alias_comes_to_every_mail_host_and_goes_again(inv: Inv, post: Post) -> None:
    before, head = post.file(), post.head()
    words = ("alias-add", "foobar@example.org", "--to", "alice,desk@example.net", "--task", "T77")
    looked = inv(*words, "--dry-run")
    assert looked.status == 0, looked.err
    assert "+foobar: alice, desk@example.net" in looked.out and "+# T77 (carol)" in looked.out
    assert "links to example.org, and so changed with it: example.edu, example.info, www.example.org" in looked.out
    assert post.head() == head and post.file() == before, "nothing is changed by looking"

    done = inv(*words, "--yes")
    assert done.status == 0, done.err + done.out
    assert "# T77 (carol)\nfoobar: alice, desk@example.net\n" in post.file()
    author, subject = post.log().splitlines()[0].split("|")
    assert (author, subject) == ("carol", "(carol) adding alias foobar@example.org")
    for host in MAIL_HOSTS:
        for domain in ALL_OF_IT:
            said = post.route(f"foobar@{domain}", host)
            assert "alice@lab.example.org" in said and "desk@example.net" in said
    told = inv("alias-show", "foobar@example.org").out
    assert "T77 (carol)" in told and "adding alias foobar@example.org" in told
    asked = inv("mail-route", "foobar@example.info", "--json")
    assert asked.status == 0 and {way["host"] for way in asked.json["routes"]} == set(MAIL_HOSTS)

    undone = inv("undo", run_of(done.out), "--yes")
    assert undone.status == 0, undone.err + undone.out
    assert post.file() == before, "by a new commit"
    assert post.log().startswith("carol|(carol) Revert: adding alias foobar@example.org")
    for host in MAIL_HOSTS:
        assert "undeliverable" in post.route("foobar@example.org", host)
    assert "there is no such alias any more" in inv("alias-show", "foobar@example.org").out


def test_an_alias_gets_more_people_loses_one_and_goes(inv: Inv, post: Post) -> None:
    one = inv("alias-add", "desk-team@example.com", "--to", "alice", "--yes")
    assert one.status == 0, one.err + one.out
    inv("alias-add", "desk-team@example.com", "--to", "bob", "--yes").refuses(2, "leads to alice already", "--more")
    assert inv("alias-add", "desk-team@example.com", "--to", "bob,alice", "--more", "--task", "T2", "--yes").status == 0
    assert "bob@lab" in post.route("desk-team@example.com") and "alice@lab" in post.route("desk-team@example.com")
    inv("alias-remove", "desk-team@example.com", "--to", "eve", "--yes").refuses(2, "does not lead to eve, but")
    inv("alias-remove", "desk-team@example.com", "--to", "bob,alice", "--yes").refuses(2, "nobody would be left")
    assert inv("alias-remove", "desk-team@example.com", "--to", "alice", "--yes").status == 0
    assert "alice@lab" not in post.route("desk-team@example.com")
    again = inv("alias-add", "desk-team@example.com", "--to", "bob", "--yes")
    assert (again.status, "Nothing to do." in again.out) == (0, True), again.err + again.out
    gone = inv("alias-remove", "desk-team@example.com", "--task", "T3", "--yes")
    assert gone.status == 0, gone.err + gone.out
    assert "undeliverable" in post.route("desk-team@example.com", MAIL_HOSTS[1])
    assert "desk-team removed" in post.file("example.com")
    inv("alias-remove", "desk-team@example.com", "--yes").refuses(2, "there is no alias desk-team@example.com")


def test_the_domain_that_is_really_edited_has_to_be_typed(inv: Inv, post: Post) -> None:
    head = post.head()
    words = ("alias-add", "linked-team@example.biz", "--to", "alice")
    refused = inv(*words, "--yes")
    assert refused.status == 3 and "give --confirm example.com" in refused.err
    assert "example.biz → example.com: it is example.com that is edited" in refused.out
    looked = inv(*words, "--dry-run", "--json")
    assert looked.status == 0 and looked.json["run"] is None
    assert post.head() == head
    done = inv(*words, "--confirm", "example.com")
    assert done.status == 0, done.err + done.out
    assert "linked-team: alice" in post.file("example.com")
    assert "alice@lab" in post.route("linked-team@example.biz", MAIL_HOSTS[1])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("alice@example.org", "--to", "bob"), 3, "alice is the account of"),
        (("john.doe@example.org", "--to", "bob"), 3, "looks like a person's name"),
        (("stone-team@example.museum", "--to", "bob"), 3, "init.pp:33 may say what makes it"),
        (
            ("stone-team@example.ogr", "--to", "bob"),
            2,
            "no mail domain of ours (did you mean example.org",
        ),
        (("stone-team", "--to", "bob"), 2, "is no mail address"),
        (("stone-team@example.org",), 2, "give --to"),
        (("stone-team@example.org", "--to", "|/bin/sh"), 2, "is no mail address"),
        (("stone-team@example.org", "--to", "/etc/passwd"), 2, "/etc/passwd"),
        (("stone-team@example.org", "--to", "bob", "--task", "77"), 2, "'77' is no task"),
        (("stone-team@example.org", "--to", "bob", "--more"), 2, "there is no alias"),
        (("stone-team@example.org", "--to", "bob", "--without", "puppet01"), 2, "puppet01: is no mail host"),
    ],
)
def test_what_is_refused(inv: Inv, post: Post, words: tuple[str, ...], status: int, said: str) -> None:
    head = post.head()
    refused = inv("alias-add", *words, "--yes")
    assert refused.status == status, refused.err + refused.out
    assert said in refused.err and "Traceback" not in refused.err
    assert post.head() == head and post.status() == ""


def test_a_target_that_goes_nowhere_is_seen_before_anything_is_done(inv: Inv, post: Post) -> None:
    head = post.head()
    for target in ("nobody-here@example.org", "somebody@nowhere.example"):
        done = inv("alias-add", "void-team@example.org", "--to", f"alice,{target}", "--yes")
        assert done.status == 3 and target in done.err, done.err + done.out
    assert "its target somebody@nowhere.example goes nowhere" in done.out + done.err
    assert post.head() == head


def test_a_loop_is_refused(inv: Inv, post: Post) -> None:
    """donate leads to fundraising already, and there is no mailbox of either."""
    head = post.head()
    refused = inv("alias-add", "fundraising@example.org", "--to", "donate@example.org", "--more", "--yes")
    assert refused.status == 3 and "a loop: " in refused.err, refused.err + refused.out
    assert post.head() == head


def test_an_alias_that_others_lead_to_does_not_go(inv: Inv, post: Post) -> None:
    head = post.head()
    refused = inv("alias-remove", "board@example.org", "--yes")
    assert refused.status == 3 and "board@example.org is neither an alias nor known otherwise" in refused.err
    assert post.head() == head


def test_what_exim_lets_pass_is_told(inv: Inv, post: Post) -> None:
    assert (inv("alias-lint").status, inv("alias-lint", "--domain", "example.org").status) == (0, 0)
    post.by_hand("$ a nocolon alice\\nghost: nobody-here\\npiped: |/bin/cat", domain="example.com")
    try:
        found = inv("alias-lint", "--json")
        assert found.status == 8
        whats = {problem["what"] for problem in found.json["problems"]}
        assert any("no colon behind nocolon" in what for what in whats)
        assert any("nobody-here is neither an alias nor known" in what for what in whats)
        assert any("a command that the mail host runs" in what for what in whats)
        assert inv("alias-lint", "--domain", "example.org").status == 0
        inv("alias-lint", "--domain", "example.ogr").refuses(2, "did you mean example.org")
    finally:
        post.sh('cd "$1"; git reset -q --hard HEAD~1', PRIVATE)


def test_a_route_that_changes_meanwhile_is_told(inv: Inv, post: Post) -> None:
    """A colleague's edit of another alias comes with the same puppet run: ours is not the only thing that changed."""
    with post.puppet_busy("lab01"):
        process = inv.start("alias-add", "calm-team@example.org", "--to", "alice", "--yes")
        eventually(lambda: "adding alias calm-team" in post.log())
        post.by_hand("s/^press: .*/press: carol/")
    done = finish(process)
    assert done.status == 5 and "other routes have changed: press@example" in done.out, done.err + done.out
    assert "press: carol" in post.file(), "a colleague's line is never lost"
    assert inv("undo", run_of(done.out), "--yes").status == 0
    assert "press: carol" in post.file() and "calm-team" not in post.file()
    post.puppet(*MAIL_HOSTS)


def test_what_somebody_is_editing_there_is_left_alone(inv: Inv, post: Post) -> None:
    path = f"{PRIVATE}/{REPOSITORY_FILES}/example.org"
    post.sh('echo "half: done" >>"$1"', path)
    try:
        refused = inv("alias-add", "busy-team@example.org", "--to", "alice", "--yes")
        assert refused.status == 3 and "somebody has edited modules/privateexim/files/example.org" in refused.err
        assert post.file().endswith("half: done\n")
    finally:
        post.sh('git -C "$1" checkout -q .', PRIVATE)


def test_two_operators_at_once_lose_no_line(inv: Inv, post: Post) -> None:
    nobody = ("--yes", "--without", "lab01", "--without", "lab02")
    names = [f"pair{number}-team" for number in range(3)]
    started = [inv.start("alias-add", f"{name}@example.com", "--to", "alice", *nobody) for name in names]
    ended = [finish(process) for process in started]
    committed = [name for name, one in zip(names, ended, strict=True) if one.status == 0]
    assert committed, [one.err for one in ended]
    for name, one in zip(names, ended, strict=True):
        assert (one.status == 0) == (f"{name}: alice" in post.file("example.com")), one.err + one.out
        # Refused where it was planned while another one was being committed.
        assert one.status in (0, 4, 5, 7) or (one.status, "somebody has edited" in one.err) == (3, True), one.err
    subjects = post.log(len(names) + 1)
    assert all(f"adding alias {name}@example.com" in subjects for name in committed)
    same = [inv.start("alias-add", "same-team@example.com", "--to", to, *nobody) for to in ("alice", "bob")]
    first, second = (finish(process) for process in same)
    assert sorted([first.status, second.status])[0] == 0 and max(first.status, second.status) in (2, 3, 4, 5, 7)
    assert len(re.findall(r"^same-team:", post.file("example.com"), re.MULTILINE)) == 1
    for one in (*ended, first, second):
        assert one.status != 5 or inv("abandon", run_of(one.out), "--yes").status == 0
    behind = inv("alias-add", "next-team@example.com", "--to", "alice", "--yes")
    assert behind.status == 3, behind.err + behind.out
    assert "lab01 does not have yet what is committed for example.com: pair" in behind.err
    post.puppet(*MAIL_HOSTS)


def test_a_mail_host_that_is_down_is_left_out_by_name_or_nothing_is_done(inv: Inv, post: Post) -> None:
    head = post.head()
    post.lab.kill("lab02")
    try:
        quick = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "10"}
        inv("alias-add", "lone-team@example.com", "--to", "alice", "--yes", env=quick).refuses(3, "lab02: unreachable")
        assert post.head() == head
        done = inv("alias-add", "lone-team@example.com", "--to", "alice", "--without", "lab02", "--yes", env=quick)
        assert done.status == 0 and "left out: lab02: let puppet run there" in done.out
        asked = inv("mail-route", "lone-team@example.com", env=quick)
        assert asked.status == 8 and "unknown" in asked.out
    finally:
        post.lab.start("lab02")
        post.puppet("lab02")


def test_where_puppet_is_stopped_nothing_is_committed(inv: Inv, post: Post) -> None:
    head = post.head()
    post.sh("puppet agent --disable 'a test of mail'", host="lab02")
    try:
        refused = inv("alias-add", "still-team@example.com", "--to", "alice", "--yes")
        assert refused.status == 3 and "puppet is stopped here: a test of mail" in refused.err
        assert post.head() == head
    finally:
        post.sh("puppet agent --enable", host="lab02")


def test_where_exim_cannot_be_asked_nothing_is_committed(inv: Inv, post: Post) -> None:
    head = post.head()
    post.sh("mv /etc/exim4/exim4.conf /etc/exim4/kept", host="lab02")
    try:
        refused = inv("alias-add", "mute-team@example.com", "--to", "alice", "--yes")
        assert refused.status == 3 and "lab02" in refused.err and "nothing was changed" in refused.err, refused.err
        asked = inv("mail-route", "noc@example.org", "--json")
        assert asked.status == 8
        assert {way["host"]: way["fate"] for way in asked.json["routes"]} == {"lab01": "routed", "lab02": "unknown"}
    finally:
        post.sh("mv /etc/exim4/kept /etc/exim4/exim4.conf", host="lab02")
    assert post.head() == head


def test_killed_after_the_commit_it_is_resumed(inv: Inv, post: Post) -> None:
    with post.puppet_busy("lab01"):
        process = inv.start("alias-add", "late-team@example.com", "--to", "alice", "--yes")
        eventually(lambda: "adding alias late-team" in post.log())
        process.send_signal(signal.SIGKILL)
        finish(process)
    resumed = inv("resume", "--yes")
    assert resumed.status == 0, resumed.err + resumed.out
    for host in MAIL_HOSTS:
        assert "alice@lab" in post.route("late-team@example.com", host)
    assert post.log(20).count("(carol) adding alias late-team@example.com") == 1


def test_an_address_that_the_hosts_do_not_know(inv: Inv) -> None:
    asked = inv("mail-route", "nobody-at-all@example.org")
    assert asked.status == 8 and "undeliverable" in asked.out and "lab[01-02]" in asked.out
    inv("mail-route", "nobody").refuses(2, "is no mail address")
    odd = inv("mail-route", "desk@example.net,-C@example.org")
    assert odd.status == 8 and odd.out.count("undeliverable") == 1, "it is no option"


def test_an_apostrophe_is_part_of_an_address(inv: Inv, post: Post) -> None:
    """As in the name O'Brien: RFC 5321 has it in local parts."""
    added = inv("alias-add", "brien-team@example.com", "--to", "o'brien@example.net", "--yes")
    assert added.status == 0, added.err + added.out
    assert "brien-team: o'brien@example.net\n" in post.file("example.com")
    assert "o'brien@example.net" in post.route("brien-team@example.com")
    post.by_hand("$ a o'neil: alice@lab.example.org", domain="example.com")
    post.puppet(*MAIL_HOSTS)
    asked = inv("mail-route", "o'neil@example.com")
    assert asked.status == 0 and "alice@lab.example.org" in asked.out, asked.err + asked.out
    assert "alice@lab.example.org" in inv("alias-show", "o'neil@example.com").out
    gone = inv("alias-remove", "o'neil@example.com", "--yes")
    assert gone.status == 0, gone.err + gone.out
    assert "undeliverable" in post.route("o'neil@example.com")


FIELD = (
    "s/lsearch{/lsearch*{/; /dsearch/a \\  qualify_preserve_domain\n"
    "/^people:/i directory:\\n  driver = redirect\\n  domains = example.com\\n  local_parts = moved-team\\n"
    "  data = moved@example.net\\n"
)
"""exim as a field has it: who has no alias is caught, local parts are the domain's own, a directory comes behind."""


@pytest.fixture
def field(post: Post) -> Iterator[None]:
    """Such mail hosts, and an alias file to go with them."""
    head = post.head().strip()
    lines = r"$ a *: caught@example.net\ninner: alice@lab.example.org\nmoved-team: old@example.net"
    post.by_hand(lines, domain="example.com")
    for host in MAIL_HOSTS:
        post.sh('cd /etc/exim4; cp -a exim4.conf kept; sed -i "$1" exim4.conf', FIELD, host=host)
    post.puppet(*MAIL_HOSTS)
    yield
    for host in MAIL_HOSTS:
        post.sh("mv /etc/exim4/kept /etc/exim4/exim4.conf", host=host)
    post.sh('git -C "$1" reset -q --hard "$2"', PRIVATE, head)
    post.puppet(*MAIL_HOSTS)


@pytest.mark.usefixtures("field")
def test_exim_as_a_field_has_it(inv: Inv, post: Post) -> None:
    linted = inv("alias-lint", "--domain", "example.com")
    assert "caught" not in linted.out and "inner" not in linted.out, "somebody takes that mail"
    added = inv("alias-add", "wide-team@example.com", "--to", "inner,moved-team,anybody@example.com", "--yes")
    assert added.status == 0, added.err + added.out
    for domain in ("example.com", "example.biz"):
        said = post.route(f"wide-team@{domain}", MAIL_HOSTS[1])
        assert f"<-- inner@{domain}" in said and "caught@example.net" in said and "old@example.net" in said
    assert inv("alias-remove", "wide-team@example.com", "--to", "moved-team", "--yes").status == 0
    gone = inv("alias-remove", "wide-team@example.com", "--yes")
    assert gone.status == 0, gone.err + gone.out
    moved = inv("alias-remove", "moved-team@example.com", "--yes", "--json")
    assert moved.status == 0, moved.err + moved.out
    assert "moved-team@example.com now goes to " in moved.out


def test_aliases_in_a_poor_state_are_edited(inv: Inv, post: Post) -> None:
    """One who has left, a phrase, capitals, and one that leads nowhere."""
    head = post.head().strip()
    lines = r"$ a left-team: Bob <bob@lab.example.org>, left@example.org, alice@lab.example.org\nvoid-team:\ncar: bob"
    post.by_hand(lines)
    post.puppet(*MAIL_HOSTS)
    try:
        alias = ("left-team@example.org", "--yes")
        same = inv("alias-add", *alias, "--to", "ALICE@lab.example.org,left@example.org,bob@lab.example.org")
        assert (same.status, "Nothing to do." in same.out) == (0, True), same.err + same.out
        inv("alias-add", "void-team@example.org", "--to", "alice", "--yes").refuses(2, "leads to nothing already")
        more = inv("alias-add", "car@example.org", "--to", "carol", "--more", "--dry-run")
        assert more.status == 0, "not hers alone: bob has it, too"
        for words in (
            ("alias-add", *alias, "--to", "carol@lab.example.org", "--more"),
            ("alias-remove", *alias, "--to", "bob@lab.example.org"),
            ("alias-remove", *alias, "--to", "left@example.org"),
            ("alias-remove", "void-team@example.org", "--yes"),
        ):
            done = inv(*words)
            assert done.status == 0, (words, done.err + done.out)
        assert "left-team: alice@lab.example.org, carol@lab.example.org\n" in post.file()
    finally:
        post.sh('git -C "$1" reset -q --hard "$2"', PRIVATE, head)
        post.puppet(*MAIL_HOSTS)


def test_mail_hosts_that_differ_are_told(inv: Inv, post: Post) -> None:
    words = ("alias-add", "apart-team@example.com", "--to", "alice", "--yes")
    where = "/etc/exim4/aliases/example.biz"
    head = post.head()
    for host, script in ((MAIL_HOSTS[0], "echo a: b >there"), (MAIL_HOSTS[1], "echo a: b >there")):
        post.sh(f"cd /tmp; {script}; rm {where}; mv there {where}", host=host)
        refused = inv(*words)
        assert refused.status == 3 and "other mail hosts differ: example.biz" in refused.err, refused.err
        post.puppet(host)
    post.sh(f"rm {where}", host=MAIL_HOSTS[1])
    refused = inv(*words)
    assert refused.status == 3 and f"lab02 has no {where} yet" in refused.err
    post.puppet(MAIL_HOSTS[1])
    assert post.head() == head


def test_files_that_nothing_can_be_made_of_are_told(inv: Inv, post: Post) -> None:
    inv("alias-lint", "--domain", "example.museum").refuses(2, "init.pp:33 may say what makes it")
    place = f"{PRIVATE}/{REPOSITORY_FILES}"
    post.sh("cd \"$1\"; printf 'a: b\\0\\nc: d\\n' >nul.example; git add .; git commit -qm NUL", place)
    try:
        found = inv("alias-lint", "--json")
        assert found.status == 8
        whats = [one["what"] for one in found.json["problems"] if one["path"].endswith("/nul.example")]
        assert len(whats) == 1 and whats[0].startswith("a NUL character")
        assert inv("alias-lint", "--domain", "example.org").status == 0, "that is of another file"
        inv("alias-show", "nul.example").refuses(2, f"{REPOSITORY_FILES}/nul.example: line 1: a NUL")
        assert inv("alias-add", "other-team@example.org", "--to", "alice", "--dry-run").status == 0
    finally:
        post.sh('git -C "$1" reset -q --hard HEAD~1', PRIVATE)


def test_a_checkout_that_is_no_place_to_commit(inv: Inv, post: Post) -> None:
    post.sh('git -C "$1" checkout -q --detach', PRIVATE)
    try:
        refused = inv("alias-add", "lost-team@example.org", "--to", "alice", "--yes")
        assert refused.status == 3 and "is on no branch" in refused.err, refused.err
    finally:
        post.sh('git -C "$1" checkout -q -', PRIVATE)
    post.sh('chown -R 1001 "$1"', PRIVATE)
    try:
        inv("alias-add", "lost-team@example.org", "--to", "alice", "--yes").refuses(3, "safe.directory")
        inv("alias-lint").refuses(3, "safe.directory")
    finally:
        post.sh('chown -R root "$1"', PRIVATE)
