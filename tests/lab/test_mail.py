"""The lab's list server: mail through a real exim, a real Mailman 3 and back, and how both die and come back."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbooks.errors import Blocked, RunbookError, Unreachable, UsageError
from runbooks.lab import Lab, Person
from runbooks.lab.host import process_stat, wait_for
from runbooks.lab.mail import LISTS
from runbooks.lab.mail.lists import need
from runbooks.lab.mail.mailman import SITE_OWNER, Mailman
from runbooks.lab.mail.servers import ListServer
from runbooks.lab.network import free_port
from runbooks.settings import Settings
from runbooks.settings.layer import Layer

Factory = Callable[..., Lab]

PEOPLE = (Person("ann", 1001, home_files=5), Person("ben", 1002, home_files=5, domain="example.net"))
EVERYBODY = "^.*@.*"
NUMBERS = count()


@pytest.fixture(scope="module")
def lab(labs: Factory) -> Iterator[Lab]:
    """One that is given a list server when it stands, and of which nothing is left at last."""
    try:
        need()
    except Blocked as missing:
        pytest.skip(str(missing))
    made = labs(1, people=PEOPLE)
    with pytest.raises(UsageError, match="has no list server"):
        made.kill("lists")
    assert "lists" not in yaml.safe_load((made.inventory / "settings.yaml").read_text())
    made.up(lists=True)
    yield made
    pids = made.lists.mailman.pids() + made.lists.exim.pids()
    made.down()
    assert not alive(pids)
    assert not made.layout.top.exists()


@pytest.fixture
def server(lab: Lab) -> Iterator[ListServer]:
    """It, alive before and after."""
    yield lab.lists
    lab.start("lists")
    lab.thaw("lists")


@dataclass(frozen=True)
class MailingList:
    """A list of its own for a test, with two members, an owner and a moderator who get no other mail."""

    server: ListServer
    name: str

    @property
    def config(self) -> str:
        return f"lists/{self.name}.{LISTS}/config"

    def address(self, who: str) -> str:
        return f"{who}-{self.name}@example.net"

    def set(self, **settings: Any) -> None:
        self.server.mailman.rest(self.config, settings, "PATCH")

    def ban_everybody(self) -> None:
        self.server.mailman.rest(f"lists/{self.name}.{LISTS}/bans", {"email": EVERYBODY})

    def held(self) -> int:
        return int(self.server.mailman.rest(f"lists/{self.name}.{LISTS}/held")["total_size"])

    def member(self, who: str) -> str:
        """The way to a member in the REST API."""
        rows = self.server.mailman.rest(f"lists/{self.name}.{LISTS}/roster/member")["entries"]
        return "members/" + next(str(row["member_id"]) for row in rows if row["email"] == self.address(who))

    def mail(self, sender: str, to: str = "", **headers: str) -> None:
        """Send something to the list, or to ``-owner`` and the like, and say no more."""
        message, address = EmailMessage(), sender if "@" in sender else self.address(sender)
        message["From"], message["To"] = address, f"{self.name}{to}@{LISTS}"
        message["Subject"] = f"from {sender}{to}"
        for name, value in headers.items():
            message[name] = value
        message.set_content("Miau.")
        self.server.exim.send(message, address, f"{self.name}{to}@{LISTS}")

    def got(self, *who: str) -> dict[str, list[str]]:
        """What came, in the end; those who got nothing are left out."""
        self.server.settle()
        boxes = {name: self.server.exim.mailbox(self.address(name)) for name in who}
        # A long subject is folded, wherever it may be.
        return {name: [" ".join(str(mail["Subject"]).split()) for mail in box] for name, box in boxes.items() if box}

    def everybody(self) -> dict[str, list[str]]:
        return self.got("mia", "max", "owner", "moderator")


@pytest.fixture
def cats(server: ListServer) -> MailingList:
    made = MailingList(server, f"cats{next(NUMBERS)}")
    server.add_list(made.name, subject_prefix="")
    for who, role in {"mia": "member", "max": "member", "owner": "owner", "moderator": "moderator"}.items():
        server.add_member(made.name, made.address(who), role)
    # Two runners that see a new sender at once both put it down, and one of the mails is shunted (Mailman 3.3.8).
    server.mailman.rest("users", {"email": made.address("stranger")})
    return made


# ---- mail on its way


def test_a_members_mail_reaches_every_member(cats: MailingList) -> None:
    cats.mail("mia")
    assert cats.everybody() == {"mia": ["from mia"], "max": ["from mia"]}
    log = cats.server.exim.history()
    assert f"=> {cats.name}@{LISTS} R=lists T=mailman" in log
    assert f"<= {cats.name}-bounces@{LISTS}" in log
    message = cats.server.exim.mailbox(cats.address("max"))[0]
    assert message["List-Id"] == f"<{cats.name}.{LISTS}>"
    assert message["Envelope-to"] == cats.address("max")


def test_a_strangers_mail_is_held_and_who_decides_is_told(cats: MailingList) -> None:
    cats.mail("stranger")
    told = [f"{cats.name}@{LISTS} post from {cats.address('stranger')} requires approval"]
    assert cats.everybody() == {"owner": told, "moderator": told}
    assert cats.held() == 1
    assert cats.got("stranger") == {"stranger": [f"Your message to {cats.name}@{LISTS} awaits moderator approval"]}


def test_no_mail_leaves_the_machine(cats: MailingList) -> None:
    exim = cats.server.exim
    for to in ("", "-owner", "-request", "-bounces", "-bounces+a=example.com", "-confirm+1", "-join", "-leave"):
        with smtplib.SMTP("127.0.0.1", exim.port) as smtp:
            smtp.ehlo()
            smtp.mail("a@example.net")
            assert smtp.rcpt(f"{cats.name}{to}@{LISTS}")[0] == 250, to
    outside = ["a@example.com", f"nobody@{LISTS}", "a@sub.example.net", "../a@example.net", "root@localhost"]
    for recipient in outside:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="no mail leaves this machine"):
            exim.send(b"Subject: x\n\n", "a@example.net", recipient)
    done = subprocess.run(exim.command("-bt", *outside), capture_output=True, text=True, check=False)
    assert done.stdout.count("is undeliverable") == len(outside), "also what is handed in on the machine itself"


def test_as_long_as_mail_is_under_way_it_is_waited_for(cats: MailingList) -> None:
    server = cats.server
    server.mailman.freeze()
    cats.mail("mia")
    assert (server.exim.waiting(), server.mailman.waiting()) == (1, [])
    with pytest.raises(RunbookError, match="mail is still under way"):
        server.settle(0.5)
    server.mailman.thaw()
    assert cats.everybody() == {"mia": ["from mia"], "max": ["from mia"]}
    server.exim.freeze()
    handed_in = f"From: {cats.address('mia')}\nTo: {cats.name}@{LISTS}\nSubject: past exim\n\nMiau.\n".encode()
    subprocess.run(server.mailman.command("inject", f"{cats.name}@{LISTS}"), input=handed_in, check=True)
    assert server.exim.waiting() == 0
    with pytest.raises(RunbookError, match="mail is still under way"):
        server.settle(0.5)
    server.exim.thaw()
    assert cats.everybody() == {"mia": ["from mia", "past exim"], "max": ["from mia", "past exim"]}


def test_mail_that_mailman_puts_aside_is_no_silence(cats: MailingList) -> None:
    aside = cats.server.mailman.folder / "var/queue/shunt/1+a.pck"
    aside.touch()
    with pytest.raises(Blocked, match=r"shunted, see .*mailman\.log: shunt/1\+a\.pck"):
        cats.server.settle()
    aside.unlink()
    cats.server.settle()


# ---- what closes a list, and what does not

CLOSED = {
    "emergency": False,
    "posting_pipeline": "virgin",
    "autorespond_postings": "none",
    "autorespond_owner": "none",
    "autorespond_requests": "none",
    "process_bounces": False,
    "digest_send_periodic": False,
    "admin_notify_mchanges": False,
    "unsubscription_policy": "confirm",
}
TROUBLE = {
    "emergency": True,
    "moderator_password": "geheim",
    "autorespond_postings": "respond_and_continue",
    "autorespond_requests": "respond_and_continue",
    "autorespond_owner": "respond_and_continue",
    "admin_notify_mchanges": True,
    "unsubscription_policy": "moderate",
    "default_member_action": "accept",
    "default_nonmember_action": "accept",
}


def test_a_closed_list_delivers_nothing_holds_nothing_and_tells_nobody(cats: MailingList) -> None:
    mailman = cats.server.mailman
    mailman.rest(cats.member("max"), {"delivery_mode": "mime_digests"}, "PATCH")
    mailman.rest(cats.member("mia"), {"moderation_action": "accept"}, "PATCH")
    cats.mail("mia")
    assert cats.everybody() == {"mia": ["from mia"]}, "and max has a digest coming"
    cats.set(**TROUBLE)
    cats.set(**CLOSED)
    cats.ban_everybody()
    before = cats.everybody()
    for sender in ("mia", "stranger", "owner", "moderator"):
        cats.mail(sender)
        cats.mail(sender, Approved="geheim")
    for to in ("-bounces", "-subscribe", "-request"):
        cats.mail("stranger", to)
    cats.mail("max", "-leave")
    for words in ("digests --periodic", "notify"):
        subprocess.run(mailman.command(*words.split()), check=True, capture_output=True)
    assert cats.everybody() == before | {
        "max": [f"Your confirmation is needed to leave the {cats.name}@{LISTS} mailing list."]
    }
    answer = str(cats.server.exim.mailbox(cats.address("max"))[0]["From"]).strip()  # folded where it is long
    cats.mail("max", answer.removeprefix(cats.name).partition("@")[0])
    cats.mail("stranger", "-owner")
    after = cats.everybody()
    assert after.pop("max")[1:] == [f"You have been unsubscribed from the {cats.name.capitalize()} mailing list"]
    no_setting_stops = ["from stranger-owner"]
    assert after == before | {"owner": no_setting_stops, "moderator": no_setting_stops}
    assert cats.got("stranger") == {"stranger": ["The results of your email commands"] * 2}
    assert cats.held() == 0


@pytest.mark.parametrize(
    ("settings", "headers", "who"),
    [
        ({"emergency": True}, {}, {"mia", "owner", "moderator"}),
        ({"moderator_password": "geheim"}, {"Approved": "geheim"}, {"mia", "max"}),
        ({"moderator_password": ""}, {"Approved": ""}, {"mia", "max"}),
        ({"autorespond_postings": "respond_and_continue"}, {}, {"mia"}),
        ({}, {}, set()),
    ],
    ids=["emergency holds", "approved", "an empty password", "autoresponse", "the ban alone"],
)
def test_what_is_looked_at_before_a_ban(
    cats: MailingList, settings: dict[str, Any], headers: dict[str, str], who: set[str]
) -> None:
    cats.ban_everybody()
    cats.set(default_member_action="discard", default_nonmember_action="reject", **settings)
    cats.mail("mia", **headers)
    assert set(cats.everybody()) == who
    assert cats.held() == (1 if settings.get("emergency") else 0)


def test_mail_for_owners_goes_on_to_moderators_and_then_to_the_site_owner(cats: MailingList) -> None:
    cats.ban_everybody()
    mailman, exim = cats.server.mailman, cats.server.exim
    for role, left in {"owner": ["moderator"], "moderator": []}.items():
        row = mailman.rest(f"lists/{cats.name}.{LISTS}/roster/{role}")["entries"][0]
        mailman.rest(f"members/{row['member_id']}", method="DELETE")
        before = len(exim.mailbox(SITE_OWNER))
        cats.mail("stranger", "-owner")
        assert list(cats.everybody()) == (left or ["moderator"])
        assert len(exim.mailbox(SITE_OWNER)) == before + (not left)
    assert cats.got("moderator") == {"moderator": ["from stranger-owner"]}, "and no second one"


def test_each_members_own_action_is_stronger_than_the_lists(cats: MailingList) -> None:
    cats.set(default_member_action="discard")
    cats.server.mailman.rest(cats.member("mia"), {"moderation_action": "accept"}, "PATCH")
    cats.mail("mia")
    cats.mail("max")
    assert cats.everybody() == {"mia": ["from mia"], "max": ["from mia"]}


# ---- their life


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if (seen := process_stat(pid)) and seen[0] not in "ZX"]


def is_clean(pid: int, first: int | None, secret: str) -> bool:
    """Whether it is of that session, and has no secret among its words; not where it has ended meanwhile, as one of
    exim's that looks through the queue does every few seconds."""
    try:
        session, words = os.getsid(pid), Path(f"/proc/{pid}/cmdline").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
    assert session == first and secret.encode() not in words
    return True


def state_of(lab: Lab) -> str:
    return next(row.state for row in lab.status() if row.name == "lists")


def test_it_dies_in_any_order_and_comes_back_with_what_it_had(lab: Lab, cats: MailingList) -> None:
    server, row = cats.server, next(row for row in lab.status() if row.name == "lists")
    first, *others = server.mailman.pids()
    assert (row.address, row.port, row.state, row.pid) == ("127.0.0.1", server.port, "running", first)
    assert len(others) > 10, "its runners, and REST's workers"
    # Stopped, they cannot end by themselves when their master is gone.
    server.mailman.freeze()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: server.mailman.pid() is None, 60, "the master does not end")
    assert server.mailman.pids() == others
    cats.mail("mia")
    exim = server.exim.pids()
    lab.kill("lists")
    assert not alive([*others, *exim])
    assert server.ports_are_free()
    assert state_of(lab) == "dead"
    for broken in (lab.freeze, lab.thaw):
        with pytest.raises(Unreachable, match=r"inv lab\.start lists"):
            broken("lists")
    with socket.create_server(("127.0.0.1", server.smtp_port)):
        with pytest.raises(Blocked, match=f"lab: exim: port {server.smtp_port} of 127.0.0.1 is taken"):
            server.start()
        lab.start("lists")
    assert lab.lists.smtp_port != server.smtp_port
    assert settings(lab)["url"] == lab.lists.mailman.url
    after = replace(cats, server=lab.lists)
    assert after.everybody() == {"mia": ["from mia"], "max": ["from mia"]}, "taken on while Mailman was dead"


def test_what_is_started_while_it_is_frozen_stands_still_too(
    server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, late = (subprocess.Popen(["sleep", "600"]) for _ in range(2))
    with first, late:
        os.kill(first.pid, signal.SIGSTOP)
        wait_for(lambda: process_stat(first.pid)[0] == "T", 60, "it does not stop")  # type: ignore[index]
        seen = iter([[first.pid]])
        monkeypatch.setattr(type(server.exim), "pids", lambda _exim: next(seen, [first.pid, late.pid]))
        server.exim.freeze()
        assert process_stat(late.pid)[0] == "T"  # type: ignore[index]
        for one in (first, late):
            one.kill()


def test_a_port_that_somebody_has_is_left_to_them(server: ListServer, tmp_path: Path) -> None:
    with pytest.raises(Blocked, match=f"lab: mailman: port {server.port} of 127.0.0.1 is taken"):
        Mailman(tmp_path / "other", server.port).start()
    assert not (tmp_path / "other").exists()


def test_frozen_it_takes_connections_and_stays_silent(lab: Lab, server: ListServer) -> None:
    lab.freeze("lists")
    lab.up()
    assert next(row.state for row in lab.status() if row.name == "lists") == "frozen", "as frozen hosts stay so"
    with socket.create_connection(("127.0.0.1", server.smtp_port), timeout=5) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        lab.thaw("lists")
        connection.settimeout(60)
        assert connection.recv(3) == b"220"
    assert server.mailman.rest("system/versions")
    with pytest.raises(Blocked, match="freeze it instead"):
        lab.cut("lists")


def test_it_lives_on_by_itself_and_no_secret_is_to_be_seen(lab: Lab, server: ListServer) -> None:
    secret = server.mailman.password_file.read_text()
    assert len(secret) == 32
    for path in (server.mailman.password_file, server.mailman.config):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    for part in (server.mailman, server.exim):
        first = part.pid()
        seen = [pid for pid in part.pids() if is_clean(pid, first, secret)]
        assert seen[0] == first
        held = [str(Path(f"/proc/{first}/fd/{number}").readlink()) for number in range(3)]
        assert held == ["/dev/null", *[str(part.folder / "log")] * 2]
    assert secret not in (lab.inventory / "settings.yaml").read_text() + lab.layout.state.read_text()
    assert secret not in (server.mailman.folder / "var/logs/mailman.log").read_text()


_PATIENCE = """import sys
from mailman.core.initialize import initialize
initialize(sys.argv[1])
from mailman.config import config
from sqlalchemy import text
print(config.db.store.execute(text("PRAGMA busy_timeout")).scalar())"""


def test_who_waits_for_the_database_does_not_give_up_soon(server: ListServer) -> None:
    """After the 5 s that Python has it wait, LMTP sends mail back, on a machine that is busy with other things."""
    mailman = server.mailman
    argv = [str(mailman.python), "-c", _PATIENCE, str(mailman.config)]
    done = subprocess.run(argv, capture_output=True, check=True, cwd=mailman.folder)
    assert int(done.stdout) >= 60_000


def test_rest_alone_is_asked_and_told_everything(tmp_path: Path) -> None:
    mailman = Mailman(tmp_path / "mailman", free_port("127.0.0.1"))
    try:
        mailman.start()
        mailman.rest("domains", {"mail_host": LISTS})
        mailman.rest("lists", {"fqdn_listname": f"dogs@{LISTS}"})
        assert mailman.rest("lists")["total_size"] == 1
        assert len(mailman.pids()) < 6
        with pytest.raises(Blocked, match=r"POST lists: 400 .*Mailing list exists"):
            mailman.rest("lists", {"fqdn_listname": f"dogs@{LISTS}"})
    finally:
        mailman.kill()
    with pytest.raises(Blocked, match="does not answer"):
        mailman.rest("lists")


# ---- in the lab


def settings(lab: Lab) -> dict[str, Any]:
    """What the tool reads."""
    where = lab.inventory / "settings.yaml"
    found = yaml.safe_load(where.read_text())
    read = Settings.of(Layer(found, str(where), where.parent), root=where.parent)
    assert [domain.name for domain in read.lists.domains] == [LISTS]
    told: dict[str, Any] = found["lists"]["domains"][LISTS]
    return told


def test_there_are_lists_to_try_the_commands_on(lab: Lab, server: ListServer) -> None:
    mailman = server.mailman
    assert settings(lab) == {
        "driver": "mailman3",
        "url": f"http://127.0.0.1:{server.port}",
        "user": "restadmin",
        "password_file": str(mailman.password_file),
    }
    private = {}
    for name in ("cats", "board"):
        roster = {
            role: {row["email"] for row in mailman.rest(f"lists/{name}.{LISTS}/roster/{role}")["entries"]}
            for role in ("owner", "member")
        }
        assert roster == {
            "owner": {"olga@example.net", "oscar@example.net"},
            "member": {"ann@example.org", "ben@example.net"},
        }
        config = mailman.rest(f"lists/{name}.{LISTS}/config")
        private[name] = (config["archive_policy"], config["advertised"], config["subscription_policy"])
    assert private == {"cats": ("public", True, "confirm"), "board": ("private", False, "confirm_then_moderate")}
    assert mailman.rest(f"lists/cats.{LISTS}/held")["entries"][0]["subject"] == "Cheap cat food"
