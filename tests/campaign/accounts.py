"""The kill campaign over accounts: each procedure is killed at every point, resumed and undone, or undone at once.

``python -m tests.campaign.accounts`` runs all points; the tests run a few. Registry, directory and key files are looked
at with the lab's own eyes; each end takes the lab back to where it began, so one person is enough for a procedure.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runbooks.lab import Lab, Person
from runbooks.lab.directory import Entry, person_entry
from runbooks.lab.inventory import CHECKOUT, REGISTRY
from runbooks.registry import Registry
from tests.campaign.deeds import Deed, Deeds, campaign
from tests.labs import small_lab

HERE = (Person("erin", 2005, home_files=10), Person("dave", 2004, home_files=10))
NEW = {"nova": 2010, "neil": 2011}
_KEYS = 'cat "/etc/ssh/userkeys/$1" "/home/$1/.ssh/authorized_keys" 2>/dev/null; true'


@dataclass(frozen=True)
class State:
    """All that a procedure may change: ``keys`` by host, in any order."""

    registry: str
    deployed: str
    members: frozenset[str]
    keys: tuple[tuple[str, ...], ...]

    def with_registry(self, edit: Callable[[Registry], Registry]) -> State:
        text = edit(Registry(self.registry)).text
        return replace(self, registry=text, deployed=text)


def deeds(lab: Lab) -> dict[str, Deed[State]]:
    """All of them."""
    line = Path(f"{lab.layout.person_key('erin')}.pub").read_text().strip()
    new = lab.layout.top / "neil"
    if not new.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "neil", "-f", str(new)], check=True)
    key = new.with_suffix(".pub").read_text().strip()
    person = {"realname": "Neil Nil", "email": "neil@example.org"}
    off = tuple(() for _ in lab.hosts)
    moved = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 10 * 86400))
    return {
        "grant-ldap": Deed(
            "nova",
            ("grant-ldap", "nova", "--group", "wmf", "--realname", "Nova Nym", "--email", "nova@example.org"),
            lambda was: replace(
                was.with_registry(lambda r: r.add_ldap_only("nova", realname="Nova Nym", email="nova@example.org")),
                members=was.members | {"nova"},
            ),
            ((0, "do:3:@ldap"), (0, "event:5"), (0, "event:7"), (0, "do:1:@git")),
        ),
        "revoke-key": Deed(
            "erin",
            ("revoke-key", "erin"),
            lambda was: replace(was.with_registry(lambda r: r.remove_key("erin", line)), keys=off),
            ((0, "event:7"), (0, "event:9"), (0, "do:1:@git"), (0, "do:2:puppet01")),
        ),
        "remove-account": Deed(
            "dave",
            ("remove-account", "dave"),
            lambda was: replace(
                was.with_registry(lambda r: r.absent("dave")), keys=off, members=was.members - {"dave"}
            ),
            ((0, "event:9"), (0, "event:12"), (0, "do:1:@git"), (0, "do:2:@git")),
        ),
        "create-user": Deed(
            "neil",
            ("create-user", "neil", "--key", f"{new}.pub", "--groups", "analytics-users", "--moved", moved,
             "--task", "T1", *(word for name, text in person.items() for word in (f"--{name}", text))),
            lambda was: was.with_registry(
                lambda r: r.add_user("neil", uid=NEW["neil"], groups=("analytics-users",), ssh_keys=[key], **person)
            ),
            ((0, "event:1"), (1, "event:1"), (1, "event:3"), (2, "do:2:@person")),
        ),
    }  # fmt: skip


@contextmanager
def ground() -> Iterator[Accounts]:
    """A lab of two hosts, with two in its directory whom the registry does not know."""
    with small_lab(2, HERE) as lab:
        new = {name: Entry(number, f"{name}@example.org") for name, number in NEW.items()}
        lab.directory.add("\n".join(person_entry(name, entry) for name, entry in new.items()))
        yield Accounts(lab, random.Random())


class Accounts(Deeds[State]):
    """Procedures over accounts on one lab, one after another."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self.deeds = deeds(lab)
        self.more = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "10"}

    def look(self, name: str) -> State:
        """The lab as it is, as far as it is somebody's."""
        members = frozenset(self.lab.directory.members("wmf"))
        texts = [self.lab.run(host, ["sh", "-c", _KEYS, "sh", name]).stdout.decode() for host in self.lab.hosts]
        deployed = self.lab.run("puppet01", ["cat", f"{CHECKOUT}/{REGISTRY}"]).stdout.decode()
        return State(self.lab.show(), deployed, members, tuple(tuple(sorted(text.splitlines())) for text in texts))


if __name__ == "__main__":
    sys.exit(campaign(ground, __doc__))
