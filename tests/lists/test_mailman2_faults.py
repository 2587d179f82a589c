"""The Mailman 2 driver where a list server is not as it should be: damaged lists, locks, old releases, odd ways to call
its commands; on a lab host with a stand-in for those (mailman2_standin)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbooks.errors import Blocked, CommandFailed, Lost, RunbookError, Unreachable
from runbooks.lab import Lab
from runbooks.lists import mailman2_writer
from runbooks.lists.changes import Configured, Created, HeldOut, Restored
from runbooks.lists.mailman2 import Mailman2Reader
from runbooks.model import Status
from tests.lists.mailman2_server import BIN, DOMAIN, HOST, OWNERS, Server, connected
from tests.waiting import eventually

# what cannot be read


@pytest.mark.parametrize(
    ("bin", "said", "why"),
    [
        ("/nowhere", "", "not found"),
        ("/tmp/bin", "ops", "cannot read their answer"),
        ("/tmp/bin", "ops\nowner = []", "it lacks ban_list, description"),
        ("/tmp/bin", "ops\nowner = __import__('os')", "no plain value"),
    ],
)
def test_what_makes_no_sense_is_said(server: Server, bin: str, said: str, why: str) -> None:
    script = "mkdir -p /tmp/bin; cd /tmp/bin; cat > list_lists; chmod +x list_lists; cp list_lists config_list"
    server.sh(script, input=f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    reader = server.target(bin=bin).reader()
    with pytest.raises(Blocked, match=why):
        reader.settings("ops")
    for look in (reader.names, lambda: reader.held("ops")):
        with pytest.raises(Blocked):
            look()


def test_a_command_that_fails_for_a_list_that_is_there_is_no_missing_list(server: Server) -> None:
    script = (
        "mkdir -p /tmp/half; cd /tmp/half; cat > config_list; printf '#!/bin/sh\necho ops\n' > list_lists; chmod +x *"
    )
    server.sh(script, input="#!/bin/sh\necho help >&2; echo boom >&2; exit 5\n")
    reader = server.target(bin="/tmp/half").reader()
    for look in (reader.settings, reader.held):
        with pytest.raises(Blocked, match=r"^lab01: Mailman's commands in /tmp/half returned 5: boom$"):
            look("ops")
        assert not look("other")


def test_while_nothing_changes_a_question_is_asked_once(server: Server) -> None:
    server.create("ops")
    reader = server.reader()
    reader.hold_still()
    assert reader.settings("ops")["description"] == ""  # type: ignore[index]
    server.told("ops", "description = 'new'\n")
    assert reader.settings("ops")["description"] == ""  # type: ignore[index]
    assert server.settings("ops")["description"] == "new"


SLOW = """
import os, time
def extend(mlist):
    save = mlist.Save
    def slow():
        open('/tmp/saving', 'w').write(str(os.getpid()))
        while not os.path.exists('/tmp/go'):
            time.sleep(0.02)
        save()
    mlist.Save = slow
"""


@pytest.fixture
def slow(server: Server) -> Server:
    """Whoever saves the list ops waits for /tmp/go (a list's own extend.py is a way that Mailman 2.1 has)."""
    server.create("ops")
    server.sh("rm -f /tmp/go /tmp/saving; cat > /var/lib/mailman/lists/ops/extend.py", input=SLOW)
    return server


def test_an_answer_that_does_not_come_is_lost_and_looked_for_again(
    slow: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailman2_writer, "WRITE_S", 2.0)
    with pytest.raises(Lost):
        slow.write(lambda writer: writer.configure("ops", {"description": "new"}))
    assert slow.settings("ops")["description"] == "", "it still waits"
    slow.sh("touch /tmp/go")
    slow.target().settle(60)
    assert slow.settings("ops")["description"] == "new", "a command outlives its client"
    # One that was done when it is looked for again is no loss.
    slow.sh("rm -f /tmp/go /tmp/saving")
    looked = Mailman2Reader.settings

    def settings(reader: Mailman2Reader, name: str) -> Any:
        slow.sh("touch /tmp/go")
        slow.target().settle(60)
        return looked(reader, name)

    monkeypatch.setattr(Mailman2Reader, "settings", settings)
    slow.write(lambda writer: writer.configure("ops", {"description": "newer", "owner": OWNERS[:1]}))
    assert "description = 'newer'" in slow.transcript[-1]["output"]


def test_a_host_that_dies_half_way_leaves_the_old_list_and_a_lock_that_is_named(slow: Server) -> None:
    lost: list[Exception] = []

    def change() -> None:
        try:
            slow.write(lambda writer: writer.configure("ops", {"description": "new"}))
        except Exception as error:
            lost.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    eventually(lambda: slow.sh("cat /tmp/saving 2>/dev/null", check=False) != "")
    pid = slow.sh("cat /tmp/saving").strip()
    slow.lab.kill(HOST)
    try:
        thread.join(300)
        assert not thread.is_alive() and [type(error) for error in lost] == [Lost], lost
        with pytest.raises(Unreachable):
            slow.reader().names()
    finally:
        slow.lab.start(HOST)
        slow.host.close()
    slow.sh("touch /tmp/go; rm /var/lib/mailman/lists/ops/extend.py")
    assert slow.sh("[ -e /proc/$1 ] && echo there", pid, check=False) == ""
    assert slow.settings("ops")["description"] == ""
    with pytest.raises(CommandFailed, match=rf"/var/lib/mailman/locks/ops\.lock was left by process {pid}, which has"):
        slow.write(lambda writer: writer.configure("ops", {"description": "new"}))
    slow.write(lambda writer: writer.create("other", OWNERS, False))
    slow.sh("rm /var/lib/mailman/locks/ops.lock*")
    slow.apply(Configured("ops", {"description": "new"}))


# damaged lists

PLACE = "/var/lib/mailman/lists"


def test_a_damaged_list_comes_back_as_mailman_has_it_and_one_that_does_not_is_named(server: Server) -> None:
    for name in ("ops", "other"):
        server.create(name)
    server.write(lambda writer: writer.configure("ops", {"description": "new"}))
    server.sh(f"echo rubbish > {PLACE}/ops/config.pck")
    assert server.settings("ops")["description"] == "", "the one before, as Mailman itself goes on with"
    server.sh(f"echo rubbish | tee {PLACE}/ops/config.pck > {PLACE}/ops/config.pck.last")
    said = r"/bin returned 1: the list ops is damaged: bring its config\.pck back from a backup: Mailman\."
    for look in (server.reader().names, lambda: server.reader().settings("ops"), lambda: server.reader().held("ops")):
        with pytest.raises(Blocked, match=said) as told:
            look()
        assert str(told.value).startswith(f"{HOST}: ") and "\n" not in str(told.value)
    # The others' settings can be read and set all the same.
    server.apply(Configured("other", {"description": "new"}))
    assert server.settings("other")["description"] == "new"


# locks


@pytest.fixture
def keep(server: Server) -> Iterator[Callable[[], str]]:
    """Some other command has the list ops, until /tmp/go is there; gives back its process's number."""
    server.create("ops")
    server.sh("rm -f /tmp/go /tmp/pid")
    program = (
        "import os, time\nopen('/tmp/pid', 'w').write(str(os.getpid()))\n"
        "while not os.path.exists('/tmp/go'):\n    time.sleep(0.02)\n"
    )

    def start() -> str:
        server.sh(f"cat > /tmp/keep.py; {BIN}/config_list -i /tmp/keep.py ops > /tmp/kept 2>&1 &", input=program)
        eventually(lambda: server.sh("cat /tmp/pid 2>/dev/null", check=False) != "")
        return server.sh("cat /tmp/pid").strip()

    yield start
    server.sh("touch /tmp/go")
    eventually(lambda: server.sh("ls /var/lib/mailman/locks") == "")


def test_who_has_a_list_locked_is_named_and_nothing_is_sent(
    server: Server, keep: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailman2_writer, "LOCK_S", 1.0)
    pid, sent = keep(), len(server.transcript)
    why = rf"the list ops is locked by process {pid} of .*/locks/ops\.lock\), and nothing was changed"
    for one in (
        lambda writer: writer.configure("ops", {"description": "new"}),
        lambda writer: writer.set_password("ops", f"ops@{DOMAIN}"),
        lambda writer: writer.discard("ops", ["1"]),
        lambda writer: writer.remove("ops"),
    ):
        with pytest.raises(CommandFailed, match=why):
            server.write(one)
    assert server.settings("ops")["description"] == "", "it can be read all the same"
    assert len(server.transcript) == sent
    server.create("other")


def test_a_lock_that_is_given_back_is_waited_for(
    server: Server, keep: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        server.sh("touch /tmp/go")

    monkeypatch.setattr(mailman2_writer.fibres, "sleep", sleep)
    keep()
    server.apply(Configured("ops", {"description": "new"}))
    assert waits and server.settings("ops")["description"] == "new"


@pytest.mark.parametrize(("age_s", "is_refused"), [(-3600, True), (3600, False)])
def test_a_lock_that_was_left_stands_in_the_way_until_it_expires(server: Server, age_s: int, is_refused: bool) -> None:
    server.create("ops")
    script = """
        cd /var/lib/mailman/locks; sleep 0 & wait $!; own=$PWD/ops.lock.$(hostname).$!.0
        printf %s "$own" > "$own"; touch -d "@$(($(date +%s) - $1))" "$own"; ln "$own" ops.lock
    """
    server.sh(script, str(age_s))
    change = Configured("ops", {"description": "new"})
    if is_refused:
        with pytest.raises(CommandFailed, match=r"was left by process [0-9]+, which has ended"):
            server.apply(change)
    else:
        server.apply(change)


def test_two_operators_at_once_change_the_same_list_one_after_the_other(server: Server, lab: Lab) -> None:
    server.create("ops")
    server.host.rest()
    failed: list[RunbookError] = []

    def change(key: str) -> None:
        with connected(lab) as other:
            try:
                other.apply(Configured("ops", {key: "new"}))
            except RunbookError as error:
                failed.append(error)

    threads = [threading.Thread(target=change, args=(key,)) for key in ("description", "info")]
    for one in threads:
        one.start()
    for one in threads:
        one.join(300)
    found = server.settings("ops")
    assert not failed and (found["description"], found["info"]) == ("new", "new")


# old releases, and sites with settings of their own


def site(server: Server, text: str) -> None:
    server.sh("cat > /var/lib/mailman/mm_cfg.site", input=text + "\n")


@pytest.mark.parametrize("release", [9, 15, 18, 29])
def test_older_releases_lack_settings_and_are_closed_and_opened_all_the_same(server: Server, release: int) -> None:
    site(server, f"RELEASE = {release}")
    server.create("ops", private=True)
    server.told("ops", "preferred_language = 'fr'\ndescription = 'caf\\xe9'\n")
    before = server.settings("ops")
    assert before["description"] == "café" and ("dmarc_moderation_action" in before) is (release >= 18)
    quiet = Configured("ops", server.reader().closed(before))
    was = server.apply(quiet)
    server.apply(Configured("ops", {"description": "[disabled] café"}))
    for what in ("post", "owner"):
        assert server.post("ops", "x@strict.example.org", what) == "discarded"
    again = quiet.inverse(was)
    assert isinstance(again, Restored)
    server.apply(again)
    server.apply(Configured("ops", {"description": "café"}))
    assert server.settings("ops") == before
    assert server.post("ops", "x@example.org") == "held"
    server.apply(HeldOut("ops", discard=True))
    assert server.reader().has_password("ops", f"ops@{DOMAIN}")


def test_a_site_can_have_new_lists_hidden_from_the_first_moment(server: Server) -> None:
    site(server, "DEFAULT_LIST_ADVERTISED, DEFAULT_ARCHIVE_PRIVATE = 0, 1")
    server.sh(f"echo made | {BIN}/newlist -q bare ann@example.org")
    for name, private in (("hidden", True), ("open", False)):
        server.create(name, private)
    seen = {name: server.settings(name) for name in ("bare", "hidden", "open")}
    told = {name: (found["advertised"], found["archive_private"]) for name, found in seen.items()}
    assert told == {"bare": (0, 1), "hidden": (0, 1), "open": (1, 0)}


def test_a_list_that_the_mail_system_could_not_be_told_of_is_there_and_its_password_known(server: Server) -> None:
    site(server, "MTA = 'Postfix'")
    with pytest.raises(CommandFailed, match=r"RuntimeError: command failed: .*: the list is there, .*/genaliases\)"):
        server.create("ops", private=True)
    assert server.settings("ops")["advertised"] == 0 and server.settings("ops")["owner"] == list(OWNERS)
    assert server.fresh.taken == [f"ops@{DOMAIN}"] and server.reader().has_password("ops", f"ops@{DOMAIN}")
    assert Created("ops", OWNERS, True).check(server.reader()).status is Status.DONE, "it is not made twice"


def test_a_new_list_has_the_web_host_of_the_site_where_several_have_its_mail_domain(server: Server) -> None:
    site(server, "VIRTUAL_HOSTS |= {name: DEFAULT_EMAIL_HOST for name in ('a.example.com', 'z.example.com')}")
    server.create("ops")
    web = server.sh(f"echo 'print(mlist.web_page_url)' | {BIN}/config_list -c -i /dev/stdin ops")
    assert web.strip() == "http://www.example.org/mailman/"


def test_what_mailman_does_not_take_is_seen_although_it_says_nothing_by_its_status(server: Server) -> None:
    server.create("ops")
    change = Configured("ops", {"real_name": "Other"})
    server.write(lambda writer: change.do(writer, {}))
    assert (
        server.transcript[-1]["status"] == 0 and "must differ from the list's name" in server.transcript[-1]["output"]
    )
    assert change.verify(server.reader(), {}).status is not Status.DONE


# what goes on of itself in a closed list


def test_nothing_that_comes_before_the_filter_rules_or_by_cron_reaches_a_closed_list(server: Server) -> None:
    server.create("ops")
    server.told(
        "ops",
        "dmarc_moderation_action = 3\nmember_verbosity_threshold = 1\nautorespond_admin = 1\n"
        "digest_send_periodic = 1\n",
    )
    server.outside("member", "ops", "member@example.org")
    server.outside("member", "ops", "gone@example.org")
    server.outside("bouncing", "ops", "gone@example.org")
    server.outside("join", "ops", "new@example.org")
    before = server.settings("ops")
    server.sent()
    quiet = Configured("ops", server.reader().closed(before))
    was = server.apply(quiet)
    for sender in ("x@strict.example.org", "member@example.org", "member@example.org", "member@example.org"):
        assert server.post("ops", sender) == "discarded"
    assert server.post("ops", "x@example.org", "owner") == "discarded"
    for _ in range(5):
        server.outside("night", "ops")
    assert server.sent() == [], "no refusal, no reminder of who asks to join, no warning, no digest"
    server.outside("request", "ops", "x@example.org")
    assert server.sent() == [("answer", "x@example.org")], "this no setting stops"

    again = quiet.inverse(was)
    assert isinstance(again, Restored)
    server.apply(again)
    assert server.settings("ops") == before
    assert server.post("ops", "member@example.org") == "delivered", "nobody was moderated meanwhile"
    assert server.post("ops", "x@strict.example.org") == "rejected"
    assert server.reader().state("ops").members == 2, "nobody was taken off meanwhile"
    server.sent()
    server.outside("night", "ops")
    assert ("warning", "gone@example.org") in server.sent()


def test_a_password_passes_no_closed_list_however_it_is_given(server: Server) -> None:
    server.create("ops")
    secret = server.fresh.make().reveal()
    ways = ["".join((name, ": ", secret, "\n")) for name in ("Approved", "Approve", "X-Approved", "X-Approve")]
    ways.append(f"\nApproved: {secret}\n")
    assert [server.post("ops", "x@example.org", more=one) for one in ways] == ["delivered"] * 5
    server.apply(Configured("ops", server.reader().closed(server.settings("ops"))))
    assert [server.post("ops", "x@example.org", more=one) for one in ways] == ["discarded"] * 5


# surroundings


def test_hundreds_of_held_messages_are_shown_and_discarded_at_once(server: Server) -> None:
    server.create("ops")
    program = (
        "import email\nfor number in range(700):\n"
        "    mail = email.message_from_string('Subject: number %d\\n\\nx' % number)\n"
        "    mlist.HoldMessage(mail, 'x@example.org', 'why')\n"
    )
    server.told("ops", program)
    assert len(server.reader().held("ops")) == 700
    server.apply(HeldOut("ops", discard=True))
    assert server.reader().held("ops") == () and server.sh("ls /var/lib/mailman/data") == ""
    assert len(server.transcript) == 3, "making it, its settings, one discard"


WRAPPER = """#!/bin/sh
umask 077
echo "/usr/lib/mailman/pythonlib/email/Charset.py:1: DeprecationWarning: the sha module is deprecated" >&2
LC_ALL=C exec /var/local/mailman/bin/${0##*/} "$@"
"""


def test_warnings_locales_and_masks_of_others_make_no_difference(server: Server) -> None:
    script = "mkdir -p /opt/lists/bin; cd /opt/lists/bin; cat > newlist; chmod +x newlist; "
    server.sh(script + "for i in list_lists config_list discard rmlist; do cp newlist $i; done", input=WRAPPER)
    target = server.target(bin="/opt/lists/bin/")
    with target.writer("run1", 1, 60) as writer:
        writer.create("ops", OWNERS, True)
        writer.configure("ops", {"description": "Café"})
        writer.set_password("ops", f"ops@{DOMAIN}")
        reader = target.reader()
        settings = reader.settings("ops")
        assert settings is not None and settings["description"] == "Café"
        assert reader.has_password("ops", f"ops@{DOMAIN}")
        server.post("ops", "x@example.org")
        writer.discard("ops", [one.id for one in reader.held("ops")])
        assert reader.held("ops") == ()
        with pytest.raises(CommandFailed, match=r"returned 1: Bad owner email address: nobody$"):
            writer.create("bad", ("nobody",), False)
        writer.remove("ops")
    assert target.reader().names() == ["mailman"]
