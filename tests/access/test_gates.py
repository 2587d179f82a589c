"""Who is let in has been approved of by people, one after another; the run waits for each, and keeps what they said."""

from __future__ import annotations

from pathlib import Path

from runbooks.lab import Lab
from runbooks.lab.inventory import REGISTRY
from runbooks.registry import Registry
from tests.surface.helpers import Inv
from tests.surface.shape import check

JOIN = ("join-group", "erin", "--groups", "analytics-users", "--moved", "2026-01-05", "--task", "T7")
QUESTIONS = ("supervisor", "whoever leads its project", "responsibilities", "NDA")


def members(lab: Lab) -> tuple[str, ...]:
    shown = lab.run("puppet01", ["git", "-C", "/srv/git/puppet.git", "show", f"production:{REGISTRY}"])
    return Registry.from_bytes(shown.stdout).group("analytics-users").members


def test_one_after_another(lab: Lab, inv: Inv, tmp_path: Path) -> None:
    planned = inv(*JOIN, "--dry-run")
    assert planned.status == 0, planned.err
    for_the_ticket = planned.out.partition("\nFor the ticket T7:\n\n")[2]
    assert for_the_ticket.startswith(
        "The direct supervisor of erin: please approve of this request in a comment here.\n"
    )
    assert len(for_the_ticket.strip().split("\n\n")) == 4

    waiting = inv(*JOIN, "--yes", "--json")
    assert waiting.status == 9, waiting.err
    check(waiting.json)
    assert waiting.json["post"] == for_the_ticket.strip()
    run = waiting.json["run"]["id"]

    inv("resume", "--confirmed", "--run", run, "--yes").refuses(2, "say where it can be read", "T123#456")
    inv("resume", "--confirmed", "two\nlines", "--yes").refuses(2, "in one line")
    assert inv("resume", "--yes").status == 9, "nobody came to confirm anything"
    asked = inv.on_terminal("resume", "--confirmed", "T7#1", answer=b"n\n")
    assert asked.status == 3
    assert "Has the direct supervisor of erin approved on the ticket? (as of T7#1)" in asked.err

    for number, word in enumerate(QUESTIONS, 1):
        assert "erin" not in members(lab)
        shown = inv("show", run)
        assert f"{word}" in shown.out.partition("waiting for a person: ")[2]
        assert len(shown.out.partition("For the ticket T7:")[2].strip().split("\n\n")) == 5 - number
        resumed = inv("resume", "--confirmed", f"T7#{number}", "--yes")
        assert resumed.status == (0 if word == "NDA" else 9), resumed.err + resumed.out

    assert "erin" in members(lab)
    ended = inv("show", run, "--json").json
    check(ended)
    assert "post" not in ended
    notes = [outcome["note"] for outcome in ended["run"]["outcomes"] if outcome["host"] == "@person"]
    assert [note.partition(": ")[2] for note in notes[:4]] == ["T7#1", "T7#2", "T7#3", "T7#4"]
    assert all(note.startswith("confirmed by ") and "Z: " in note for note in notes[:4])
    assert notes[4] == "moved on 2026-01-05, open since 2026-01-08"
    page = tmp_path / "run.html"
    assert inv("show", run, "--html", str(page)).status == 0
    for where in (inv("show", run).out, page.read_text()):
        assert all(note in " ".join(where.split()) for note in notes)
    inv("resume", "--confirmed", "T7#5", "--run", run, "--yes").refuses(2, "there is nothing to resume")


def test_which_groups_there_are(inv: Inv, unchanged: None) -> None:  # noqa: ARG001
    found = inv("data-groups", "--json")
    assert found.status == 0, found.err
    assert [group["name"] for group in found.json["groups"]] == ["analytics-users"]
    for command in ("join-group", "create-user", "promote-user"):
        told = inv(command, "grace", "--analytics")
        assert (told.status, told.err) == (0, "")
        assert told.out.startswith("analytics-users  ")
        assert "needs the supervisor's approval, the approval for analytics-users" in told.out
    inv("join-group", "Grace", "--analytics").refuses(2, "'Grace' is no account name")


def test_a_gate_that_is_not_met_blocks_and_says_what_to_write(inv: Inv, unchanged: None) -> None:  # noqa: ARG001
    from datetime import UTC, datetime, timedelta

    today = datetime.now(UTC).date()
    blocked = inv("join-group", "dave", *JOIN[2:5], (today - timedelta(days=2)).isoformat(), "--task", "T8", "--yes")
    blocked.refuses(3, "3 days have to pass for the security review", (today + timedelta(days=1)).isoformat())
    assert f"waiting period for the security review, which ends on {today + timedelta(days=1)}. " in blocked.out
    assert "For the ticket T8:" in blocked.out
