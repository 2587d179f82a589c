"""The lab's directory is a real OpenLDAP: secured, in step with the registry, and breakable as hosts are."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbooks.errors import Blocked, Unreachable, UsageError
from runbooks.lab import Lab, Person, certificates, directory
from runbooks.lab.directory import GROUPS, PEOPLE, TOOL, DirectoryServer

Factory = Callable[..., Lab]


def settings(lab: Lab) -> dict[str, Any]:
    """What the tool reads."""
    found: dict[str, Any] = yaml.safe_load((lab.inventory / "settings.yaml").read_text())
    return found


def as_tool(lab: Lab, program: str, *more: str, ldif: str = "", ca: str = "") -> subprocess.CompletedProcess[str]:
    """One of OpenLDAP's own programs, with StartTLS and by the settings alone."""
    ldap = settings(lab)["ldap"]
    argv = [program, "-ZZ", "-x", "-H", ldap["url"], "-D", ldap["bind_dn"], "-y", ldap["password_file"]]
    env = {"PATH": os.environ["PATH"], "LDAPTLS_CACERT": ca or ldap["ca"]}
    return subprocess.run([*argv, *more], input=ldif, capture_output=True, text=True, check=False, env=env, timeout=30)


def answers(lab: Lab) -> bool:
    return as_tool(lab, "ldapwhoami").returncode == 0


@pytest.fixture(autouse=True)
def _as_it_was(lab: Lab) -> Iterator[None]:
    yield
    lab.start("ldap")
    lab.thaw("ldap")


def test_the_settings_lead_to_it_and_it_is_secured(lab: Lab, tmp_path: Path) -> None:
    ldap = settings(lab)["ldap"]
    assert as_tool(lab, "ldapwhoami").stdout == f"dn:{TOOL}\n"
    secret = Path(ldap["password_file"])
    assert lab.layout.top in secret.parents
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() not in (lab.inventory / "settings.yaml").read_text() + lab.layout.state.read_text()
    plain = ["ldapwhoami", "-x", "-H", ldap["url"], "-D", ldap["bind_dn"], "-y", ldap["password_file"]]
    refused = subprocess.run(plain, capture_output=True, text=True, check=False)
    assert "Confidentiality required" in refused.stderr
    stranger = tmp_path / "stranger.pem"
    certificates.make(tmp_path, DirectoryServer.address)
    (tmp_path / "ca.pem").rename(stranger)
    assert "Connect error" in as_tool(lab, "ldapwhoami", ca=str(stranger)).stderr


def test_it_is_in_step_with_the_registry(lab: Lab) -> None:
    registry = yaml.safe_load(lab.show())
    found = as_tool(lab, "ldapsearch", "-LLL", "-b", PEOPLE, "(uid=*)", "uid", "uidNumber", "mail").stdout
    entries = {
        re.findall(r"^uid: (.*)", entry, re.M)[0]: dict(re.findall(r"^(uidNumber|mail): (.*)", entry, re.M))
        for entry in found.strip().split("\n\n")
    }
    for name, user in registry["users"].items():
        assert entries[name]["uidNumber"] == str(user["uid"])
        assert entries[name]["mail"] == user.get("email", entries[name]["mail"])
    for name in registry["ldap_only_users"]:
        assert "uidNumber" in entries[name]
    strangers = set(entries) - set(registry["users"]) - set(registry["ldap_only_users"])
    assert strangers == {"nina", "oscar"}, "somebody to grant access to"
    assert "mallory" in entries


def test_who_is_in_which_group(lab: Lab) -> None:
    groups = {name: lab.directory.members(name) for name in ("wmf", "nda", *settings(lab)["ldap"]["privileged"])}
    assert groups == {
        "wmf": {"alice", "bob", "carol", "dave", "victor"},
        "nda": {"bobby"},
        "ops": {"carol"},
        "logstash-access": {"alice", "bob", "bobby", "dave"},
    }


def test_the_tool_may_write_members_and_nothing_else(lab: Lab) -> None:
    group, nina = f"cn=nda,{GROUPS}", f"uid=nina,{PEOPLE}"
    change = "dn: {0}\nchangetype: modify\n{1}\n"
    member = change.format(group, "{}: member\nmember: " + nina)
    assert as_tool(lab, "ldapmodify", ldif=member.format("add")).returncode == 0
    assert lab.directory.members("nda") == {"bobby", "nina"}
    assert as_tool(lab, "ldapmodify", ldif=member.format("delete")).returncode == 0
    for forbidden in (
        change.format(group, "replace: description\ndescription: x"),
        change.format(nina, "replace: mail\nmail: x@example.org"),
        change.format(TOOL, "replace: userPassword\nuserPassword: x"),
        f"dn: {group}\nchangetype: delete\n",
        f"dn: cn=new,{GROUPS}\nchangetype: add\nobjectClass: groupOfNames\ncn: new\nmember: {nina}\n",
    ):
        refused = as_tool(lab, "ldapmodify", ldif=forbidden)
        assert "Insufficient access (50)" in refused.stderr, forbidden


def test_killed_by_anybody_it_comes_back_with_what_it_had_answered_for(lab: Lab) -> None:
    before = lab.status()[-1]
    assert (before.name, before.address, before.state) == ("ldap", "127.0.0.1", "running")
    lab.directory.join("nda", ["nina"])
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)
    while (now := lab.status()[-1]).state != "dead":
        assert now.pid == before.pid
    assert now.pid is None
    assert not answers(lab)
    for broken in (lab.freeze, lab.thaw):
        with pytest.raises(Unreachable, match=r"inv lab\.start ldap"):
            broken("ldap")
    lab.kill("ldap")
    lab.up()
    after = lab.status()[-1]
    assert (after.port, after.state) == (before.port, "running")
    assert after.pid != before.pid
    assert answers(lab)
    assert lab.directory.members("nda") == {"bobby", "nina"}
    lab.directory.leave("nda", ["nina"])


def test_what_ends_while_it_is_looked_at_is_dead_and_has_no_process(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = DirectoryServer.powered

    def ends(server: DirectoryServer) -> bool:
        server.kill()
        return looked(server)

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryServer, "powered", ends)
        row = lab.status()[-1]
    assert (row.name, row.state, row.pid) == ("ldap", "dead", None)


def test_where_its_port_was_taken_the_settings_follow(lab: Lab) -> None:
    taken, others = lab.status()[-1].port, {k: v for k, v in settings(lab).items() if k != "ldap"}
    lab.kill("ldap")
    with socket.create_server(("127.0.0.1", taken)):
        lab.start("ldap")
        assert lab.status()[-1].port != taken
        assert settings(lab)["ldap"]["url"] == lab.directory.url
        assert answers(lab)
    assert {k: v for k, v in settings(lab).items() if k != "ldap"} == others


def test_a_frozen_one_takes_connections_and_stays_silent(lab: Lab) -> None:
    start_tls = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"
    lab.freeze("ldap")
    lab.up()
    assert lab.status()[-1].state == "frozen", "as frozen hosts stay so"
    with socket.create_connection(("127.0.0.1", lab.directory.port), timeout=5) as connection:
        connection.send(start_tls)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        lab.thaw("ldap")
        connection.settimeout(10)
        assert connection.recv(1) == b"\x30"
    assert lab.status()[-1].state == "running"


def test_it_has_no_cable(lab: Lab) -> None:
    for plug in (lab.cut, lab.uncut):
        with pytest.raises(Blocked, match="freeze it instead"):
            plug("ldap")


def test_it_lives_on_by_itself_and_holds_nothing_of_ours(lab: Lab, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        lab.kill("ldap")
        lab.start("ldap")
    pid = lab.directory.pid()
    assert pid
    assert os.getsid(pid) == pid
    held = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert held.count("/dev/null") >= 3
    assert [name for name in held if name.startswith("/") and "/ldap/db/" not in name and name != "/dev/null"] == []


def test_a_number_that_is_somebody_elses_is_let_alone(tmp_path: Path) -> None:
    server = DirectoryServer(tmp_path / "ldap")
    with subprocess.Popen(["sleep", "60"]) as other:
        (server.top / "slapd.pid").write_text(f"{other.pid}\n")
        assert server.pid() is None
        server.kill()
        assert other.poll() is None
        other.kill()


def test_what_slapd_complains_of_is_told(tmp_path: Path) -> None:
    server = DirectoryServer(tmp_path / "ldap")
    server.config.write_text(f"{server.config.read_text()}nonsense on\n")
    with pytest.raises(Blocked, match=r"slapd did not start: .*unknown directive <nonsense>"):
        server.start()


def test_without_slapd_the_lab_comes_up_without_a_directory(
    labs: Factory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stood in for: a machine without slapd, where apt cannot have it either."""
    with monkeypatch.context() as patch:
        patch.setattr(directory, "_need_slapd", lambda: (_ for _ in ()).throw(Blocked("lab: missing here: slapd")))
        alone = labs(1, people=(Person("ann", 1001, home_files=5),))
        assert "lab: no directory here: lab: missing here: slapd" in capsys.readouterr().err.splitlines()
        assert "ldap" not in settings(alone)
        assert [row.name for row in alone.status()] == ["lab01", "puppet01"]
        with pytest.raises(UsageError, match="has no directory"):
            alone.kill("ldap")
    alone.up()
    assert alone.directory.members("wmf") == {"ann", "victor"}
    assert answers(alone)
    alone.down()
