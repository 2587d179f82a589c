"""The kill campaign: a rename is killed at every point, resumed or undone, and its end compared.

``python -m tests.campaign.campaign`` runs all points; the tests run a sample. Each point has a person of its own, on
one lab whose hosts run puppet, and the clean-up job, by themselves.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import yaml

from runbooks.lab import Lab, Person, scratch
from runbooks.registry import Registry
from tests.campaign import world
from tests.campaign.kills import ENDINGS, ROOT, Kills

HOSTS = 3

__all__ = ["ROOT", "Campaign", "fleet", "sample"]

# What `puppet agent --disable` and `--enable` do to the lock, without the second that Ruby takes to start.
LOCK = "/var/cache/puppet/state/agent_disabled.lock"
QUICK = {
    "disable": ["sh", "-c", f'[ -e {LOCK} ] || printf \'{{"disabled_message":"%s"}}\' "$1" > {LOCK}', "sh"],
    "enable": ["rm", "-f", LOCK],
}


@contextmanager
def fleet(people: int, puppet_every_s: int = 90, quick: bool = False) -> Iterator[Lab]:
    """A lab with so many people to rename, each with a home of all kinds of files, every second one with a process."""
    top = scratch()
    lab = Lab(top / "campaign")
    try:
        lab.up(HOSTS, people=[person(number) for number in range(people)], puppet_every_s=puppet_every_s)
        if quick:
            path = lab.inventory / "settings.yaml"
            settings = yaml.safe_load(path.read_text())
            settings["puppet"] |= QUICK
            path.write_text(yaml.safe_dump(settings))
        yield lab
    finally:
        lab.down()
        shutil.rmtree(top)


def person(number: int) -> Person:
    """The number-th of the people."""
    return Person(
        f"user{number}",
        3000 + number,
        home_files=40,
        process=number % 2 == 0,
        password=number % 3 == 0,
        local_group="docker" if number % 4 == 0 else "",
        dotfiles=number % 5 == 0,
    )


class Campaign(Kills):
    """Renames on one lab, one person after another."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self._next = 0

    def names(self) -> tuple[str, str]:
        """The next person, and what they are to be called."""
        number = self._next
        self._next += 1
        return f"user{number}", f"renamed{number}"

    def points(self) -> list[str]:
        """Every point of an undisturbed rename: after each event, and inside each ``do``; that one is checked, too."""
        old, new = self.names()
        before = self.look(old)
        points = self.points_of(self.rename(old, new))
        self.compare("undisturbed", before, old, new)
        return points

    def kill(self, point: str, ending: str) -> None:
        """Kill a rename at a point, end it, and compare."""
        old, new = self.names()
        before, registry = self.look(old), self.lab.show()
        what = f"{old} {self.strike(point, self.rename(old, new))} {ending}"
        runs = json.loads(self.inv("none", ["runs", "--json"]).stdout)["runs"]
        mine = next((r for r in runs if r["plan"]["arguments"].get("old") == old), None)
        if mine is None:
            self._same(what, before, old)
            return
        if ending == "resume" and mine["status"] != "done":
            self.end(what, ["resume", "--run", mine["id"], "--yes"])
        if ending == "undo":
            self.end(what, ["undo", mine["id"], "--yes", "--end-processes"])
            self._same(what, before, old)
            self.check(what, self.lab.show() == registry, "the registry is not what it was")
            self.tally.undone += 1
        else:
            self.compare(what, before, old, new)
            intended = Registry(registry).rename(old, new, "T1").text
            self.check(what, self.lab.show() == intended, "the registry is not what the rename makes of it")
            self.tally.resumed += 1

    def rename(self, old: str, new: str) -> list[str]:
        """The command."""
        return ["rename-user", "--old", old, "--new", new, "--task", "T1", "--yes", "--end-processes"]

    # comparing

    def look(self, name: str) -> dict[str, world.Person]:
        """An account on every host."""
        return {host: world.look(self.lab, host, name) for host in self.lab.hosts}

    def compare(self, what: str, before: dict[str, world.Person], old: str, new: str) -> None:
        """Every host has the account under the new name, else as it was, and nothing of the old one."""
        for host, was in before.items():
            differences = was.renamed(old, new).differences(world.look(self.lab, host, new))
            self._judge(what, host, differences + world.gone(world.look(self.lab, host, old)))

    def _same(self, what: str, before: dict[str, world.Person], old: str) -> None:
        for host, was in before.items():
            self._judge(what, host, was.differences(world.look(self.lab, host, old)))

    def _judge(self, what: str, host: str, differences: list[str]) -> None:
        self.tally.homes += 1
        self.tally.lost += any(line.startswith("home: ") for line in differences)
        self.check(f"{what}: {host}", not differences, "; ".join(differences))


def sample(points: Sequence[str], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """A spread of points over the whole rename, endings in turn: as many events as places inside a ``do``."""
    chosen = []
    for kind, some in (("event:", count // 2), ("do:", count - count // 2)):
        ones = [point for point in points if point.startswith(kind)]
        width = len(ones) / some
        chosen += [ones[int(width * (n + rng.random()))] for n in range(some)]
    return [(point, ENDINGS[n % 2]) for n, point in enumerate(chosen)]


def main() -> int:
    """All points with both endings, or a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many points; all of them by default")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    print(f"seed {chosen.seed}", flush=True)
    with fleet(chosen.sample + 1 if chosen.sample else 260) as lab:
        campaign = Campaign(lab, rng)
        every = campaign.points()
        todo = sample(every, chosen.sample, rng) if chosen.sample else [(p, e) for p in every for e in ENDINGS]
        print(f"{len(every)} points in an undisturbed rename; {len(todo)} to do", flush=True)
        for number, (point, ending) in enumerate(todo, 1):
            started = time.monotonic()
            campaign.kill(point, ending)
            print(f"{number}/{len(todo)} {point} {ending} {time.monotonic() - started:.0f} s", flush=True)
            for line in campaign.tally.wrong:
                print(f"WRONG {line}", flush=True)
            if campaign.tally.wrong:
                return 1
        print(campaign.tally)
    return 1 if campaign.tally.lost or campaign.tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
