"""Stop, Start, RunAgain, Idle and Deploy: whose lock it is, what is under way, and what is really served."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from runbooks.errors import CommandFailed, RegistryError
from runbooks.lab.inventory import BRANCH, CHECKOUT, REGISTRY
from runbooks.model import Status
from runbooks.registry import Registry
from runbooks.registry.patches import RenamePatch
from runbooks.systems.puppet import Deploy, Idle, Puppet, RunAgain, Start, Stop

from .machine import PEOPLE, Machine, let_puppet_run, stop_puppet

STATE = "/var/cache/puppet/state"
REASON = 'rename-user bob to robert (T1), clinic: it\'s "his" wish, Zoë'
# The lock is what counts, and puppet takes a second to write it: most tests write it themselves.
QUICK = replace(
    Puppet(),
    disable=("sh", "-c", f'[ -e {STATE}/agent_disabled.lock ] || printf "%s" "$1" >{STATE}/agent_disabled.lock', "sh"),
    enable=("rm", "-f", f"{STATE}/agent_disabled.lock"),
    wait_s=5.0,
)


def lock_text(machine: Machine) -> str:
    return machine.sh(f"cat {STATE}/agent_disabled.lock 2>/dev/null", check=False)


def lock_with(machine: Machine, reason: str) -> None:
    machine.sh(f"cat >{STATE}/agent_disabled.lock", input=json.dumps({"disabled_message": reason}).encode())


@pytest.fixture(autouse=True)
def left_as_found(other: Machine) -> object:
    let_puppet_run(other)
    yield
    stop_puppet(other)


def test_stop_and_start_with_the_real_puppet(other: Machine) -> None:
    stop = Stop(Puppet(), REASON, "bob")
    assert other.check(stop).facts == {"disabled": None}
    before = other.apply(stop)
    assert json.loads(lock_text(other))["disabled_message"] == REASON
    assert other.check(stop).note == ""
    assert b"Skipping run" in other.lab.puppet(other.host).stdout
    assert other.undo(stop, before).status is Status.DONE
    assert lock_text(other) == ""


def test_somebody_elses_lock_stays_and_is_named(other: Machine) -> None:
    lock_with(other, "T99: disk swap")
    stop = Stop(QUICK, REASON, "bob")
    found = other.check(stop)
    assert (found.status, found.facts) == (Status.DONE, {"disabled": "T99: disk swap"})
    assert "stays so: T99: disk swap" in found.note
    other.do(stop)
    start = Start(QUICK, REASON, "bob")
    assert other.check(start).note == "left stopped, as somebody else wants it: T99: disk swap"
    other.do(start)
    assert json.loads(lock_text(other))["disabled_message"] == "T99: disk swap"
    assert stop.inverse({"was": "T99: disk swap"}) is None


@pytest.mark.parametrize("text", ["", "not json", '{"other": 1}', "[]"])
def test_a_lock_without_a_reason_is_somebody_elses(other: Machine, text: str) -> None:
    other.sh(f"cat >{STATE}/agent_disabled.lock", input=text.encode())
    assert other.check(Stop(QUICK, REASON, "bob")).status is Status.DONE
    assert "somebody else" in other.check(Start(QUICK, REASON, "bob")).note


def test_a_running_agent_is_waited_for(other: Machine) -> None:
    """A process that bears puppet's name holds the run lock until it is ended."""
    pid = f"{STATE}/agent_catalog_run.lock"
    running = """(exec -a 'puppet agent: applying' sleep 600) </dev/null >/dev/null 2>&1 & echo $! >"$1"; disown
    until grep -qa applying /proc/$!/cmdline; do sleep 0.05; done"""
    other.sh(running, pid)
    lock_with(other, REASON)
    stop = Stop(replace(QUICK, wait_s=60.0), REASON, "bob")
    finding = other.check(stop)
    assert finding.status is Status.TODO
    assert other.check(Idle(QUICK, "nobody-here", 4999)).status is Status.BLOCKED
    with pytest.raises(CommandFailed, match="still at work after 0 s"):
        other.do(Stop(replace(QUICK, wait_s=0.4), REASON, "bob"))
    ending = threading.Timer(1, other.sh, ['kill "$(cat "$1")"', pid])
    ending.start()
    other.do(stop, finding.before)
    ending.join()
    assert other.check(stop).status is Status.DONE
    other.sh(f"rm {pid}")


def test_a_run_that_begins_of_itself_right_before_ours_is_waited_for(other: Machine) -> None:
    lock = f"{STATE}/agent_catalog_run.lock"
    running = f"(exec -a 'puppet agent: applying' sleep 600) </dev/null >/dev/null 2>&1 & echo $! >{lock}; disown"
    # It ends when ours has found it.
    once = f'[ -e /run/begun ] || {{ touch /run/begun; {running}; }}; "$@"; s=$?; kill "$(cat {lock})"; exit $s'
    puppet = replace(Puppet(), agent=("bash", "-c", once, "bash", *Puppet().agent))
    other.do(RunAgain(puppet, "bob"))
    assert "skipping" in str(other.transcript[-2]["output"]), "it did begin"
    other.sh("rm /run/begun")


@pytest.mark.parametrize("pid", ["1", "4194304", "", "garbage", "-1"])
def test_a_run_lock_that_a_dead_run_left_does_not_count(other: Machine, pid: str) -> None:
    """Process 1 lives, but is no puppet: the pid was used again."""
    lock_with(other, REASON)
    other.sh(f"printf '%s' '{pid}' >{STATE}/agent_catalog_run.lock")
    assert other.check(Stop(QUICK, REASON, "bob")).status is Status.DONE
    other.sh(f"rm {STATE}/agent_catalog_run.lock")


def test_start_waits_for_the_account_and_lets_only_our_own_lock_go(other: Machine) -> None:
    lock_with(other, REASON)
    assert other.check(Start(QUICK, REASON, "not-there-yet")).status is Status.LATER
    start = Start(QUICK, REASON, "bob")
    before = other.apply(start)
    assert lock_text(other) == ""
    assert isinstance(start.inverse(before), Stop)
    assert other.check(start).status is Status.DONE


CONFIGS = {
    "vardir": ("[main]\nvardir = /opt/p\n", "/opt/p/state"),
    "statedir": ("[agent]\nstatedir=/opt/s # ours\n", "/opt/s"),
    "statedir in vardir": ("[main]\nvardir=/opt/p\nstatedir = $vardir/st\n", "/opt/p/st"),
    "braces": ("[main]\nvardir=/opt/p\nstatedir = ${vardir}/st\n", "/opt/p/st"),
    "statedir in the default vardir": ("[main]\nstatedir = $vardir/st\n", "/var/cache/puppet/st"),
    "the agent's section wins": ("[agent]\nstatedir=/opt/a\n[main]\nstatedir=/opt/m\n", "/opt/a"),
    "other sections do not count": ("[main]\nstatedir=/opt/m\n[server]\nstatedir=/opt/x\n", "/opt/m"),
    "comments only": ("# [main]\n# vardir=/opt/p\n", STATE),
    "nothing": ("", STATE),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
def test_puppet_conf_says_where_the_state_is(other: Machine, kind: str) -> None:
    text, expected = CONFIGS[kind]
    other.sh("cp -n /etc/puppet/puppet.conf /etc/puppet/kept; cat >/etc/puppet/puppet.conf", input=text.encode())
    other.sh("mkdir -p $1; rm -f $1/agent_disabled.lock; echo hm >$1/agent_disabled.lock", expected)
    try:
        assert QUICK.state(other.target.reader()) == {"dir": expected, "disabled": "hm\n"}
    finally:
        other.sh("rm $1/agent_disabled.lock; mv /etc/puppet/kept /etc/puppet/puppet.conf", expected)


def test_lock_files_of_their_own(other: Machine) -> None:
    text = "[agent]\nagent_disabled_lockfile = $statedir/off\n"
    other.sh("cp -n /etc/puppet/puppet.conf /etc/puppet/kept; cat >/etc/puppet/puppet.conf", input=text.encode())
    other.sh(f"echo x >{STATE}/off")
    try:
        assert QUICK.state(other.target.reader())["disabled"] == "x\n"
    finally:
        other.sh(f"rm {STATE}/off; mv /etc/puppet/kept /etc/puppet/puppet.conf")


def test_a_host_without_puppet_says_so(other: Machine) -> None:
    with pytest.raises(CommandFailed, match="no puppet state directory"):
        replace(QUICK, state_dirs=("/nonexistent/state",)).state(other.target.reader())


def test_a_second_run_changes_nothing_and_the_summary_says_so(other: Machine) -> None:
    summary = "/var/cache/puppet/public/last_run_summary.yaml"
    assert other.check(RunAgain(Puppet(), "not-there-yet")).status is Status.LATER
    other.sh(f"rm -f {summary}")
    assert other.check(RunAgain(Puppet(), "bob")).note == "last puppet run: no run yet"
    other.sh("chmod 700 /home/bob")
    other.do(RunAgain(Puppet(), "bob"))
    assert other.check(RunAgain(Puppet(), "bob")).note == "last puppet run: 1 changed"
    other.apply(RunAgain(Puppet(), "bob"))
    other.sh(f"mkdir -p /opt/q/public /opt/q/state; sed 's/changed: 0/changed: 3/' {summary} >/opt/q{summary[17:]}")
    other.sh("cp -n /etc/puppet/puppet.conf /etc/puppet/kept; echo 'vardir=/opt/q' >>/etc/puppet/puppet.conf")
    try:
        assert other.check(RunAgain(Puppet(), "bob")).note == "last puppet run: 3 changed"
    finally:
        other.sh("mv /etc/puppet/kept /etc/puppet/puppet.conf; rm -r /opt/q")


def test_a_host_where_puppet_always_changes_something_else(other: Machine) -> None:
    other.sh("/usr/bin/puppet apply -e 'exec { \"/bin/true\": }'")
    noisy = other.check(RunAgain(Puppet(), "bob", ("robert",)))
    assert (noisy.status, noisy.note) == (
        Status.DONE,
        "the last puppet run changed nothing of bob, but Exec[/bin/true]",
    )
    assert other.check(RunAgain(Puppet(), "bob", ("true",))).status is Status.TODO
    other.sh("/usr/bin/puppet apply -e 'file { \"/home/bob/fresh\": ensure => present }'; rm /home/bob/fresh")
    assert other.check(RunAgain(Puppet(), "bob")).status is Status.TODO
    assert other.check(RunAgain(Puppet(), "bobby")).status is Status.DONE


def test_the_newest_summary_counts(other: Machine) -> None:
    other.sh("d=/opt/r/cache; mkdir -p $d/public $d/state /opt/r/public; "
             "printf 'resources:\\n  changed: 1\\nx:\\n' >$d/public/last_run_summary.yaml; "
             "printf 'resources:\\n  changed: 2\\nx:\\n' >/opt/r/public/last_run_summary.yaml; "
             "touch -d 2020-01-01 $d/public/last_run_summary.yaml")  # fmt: skip
    from runbooks.systems import reads

    assert other.ask(reads.puppet_last_run("/opt/r/cache/state")) == {"changed": 2}
    assert other.ask(reads.puppet_last_run("/opt/none/state")) == {}


def test_the_gate_before_the_merge(other: Machine) -> None:
    gate = Idle(QUICK, "not-there", 4998)
    assert other.check(gate).status is Status.BLOCKED
    lock_with(other, REASON)
    assert other.check(gate).status is Status.DONE
    assert other.check(Idle(QUICK, "bob", 4998)).status is Status.LATER
    taken = other.check(Idle(QUICK, "not-there", next(p.uid for p in PEOPLE if p.name == "bobby")))
    assert (taken.status, "went to bobby meanwhile" in taken.note) == (Status.BLOCKED, True)


def test_deploy_reads_back_what_is_served(server: Machine) -> None:
    deploy = Deploy(CHECKOUT, BRANCH, RenamePatch(REGISTRY, "livia", "livianew"))
    server.lab.deploy()
    assert server.check(deploy).status is Status.LATER
    text = server.lab.show()
    commit = server.lab.commit({REGISTRY: Registry(text).rename("livia", "livianew").text}, "Rename livia")
    finding = server.check(deploy)
    assert (finding.status, set(finding.facts)) == (Status.TODO, {"deployed"})
    before = server.apply(deploy)
    assert server.check(deploy).note == f"serves commit {commit[:12]}"
    back = deploy.inverse(before)
    assert server.check(back).status is Status.LATER
    server.lab.commit({REGISTRY: text}, "Back")
    server.apply(back)
    server.lab.commit({REGISTRY: "users: [\n"}, "Break it")
    server.lab.deploy()
    with pytest.raises(RegistryError, match="line"):
        server.check(deploy)
    server.lab.commit({REGISTRY: text}, "Repair it")
    server.lab.deploy()


def test_a_checkout_that_cannot_be_fast_forwarded_is_an_error(server: Machine) -> None:
    text = server.lab.show()
    server.sh(f"cd {CHECKOUT} && git commit -q --allow-empty -m local")
    server.lab.commit({REGISTRY: Registry(text).rename("livia", "livianew").text}, "Rename livia")
    deploy = Deploy(CHECKOUT, BRANCH, RenamePatch(REGISTRY, "livia", "livianew"))
    with pytest.raises(CommandFailed, match="git -C"):
        server.do(deploy)
    assert server.check(deploy).status is Status.TODO
    server.lab.commit({REGISTRY: text}, "Back")
    server.sh(f"cd {CHECKOUT} && git fetch -q && git reset -q --hard origin/{BRANCH}")


def test_settings_come_back_from_a_plan_as_they_were() -> None:
    record = {"agent": ["a"], "disable": ["b"], "enable": ["c"], "state_dirs": ["/d"], "run_timeout_s": 1, "wait_s": 2}
    assert Puppet.of(record) == Puppet(("a",), ("b",), ("c",), ("/d",), 1, 2)
