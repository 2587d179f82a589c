"""RoutesAsPlanned and BringAliases on a real mail host: exim, puppet and the private repository are the lab's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

import pytest

from runbooks.aliases.patches import AliasIn, AliasOut
from runbooks.errors import CommandFailed
from runbooks.lab import Lab, Person
from runbooks.lab.inventory import PRIVATE
from runbooks.lab.layout import SERVER
from runbooks.lab.mail.hosts import DIRECTORY, REPOSITORY_FILES
from runbooks.model import Status
from runbooks.systems import exim, reads
from runbooks.systems.commits import Commit, FilePatch
from runbooks.systems.exim import BringAliases, RoutesAsPlanned
from runbooks.systems.puppet import Puppet
from tests.labs import small_lab

from .machine import Machine, connect, let_puppet_run, stop_puppet

EXIM = ("/usr/sbin/exim4",)
PATH = f"{REPOSITORY_FILES}/example.org"
PEOPLE = (Person("alice", 1001, home_files=8), Person("bob", 1002, ("ops",), home_files=8))
HERE = "lab.example.org"
ALICE, BOB = (f"{name}@{HERE} by people/mailbox" for name in ("alice", "bob"))
OUT = "desk@example.net by outside/nowhere at mail.example.net"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One mail host."""
    with small_lab(1, PEOPLE, mx=True) as made:
        yield made


@pytest.fixture(scope="module")
def targets(lab: Lab) -> Iterator[Mapping[str, Machine]]:
    made = {host: Machine(lab, host, connect(lab, host, "root"), "run1") for host in ("lab01", SERVER)}
    yield made
    for machine in made.values():
        machine.target.close()


@pytest.fixture
def mx(targets: Mapping[str, Machine]) -> Iterator[Machine]:
    """The mail host, on which every test has its way with the aliases."""
    machine = targets["lab01"]
    machine.sh(f"cp -a {DIRECTORY} /root/kept")
    yield machine
    machine.sh(f"rm -rf {DIRECTORY}; mv /root/kept {DIRECTORY}")


def edit(machine: Machine, script: str, domain: str = "example.org") -> None:
    """What puppet would bring, at once."""
    machine.sh('sed -i "$1" "$2"', script, f"{DIRECTORY}/{domain}")


def seen(machine: Machine, *addresses: str) -> dict[str, Sequence[str]]:
    routes = machine.target.reader().ask(reads.mail_routes(EXIM, addresses))
    return {address: list(route.shown) for address, route in routes.items()}


ALL = ("ops@example.org", "ops@example.info", "press@example.org", "everybody@example.org", "old-desk@example.org",
       "new@example.org", "new@example.info", "info@example.com", "noreply@example.org")  # fmt: skip


def gate(machine: Machine, wanted: Mapping[str, Sequence[str]], *addresses: str) -> RoutesAsPlanned:
    """As a journal would give it back."""
    made = RoutesAsPlanned(EXIM, seen(machine, *(addresses or ALL)), wanted)
    fields = json.loads(json.dumps(asdict(made)))
    return RoutesAsPlanned(**{**fields, "command": tuple(fields["command"])})


def status(machine: Machine, change: RoutesAsPlanned) -> tuple[Status, str]:
    found = machine.check(change)
    return found.status, found.note


NEW = {"new@example.org": ["bob", "desk@example.net"], "new@example.info": ["bob", "desk@example.net"]}


def test_many_addresses_are_asked_about_in_parts(mx: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [f"{name}@example.org" for name in ("noc", "press", "legal", "nobody-here", "office")]
    whole = exim.routes_of(mx.target.reader(), EXIM, addresses)
    monkeypatch.setattr(exim, "AT_ONCE", 2)
    assert exim.routes_of(mx.target.reader(), EXIM, [*addresses, addresses[0]]) == whole
    assert list(whole) == addresses


def test_a_new_alias_is_later_then_done_and_taken_back(mx: Machine) -> None:
    change = gate(mx, NEW)
    assert change.looks_only
    back = change.inverse({})
    found, note = status(mx, change)
    assert (found, note[:24]) == (Status.LATER, "every route is as before")
    assert status(mx, back) == (Status.DONE, "as before")
    edit(mx, "$ a new: desk@example.net, bob")
    assert status(mx, change) == (Status.DONE, "2 as promised; 7 as before")
    assert status(mx, back) == (Status.LATER, "as the change has it")
    edit(mx, "/^new:/d")
    assert status(mx, back) == (Status.DONE, "as before")
    assert back.inverse({}) == change


def test_targets_may_be_aliases_themselves(mx: Machine) -> None:
    change = gate(mx, {"new@example.org": ["ops@example.org", "noreply@example.org", "desk@example.net"]})
    edit(mx, "$ a new: desk@example.net, bob, alice, oncall@example.net")
    assert status(mx, change)[0] is Status.BLOCKED, "new@example.info has changed, too, and was not to"
    change = gate(mx, {"new@example.info": [], **change.wanted})
    assert status(mx, change)[0] is Status.LATER
    edit(mx, "s/^new:.*/new: noreply@example.org, ops@example.org, desk@example.net/")
    assert status(mx, gate(mx, change.wanted, "noreply@example.org"))[0] is Status.BLOCKED
    without = {"new@example.org": change.wanted["new@example.org"]}
    assert status(mx, gate(mx, without, "noreply@example.org")) == (Status.DONE, "1 as promised; 1 as before")


def test_half_done_is_neither(mx: Machine) -> None:
    change = gate(mx, NEW)
    edit(mx, "$ a new: bob")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert note == f"new@example.org does not go to {OUT}; new@example.info does not go to {OUT}"
    found, note = status(mx, change.inverse({}))
    assert found is Status.LATER, "the steps before it in an undo change it back"
    assert note.startswith("not as before: new@example.org does not go to")


def test_one_of_two_domains_is_not_enough(mx: Machine) -> None:
    mx.sh(f"cd {DIRECTORY} && cp --remove-destination example.org example.info")
    change = gate(mx, NEW)
    edit(mx, "$ a new: bob, desk@example.net")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert "new@example.info goes to new@example.info: undeliverable: Unrouteable address, not to" in note
    assert "new@example.org" not in note


def test_any_other_route_that_changes_is_named(mx: Machine) -> None:
    change = gate(mx, NEW)
    edit(mx, "$ a new: bob, desk@example.net")
    edit(mx, "s/^press:.*/press: bob, desk@example.net/")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    expected = f"press@example.org now goes to {BOB}, {OUT}, not to {ALICE}"
    assert note.startswith(f"other routes have changed: {expected}")
    edit(mx, "/^new:/d")
    found, note = status(mx, change.inverse({}))
    assert found is Status.DONE, "what others have changed since is theirs"
    assert note.startswith(f"as before; others have changed since: {expected}")


def test_what_leads_to_a_changed_alias_goes_along_and_no_further(mx: Machine) -> None:
    change = gate(mx, {f"ops@{domain}": ["bob", "desk@example.net"] for domain in ("example.org", "example.info")})
    edit(mx, "s/^ops:/ops: bob, desk@example.net\\nops-before:/")
    assert status(mx, change) == (Status.DONE, "2 as promised, and with them everybody@example.org; 6 as before")
    edit(mx, "s/^everybody:/everybody: other@example.net, /")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert "other routes have changed: everybody@example.org now goes to " in note


def test_an_alias_that_goes(mx: Machine) -> None:
    change = gate(mx, {"press@example.org": [], "press@example.info": []}, "press@example.org", "press@example.info",
                  "noc@example.org")  # fmt: skip
    assert status(mx, change) == (
        Status.LATER, "every route is as before",
    )  # fmt: skip
    edit(mx, "/^press:/d")
    assert status(mx, change) == (Status.DONE, "2 as promised; 1 as before")
    assert status(mx, change.inverse({}))[0] is Status.LATER
    edit(mx, "$ a press: alice")
    assert status(mx, change)[0] is Status.LATER, "it is an alias as before"


CATCH_ALL = "s/lsearch{/lsearch*{/"
DIRECTORY_BEHIND = """/^people:/i elsewhere:\\n  driver = redirect\\n  domains = example.org\\n  local_parts = press\\n\
  data = desk@example.net\\n"""
OWN_DOMAIN = "/dsearch/a qualify_preserve_domain"


@contextmanager
def configured(machine: Machine, script: str) -> Iterator[None]:
    """exim's configuration, edited meanwhile."""
    machine.sh('cp -a /etc/exim4/exim4.conf /root/exim4.conf; sed -i "$1" /etc/exim4/exim4.conf', script)
    try:
        yield
    finally:
        machine.sh("mv /root/exim4.conf /etc/exim4/exim4.conf")


def test_an_alias_that_goes_where_all_others_are_caught(mx: Machine) -> None:
    """``lsearch*`` gives the data of ``*`` to whoever has none."""
    with configured(mx, CATCH_ALL):
        edit(mx, "$ a *: desk@example.net")
        change = gate(mx, {"press@example.org": []}, "press@example.org", "noc@example.org", "*@example.org")
        assert status(mx, change)[0] is Status.LATER
        edit(mx, "/^press:/d")
        found, note = status(mx, change)
        assert (found, note) == (Status.DONE, f"1 as promised; 2 as before; press@example.org now goes to {OUT}")
        assert status(mx, change.inverse({}))[0] is Status.LATER
        edit(mx, "$ a press: desk@example.net")
        change = gate(mx, {"press@example.org": []}, "press@example.org", "*@example.org")
        edit(mx, "/^press:/d")
        assert status(mx, change)[0] is Status.DONE, "it goes there all the same"


def test_an_alias_that_goes_and_is_one_elsewhere(mx: Machine) -> None:
    """As where people's addresses have moved to a directory, which exim looks at behind the aliases."""
    with configured(mx, DIRECTORY_BEHIND):
        change = gate(mx, {"press@example.org": []}, "press@example.org", "noc@example.org")
        edit(mx, "/^press:/d")
        assert status(mx, change) == (Status.DONE, f"1 as promised; 1 as before; press@example.org now goes to {OUT}")


def test_an_alias_of_a_mailbox_of_that_name_that_goes(mx: Machine) -> None:
    change = gate(mx, {f"alice@{HERE}": []}, f"alice@{HERE}")
    assert status(mx, change)[0] is Status.DONE, "mail goes to the mailbox before and after"


def test_what_cannot_be_asked_about_is_kept(mx: Machine) -> None:
    edit(mx, "s/^press:.*/press: alice, |\\/bin\\/cat/")
    change = gate(mx, {"press@example.org": ["alice", "bob"]}, "press@example.org")
    pipe = next(end for end in change.before["press@example.org"] if "/bin/cat" in end)
    change = replace(change, kept={"press@example.org": [pipe]})
    assert status(mx, change)[0] is Status.LATER
    edit(mx, "s/^press:.*/press: alice, |\\/bin\\/cat, bob/")
    assert status(mx, change)[0] is Status.DONE
    edit(mx, "s/^press:.*/press: alice, bob/")
    found, note = status(mx, change)
    assert found is Status.BLOCKED and f"does not go to {pipe}" in note


def test_which_domain_a_local_part_gets(mx: Machine) -> None:
    reader = mx.target.reader()
    assert reader.ask(reads.mail_qualify(EXIM, DIRECTORY)) == HERE
    with configured(mx, OWN_DOMAIN):
        assert reader.ask(reads.mail_qualify(EXIM, DIRECTORY)) == "", "that which the mail came for"
        assert reader.ask(reads.mail_qualify(EXIM, "/etc/elsewhere")) == HERE
    with configured(mx, "/dsearch/a qualify_domain = q.example"):
        assert reader.ask(reads.mail_qualify(EXIM, DIRECTORY)) == "q.example"


@pytest.mark.parametrize("line", ["old-desk", "noreply"])
def test_an_alias_without_targets_that_goes(mx: Machine, line: str) -> None:
    change = gate(mx, {f"{line}@example.org": []}, f"{line}@example.org")
    assert status(mx, change)[0] is Status.LATER
    edit(mx, f"/^{line}:/d")
    assert status(mx, change)[0] is Status.DONE


def test_who_leads_to_an_alias_that_goes_loses_it_and_that_is_told(mx: Machine) -> None:
    change = gate(mx, {"press@example.org": []}, "press@example.org", "everybody@example.org")
    edit(mx, "/^press:/d")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert "press@example.org: undeliverable: Unrouteable address" in note


def test_a_target_that_goes_nowhere(mx: Machine) -> None:
    change = gate(mx, {"new@example.org": ["no-such"]}, "new@example.org")
    edit(mx, "$ a new: no-such")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert note.startswith(f"new@example.org: its target no-such goes nowhere: no-such@{HERE}: undeliverable")


def test_exim_that_has_to_wait_says_why(mx: Machine) -> None:
    change = gate(mx, NEW)
    mx.sh(f"cd {DIRECTORY} && mv example.org gone")
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert "ops@example.org" in note
    edit(mx, "$ a waits: :defer: the disk is full", "example.com")
    change = gate(mx, {"waits@example.com": ["bob"]}, "waits@example.com")
    edit(mx, "s/^waits:.*/waits: :defer: the disk is still full/", "example.com")
    assert status(mx, change)[0] is Status.LATER, "it waits as before, whatever it says of it"
    mx.sh(f"cd {DIRECTORY} && rm example.com && ln -s nowhere example.com")
    change = RoutesAsPlanned(EXIM, {"waits@example.com": ["elsewhere"]}, change.wanted)
    found, note = status(mx, change)
    assert found is Status.BLOCKED
    assert "cannot be resolved at this time (failed to expand" in note


def test_no_exim_is_an_error_and_no_finding(mx: Machine) -> None:
    with pytest.raises(CommandFailed, match="non-existent configuration file"):
        mx.check(RoutesAsPlanned((*EXIM, "-C", "/no/such"), {"a@example.org": ["x"]}, {"a@example.org": []}))


# what puppet brings


PATCH = AliasIn(PATH, "desk", ("bob", "desk@example.net"), "T1 (carol)")


@pytest.fixture
def mail_host(targets: Mapping[str, Machine]) -> Iterator[Machine]:
    """The mail host, as puppet has it."""
    yield targets["lab01"]
    let_puppet_run(targets["lab01"])


def bring(patch: FilePatch = PATCH) -> BringAliases:
    return BringAliases(Puppet(), DIRECTORY, patch, EXIM)


def test_puppet_brings_what_was_committed_and_takes_it_away_again(
    mail_host: Machine, targets: Mapping[str, Machine]
) -> None:
    commit, change = Commit(PRIVATE, PATCH, "carol"), bring()
    found = mail_host.check(change)
    assert found.status is Status.TODO
    assert found.preview == ("$ puppet agent --test --detailed-exitcodes --color=false",)
    before = targets[SERVER].apply(commit)
    assert mail_host.check(change) == found, "nothing here says that it was committed"
    mail_host.apply(change)
    assert seen(mail_host, "desk@example.info") == {"desk@example.info": [BOB, OUT]}
    assert mail_host.check(change).status is Status.DONE
    back = change.inverse({})
    assert mail_host.check(back).status is Status.TODO
    assert targets[SERVER].undo(commit, before).status is Status.DONE
    assert mail_host.undo(change, {}).status is Status.DONE
    assert "undeliverable" in seen(mail_host, "desk@example.info")["desk@example.info"][0]
    assert back.inverse({}) == change


def test_what_was_not_committed_does_not_come(mail_host: Machine) -> None:
    change = replace(bring(), puppet=Puppet(agent=("true",)))
    mail_host.do(change)
    left = change.verify(mail_host.target.reader(), {})
    assert left.status is Status.TODO
    assert "has not followed" in left.note


def test_puppet_that_somebody_stopped_is_left_alone(mail_host: Machine) -> None:
    stop_puppet(mail_host)
    mail_host.transcript.clear()
    found = mail_host.check(bring())
    assert found.status is Status.BLOCKED
    assert found.note == "puppet is stopped here: tests: ask whoever stopped it, and let it run again"
    with pytest.raises(CommandFailed, match="puppet is stopped here: tests"):
        mail_host.do(bring())
    assert not mail_host.transcript


def test_the_patch_decides_whatever_else_the_file_holds(mx: Machine) -> None:
    change = bring()
    edit(mx, "1 i # Written by puppet, from a template")
    edit(mx, "$ a somebody-elses: alice")
    assert mx.check(change).status is Status.TODO
    assert mx.check(change.inverse({})).status is Status.DONE
    edit(mx, "$ a desk: desk@example.net, bob")
    assert mx.check(change).status is Status.DONE, "puppet came of itself"
    assert change.by_others, "and an undo takes it away all the same"
    stop_puppet(mx)
    assert mx.check(change).status is Status.DONE
    let_puppet_run(mx)


def test_a_file_that_root_alone_can_read_is_of_no_use(mx: Machine) -> None:
    """Root's `exim4 -bt` says that all is well."""
    change = bring()
    edit(mx, "$ a desk: desk@example.net, bob")
    assert mx.check(change).status is Status.DONE
    mx.sh(f"chmod 600 {DIRECTORY}/example.org")
    assert seen(mx, "desk@example.org") == {"desk@example.org": [BOB, OUT]}
    found = mx.check(change)
    assert found.status is Status.BLOCKED and "example.org cannot be read by Debian-exim" in found.note
    assert change.verify(mx.target.reader(), {}).status is Status.TODO


def test_an_older_file_or_none_is_one_that_does_not_have_it(mx: Machine) -> None:
    added_a_minute_ago = replace(PATCH, more=True)
    assert mx.check(bring(added_a_minute_ago)).status is Status.TODO
    assert mx.check(bring(replace(PATCH, path=f"{REPOSITORY_FILES}/example.aero"))).status is Status.TODO
    assert mx.check(bring(AliasOut(PATH, "ops"))).status is Status.TODO
    edit(mx, "/^ops:/,+2d")
    assert mx.check(bring(AliasOut(PATH, "ops"))).status is Status.DONE
