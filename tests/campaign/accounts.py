"""The kill campaign over accounts: each procedure is killed at every point, resumed and undone, or undone at once.

``python -m tests.campaign.accounts`` runs all points; the tests run a few. Registry, directory and key files are looked
at with the lab's own eyes; each end takes the lab back to where it began, so one person is enough for a procedure.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runbooks.lab import Lab, Person
from runbooks.lab.directory import Entry, person_entry
from runbooks.lab.inventory import CHECKOUT, REGISTRY
from runbooks.registry import Registry
from tests.campaign.kills import ENDINGS, Kills
from tests.labs import small_lab

HERE = (Person("erin", 2005, home_files=10), Person("dave", 2004, home_files=10))
NEW = {"nova": 2010, "neil": 2011}
_KEYS = 'cat "/etc/ssh/userkeys/$1" "/home/$1/.ssh/authorized_keys" 2>/dev/null; true'
MOST_CONFIRMATIONS = 12


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

    def differences(self, other: State) -> str:
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in vars(self)]
        return "; ".join(f"{name} is {there!r}, not {wanted!r}" for name, wanted, there in pairs if there != wanted)


@dataclass(frozen=True)
class Deed:
    """A procedure for somebody, what it makes of the lab, and a few of its points: the session's command by its number
    (each confirmation is one), and the point in it."""

    name: str
    command: tuple[str, ...]
    after: Callable[[State], State]
    some: tuple[tuple[int, str], ...]


def deeds(lab: Lab) -> dict[str, Deed]:
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


class Accounts(Kills):
    """Procedures over accounts on one lab, one after another."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self.deeds = deeds(lab)
        self.more = {"INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "3"}
        self._known: set[str] = set()

    def look(self, name: str) -> State:
        """The lab as it is, as far as it is somebody's."""
        members = frozenset(self.lab.directory.members("wmf"))
        texts = [self.lab.run(host, ["sh", "-c", _KEYS, "sh", name]).stdout.decode() for host in self.lab.hosts]
        deployed = self.lab.run("puppet01", ["cat", f"{CHECKOUT}/{REGISTRY}"]).stdout.decode()
        return State(self.lab.show(), deployed, members, tuple(tuple(sorted(text.splitlines())) for text in texts))

    def points(self, procedure: str) -> list[tuple[int, str]]:
        """Every point of an undisturbed session, which is checked, too, and undone."""
        deed = self.deeds[procedure]
        before = self.look(deed.name)
        found: list[tuple[int, str]] = []
        command = [*deed.command, "--yes"]
        for turn in range(MOST_CONFIRMATIONS):
            found += [(turn, point) for point in self.points_of(command, ok=(0, 9))]
            run = self.run()
            if run["status"] == "done":
                break
            command = self._resume(run)
        self.same(f"{procedure} undisturbed", deed.after(before), deed.name)
        self.undo(f"{procedure} undisturbed", run["id"], before, deed.name)
        return found

    def kill(self, procedure: str, turn: int, point: str, ending: str) -> None:
        """Kill a session at a point, end it, compare, and take it back."""
        deed = self.deeds[procedure]
        before, what = self.look(deed.name), f"{procedure} {turn} {point} {ending}"
        command = [*deed.command, "--yes"]
        for _ in range(turn):
            self.inv("none", command)
            command = self._resume(self.run())
        self.strike(point, command)
        run = self.run()
        if not run:
            self.same(what, before, deed.name)
            return
        if ending == "resume":
            self.finish(what, run)
            self.same(what, deed.after(before), deed.name)
            self.tally.resumed += 1
        self.undo(what, run["id"], before, deed.name)
        self._known.add(run["id"])

    def finish(self, what: str, run: dict[str, str]) -> None:
        for _ in range(MOST_CONFIRMATIONS):
            if run["status"] == "done":
                return
            ended = self.inv("none", self._resume(run))
            said = f"resume: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
            self.check(what, ended.returncode in (0, 9), said)
            run = self.run()
        self.check(what, False, f"it never came to its end: {run['status']}")

    def undo(self, what: str, run_id: str, before: State, name: str) -> None:
        ended = self.inv("none", ["undo", run_id, "--yes"])
        if ended.returncode == 3 and "has begun nothing" in ended.stderr:
            self.end(what, ["abandon", run_id, "--yes"])
        else:
            said = f"undo: exit {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr[-1500:]}"
            self.check(what, ended.returncode == 0, said)
            self.tally.undone += 1
        self.same(what, before, name)
        self._known |= {run["id"] for run in self._runs()}

    def same(self, what: str, expected: State, name: str) -> None:
        differences = expected.differences(self.look(name))
        self.check(what, not differences, differences)

    def _resume(self, run: dict[str, str]) -> list[str]:
        answer = ["--confirmed", "T1#1"] if run["status"] == "waiting" else []
        return ["resume", "--run", run["id"], *answer, "--yes"]

    def _runs(self) -> list[dict[str, str]]:
        with closing(sqlite3.connect(self.lab.layout.top / "journal.db")) as db:
            found = db.execute("SELECT id, status FROM runs ORDER BY created DESC").fetchall()
        return [{"id": run_id, "status": status} for run_id, status in found]

    def run(self) -> dict[str, str]:
        """The one that this point has made; empty where it has made none."""
        return next((run for run in self._runs() if run["id"] not in self._known), {})


def main() -> int:
    """All points of all procedures, with both endings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", help="one procedure")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with ground() as campaign:
        campaign.rng = random.Random(chosen.seed)
        for procedure in [chosen.only] if chosen.only else list(campaign.deeds):
            points = campaign.points(procedure)
            print(f"{procedure}: {len(points)} points", flush=True)
            for turn, point in points:
                for ending in ENDINGS:
                    started = time.monotonic()
                    campaign.kill(procedure, turn, point, ending)
                    print(f"{procedure} {turn} {point} {ending} {time.monotonic() - started:.0f} s", flush=True)
                    for line in campaign.tally.wrong:
                        print(f"WRONG {line}", flush=True)
                    if campaign.tally.wrong:
                        return 1
        print(campaign.tally)
    return 0


if __name__ == "__main__":
    sys.exit(main())
