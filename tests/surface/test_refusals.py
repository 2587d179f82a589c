"""Whatever is refused is refused in one clear line, with its own exit status, and nothing is changed."""

from __future__ import annotations

import json
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runbooks.lab import Lab

from .helpers import QUICK, Inv, finish, runs
from .shape import check, check_plan, statuses

pytestmark = pytest.mark.usefixtures("unchanged")


# ---- dry runs


def test_a_dry_run_shows_the_plan_and_changes_nothing(inv: Inv, lab: Lab, tmp_path: Path) -> None:
    seen = inv.rename("erin", "erica", "--dry-run", "--task", "T7", "--save", str(tmp_path / "plan"))
    assert seen.status == 0
    for words in ("erin", "erica", "lab[01-02]", "+  erica:", "$ userdel erin", "T7", "Let puppet run again"):
        assert words in seen.out
    assert seen.err == ""
    saved = json.loads((tmp_path / "plan").read_text())
    check_plan({key: saved[key] for key in ("id", "procedure", "arguments", "steps")})

    again = inv.rename("erin", "erica", "--dry-run", "--task", "T7", "--json")
    document = again.json
    check(document)
    assert (again.status, document["run"], again.err) == (0, None, "")
    assert document["plan"]["id"] == saved["id"], "the same world has to give the same plan"
    found = statuses(document)
    assert found["Look at the account on every host"] == {"lab01": "done", "lab02": "done"}
    assert found["Prepare the registry patch, unmerged but mergeable"] == {"@git": "todo"}
    assert found["Delete the old account, keep its home"] == {"lab01": "later", "lab02": "later"}
    assert runs(lab) == []

    for reference in (str(tmp_path / "plan"), saved["id"][:8]):
        applied = inv("apply", reference, "--dry-run", "--json")
        assert applied.status == 0, applied.err
        assert applied.json["plan"] == document["plan"]


def test_a_reader_that_goes_away_is_no_error(inv: Inv) -> None:
    process = inv.start("rename-user", "--old", "erin", "--new", "erica", "--dry-run")
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(240) == 130
    assert process.stderr.read() == ""


# ---- names


NAMES = {
    "an option": (["--old=-x", "--new", "erica"], "'-x' is no account name"),
    "an option apart": (["--old", "-x", "--new", "erica"], "'-x' is no account name"),
    "a new option": (["--old", "erin", "--new=--force"], "'--force' is no account name"),
    "empty": (["--old=", "--new", "erica"], "'' is no account name"),
    "a shell's": (["--old", "erin", "--new", "a;reboot"], "'a;reboot' is no account name"),
    "substitution": (["--old", "$(id)", "--new", "erica"], "'$(id)' is no account name"),
    "a path": (["--old", "../erin", "--new", "erica"], "is no account name"),
    "two lines": (["--old", "erin\nroot", "--new", "erica"], "is no account name"),
    "too long": (["--old", "erin", "--new", "a" * 33], "33 characters"),
    "the same": (["--old", "erin", "--new", "erin"], "the names have to differ"),
    "root": (["--old", "root", "--new", "erica"], "'root' is the name of a system account"),
    "a system user": (["--old", "erin", "--new", "www-data"], "'www-data' is the name of a system account"),
    "nobody's": (["--old", "nobodyhere", "--new", "erica"], "nobodyhere is not in users"),
    "taken": (["--old", "erin", "--new", "frank"], "frank is already in users"),
    "absent": (["--old", "mallory", "--new", "erica"], "ensure: absent"),
    "taken by an absent one": (["--old", "erin", "--new", "mallory"], "mallory is already in users"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_bad_names(inv: Inv, kind: str) -> None:
    argv, words = NAMES[kind]
    inv("rename-user", *argv, "--yes").refuses(2, words)


def test_an_error_as_json(inv: Inv) -> None:
    refused = inv.rename("erin", "frank", "--yes", "--json")
    assert refused.err == ""
    check(refused.json)
    assert refused.json["error"]["kind"] == "registry"
    assert "frank is already in users" in refused.json["error"]["message"]


def test_the_account_that_the_tool_logs_in_with(inv: Inv) -> None:
    env = {"INVOKE_OPS_CLINIC_SSH_USER": "erin"}
    inv.rename("erin", "erica", "--yes", env=env).refuses(2, "'erin' is the account that this tool logs in with")


def test_the_operator_is_left_alone(inv: Inv) -> None:
    if Path("/proc/self/loginuid").read_text().strip() not in ("4294967295", "0"):
        pytest.skip("there is a login uid here, which goes before SUDO_USER")
    inv.rename("erin", "erica", "--yes", env={"SUDO_USER": "erin"}).refuses(2, "'erin' is you")


# ---- options


OPTIONS = {
    "unknown host": (["--without", "nosuch"], 2, "host nosuch"),
    "everybody": (["--without", "A:all"], 2, "no host besides lab[01-02],puppet01 has an account erin"),
    "batch of none": (["--batch-size", "0"], 2, "batch size 0"),
    "batch of words": (["--batch-size", "abc"], 2, "batch size 'abc'"),
    "batch below none": (["--batch-size=-1"], 2, "batch size '-1'"),
    "more than all": (["--batch-size", "101%"], 2, "batch size '101%'"),
    "failures": (["--max-failures", "x"], 2, "max failures 'x'"),
    "sleep": (["--batch-sleep", "soon"], 2, "batch sleep 'soon'"),
    "sleep back": (["--batch-sleep=-1"], 2, "from 0 to"),
    "sleep never": (["--batch-sleep", "nan"], 2, "from 0 to"),
    "a directory": (["--save", "/"], 2, "--save /: Is a directory"),
    "nobody to ask": ([], 3, "there is no terminal to ask on: give --yes; nothing was changed"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_bad_options(inv: Inv, kind: str) -> None:
    options, status, words = OPTIONS[kind]
    yes = ["--yes"] if status == 2 else []
    inv.rename("erin", "erica", *options, *yes).refuses(status, words)


def test_invokes_own_dry_run(inv: Inv) -> None:
    inv("--dry", "rename-user", "--old", "erin", "--new", "erica", "--yes").refuses(2, "use --dry-run")


def test_what_invoke_itself_refuses(inv: Inv) -> None:
    assert inv("rename-user", "--old", "erin").status == 1
    assert inv("rename-user", "--old", "erin", "--new", "erica", "--nosuch").status == 1


# ---- being asked


def test_more_hosts_than_may_be_waved_through(inv: Inv) -> None:
    few = {"INVOKE_OPS_CLINIC_ASK_ABOVE": "1"}
    inv.rename("erin", "erica", "--yes", env=few).refuses(3, "--confirm erin", "nothing was changed")
    inv.rename("erin", "erica", "--yes", "--confirm", "erica", env=few).refuses(3, "--confirm erica", "erin")
    typed = inv.on_terminal("rename-user", "--old", "erin", "--new", "erica", "--yes", answer=b"y\n", env=few)
    assert typed.status == 3
    assert "3 hosts: type erin" in typed.err
    assert "declined; nothing was changed" in typed.err


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"yesterday\n", b"\x04"])
def test_declined_on_a_terminal(inv: Inv, answer: bytes) -> None:
    asked = inv.on_terminal("rename-user", "--old", "erin", "--new", "erica", "--json", answer=answer)
    assert asked.status == 3
    assert "Apply this plan to 3 host(s)? [y/N]" in asked.err
    check(asked.json)
    assert asked.json["error"] == {"kind": "blocked", "message": "declined; nothing was changed"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_being_asked(inv: Inv, number: int) -> None:
    asked = inv.on_terminal("rename-user", "--old", "erin", "--new", "erica", send=number)
    assert asked.status == 130
    assert asked.err.endswith("inv: interrupted; nothing was changed\n")


# ---- files and settings


def copied(lab: Lab, tmp_path: Path, edit: Callable[[Path], object]) -> dict[str, str]:
    shutil.copytree(lab.inventory, tmp_path / "inventory")
    edit(tmp_path / "inventory")
    return {"INVOKE_OPS_CLINIC_INVENTORY": str(tmp_path / "inventory")}


def append(name: str, text: str) -> Callable[[Path], object]:
    def edit(inventory: Path) -> object:
        path = inventory / name
        return path.write_text(path.read_text() + text)

    return edit


INVENTORIES = {
    "no YAML": (append("hosts.yaml", "  lab03: [\n"), "hosts.yaml"),
    "a host twice": (append("hosts.yaml", "  lab01: {address: 198.18.0.1}\n"), "lab01"),
    "unknown setting": (append("settings.yaml", "nosuch: 1\n"), "nosuch is no setting"),
    "unknown alias": (append("settings.yaml", "puppet: {servers: 'A:nosuch'}\n"), "nosuch"),
    "gone": (lambda inventory: shutil.rmtree(inventory), "no inventory can be read there"),
}


@pytest.mark.parametrize("kind", INVENTORIES)
def test_broken_inventories(inv: Inv, lab: Lab, tmp_path: Path, kind: str) -> None:
    edit, words = INVENTORIES[kind]
    if kind == "unknown alias":
        text = (lab.inventory / "settings.yaml").read_text().replace("puppet:\n", "puppet:\n  servers: A:nosuch\n")
        edit = lambda inventory: (inventory / "settings.yaml").write_text(text)  # noqa: E731
    inv.rename("erin", "erica", "--yes", env=copied(lab, tmp_path, edit)).refuses(2, words)


ENVIRONMENTS = {
    "unknown": ("NOSUCH", "1", "INVOKE_OPS_CLINIC_NOSUCH is no setting"),
    "no number": ("BATCH_SIZE", "many", "batch_size must be a number of hosts"),
    "no journal": ("JOURNAL", "/tmp/journal", "journal must be sqlite:///FILE"),
    "no place for it": ("JOURNAL", "sqlite:////proc/nowhere/journal.db", "set `journal` to a place you can write"),
    "a directory": ("JOURNAL", "sqlite:////tmp/", "journal"),
    "no ssh_config": ("SSH_CONFIG", "/nowhere", "ssh.config: /nowhere: no such file"),
}


@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_broken_settings(inv: Inv, kind: str) -> None:
    name, value, words = ENVIRONMENTS[kind]
    inv.rename("erin", "erica", "--yes", env={f"INVOKE_OPS_CLINIC_{name}": value}).refuses(2, words)


def test_a_settings_file_that_is_not_there(inv: Inv) -> None:
    inv("-f", "/nowhere.yaml", "runs").refuses(2, "/nowhere.yaml: no such file")


def test_a_journal_that_others_can_write(inv: Inv, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    env = {"INVOKE_OPS_CLINIC_JOURNAL": f"sqlite:///{path}"}
    assert inv("runs", env=env).status == 0
    path.chmod(0o666)
    inv("runs", env=env).refuses(2, f"chmod o-w {path}")
    path.chmod(0o660)
    tmp_path.chmod(0o777)
    inv("runs", env=env).refuses(2, f"chmod o-w {tmp_path}")
    tmp_path.chmod(0o1777)
    assert inv("runs", env=env).status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    path.write_text("something else")
    inv("runs", env=env).refuses(2, "file is not a database")


def test_ssh_config_names_a_key_that_is_not_there(inv: Inv, lab: Lab, tmp_path: Path) -> None:
    text = lab.ssh_config.read_text().replace(str(lab.layout.tool_key), "/nowhere/key")
    (tmp_path / "ssh_config").write_text(text)
    env = {"INVOKE_OPS_CLINIC_SSH_CONFIG": str(tmp_path / "ssh_config"), "SSH_AUTH_SOCK": ""}
    inv.rename("erin", "erica", "--yes", env=env).refuses(3, "@git", "Permission denied")


# ---- plans and runs that are none


RUNS = {
    "show": (["show", "nope"], 2, "run 'nope': no such run"),
    "undo": (["undo", "nope", "--yes"], 2, "run 'nope': no such run"),
    "abandon": (["abandon", "nope", "--yes"], 2, "run 'nope': no such run"),
    "resume": (["resume", "--yes"], 2, "there is no unfinished run"),
    "resume one": (["resume", "--run", "nope", "--yes"], 2, "run 'nope': no such run"),
    "apply": (["apply", "nope", "--yes"], 2, "plan 'nope': no such plan"),
    "all": (["show", "%"], 2, "run '%': no such run"),
    "an unset variable": (["abandon", "", "--yes"], 2, "its id is empty"),
    "an unset plan": (["apply", "", "--yes"], 2, "its id is empty"),
}


@pytest.mark.parametrize("kind", RUNS)
def test_unknown_runs_and_plans(inv: Inv, kind: str) -> None:
    argv, status, words = RUNS[kind]
    inv(*argv).refuses(status, words)


def test_a_list_of_no_runs(inv: Inv, tmp_path: Path) -> None:
    env = {"INVOKE_OPS_CLINIC_JOURNAL": f"sqlite:///{tmp_path}/journal.db"}
    assert inv("runs", "--json", env=env).json == {"runs": [], "exit": 0}
    check_line = inv("runs", "--check", env=env)
    assert (check_line.status, check_line.out) == (0, "RUNS OK: no unfinished run | unfinished=0\n")


def test_a_plan_file_that_was_edited(inv: Inv, tmp_path: Path) -> None:
    path = tmp_path / "plan"
    assert inv.rename("erin", "erica", "--dry-run", "--save", str(path)).status == 0
    plan = path.read_text()
    record = json.loads(plan)

    def refused(text: str, *words: str) -> None:
        path.write_text(text)
        inv("apply", str(path), "--yes").refuses(2, str(path), *words)

    refused(plan.replace('"uid": 2005', '"uid": 2006'), "edited")
    refused(plan.replace('"erica"', '"frank"'), "edited")
    refused(plan[:200], "not a plan")
    refused("[]", "not a plan")
    refused("\0\x01", "not a plan")
    refused(json.dumps({**record, "procedure": "nosuch"}), "edited")

    # What the id does not cover is never believed: it comes from the hosts, every time.
    record["steps"][0]["findings"]["lab01"]["note"] = "all is well"
    record["steps"][3]["findings"]["lab01"]["preview"] = ["$ true"]
    record["case"]["hosts"], record["notes"] = ["lab01"], []
    path.write_text(json.dumps(record))
    seen = inv("apply", str(path), "--dry-run", "--json")
    assert seen.status == 0
    assert seen.json["plan"]["steps"][3]["findings"]["lab01"]["preview"] != ["$ true"]
    assert "all is well" not in seen.out


# ---- hosts that are not what they should be


def test_an_unreachable_host_is_named(inv: Inv, lab: Lab) -> None:
    lab.freeze("lab02")
    try:
        seen = inv.rename("erin", "erica", "--yes", "--json", env=QUICK)
    finally:
        lab.thaw("lab02")
    assert seen.status == 3
    check(seen.json)
    assert {found["lab02"] for found in statuses(seen.json).values() if "lab02" in found} == {"unreachable"}
    assert {found["lab01"] for found in statuses(seen.json).values() if "lab01" in found} <= {"done", "todo", "later"}
    assert "lab02" in seen.err and "unreachable" in seen.err and "nothing was changed" in seen.err


@pytest.mark.parametrize("known", ["another", "none"])
def test_a_host_key_that_is_not_the_known_one(inv: Inv, lab: Lab, tmp_path: Path, known: str) -> None:
    lines = lab.layout.known_hosts.read_text().splitlines()
    mine = next(line for line in lines if "lab02" in line)
    other = next(line for line in lines if "lab01" in line)
    changed = f"{mine.split()[0]} {' '.join(other.split()[1:])}"
    kept = [line for line in lines if line != mine] + ([changed] if known == "another" else [])
    (tmp_path / "known_hosts").write_text("\n".join([*kept, ""]))
    text = lab.ssh_config.read_text().replace(str(lab.layout.known_hosts), str(tmp_path / "known_hosts"))
    (tmp_path / "ssh_config").write_text(text)
    env = {"INVOKE_OPS_CLINIC_SSH_CONFIG": str(tmp_path / "ssh_config")}
    why = "the host key is not the known one" if known == "another" else "its host key is not known"
    inv.rename("erin", "erica", "--yes", env=env).refuses(3, "lab02", "unreachable", why, "nothing was changed")


def test_a_process_of_the_account_blocks(inv: Inv) -> None:
    inv.rename("bob", "robert", "--yes").refuses(3, "bob runs", "--end-processes", "lab01", "nothing was changed")


def test_two_dry_runs_side_by_side(inv: Inv) -> None:
    both = [inv.start("rename-user", "--old", "erin", "--new", "erica", "--dry-run", "--json") for _ in range(2)]
    documents = [finish(process).json for process in both]
    assert documents[0] == documents[1]
