"""A lab host as the tests of Changes see it, driven over a real connection, and the people who live there."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, field

from runbooks.lab import Lab, Person
from runbooks.lab.layout import FILES
from runbooks.model import Change, Facts, Finding, Status
from runbooks.systems.host import HostReader, HostTarget, HostWriter
from runbooks.systems.reads import Read
from runbooks.systems.subject import Subject
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport

HostChange = Change[HostReader, HostWriter]
GROUPS = ("deployment", "wikidev", "ops")
PEOPLE = (
    Person("lena", 2001, ("deployment", "ops"), home_files=8, dotfiles=True, password=True),
    Person("livia", 2002, home_files=8, dotfiles=True),
    Person("bob", 2003, home_files=8),
    Person("bobby", 2004, home_files=8),
    Person("paula", 2005, home_files=8),
    Person("peter", 2006, home_files=8),
)


class Interrupted(Exception):
    """What a test raises where a client would have died."""


@dataclass
class Machine:
    """A lab host, and the connection that the tool has to it. ``run_id`` is what a test's records lie under."""

    lab: Lab
    host: str
    target: HostTarget
    run_id: str
    user: str = "root"
    transcript: list[Facts] = field(default_factory=list)

    def sh(self, script: str, *arguments: str, check: bool = True, input: bytes | None = None) -> str:
        """A script as root on the host, beside the tool; what it printed."""
        done = self.lab.run(self.host, ["bash", "-c", script, "-", *arguments], check=check, input=input)
        return done.stdout.decode("utf-8", "surrogateescape")

    def ask(self, read: Read) -> object:
        return self.target.reader(self.run_id).ask(read)

    def check(self, change: HostChange) -> Finding:
        return change.check(self.target.reader(self.run_id))

    def do(self, change: HostChange, before: Facts | None = None) -> None:
        """``do`` alone, under the host's lock."""
        with self.target.writer(self.run_id, 1, 5) as writer:
            try:
                change.do(writer, before or {})
            finally:
                self.transcript += writer.transcript

    def apply(self, change: HostChange) -> Facts:
        """check, do, verify, as the walker does it; what was before."""
        finding = self.check(change)
        assert finding.status is Status.TODO, finding
        self.do(change, finding.before)
        seen = change.verify(self.target.reader(self.run_id), finding.before)
        assert seen.status is Status.DONE, seen
        return finding.before

    def undo(self, change: HostChange, before: Facts) -> Finding:
        """The inverse: applied where it has anything to do; what was found at the end."""
        inverse = change.inverse(before)
        assert inverse is not None
        if self.check(inverse).status is Status.TODO:
            self.apply(inverse)
        return self.check(inverse)

    def stopped_after(self, change: HostChange, commands: int) -> bool:
        """``do``, with the client dying before its command number ``commands`` + 1 is sent; whether it came to that."""
        with self.target.writer(self.run_id, 1, 5) as writer:
            send, sent = writer._shell.act, itertools.count()

            def act(*arguments: object) -> object:
                if next(sent) >= commands:
                    raise Interrupted
                return send(*arguments)  # type: ignore[arg-type]

            writer._shell.act = act  # type: ignore[method-assign, assignment]
            try:
                change.do(writer, {})
            except Interrupted:
                return True
            finally:
                del writer._shell.act  # type: ignore[attr-defined]
        return False

    def shadow(self, name: str) -> str:
        return self.sh('grep "^$1:" /etc/shadow | cut -d: -f2- || true', name, check=False).strip()

    def said(self) -> str:
        """All that was sent and came back, as a journal would hold it."""
        return repr(self.transcript)


def connect(lab: Lab, host: str, user: str) -> HostTarget:
    """The host as the tool reaches it: as root, or as the operator, who has to call sudo."""
    transport = SshTransport(SshSettings(lab.ssh_config, user, sudo=user != "root"))
    row = next(row for row in lab.status() if row.name == host)
    return HostTarget(host, lambda: Shell(host, transport.open(host, row.address, row.port, user), 60))


def move_in(machine: Machine, person: Person) -> None:
    """An account and a home of their own, on this host alone and without the registry: no test shares a person, and
    none has to clean up. The local group keeps them from the clean-up job."""
    script = 'groupadd -f clinic-staff; useradd -u "$2" -g 500 -m -s /bin/bash -G clinic-staff,deployment "$1"'
    machine.sh(script, person.name, str(person.uid))
    seed = ["python3", "-I", "-c", (FILES / "inside/seed.py").read_text()]
    machine.lab.run(machine.host, seed, input=json.dumps([asdict(person)]).encode())


def stop_puppet(machine: Machine) -> None:
    """Disable puppet behind the tool's back, without the second that puppet takes for it."""
    machine.sh('echo \'{"disabled_message":"tests"}\' >/var/cache/puppet/state/agent_disabled.lock')


def let_puppet_run(machine: Machine) -> None:
    machine.sh("rm -f /var/cache/puppet/state/agent_disabled.lock")


def create_as_puppet_would(machine: Machine, subject: Subject) -> None:
    """The new account with its fresh home and nothing more, as a puppet run leaves it."""
    script = 'useradd -u "$2" -g 500 -m -s /bin/bash "$1"; gpasswd -a "$1" deployment'
    machine.sh(script, subject.name, str(subject.uid))
