"""A rename over twelve hosts as it really looks: a plan, a run that ended well, and one with every kind of trouble."""

from __future__ import annotations

from collections.abc import Mapping

from runbooks.model import Event, Facts, Finding, Plan, PlannedStep, Result, Run, RunStatus, Status, done, later, todo

HOSTS = tuple(f"lab{n:02}" for n in range(1, 13))
STARTED = 1_795_405_032.0  # 2026-11-23 03:37:12Z
RUN_ID = "20261123-033712-80ba4b"
HOME = (
    "the crontab names /home/alice on 2 line(s); names /home/alice in full: ./.bashrc, ./.profile, ./.ssh/config and 1 "
    "more; 1 setuid or setgid file(s) in the home"
)
DIFF = (
    "--- a/modules/admin/data/data.yaml",
    "+++ b/modules/admin/data/data.yaml",
    "@@ -14,7 +14,7 @@",
    "   deployment:",
    "     gid: 705",
    "     description: those who deploy",
    "-    members: &deployers [alice, bob, dave, grace, judy]",
    "+    members: &deployers [alicia, bob, dave, grace, judy]",
    "     privileges: ['ALL = (www-data) NOPASSWD: ALL']",
    "   restricted:",
    "     gid: 706",
    "@@ -29,14 +29,14 @@",
    "   absent:  # purged everywhere",
    "     description: no group on any host",
    "-    members: [mallory]",
    "+    members: [mallory, alice]",
    " ",
    " users:",
    "-  alice:",
    "+  alicia:",
    "     ensure: present",
    "     uid: 1001",
    "     gid: 500",
)
PUPPET = (
    "$ puppet agent --test --detailed-exitcodes --color=false --agent_disabled_lockfile=/run/ops-clinic.no-such-lock"
)


def step(name: str, finding: Finding, *on: str, must_all: bool = False, **other: Finding) -> PlannedStep:
    """A step with one finding on all its targets, and other ones on some."""
    hosts = on or HOSTS
    kind = "system" if hosts[0].startswith("@") else "hosts"
    return PlannedStep(name, kind, hosts, {host: other.get(host, finding) for host in hosts}, must_all)


def plan(**findings: Finding) -> Plan:
    """Renaming alice to alicia; ``findings`` replaces what was found in the step that deletes the account."""
    delete = ("$ pkill -U 1001    # ends sh, sleep", "$ userdel alice    # its home stays")
    steps = (
        step("Look at the account on every host", done(), lab03=done(HOME), lab07=done(HOME)),
        step("Prepare the registry patch, unmerged but mergeable", todo(*DIFF), "@git"),
        step("Stop puppet", todo("$ puppet agent --disable 'rename-user alice to alicia (T123), marta'"), lab05=done()),
        step(
            "Delete the old account, keep its home", later(*delete, note="puppet has to be stopped first"), **findings
        ),
        step("Make sure that puppet is stopped and the UID free", later()),
        step(
            "Merge the registry patch",
            later("$ git push origin ops-clinic/rename-alice-to-alicia:production    # fast-forward"),
            "@git",
        ),
        step(
            "Deploy it to the puppet servers",
            later("$ git -C /srv/puppet/production pull --ff-only --quiet origin production"),
            "puppet01",
        ),
        step("Run puppet, which creates the new account", later(PUPPET + "    # creates alicia, UID 1001")),
        step("Move the old home into place", later("$ rename /home/alice /home/alicia")),
        step(
            "Carry over mail, crontab and lingering",
            todo("$ rename /var/mail/alice /var/mail/alicia", "$ rename /var/spool/cron/crontabs/alice …/alicia"),
            lab09=done(),
        ),
        step("Let puppet run again", later("$ puppet agent --enable")),
        step("Run puppet once more, which must change nothing", later(PUPPET)),
        step("Look again: same UID, same home, the old name gone", later()),
    )
    arguments = {"old": "alice", "new": "alicia", "task": "T123", "reason": "", "without": [], "end_processes": True}
    notes = ("processes of alice are ended, and an undo does not start them again",)
    return Plan("rename-user", arguments, steps, {"uid": 1001}, notes)


def blocked_plan() -> Plan:
    """The same with two hosts in the way."""
    why = "/home/alice/.ssh is immutable: chattr -i it, or leave the host out with --without lab03"
    return plan(
        lab03=Finding(Status.BLOCKED, why),
        lab08=Finding(Status.UNREACHABLE, "ssh to lab08 (10.0.0.8:22): timed out after 10 s"),
    )


class Tape:
    """Events of a run as they happen, a second apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = STARTED

    def begin(self, number: int, target: str) -> None:
        """A begin."""
        self.at += 0.5
        self.events.append(Event("begin", self.at, number, target, {"before": {}}))

    def outcome(self, number: int, target: str, result: Result = Result.DONE, note: str = "", **data: object) -> None:
        """An outcome, with commands and seconds as the journal has them."""
        self.at += 0.5
        facts: Facts = {"result": str(result), "note": note, **data}
        self.events.append(Event("outcome", self.at, number, target, facts))

    def did(self, number: int, target: str, result: Result = Result.DONE, note: str = "", **data: object) -> None:
        """A begin, a command and an outcome."""
        self.begin(number, target)
        self.outcome(number, target, result, note, **({"seconds": 0.5, "commands": [command("true")]} | data))


def command(text: str, status: int | None = 0, output: str = "") -> Mapping[str, object]:
    """One command of a transcript."""
    return {"command": text, "status": status, "seconds": 0.2, "output": output}


def done_run() -> Run:
    """Everything went well; lab05 had puppet stopped already, lab09 nothing to carry over."""
    the_plan, tape = plan(), Tape()
    gates = {0, 4, 12}
    for number, planned in enumerate(the_plan.steps):
        for target in planned.hosts:
            if number in gates or planned.findings[target].status is Status.DONE:
                tape.outcome(number, target, note=planned.findings[target].note)
            else:
                tape.did(number, target, commands=[command(line[2:]) for line in planned.findings[target].preview[:2]])
    return Run(RUN_ID, the_plan, RunStatus.DONE, "marta", STARTED, tape.at + 1, None, tape.events)


def troubled_run() -> Run:
    """Stopped in step 4, at the barrier: one failed, one not as promised, one unknown, one unreachable."""
    the_plan, tape = plan(), Tape()
    for host in HOSTS:
        tape.outcome(0, host, note=the_plan.steps[0].findings[host].note)
    tape.did(1, "@git", note="on branch ops-clinic/rename-alice-to-alicia", seconds=1.985)
    for host in HOSTS:
        tape.did(2, host) if host != "lab05" else tape.outcome(2, host)
    for host in HOSTS[:6]:
        tape.did(3, host, note="no account alice") if host != "lab03" else _fail(tape)
    tape.did(3, "lab07", Result.UNVERIFIED, "done, but looking again shows: alice is still in /etc/passwd")
    tape.outcome(3, "lab08", Result.PENDING, "unreachable: ssh to lab08 (10.0.0.8:22): timed out after 10 s")
    tape.begin(3, "lab09")
    return Run(RUN_ID, the_plan, RunStatus.INCOMPLETE, "marta", STARTED, None, None, tape.events)


def _fail(tape: Tape) -> None:
    says = "userdel: user alice is currently used by process 4711\n"
    sent = [command("pkill -U 1001"), command("userdel alice", 8, says)]
    tape.did(3, "lab03", Result.FAILED, "userdel alice: exit status 8: " + says.strip(), commands=sent, seconds=2.2)


QUESTION = "Has legal agreed to T123?"
POST = (
    "Legal: please say in a comment here whether alice may be called alicia & <b>co</b>, which is a long line of text."
)


def waiting_run() -> Run:
    """Stopped in front of a question, before anything was begun."""
    ask = PlannedStep(
        "Ask legal whether the name may go", "manual", ("@person",), {"@person": todo(QUESTION)}, post=POST
    )
    the_plan, tape = plan(), Tape()
    note = f"waiting for a person: {QUESTION} When it is so: `inv resume --confirmed WHERE`"
    tape.outcome(0, "@person", Result.PENDING, note)
    the_plan = Plan("rename-user", the_plan.arguments, (ask, *the_plan.steps[1:]))
    return Run(RUN_ID, the_plan, RunStatus.WAITING, "marta", STARTED, None, None, tape.events)
