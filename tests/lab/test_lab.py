"""The lab is what it claims to be: real hosts that can be broken, and really are in danger."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from runbooks.errors import Blocked, Unreachable, UsageError
from runbooks.lab import Lab, Person, network
from runbooks.lab.inventory import REGISTRY
from tests.waiting import eventually

Factory = Callable[..., Lab]
BUSY = (
    Person("ann", 1001, home_files=20, process=True, odd_names=False),
    Person("ben", 1002, home_files=20, process=True, odd_names=False),
    Person("benny", 1003, home_files=20),
)


def states(lab: Lab) -> dict[str, str]:
    return {row.name: row.state for row in lab.status()}


def said(lab: Lab, host: str, *argv: str) -> str:
    return lab.run(host, argv).stdout.decode()


def netns_or_skip(lab: Lab) -> None:
    if "198.18." not in lab.status()[0].address:
        pytest.skip("this lab is on loopback: no cable to pull")


def renamed(text: str, old: str, new: str) -> str:
    """The registry with a user renamed the field's way, stub and all."""
    groups, users = text.split("\nusers:\n")
    uid = yaml.safe_load(text)["users"][old]["uid"]
    groups = re.sub(rf"\b{old}\b", new, groups)
    groups = re.sub(r"(  absent:.*\n.*\n    members: \[)([^]]*)", rf"\g<1>{old}, \g<2>", groups).replace(", ]", "]")
    stub = f"  {old}:\n    ensure: absent\n    uid: {uid}\n    gid: 500\n    rename: true  # T1\n    ssh_keys: []\n"
    return f"{groups}\nusers:\n{stub}" + re.sub(rf"^  {old}:$", f"  {new}:", users, flags=re.M)


# ---- the fleet


def test_up_over_a_standing_lab_changes_nothing(lab: Lab) -> None:
    before = lab.status()
    lab.up()
    assert lab.status() == before
    assert [row.name for row in before] == ["lab01", "lab02", "puppet01", "ldap"]
    assert {row.state for row in before} == {"running"}


def test_up_brings_back_what_is_dead(lab: Lab) -> None:
    lab.kill("lab02")
    lab.kill("puppet01")
    lab.kill("ldap")
    lab.up()
    assert set(states(lab).values()) == {"running"}


def test_hosts_are_hosts_of_their_own(lab: Lab) -> None:
    for host in lab.hosts:
        assert said(lab, host, "hostname").strip() == host
        assert said(lab, host, "cat", "/proc/1/comm").strip() == "bash"
    assert "cloudsdk" not in said(lab, "lab01", "cat", "/etc/passwd")
    keys = [said(lab, host, "cat", "/etc/ssh/ssh_host_ed25519_key.pub") for host in lab.hosts]
    assert len(set(keys)) == len(keys)


def test_a_killed_host_keeps_its_disk_and_comes_back(lab: Lab) -> None:
    home = lab.fingerprint("lab01", "/home/bob")
    lab.run("lab01", ["touch", "/var/tmp/mark"])
    lab.kill("lab01")
    assert states(lab)["lab01"] == "dead"
    with pytest.raises(Unreachable, match=r"lab\.start lab01"):
        lab.run("lab01", ["true"])
    assert not lab.login("lab01", "bob")
    lab.start("lab01")
    lab.start("lab01")
    assert said(lab, "lab01", "ls", "/var/tmp/mark").strip() == "/var/tmp/mark"
    assert {k: v[:-1] for k, v in lab.fingerprint("lab01", "/home/bob").items()} == {k: v[:-1] for k, v in home.items()}
    eventually(lambda: bool(lab.processes("lab01", 1001)))


def test_a_frozen_host_accepts_and_stays_silent(lab: Lab) -> None:
    row = lab.status()[0]
    lab.freeze(row.name)
    try:
        assert states(lab)[row.name] == "frozen"
        with socket.create_connection((row.address, row.port), timeout=5) as connection:
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
    finally:
        lab.thaw(row.name)
    assert states(lab)[row.name] == "running"
    assert lab.login(row.name, "bob")


def test_a_cut_host_lives_on_behind_its_cable(lab: Lab) -> None:
    netns_or_skip(lab)
    row = lab.status()[1]
    lab.cut(row.name)
    try:
        assert states(lab)[row.name] == "cut"
        with pytest.raises(OSError, match=r"timed out|No route"):
            socket.create_connection((row.address, row.port), timeout=0.5)
        assert said(lab, row.name, "hostname").strip() == row.name
    finally:
        lab.uncut(row.name)
    eventually(lambda: lab.login(row.name, "bob"))


def test_a_wrong_host_is_refused(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no host 'lab77'"):
        lab.kill("lab77")


# ---- people


def test_people_log_in_with_their_own_keys_only(lab: Lab) -> None:
    assert lab.login("lab01", "alice")
    assert lab.login("lab02", "dave")
    assert not lab.login("lab01", "alice", key_of="bob")
    assert not lab.login("lab01", "mallory", key_of="bob")


def test_root_and_the_operator_log_in_with_the_tools_key(lab: Lab) -> None:
    for user in ("root", "clinic"):
        argv = ["ssh", "-F", str(lab.ssh_config), "-l", user, "lab01", "sudo -n id -u; command -v puppet"]
        assert subprocess.run(argv, capture_output=True, check=True).stdout == b"0\n/usr/local/sbin/puppet\n"


def test_accounts_have_all_that_a_rename_can_lose(lab: Lab) -> None:
    assert lab.processes("lab01", 1001)
    assert "/home/alice/bin/worker" in said(lab, "lab01", "crontab", "-l", "-u", "alice")
    assert said(lab, "lab01", "stat", "-c", "%U %a", "/var/mail/alice") == "alice 660\n"
    assert "alice:" in said(lab, "lab01", "cat", "/etc/subuid")
    assert ":9000:14:" in said(lab, "lab01", "getent", "shadow", "dave")
    assert "docker" in said(lab, "lab02", "id", "-Gn", "dave")
    assert "docker" not in said(lab, "lab01", "id", "-Gn", "dave")
    assert "set number" in said(lab, "lab01", "cat", "/home/carol/.vimrc")


def test_a_process_that_was_started_is_what_it_is_to_be(lab: Lab) -> None:
    """It has its user first, and its program a while later."""
    slow = """#!/bin/bash
exec /usr/bin/setpriv "${@:1:5}" perl -e 'select undef, undef, undef, 1; exec @ARGV' "${@:6}"
"""
    lab.run("lab01", ["bash", "-c", 'cat >"$0"; chmod 755 "$0"', "/usr/local/sbin/setpriv"], input=slow.encode())
    try:
        first, second = lab.start_process("lab01", "bob"), lab.start_process("lab01", "bob")
        assert first != second
        for pid in (first, second):
            assert said(lab, "lab01", "ps", "-o", "user=,comm=", str(pid)).split() == ["bob", "sleep"]
            lab.run("lab01", ["kill", str(pid)])
    finally:
        lab.run("lab01", ["rm", "/usr/local/sbin/setpriv"])


def test_a_home_holds_what_moves_badly(lab: Lab) -> None:
    home = lab.fingerprint("lab01", "/home/alice")
    names = {name.rpartition("/")[2] for name in home}
    assert {"new\nline", "-rf", "caf\udce9", ".bashrc", ".ssh"} <= names
    assert {entry[0] for entry in home.values()} == {"file", "dir", "link", "fifo"}
    assert home["data/sparse.img"][6] is True
    assert home["data/twin.bin"][10] == home["work/cousin.bin"][10] == "data/original.bin"
    assert "system.posix_acl_access" in str(home["."][8])
    assert home["bin/helper"][1] == 0o4755
    assert home["odd/foreign"][2] == 33


CHANGES = {
    "mode": "chmod 700 bin/nightly",
    "owner": "chown root bin/nightly; chmod 755 bin/nightly",
    "time": "touch -d '2020-01-01 00:00:00.000000001' .bashrc",
    "xattr": "setfattr -n user.project -v other work",
    "acl": "setfacl -m u:games:r data/original.bin",
    "top acl": "setfacl -x u:www-data .",
    "link target": "ln -sfn elsewhere latest",
    "hard link": "cp -p data/twin.bin t && touch -r data/twin.bin -h t && mv t data/twin.bin",
    "content": "cp -p .bashrc t && printf X | dd of=.bashrc conv=notrunc status=none && touch -r t .bashrc && rm t",
    "sparse": "cp -p --sparse=never data/sparse.img t && mv t data/sparse.img",
    "gone": "rm odd/pipe",
    "new": "touch -d 2010-01-01 odd/more",
}


@pytest.mark.parametrize("kind", CHANGES)
def test_the_fingerprint_sees_every_kind_of_change(lab: Lab, kind: str) -> None:
    copy = "rm -rf /home/copy; cp -a /home/bob /home/copy"
    lab.run("lab01", ["bash", "-ec", copy])
    before = lab.fingerprint("lab01", "/home/copy")
    assert before == lab.fingerprint("lab01", "/home/copy")
    lab.run("lab01", ["bash", "-ec", f"cd /home/copy; {CHANGES[kind]}"])
    assert lab.fingerprint("lab01", "/home/copy") != before
    lab.run("lab01", ["rm", "-rf", "/home/copy"])


def test_people_can_be_added(lab: Lab) -> None:
    new = [Person(f"user{n}", 3000 + n, ("deployment", "newcomers"), home_files=60) for n in range(5)]
    lab.add_people(new)
    for host in lab.hosts:
        assert said(lab, host, "id", "-Gn", "user3") == "wikidev deployment restricted newcomers\n", (
            "by the anchor, too"
        )
        assert len(lab.fingerprint(host, "/home/user3")) > 60
    assert lab.login("lab02", "user4")
    assert {person.name for person in new} <= lab.directory.members("wmf") & lab.directory.members("logstash-access")
    with pytest.raises(UsageError, match="user0"):
        lab.add_people(new[:1])


# ---- puppet and its repository


def test_a_second_puppet_run_changes_nothing(lab: Lab) -> None:
    lab.puppet("lab01")
    home = lab.fingerprint("lab01", "/home/carol")
    done = lab.puppet("lab01")
    assert (done.returncode, done.stderr) == (0, b"")
    assert lab.fingerprint("lab01", "/home/carol") == home


CODE = "/usr/lib/ruby/vendor_ruby/puppet.rb"


def compiled(lab: Lab, path: str) -> str:
    program = "print Compiled.code(ARGV[0]).inspect"
    return said(lab, "lab02", "ruby", "-r/usr/local/lib/lab/compiled.rb", "-e", program, path)


def test_hosts_share_puppets_code_as_it_was_compiled_once(lab: Lab) -> None:
    assert CODE in compiled(lab, CODE)
    lab.run("lab02", ["cp", CODE, "/var/tmp/puppet.rb"])
    assert compiled(lab, "/var/tmp/puppet.rb") == "nil", "a file that nobody has compiled"
    assert not said(lab, "lab02", "find", "/var/tmp", "-name", "*.compiled*")


@pytest.mark.parametrize("damage", ["truncate --size=100000 $1", "truncate --size=0 $1", "echo {} >$1", "rm $1"])
def test_without_compiled_code_puppet_starts_as_ever(lab: Lab, damage: str) -> None:
    kept = "/usr/local/lib/lab/puppet.compiled"
    lab.run("lab02", ["cp", kept, "/var/tmp/kept"])
    try:
        lab.run("lab02", ["sh", "-c", damage, "-", kept])
        assert compiled(lab, CODE) == "nil"
        done = lab.run("lab02", ["puppet", "--version"])
        assert re.fullmatch(rb"\d+\.\d+\.\d+\n", done.stdout), done
        assert not done.stderr
    finally:
        lab.run("lab02", ["mv", "/var/tmp/kept", kept])


def test_puppet_honours_the_disable_lock(lab: Lab) -> None:
    lab.run("lab01", ["puppet", "agent", "--disable", "clinic: T1"])
    try:
        done = lab.puppet("lab01")
        assert done.returncode == 1
        assert (
            b"Skipping run of Puppet configuration client; administratively disabled (Reason: 'clinic: T1')"
            in done.stdout
        )
        assert lab.puppet("lab01", "--agent_disabled_lockfile=/run/nope.lock").returncode == 0
    finally:
        lab.run("lab01", ["puppet", "agent", "--enable"])
    assert lab.puppet("lab01").returncode == 0


def test_two_runs_do_not_meet(lab: Lab) -> None:
    lock = "/var/cache/puppet/state/agent_catalog_run.lock"
    fake = f"exec -a puppet sleep 60 >/dev/null & echo $! >{lock}; disown; echo $!"
    pid = said(lab, "lab01", "bash", "-c", f"({fake}) </dev/null 2>/dev/null").split()[0]
    done = lab.puppet("lab01", "--waitforlock", "0")
    assert done.returncode == 1
    assert b"already in progress; skipping" in done.stdout
    lab.run("lab01", ["kill", pid])
    assert lab.puppet("lab01").returncode == 0, "a lock that a dead run left must not count"


def test_merged_is_not_deployed(lab: Lab) -> None:
    text = lab.show()
    lab.commit({REGISTRY: text.replace("Bob", "Robert")}, "Bob is Robert")
    lab.puppet("lab01")
    assert "Robert" not in said(lab, "lab01", "getent", "passwd", "bob")
    assert lab.deploy() == said(lab, "puppet01", "git", "-C", lab.checkout, "rev-parse", "origin/production").strip()
    assert lab.puppet("lab01").returncode == 2
    assert "Robert" in said(lab, "lab01", "getent", "passwd", "bob")


def test_without_the_puppet_server_nothing_is_applied(lab: Lab) -> None:
    lab.kill("puppet01")
    try:
        done = lab.puppet("lab01")
        assert done.returncode == 1
        assert b"Could not retrieve catalog" in done.stderr
    finally:
        lab.start("puppet01")


def test_a_puppet_server_that_is_up_can_be_fetched_from(lab: Lab) -> None:
    slow = '#!/bin/sh\n[ "$1" != daemon ] || sleep 3\nexec /usr/bin/git "$@"\n'
    lab.run("puppet01", ["sh", "-c", 'cat >"$0"; chmod 755 "$0"', "/usr/local/bin/git"], input=slow.encode())
    lab.kill("puppet01")
    lab.start("puppet01")
    lab.run("puppet01", ["rm", "/usr/local/bin/git"])
    assert lab.puppet("lab01").returncode == 0


def test_origin_can_be_reached_by_git(lab: Lab, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_SSH_COMMAND": f"ssh -F {lab.ssh_config}"}
    subprocess.run(["git", "clone", "-q", lab.origin, str(tmp_path / "r")], env=env, check=True)
    registry = yaml.safe_load((tmp_path / "r" / REGISTRY).read_text())
    assert registry["users"]["mallory"]["ensure"] == "absent"
    assert registry["groups"]["absent"]["members"] == ["mallory"]


def test_the_inventory_names_the_fleet(lab: Lab) -> None:
    hosts = yaml.safe_load((lab.inventory / "hosts.yaml").read_text())["hosts"]
    assert set(hosts) == {"lab01", "lab02", "puppet01"}
    assert hosts["puppet01"]["roles"] == ["puppetserver"]
    aliases = yaml.safe_load((lab.inventory / "aliases.yaml").read_text())["aliases"]
    assert aliases["all"] == "D{lab[01-02],puppet01}"
    settings = yaml.safe_load((lab.inventory / "settings.yaml").read_text())
    assert settings["repository"]["url"] == lab.origin
    assert settings["journal"].startswith("sqlite:////")


# ---- the danger is real


@pytest.fixture(scope="module")
def field(labs: Factory) -> Lab:
    """A lab whose homes are lost in it."""
    return labs(2, people=BUSY)


def test_control_a_rename_without_stopping_puppet_loses_a_home(field: Lab) -> None:
    assert field.fingerprint("lab01", "/home/ann")
    field.commit({REGISTRY: renamed(field.show(), "ann", "anna")}, "Rename ann to anna")
    field.deploy()
    eventually(lambda: bool(field.processes("lab01", 1001)))
    done = field.puppet("lab01")
    assert done.returncode in (4, 6)
    assert field.fingerprint("lab01", "/home/ann") == {}
    assert "ann" in said(field, "lab01", "ls", "/var/userarchive")
    assert field.fingerprint("lab02", "/home/ann"), "a host on which puppet has not run yet still has the home"


def test_control_a_rename_past_a_host_that_was_down_loses_a_home(field: Lab) -> None:
    field.kill("lab02")
    field.commit({REGISTRY: renamed(field.show(), "ben", "benjamin")}, "Rename ben to benjamin")
    field.deploy()
    assert (field.upper("lab02") / "home/ben/data").exists()
    field.start("lab02")
    gone = ["test", "!", "-e", "/home/ben"]
    eventually(lambda: field.run("lab02", gone, check=False).returncode == 0)
    assert field.fingerprint("lab02", "/home/benny"), "nobody else may suffer"


def test_in_the_right_order_nothing_is_lost(lab: Lab) -> None:
    lab.run("lab01", ["puppet", "agent", "--disable", "rename"])
    home = lab.fingerprint("lab01", "/home/bobby")
    lab.run("lab01", ["userdel", "bobby"])
    lab.commit({REGISTRY: renamed(lab.show(), "bobby", "robert")}, "Rename bobby to robert")
    lab.deploy()
    assert lab.puppet("lab01", "--agent_disabled_lockfile=/run/nope.lock").returncode == 2
    lab.run("lab01", ["bash", "-ec", "rm -r /home/robert; mv /home/bobby /home/robert"])
    lab.run("lab01", ["puppet", "agent", "--enable"])
    assert lab.puppet("lab01").returncode == 0
    assert lab.fingerprint("lab01", "/home/robert") == home
    assert lab.login("lab01", "robert", key_of="bobby")


def test_puppet_runs_by_itself(labs: Factory) -> None:
    alone = labs(1, people=BUSY[2:], puppet_every_s=2)
    log = "/var/log/puppet.log"
    eventually(lambda: alone.run("lab01", ["cat", log], check=False).stdout.count(b"Applied catalog") >= 2)
    alone.down()


# ---- labs side by side, and their end


def test_two_labs_share_nothing(lab: Lab, field: Lab) -> None:
    mine, theirs = ({(row.address, row.port, row.pid) for row in each.status()} for each in (lab, field))
    assert not {(address, port) for address, port, _ in mine} & {(address, port) for address, port, _ in theirs}
    assert not {pid for *_, pid in mine} & {pid for *_, pid in theirs}


def test_what_claims_a_subnet_is_the_last_of_its_network_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another lab may have it as soon as that is gone. No lab gets this subnet."""
    if os.geteuid() or not network.Netns.available():
        pytest.skip("network namespaces cannot be had here")
    net, gone, ip = network.Netns("198.18.251"), list[str](), network._ip
    for name in (f"{net.name}-lab01", f"{net.name}-lab02", net.name):
        subprocess.run(["ip", "netns", "add", name], check=True)
    monkeypatch.setattr(network, "_ip", lambda *argv, check: (gone.append(argv[-1]), ip(*argv, check=check))[1])
    net.remove()
    assert gone[-1] == net.name
    assert not list(Path("/run/netns").glob(f"{net.name}*"))


@pytest.mark.parametrize("network", ["auto", "loopback"])
def test_down_leaves_nothing(labs: Factory, network: str) -> None:
    lab = labs(1, people=BUSY[:1], network=network)
    if network == "loopback":
        with pytest.raises(Blocked, match="loopback"):
            lab.cut("lab01")
    lab.freeze("puppet01")
    lab.freeze("ldap")
    lab.kill("lab01")
    directory, subnet = lab.layout.top, lab.status()[0].address.rpartition(".")[0] + "."
    lab.down()
    lab.down()
    assert not directory.exists()
    assert str(directory) not in Path("/proc/mounts").read_text()
    commands = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    assert subnet not in commands
    assert str(directory) not in commands
    links = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    assert network == "loopback" or subnet not in links
    assert lab.status() == []


def test_up_after_the_machine_died_keeps_the_disks(labs: Factory) -> None:
    lab = labs(1, people=BUSY[2:])
    lab.run("lab01", ["touch", "/var/tmp/mark"])
    for row in lab.status():
        lab.kill(row.name)
    from runbooks.lab.network import network_of

    state = lab.layout.load()
    assert state
    network_of(state).remove()
    lab.up()
    assert said(lab, "lab01", "ls", "/var/tmp/mark")
    assert lab.login("lab01", "benny")
    lab.down()


def test_an_interrupted_start_is_cleared_away(labs: Factory) -> None:
    lab = labs(1, people=BUSY[2:])
    state = lab.layout.load()
    assert state
    state.ready, state.ldap_port = False, 0
    lab.layout.save(state)
    lab.up(1, people=BUSY[2:], puppet_every_s=0)
    assert set(states(lab).values()) == {"running"}
    assert lab.status()[-1].name == "ldap"
    lab.down()
    assert str(lab.layout.top) not in subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout
