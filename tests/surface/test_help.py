"""What `inv` says of itself, and how little it needs to load for that."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from .helpers import ROOT, command

ENV = {k: v for k, v in os.environ.items() if not k.startswith("INVOKE_")}
RUNBOOKS = ["abandon", "apply", "hardware", "rename-user", "resume", "runs", "show", "undo"]
LAB = ["cut", "down", "freeze", "kill", "shell", "start", "status", "thaw", "uncut", "up"]
HEAVY = (
    "paramiko",
    "fabric",
    "sqlalchemy",
    "rich",
    "cumin",
    "ClusterShell",
    "ldap3",
    "runbooks.cli",
)  # yaml is Invoke's own


def said(*argv: str) -> str:
    done = subprocess.run(command(*argv), cwd=ROOT, env=ENV, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # A description that is too long for the line goes on below.
    return re.sub(r"\n {8,}(?=\S)", " ", done.stdout)


def test_the_list_has_one_line_for_each_runbook_grouped() -> None:
    lines = dict(re.findall(r"^  (\S+) +(.+)$", said("--list"), re.M))
    assert set(RUNBOOKS) | {f"lab.{name}" for name in LAB} <= set(lines)
    assert lines["rename-user"] == "Accounts: rename a shell user everywhere, keeping UID and home."
    assert all(text.endswith(".") for text in lines.values())


@pytest.mark.parametrize("name", RUNBOOKS + [f"lab.{name}" for name in LAB])
def test_help_explains_every_option_and_none_takes_a_short_flag(name: str) -> None:
    text = said("--help", name)
    assert re.search(r"Docstring:\n  \S", text)
    options = text.partition("Options:\n")[2]
    for line in options.rstrip().splitlines():
        if line.strip() and line.strip() != "none":
            assert re.match(r"  --(\[no-\])?[a-z-]+(=\w+|\[=\w+\])? {2,}\S.*[.)]$", line), line


def test_the_help_of_a_rename_is_enough_to_use_it() -> None:
    text = said("--help", "rename-user")
    wanted = (
        "old new task reason without end-processes dry-run batch-size batch-sleep max-failures yes confirm json save"
    )
    for option in wanted.split():
        assert f"  --{option}" in text


def test_listing_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom invoke import main\nsys.argv = ['inv', '--list']\n"
        "try: main.program.run()\nexcept SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=ENV, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"
