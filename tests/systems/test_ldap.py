"""Groups of a real OpenLDAP: looked at, changed, refused, and its server lost at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runbooks.errors import Blocked, CommandFailed, Lost, Unreachable
from runbooks.lab.directory import GROUPS, PEOPLE, SUFFIX, TOOL, DirectoryServer, Entry
from runbooks.model import Change, Status
from runbooks.secret import Secret
from runbooks.systems import ldap
from runbooks.systems.ldap import Directory, LdapTarget, Person
from runbooks.systems.ldap_groups import InGroup, OutOfGroup
from tests.waiting import eventually

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDHYjWVcfMAcmolF1a7NiXSMm7klfbacJ5QJyCTppbuG bob@laptop"
ALICE, BOB = f"uid=alice,{PEOPLE}", f"uid=bob,{PEOPLE}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryServer]:
    server = DirectoryServer(tmp_path_factory.mktemp("slapd"))
    server.start()
    people = {"alice": Entry(3000, "alice@example.org", "Alice", (KEY,)), "bob": Entry(3001, "bob@elsewhere.example")}
    server.fill(people, {"wmf": ["alice"], "nda": [], "ops": ["alice", "bob"]})
    yield server
    server.kill()


@pytest.fixture
def hasty() -> None:
    """For a server that stands still; a good one may be slow where this machine is busy."""


@pytest.fixture
def directory(server: DirectoryServer, request: pytest.FixtureRequest) -> Iterator[Directory]:
    """As it was filled, and running."""
    server.start()
    server.thaw()
    timeout_s = 3 if "hasty" in request.fixturenames else 30
    yield Directory(server.url, TOOL, server.password, PEOPLE, server.ca, answer_timeout_s=timeout_s, groups=GROUPS)
    server.start()
    server.thaw()
    for name, members in {"wmf": [TOOL, ALICE], "nda": [TOOL], "ops": [TOOL, ALICE, BOB]}.items():
        lines = "".join(f"member: {member}\n" for member in members)
        server.modify(f"dn: cn={name},{GROUPS}\nchangetype: modify\nreplace: member\n{lines}")


@pytest.fixture
def target(directory: Directory) -> Iterator[LdapTarget]:
    target = LdapTarget(directory)
    yield target
    target.close()


def apply(target: LdapTarget, change: Change) -> Status:
    """Check, do, verify, as the engine does."""
    finding = change.check(target.reader())
    assert finding.status is Status.TODO, finding
    with target.writer("run", 1, 1.0) as writer:
        change.do(writer, finding.before)
    return change.verify(target.reader(), finding.before).status


def test_people(target: LdapTarget) -> None:
    reader = target.reader()
    assert reader.person("alice") == Person(ALICE, "alice", 3000, "Alice", ("alice@example.org",), (KEY,))
    assert reader.person("nobody") is None
    for clever in ("*", "al*", "alice)(uid=*", "alice\0", "al\\69ce", "(", "ä"):
        assert reader.person(clever) is None, clever
        assert reader.members(clever) is None, clever
    assert reader.groups_of(ALICE) == ("ops", "wmf")
    assert reader.members("ops") == (TOOL, ALICE, BOB)


def test_the_reader_has_no_way_to_write(target: LdapTarget) -> None:
    import ldap3
    from ldap3.core.exceptions import LDAPConnectionIsReadOnlyError

    reader = target.reader()
    reader.person("alice")
    assert not [name for name in dir(reader) if "add" in name or "remove" in name or "modify" in name]
    with pytest.raises(LDAPConnectionIsReadOnlyError):
        target._connection.modify(f"cn=nda,{GROUPS}", {"member": [(ldap3.MODIFY_ADD, [ALICE])]})


def test_what_is_not_shown_is_not_taken_for_nothing(server: DirectoryServer, directory: Directory) -> None:
    """Members whom we may not read, and a base that is not there, are no empty groups and no lack of people."""
    config = server.top / "slapd.conf"
    text = config.read_text()
    config.write_text(text.replace(f'by dn.exact="{TOOL}" write\n  by * read', "by * none", 1))
    server.kill()
    server.start()
    try:
        reader = LdapTarget(directory).reader()
        for look in (lambda: reader.members("wmf"), lambda: reader.groups_of(ALICE)):
            with pytest.raises(
                Blocked, match=r"is shown no member of (nda, ops, )?wmf: it has to be able to read them"
            ):
                look()
    finally:
        config.write_text(text)
        server.kill()
        server.start()
    elsewhere = LdapTarget(replace(directory, people=f"ou=none,{SUFFIX}")).reader()
    with pytest.raises(Blocked, match=f"there is no ou=none,{SUFFIX}, or {TOOL} is not shown it"):
        elsewhere.person("alice")


def test_in_and_out_again(target: LdapTarget) -> None:
    change = InGroup("nda", "bob", 3001, not_with="wmf")
    assert change.check(target.reader()).preview == (f"$ ldapmodify cn=nda,{GROUPS}", f"+member: {BOB}")
    assert apply(target, change) is Status.DONE
    assert change.check(target.reader()).status is Status.DONE
    assert target.reader().groups_of(BOB) == ("nda", "ops")
    inverse = change.inverse({"dn": BOB})
    assert apply(target, inverse) is Status.DONE
    assert target.reader().groups_of(BOB) == ("ops",)
    assert inverse.check(target.reader()).status is Status.DONE


def test_a_name_is_the_same_however_it_is_written(server: DirectoryServer, target: LdapTarget) -> None:
    odd = f"UID=Bob, OU=people,{SUFFIX.upper()}"
    server.modify(f"dn: cn=nda,{GROUPS}\nchangetype: modify\nadd: member\nmember: {odd}\n")
    assert InGroup("nda", "bob").check(target.reader()).status is Status.DONE
    assert apply(target, OutOfGroup("nda", "bob")) is Status.DONE


REFUSED = {
    "nobody": (InGroup("nda", "nobody"), "nobody is not in LDAP"),
    "another UID": (InGroup("nda", "bob", 3002), "UID 3001 in LDAP and 3002 in the registry"),
    "no such group": (InGroup("none", "bob"), "no group none"),
    "no such group to leave": (OutOfGroup("none", "bob"), "no group none"),
    "the other group": (InGroup("nda", "alice", not_with="wmf"), "alice is in wmf, which excludes nda"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(target: LdapTarget, case: str) -> None:
    change, why = REFUSED[case]
    finding = change.check(target.reader())
    assert finding.status is Status.BLOCKED
    assert why in finding.note


def test_the_last_member(server: DirectoryServer, target: LdapTarget) -> None:
    server.modify(f"dn: cn=nda,{GROUPS}\nchangetype: modify\nreplace: member\nmember: {BOB}\n")
    assert "only member of nda" in OutOfGroup("nda", "bob").check(target.reader()).note
    with target.writer("run", 1, 1.0) as writer, pytest.raises(CommandFailed, match="objectClassViolation"):
        writer.remove_member("nda", BOB)


def test_two_at_once(target: LdapTarget) -> None:
    """What somebody else has done meanwhile is an error of the command, and fine when looked at again."""
    change = InGroup("nda", "bob")
    before = change.check(target.reader()).before
    for expected in (None, "attributeOrValueExists"):
        with target.writer("run", 1, 1.0) as writer:
            if expected is None:
                change.do(writer, before)
            else:
                with pytest.raises(CommandFailed, match=expected):
                    change.do(writer, before)
    assert change.verify(target.reader(), before).status is Status.DONE


def test_the_tool_may_write_members_and_nothing_else(target: LdapTarget) -> None:
    import ldap3
    from ldap3.core.exceptions import LDAPInsufficientAccessRightsResult

    connection = ldap.connect(target.directory, read_only=False)
    for dn, attribute in ((ALICE, "mail"), (f"cn=nda,{GROUPS}", "description")):
        with pytest.raises(LDAPInsufficientAccessRightsResult):
            connection.modify(dn, {attribute: [(ldap3.MODIFY_REPLACE, ["x"])]})
    connection.unbind()


# the server


STRANGERS = {
    "no CA of ours": ({"ca": None}, Unreachable, "certificate verify failed"),
    "another name": ({"url": "ldap://localhost:{port}"}, Unreachable, "(?i)certificate|match"),
    "a wrong password": ({"password": Secret("wrong")}, Blocked, "refuses .*invalidCredentials"),
    "nobody there": ({"url": "ldap://127.0.0.1:1"}, Unreachable, "refused"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_whom_we_do_not_talk_to(server: DirectoryServer, directory: Directory, case: str) -> None:
    values, error, why = STRANGERS[case]
    values = {name: v.format(port=server.port) if isinstance(v, str) else v for name, v in values.items()}
    with pytest.raises(error, match=why) as raised:
        LdapTarget(replace(directory, **values)).reader().person("alice")
    assert directory.password.reveal() not in str(raised.value)


def test_a_secret_shows_itself_nowhere(directory: Directory) -> None:
    assert directory.password.reveal() not in repr(directory) + str(directory)
    assert "***" in repr(directory)


def test_a_connection_that_broke_is_made_again(server: DirectoryServer, target: LdapTarget) -> None:
    reader = target.reader()
    assert reader.person("alice")
    server.kill()
    with pytest.raises(Unreachable, match="refused"):
        reader.person("alice")
    server.start()
    assert reader.person("alice")
    server.kill()
    server.start()
    assert reader.person("alice")


@pytest.mark.usefixtures("hasty")
def test_a_server_that_stands_still_is_sent_nothing(server: DirectoryServer, target: LdapTarget) -> None:
    server.freeze()
    with pytest.raises(Unreachable, match="timed out"), target.writer("run", 1, 1.0):
        pass
    with pytest.raises(Unreachable, match="timed out"):
        target.reader().person("alice")
    server.thaw()
    assert target.reader().members("nda") == (TOOL,)


@pytest.fixture
def once_connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """What is done to the server between our connecting for a write, and the write."""
    todo: list = []
    real = ldap.connect

    def connect(directory: Directory, read_only: bool):
        connection = real(directory, read_only)
        if not read_only and todo:
            todo.pop()()
        return connection

    monkeypatch.setattr(ldap, "connect", connect)
    return todo


@pytest.mark.usefixtures("hasty")
def test_a_write_that_a_frozen_server_carries_out_later(
    server: DirectoryServer, target: LdapTarget, once_connected: list
) -> None:
    """No answer, and not to be seen: that is no failure. It comes when the server wakes up."""
    once_connected.append(server.freeze)
    with target.writer("run", 1, 1.0) as writer, pytest.raises(Lost, match="what became of the command is unknown"):
        writer.add_member("nda", BOB)
    server.thaw()
    eventually(lambda: BOB in target.reader().members("nda"))
    assert InGroup("nda", "bob").check(target.reader()).status is Status.DONE


def test_a_server_that_is_killed_before_the_write(
    server: DirectoryServer, target: LdapTarget, once_connected: list
) -> None:
    once_connected.append(server.kill)
    with target.writer("run", 1, 1.0) as writer, pytest.raises(Lost, match="refused"):
        writer.add_member("nda", BOB)
    server.start()
    assert target.reader().members("nda") == (TOOL,)


def test_a_server_that_is_restarted_before_the_write(
    server: DirectoryServer, target: LdapTarget, once_connected: list
) -> None:
    def restart() -> None:
        server.kill()
        server.start()

    once_connected.append(restart)
    with target.writer("run", 1, 1.0) as writer, pytest.raises(Lost, match="not there now"):
        writer.add_member("nda", BOB)
    assert apply(target, InGroup("nda", "bob")) is Status.DONE


def test_a_write_whose_answer_was_lost_is_seen(target: LdapTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was carried out, the connection died, and looking again shows it."""
    from ldap3 import Connection
    from ldap3.core.exceptions import LDAPSessionTerminatedByServerError

    real = Connection.modify

    def modify(self, *args, **kwargs):
        real(self, *args, **kwargs)
        raise LDAPSessionTerminatedByServerError("session terminated by server")

    monkeypatch.setattr(Connection, "modify", modify)
    with target.writer("run", 1, 1.0) as writer:
        writer.add_member("nda", BOB)
    assert "session terminated" in writer.transcript[0]["output"]
    assert BOB in target.reader().members("nda")
