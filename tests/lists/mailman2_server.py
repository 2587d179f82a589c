"""A list server of Mailman 2, as the driver has it over real ssh, and as root on it: a lab host with a stand-in for
Mailman's commands (mailman2_standin)."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbooks.lab import Lab, Person
from runbooks.lists.drivers import open_lists
from runbooks.lists.mailman2 import Mailman2Reader, Mailman2Target, Mailman2Writer
from runbooks.model import Change, Facts, Status
from runbooks.secret import Fresh, Secret
from runbooks.settings.sections import ListDomain
from runbooks.systems.host import HostTarget
from runbooks.transport.route import SshSettings
from runbooks.transport.shell import Shell
from runbooks.transport.ssh import SshTransport
from tests.labs import small_lab

STANDIN = Path(__file__).parent / "mailman2_standin"
TOP = "/var/local/mailman"
BIN = TOP + "/bin"
HOST = "lab01"
DOMAIN = "lists.example.org"
OTHER = "lists.example.net"
OWNERS = ("ann@example.org", "bea@example.org")
MODERATOR_PASSWORD = "moderators-know-this"


@dataclass
class Server:
    """The list server: as the driver has it, and beside that, as root on the host."""

    lab: Lab
    host: HostTarget
    transcript: list[Facts] = field(default_factory=list)
    fresh: Fresh = field(default_factory=Fresh)

    def target(self, domain: str = DOMAIN, bin: str = BIN) -> Mailman2Target:
        settings = ListDomain(domain, driver="mailman2", host=HOST, bin=bin)
        made = open_lists(settings, Secret(""), lambda: self.host, self.fresh)
        assert isinstance(made, Mailman2Target)
        return made

    def reader(self, domain: str = DOMAIN) -> Mailman2Reader:
        return self.target(domain).reader("run1")

    def write(self, what: Callable[[Mailman2Writer], object], domain: str = DOMAIN) -> None:
        with self.target(domain).writer("run1", 1, 60) as writer:
            writer.transcript = self.transcript
            what(writer)

    def sh(self, script: str, *arguments: str, input: str = "", check: bool = True) -> str:
        done = self.lab.run(HOST, ["bash", "-c", script, "-", *arguments], input=input.encode(), check=check)
        return done.stdout.decode()

    def create(self, name: str, private: bool = False, owners: Sequence[str] = OWNERS, domain: str = DOMAIN) -> None:
        self.write(lambda writer: writer.create(name, owners, private), domain)

    def told(self, name: str, text: str) -> None:
        """Somebody else has config_list run this."""
        self.sh(f"{BIN}/config_list -i /dev/stdin -- $1 2>&1", name, input=text)

    def outside(self, what: str, name: str, *words: str, mail: str = "") -> str:
        return self.sh(f'{BIN}/outside "$@"', what, name, *words, input=mail).strip()

    def post(self, name: str, sender: str, what: str = "post", subject: str = "hello", more: str = "") -> str:
        mail = f"From: {sender}\nTo: {name}@{DOMAIN}\nSubject: {subject}\n{more}\nhello\n"
        return self.outside(what, name, mail=mail)

    def sent(self) -> list[tuple[str, str]]:
        """What has left since this was last asked."""
        lines = self.sh("cd /var/lib/mailman; cat sent 2>/dev/null; rm -f sent").splitlines()
        return [(one["kind"], one["to"]) for one in map(json.loads, lines)]

    def apply(self, change: Change[Any, Any]) -> dict[str, Any]:
        """check, do, verify; what was before, as a journal gives it back."""
        finding = change.check(self.reader())
        assert finding.status is Status.TODO, finding
        before: dict[str, Any] = json.loads(json.dumps(dict(finding.before)))
        self.write(lambda writer: change.do(writer, before))
        seen = change.verify(self.reader(), before)
        assert seen.status is Status.DONE, seen
        return before

    def settings(self, name: str) -> dict[str, Any]:
        found = self.reader().settings(name)
        assert found is not None
        return dict(found)


@contextmanager
def list_server() -> Iterator[Lab]:
    """A lab of one host, with Mailman's commands and its site's own list."""
    with small_lab(1, (Person("bob", 2002, home_files=2),)) as made:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(STANDIN, ".", filter=lambda entry: None if "__pycache__" in entry.name else entry)
        script = f"mkdir -p {TOP} && tar -x -C {TOP}"
        made.run(HOST, ["sh", "-c", script], input=packed.getvalue())
        made.run(HOST, [f"{BIN}/newlist", "-q", "mailman", "root@example.org", "secret"])
        yield made


@contextmanager
def connected(lab: Lab) -> Iterator[Server]:
    """With a connection of its own."""
    transport = SshTransport(SshSettings(lab.ssh_config, "root"))
    row = next(row for row in lab.status() if row.name == HOST)
    host = HostTarget(HOST, lambda: Shell(HOST, transport.open(HOST, row.address, row.port, "root"), 30))
    try:
        yield Server(lab, host)
    finally:
        host.close()


@contextmanager
def clean(lab: Lab) -> Iterator[Server]:
    """With a connection of its own, and no lists but the site's; none is left."""
    with connected(lab) as made:
        yield made
        made.sh(
            "cd /var/lib/mailman; rm -rf sent mm_cfg.site locks/* data/* archives/private/*; "
            "find lists -mindepth 1 -maxdepth 1 ! -name mailman -exec rm -rf {} +"
        )
