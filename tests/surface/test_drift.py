"""Between a plan and its run the world moves on; then the run is refused, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY

from .helpers import QUICK, Inv, world
from .shape import check


@pytest.fixture
def plan(inv: Inv, tmp_path: Path) -> str:
    path = tmp_path / "saved"
    assert inv.rename("frank", "franz", "--dry-run", "--save", str(path)).status == 0
    return str(path)


def shell(host: str, script: str) -> Callable[[Lab], object]:
    return lambda lab: lab.run(host, ["bash", "-ec", script])


SPOOL = "/var/spool/cron/crontabs"
BARE = "/srv/git/puppet.git"
COMMIT = (
    "export GIT_AUTHOR_NAME=x GIT_COMMITTER_NAME=x EMAIL=x@example.org; "
    "git rev-parse production >/root/tip; "
    "git update-ref refs/heads/production $(git commit-tree production^{tree} -p production -m x)"
)
DRIFTS: dict[str, tuple[Callable[[Lab], object], Callable[[Lab], object], str]] = {
    "a process": (
        lambda lab: lab.start_process("lab02", "frank"),
        shell("lab02", "pkill -U 2006; while pgrep -U 2006; do sleep 0.1; done"),
        "processes",
    ),
    "a crontab": (
        shell("lab01", f"mkdir /root/s; cp -p {SPOOL}/frank /root/s; echo '# more' >> {SPOOL}/frank"),
        shell("lab01", f"cat /root/s/frank >{SPOOL}/frank; touch -r /root/s/frank {SPOOL}/frank; rm -r /root/s"),
        "files",
    ),
    "the repository": (
        shell("puppet01", f"cd {BARE}; {COMMIT}"),
        shell("puppet01", f"cd {BARE}; git update-ref refs/heads/production $(cat /root/tip); rm /root/tip"),
        "base",
    ),
    "a new home": (shell("lab02", "mkdir /home/franz"), shell("lab02", "rmdir /home/franz"), "/home/franz"),
    "puppet": (
        shell("lab01", "puppet agent --disable 'mine, T9'"),
        shell("lab01", "puppet agent --enable"),
        "mine, T9",
    ),
}


@pytest.mark.parametrize("kind", DRIFTS)
def test_drift_between_plan_and_apply(inv: Inv, lab: Lab, plan: str, kind: str) -> None:
    cause, cure, words = DRIFTS[kind]
    cause(lab)
    try:
        before = world(lab)
        refused = inv("apply", plan, "--yes", "--json")
        assert (refused.status, refused.err) == (4, "")
        check(refused.json)
        assert refused.json["error"]["kind"] == "drift"
        assert words in refused.json["error"]["message"]
        assert refused.json["error"]["message"].count("nothing was changed") == 1
        if kind == "a new home":
            inv("apply", plan, "--dry-run").refuses(4, words, "lab02", "nothing was changed")
        assert world(lab) == before
    finally:
        cure(lab)
    assert inv("apply", plan, "--dry-run").status == 0, "it was nothing but that"


def test_a_host_that_is_gone_since_the_plan(inv: Inv, lab: Lab, plan: str, unchanged: None) -> None:  # noqa: ARG001
    lab.freeze("lab02")
    try:
        inv("apply", plan, "--yes", env=QUICK).refuses(3, "lab02", "newly unreachable", "nothing was changed")
    finally:
        lab.thaw("lab02")


def test_a_broken_registry(inv: Inv, lab: Lab) -> None:
    before = lab.run("puppet01", ["git", "-C", BARE, "rev-parse", "production"]).stdout.decode().strip()
    text = lab.show()
    breakages = {
        "groups: [": "line",
        text.replace("uid: 2006", "uid: 2005"): "2005",
        text.replace("\nusers:", "\npeople:"): "users",
    }
    try:
        for broken, words in breakages.items():
            assert broken != text
            lab.commit({REGISTRY: broken}, "Break it")
            inv.rename("erin", "erica", "--yes").refuses(2, words)
    finally:
        lab.run("puppet01", ["git", "-C", BARE, "update-ref", "refs/heads/production", before])
