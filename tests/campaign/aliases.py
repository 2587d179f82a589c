"""The kill campaign over mail aliases: each procedure is killed at every point, and resumed or undone.

``python -m tests.campaign.aliases`` runs all points; the tests run a few. The private repository, the mail hosts' files
and what exim answers are looked at with the lab's own eyes. Between the kill and its end a colleague commits, too.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from runbooks.lab import Lab, Person
from runbooks.lab.inventory import PRIVATE
from runbooks.lab.layout import SERVER
from runbooks.lab.mail.hosts import DIRECTORY, REPOSITORY_FILES
from tests.campaign.deeds import Deed, Deeds, campaign
from tests.labs import small_lab

HERE = (Person("alice", 1001, home_files=2), Person("bob", 1002, home_files=2))
OPERATOR = "carol"
OURS, THEIRS = "example.org", "example.com"
"""The domain that is edited, and the one in which a colleague does."""
TOGETHER = (OURS, "example.info", "example.edu", f"www.{OURS}")
ASKED = ("foobar", "events", "everybody", "office", "noreply")
"""Ours, and some of the others, whose file is compared as a whole."""
_BY_HAND = "by hand"
"""What a colleague's lines have: puppet brings them whenever it runs."""
_FILES = 'cd "$1"; for f in *; do printf "\\0%s\\0" "$f"; readlink "$f" || cat "$f"; done'
_LOG = 'git -C "$1" log --format="%an|%s"'
_ROUTES = 'for a; do printf "\\0%s\\0" "$a"; exim4 -bt "$a" || true; done'
# Edited and not committed; a commit that was cut off; what a script or a lock of ours is kept in.
_LEFT = """[ ! -d "$1" ] || { git -C "$1" status --porcelain; ls "$1/.git" | grep 'lock$' || true; }
ls -d /tmp/tmp.* /run/ops-clinic* /var/tmp/ops-clinic* 2>/dev/null || true
cat /var/cache/puppet/state/agent_disabled.lock 2>/dev/null || true"""
# Whoever is in between at the moment is waited for.
_EDIT = """cd "$1"; sed -i "1i $2" "$3"; for n in $(seq 100); do
git commit -q -m "$4" -- "$3" 2>/dev/null && exit; sleep 0.1; done; exit 1"""
_BACK = """git -C "$1" reset -q --hard "$2"; git -C "$1" clean -qfd"""


@dataclass(frozen=True)
class State:
    """All that an edit may change: ``files`` in the repository, its commits since the campaign began, and by mail host
    the files (``deployed``, without a colleague's lines) and where exim sends what comes for each address (``routes``);
    and what is ``left`` over anywhere, which is never anything."""

    files: Mapping[str, str]
    commits: tuple[str, ...]
    deployed: Mapping[str, Mapping[str, str]]
    routes: Mapping[str, Mapping[str, tuple[str, ...]]]
    left: Mapping[str, str]

    def edited(self, old: str, new: str, routes: Mapping[str, tuple[str, ...]], subject: str) -> State:
        """With other words in the file, other routes, and one commit."""
        files = {**self.files, OURS: _instead(self.files[OURS], old, new)}
        deployed = {h: {**there, OURS: _instead(there[OURS], old, new)} for h, there in self.deployed.items()}
        everywhere = {host: {**there, **routes} for host, there in self.routes.items()}
        return replace(self, files=files, deployed=deployed, routes=everywhere).committed(subject)

    def committed(self, *subjects: str) -> State:
        """With more commits."""
        return replace(self, commits=tuple(sorted([*self.commits, *subjects])))


def _instead(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, (old, text)
    return text.replace(old, new)


def _by(operator: str, what: str) -> str:
    return f"{operator}|({operator}) {what}"


def _everywhere(name: str, *ends: str) -> dict[str, tuple[str, ...]]:
    return {f"{name}@{domain}": tuple(sorted(ends)) for domain in TOGETHER}


def _nowhere(name: str) -> dict[str, tuple[str, ...]]:
    return {f"{name}@{domain}": (f"{name}@{domain} is undeliverable: Unrouteable address",) for domain in TOGETHER}


def deeds() -> dict[str, Deed[State]]:
    """All of them. ``name`` is what the commits say is done."""
    events = "events: "
    alice = "alice@lab.example.org"
    add, remove = f"adding alias foobar@{OURS}", f"removing alias events@{OURS}"
    return {
        "alias-add": Deed(
            add,
            ("alias-add", f"foobar@{OURS}", "--to", "alice,desk@example.net", "--task", "T77"),
            lambda was: was.edited(
                last := was.files[OURS].splitlines(keepends=True)[-1],
                f"{last}# T77 ({OPERATOR})\nfoobar: alice, desk@example.net\n",
                _everywhere("foobar", alice, "desk@example.net"),
                _by(OPERATOR, add),
            ),
        ),
        "alias-remove": Deed(
            remove,
            ("alias-remove", f"events@{OURS}", "--task", "T78"),
            lambda was: was.edited(
                next(line for line in was.files[OURS].splitlines(keepends=True) if line.startswith(events)),
                f"# events removed: T78 ({OPERATOR})\n",
                _nowhere("events"),
                _by(OPERATOR, remove),
            ),
        ),
    }  # fmt: skip


@contextmanager
def ground() -> Iterator[Aliases]:
    """A lab of two mail hosts."""
    with small_lab(2, HERE, mx=True) as lab:
        yield Aliases(lab, random.Random())


class Aliases(Deeds[State]):
    """Edits of aliases on one lab, one after another."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        super().__init__(lab, rng)
        self.deeds = deeds()
        self.more = {"SUDO_USER": OPERATOR, "INVOKE_OPS_CLINIC_SSH_CONNECT_TIMEOUT_S": "5"}
        self._base = self._sh(SERVER, 'git -C "$1" rev-parse HEAD', PRIVATE).strip()
        self._at_first = self._files(lab.hosts[0], DIRECTORY)
        self._addresses = [f"{name}@{domain}" for domain in TOGETHER for name in ASKED] + [f"sales@{THEIRS}"]

    def look(self, name: str) -> State:  # noqa: ARG002 - all of it
        """The lab as it is."""
        deployed = {host: self._files(host, DIRECTORY) for host in self.lab.hosts}
        return State(
            self._files(SERVER, f"{PRIVATE}/{REPOSITORY_FILES}"),
            tuple(sorted(self._sh(SERVER, f'{_LOG} "$2..HEAD"', PRIVATE, self._base).splitlines())),
            {host: {path: _without_theirs(text) for path, text in there.items()} for host, there in deployed.items()},
            {host: self._routes(host) for host in self.lab.hosts},
            {host: self._sh(host, _LEFT, PRIVATE) for host in (SERVER, *self.lab.hosts)},
        )

    def meanwhile(self, before: State, deed: Deed[State], point: str) -> State:  # noqa: ARG002
        """A colleague commits a line of another domain; and one of the same file, where ours is not being committed at
        that moment: it would go along with theirs."""
        files = {**before.files}
        for path in (THEIRS, *([] if point.startswith("do:") else [OURS])):
            line = f"# {_BY_HAND}: {len(before.commits)}"
            self._sh(SERVER, _EDIT, PRIVATE, line, f"{REPOSITORY_FILES}/{path}", "(bob) by hand")
            files[path] = f"{line}\n{files[path]}"
            before = before.committed(f"{self._git_name()}|(bob) by hand")
        return replace(before, files=files)

    def undone(self, before: State, deed: Deed[State], run: Mapping[str, str]) -> State:  # noqa: ARG002
        """One revert where there was a commit, and else none."""
        subject = _by(OPERATOR, deed.name)
        if subject not in self.look("").commits:
            return before
        return before.committed(subject, _by(OPERATOR, f"Revert: {deed.name}"))

    def restore(self, what: str, run: Mapping[str, str], before: State, deed: Deed[State]) -> None:
        """By hand: an undo of what has come to its end is among the points. Two runs of puppet are saved."""

    def prepare(self, procedure: str) -> None:  # noqa: ARG002
        """All as it was at first."""
        self._sh(SERVER, _BACK, PRIVATE, self._base)
        for host in self.lab.hosts:
            for domain in (OURS, THEIRS):
                self.lab.run(host, ["tee", f"{DIRECTORY}/{domain}"], input=self._at_first[domain].encode())

    def _git_name(self) -> str:
        return self._sh(SERVER, 'git -C "$1" log -1 --format=%an', PRIVATE).strip()

    def _files(self, host: str, directory: str) -> dict[str, str]:
        return _parts(self._sh(host, _FILES, directory))

    def _routes(self, host: str) -> dict[str, tuple[str, ...]]:
        """What exim says of each address: where it ends, without the way."""
        said = _parts(self._sh(host, _ROUTES, *self._addresses))
        return {
            address: tuple(sorted(line for line in text.splitlines() if line and not line.startswith(" ")))
            for address, text in said.items()
        }

    def _sh(self, host: str, script: str, *words: str) -> str:
        return self.lab.run(host, ["bash", "-ec", script, "-", *words], timeout=120).stdout.decode()


def _without_theirs(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if _BY_HAND not in line)


def _parts(text: str) -> dict[str, str]:
    words = text.split("\0")[1:]
    return dict(zip(words[::2], words[1::2], strict=True))


if __name__ == "__main__":
    sys.exit(campaign(ground, __doc__))
