"""Whole renames, for real: nothing is lost, and what was taken back is as it was."""

from __future__ import annotations

import json
from pathlib import Path

from runbooks.lab import Lab
from tests.waiting import eventually

from .helpers import QUICK, Inv, account, disabled, refs, runs, said, world
from .shape import check, statuses

HOSTS = ("lab01", "lab02")
RENAMED = "Look again: same UID, same home, the old name gone"


def test_a_rename_and_its_undo(inv: Inv, lab: Lab, tmp_path: Path) -> None:
    """Everything at once, as a rename takes its time: account, puppet, repository, `runs` and `show`."""
    for host in HOSTS:
        lab.run(host, ["touch", "/var/lib/systemd/linger/alice"], check=False)
    lab.run("lab02", ["puppet", "agent", "--disable", "mine, T9"])
    before = {host: account(lab, host, "alice") for host in HOSTS}
    assert before["lab01"]["home"] and before["lab01"]["shadow"] and before["lab01"]["subuid"]
    assert "docker" in before["lab02"]["groups"]  # type: ignore[operator]
    registry = lab.show()

    done = inv.rename("alice", "alicia", "--task", "T7", "--reason", "a new name", "--yes", env={"SUDO_USER": "olga"})
    assert done.status == 0, done.err
    assert "Traceback" not in done.out + done.err
    for host in HOSTS:
        assert account(lab, host, "alicia") == before[host]
        assert said(lab, host, "getent", "passwd", "alice") == ""
        assert said(lab, host, "sh", "-c", "ls -d /home/alic* /var/mail/alice /var/spool/cron/crontabs/alice") == (
            "/home/alicia\n"
        )
        assert lab.login(host, "alicia", key_of="alice")
        assert not lab.login(host, "alice")
    assert (disabled(lab, "lab01"), disabled(lab, "lab02")) == ("", "mine, T9")
    assert lab.puppet("lab01").returncode == 0, "a further puppet run has nothing to change"
    assert "rename-alice" not in refs(lab), "the proposal's branch is gone"
    assert "T7" in lab.show()

    (run_id, status), *owners = runs(lab)
    assert (status, owners) == ("done", [])
    listed = inv("runs")
    assert run_id in listed.out and "alicia" in listed.out
    shown = inv("show", run_id, "--json").json
    check(shown)
    assert (shown["run"]["id"], shown["run"]["status"]) == (run_id, "done")
    assert {outcome["status"] for outcome in shown["run"]["outcomes"]} == {"done"}
    text = inv("show", run_id[:12], "--outputs")
    assert text.status == 0
    for words in ("alice", "Merge the registry patch", "userdel alice", "git push"):
        assert words in text.out
    for secret in str(before["lab01"]["shadow"]).split(":")[1:2]:
        assert len(secret) > 20
        assert secret not in text.out + json.dumps(shown) + Path(lab.layout.top / "journal.db").read_text("latin-1")

    asked = world(lab)
    assert inv("undo", run_id).status == 3
    dry = inv("undo", run_id, "--dry-run", "--json", "--save", str(tmp_path / "undo"))
    check(dry.json)
    assert dry.json["run"] is None
    inv("apply", str(tmp_path / "undo"), "--yes").refuses(2, f"inv undo {run_id}")
    assert world(lab) == asked

    undone = inv("undo", run_id, "--yes", "--json")
    assert undone.status == 0, undone.err
    check(undone.json)
    assert undone.json["run"]["status"] == "done"
    for host in HOSTS:
        assert account(lab, host, "alice") == before[host]
        assert said(lab, host, "sh", "-c", "ls -d /home/alic*") == "/home/alice\n"
        assert lab.login(host, "alice")
        assert not lab.login(host, "alicia", key_of="alice")
    assert (disabled(lab, "lab01"), disabled(lab, "lab02")) == ("", "mine, T9")
    assert lab.puppet("lab01").returncode == 0
    assert lab.show() == registry
    assert "ops-clinic" not in refs(lab)
    assert [status for _, status in runs(lab)] == ["undone", "done"]
    inv("undo", run_id, "--yes").refuses(2, "is undone already")
    inv("undo", undone.json["run"]["id"], "--yes").refuses(2, "is an undo itself")
    inv("resume", "--run", run_id, "--yes").refuses(2, "is undone: there is nothing to resume")
    inv("abandon", run_id, "--yes").refuses(2, "is undone already")
    lab.run("lab02", ["puppet", "agent", "--enable"])


def test_a_saved_plan_over_sudo(inv: Inv, lab: Lab, tmp_path: Path) -> None:
    """As the operator's account, with processes to end, and a name to type instead of --yes."""
    clinic = {"INVOKE_OPS_CLINIC_SSH_USER": "clinic", "INVOKE_OPS_CLINIC_ASK_ABOVE": "1"}
    path = str(tmp_path / "plan")
    planned = inv.rename("bob", "robert", "--end-processes", "--dry-run", "--save", path, "--json", env=clinic)
    assert planned.status == 0, planned.out
    homes = {host: lab.fingerprint(host, "/home/bob") for host in HOSTS}
    done = inv("apply", path, "--confirm", "bob", "--json", "--batch-size", "100%", env=clinic)
    assert done.status == 0, done.err
    check(done.json)
    assert done.json["run"]["status"] == "done"
    assert done.json["plan"]["id"] == planned.json["plan"]["id"]
    assert {outcome["status"] for outcome in done.json["run"]["outcomes"]} == {"done"}
    for host in HOSTS:
        assert lab.fingerprint(host, "/home/robert") == homes[host]
        assert lab.processes(host, 2002) == []
        assert lab.login(host, "robert", key_of="bob")
    inv("apply", path, "--confirm", "bob", env=clinic).refuses(4, "nothing was changed")


def test_a_host_that_is_left_out_and_comes_back(inv: Inv, lab: Lab) -> None:
    """What plan and summary tell the operator to do with it is what saves the home."""
    home = lab.fingerprint("lab02", "/home/carol")
    lab.kill("lab02")
    blocked = inv.rename("carol", "caroline", "--dry-run", "--json", env=QUICK)
    assert blocked.status == 3
    assert {found["lab02"] for found in statuses(blocked.json).values() if "lab02" in found} == {"unreachable"}
    done = inv.rename("carol", "caroline", "--without", "lab02", "--yes")
    assert done.status == 0, done.err
    told = "left out: lab02. Before such a host rejoins: boot it off the network or with puppet disabled, userdel carol"
    assert " ".join(done.out.split()).count(told) == 2, "in the plan, and in the summary"
    assert lab.login("lab01", "caroline", key_of="carol")

    lock = lab.upper("lab02") / "var/cache/puppet/state/agent_disabled.lock"
    lock.write_text('{"disabled_message":"left out"}')
    lab.start("lab02")
    lab.run("lab02", ["userdel", "carol"])
    lab.run("lab02", ["mv", "-T", "/home/carol", "/home/caroline"])
    lab.run("lab02", ["puppet", "agent", "--enable"])
    eventually(lambda: lab.puppet("lab02").returncode == 0)
    assert lab.fingerprint("lab02", "/home/caroline").keys() == home.keys()
    assert lab.login("lab02", "caroline", key_of="carol")
