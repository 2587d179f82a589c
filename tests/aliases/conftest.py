"""A lab with two mail hosts, a puppet server with the private repository, and `inv` on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from runbooks.lab import Lab, Person
from runbooks.lab.inventory import PRIVATE
from runbooks.lab.layout import SERVER
from runbooks.lab.mail.hosts import REPOSITORY_FILES
from tests.labs import small_lab
from tests.surface.helpers import Inv

PEOPLE = (
    Person("alice", 1001, home_files=2),
    Person("bob", 1002, ("ops",), home_files=2),
    Person("carol", 1003, home_files=2),
)
MAIL_HOSTS = ("lab01", "lab02")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Nothing happens in it by itself."""
    with small_lab(2, PEOPLE, mx=True) as made:
        yield made


@dataclass
class Post:
    """What a person sees of the aliases, without the tool."""

    lab: Lab

    def sh(self, script: str, *arguments: str, host: str = SERVER) -> str:
        """Run on a host, by default where the private repository is; what it prints."""
        return self.lab.run(host, ["bash", "-ec", script, "-", *arguments]).stdout.decode()

    def file(self, domain: str = "example.org") -> str:
        """An alias file as it lies in the repository."""
        return self.sh(f"cat {PRIVATE}/{REPOSITORY_FILES}/{domain}")

    def log(self, limit: int = 1) -> str:
        """The newest commits."""
        return self.sh(f"git -C {PRIVATE} log -n {limit} --format='%an|%s%n%b'")

    def head(self) -> str:
        """The newest commit's id."""
        return self.sh(f"git -C {PRIVATE} rev-parse HEAD")

    def status(self) -> str:
        """What is edited there and not committed."""
        return self.sh(f"git -C {PRIVATE} status --porcelain")

    def route(self, address: str, host: str = "lab01") -> str:
        """What exim says of it."""
        return self.lab.run(host, ["exim4", "-bt", address], check=False).stdout.decode()

    def puppet(self, *hosts: str) -> None:
        """Let puppet run."""
        for host in hosts:
            done = self.lab.puppet(host)
            assert done.returncode in (0, 2), done.stdout + done.stderr

    @contextmanager
    def puppet_busy(self, host: str) -> Iterator[None]:
        """An agent is at work there, by its lock: whoever wants another run waits."""
        lock = "/var/cache/puppet/state/agent_catalog_run.lock"
        script = 'setsid -f bash -c \'echo $$ >"$1"; exec -a puppet-agent sleep 600\' - "$1" </dev/null >/dev/null 2>&1'
        self.sh(script, lock, host=host)
        self.sh('until [ -s "$1" ]; do sleep 0.05; done', lock, host=host)
        try:
            yield
        finally:
            self.sh('kill "$(cat "$1")"; rm "$1"', lock, host=host)

    def by_hand(self, script: str, message: str = "(carol) by hand", domain: str = "example.org") -> None:
        """An edit by a colleague, with an editor: by ``sed``, committed."""
        path = f"{REPOSITORY_FILES}/{domain}"
        self.sh('cd "$1"; sed -i "$2" "$3"; git commit -qam "$4"', PRIVATE, script, path, message)


@pytest.fixture
def post(lab: Lab) -> Post:
    return Post(lab)


@pytest.fixture
def inv(lab: Lab) -> Inv:
    return Inv(lab, {"SUDO_USER": "carol"})
