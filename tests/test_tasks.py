"""Tasks are signatures: for each there is a command or a procedure that takes what its command line gives."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from invoke.program import Program

import tasks
from runbooks import cli
from runbooks.cli import Commands
from runbooks.lab import commands as lab_commands
from runbooks.procedure import find

OURS = dict(tasks.ns.tasks)
LAB = dict(tasks.lab.tasks)


def own(task: Any) -> list[str]:
    """The arguments of a task, without the common options."""
    return [name for name in list(inspect.signature(task.body).parameters)[1:] if name not in tasks.COMMON]


@pytest.mark.parametrize("name", OURS)
def test_each_task_is_a_command_with_its_arguments_or_a_procedure(name: str) -> None:
    method = getattr(Commands, name.replace("-", "_"), None)
    if method is None:
        assert find(name).name == name
    else:
        inspect.signature(method).bind(None, **dict.fromkeys(own(OURS[name])))


@pytest.mark.parametrize("name", LAB)
def test_each_task_of_the_lab_is_a_command_of_its_own(name: str) -> None:
    inspect.signature(getattr(lab_commands, name)).bind(**dict.fromkeys(own(LAB[name])))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What command lines come down to, instead of being done."""
    seen: list[Any] = []

    class Noted(Commands):
        def procedure(self, name: str, given: Any) -> Any:
            seen.append((name, dict(given)))
            raise SystemExit

        def data_groups(self, name: str = "") -> Any:
            seen.append(("data_groups", name))
            raise SystemExit

        def power_status(self, hosts: str, driver: str, insecure: bool) -> Any:
            seen.append(("power_status", hosts, driver, insecure))
            raise SystemExit

    monkeypatch.setattr(cli, "Commands", Noted)
    yield seen


QUIET = {"driver": "", "graceful": False, "insecure": False, "puppet": False, "task": "", "reason": ""}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("revoke-key nina --all", ("revoke-key", {"name": "nina", "key": "", "all_keys": True, "end_sessions": False,
                                                  "task": ""})),
        ("extend-access nina --until 2027-01-31", ("extend-access", {"name": "nina", "until_day": "2027-01-31",
                                                                     "contact": "", "task": ""})),
        ("leave-group nina --groups a,,b", ("leave-group", {"name": "nina", "groups": ("a", "b"), "task": ""})),
        ("join-group nina --analytics", ("data_groups", "nina")),
        ("join-group nina --groups a", ("join-group", {"name": "nina", "groups": ("a",), "moved": "", "task": ""})),
        ("mailman-disable cats --discard-held", ("list-disable", {"name": "cats", "discard_held": True, "task": ""})),
        ("alias-remove noc@x.org --without mx1 --without mx2",
         ("alias-remove", {"alias": "noc@x.org", "to": (), "task": "", "without": ["mx1", "mx2"]})),
        ("alias-remove noc@x.org", ("alias-remove", {"alias": "noc@x.org", "to": (), "task": "", "without": []})),
        ("reboot lab01 --no-silence", ("reboot", {"hosts": "lab01", "puppet": False, "no_silence": True, "task": "",
                                                  "reason": ""})),
        ("powercycle lab01", ("powercycle", QUIET | {"hosts": "lab01", "action": "cycle", "no_silence": False})),
        ("powercycle lab01 --on --off", ("powercycle", QUIET | {"hosts": "lab01", "action": "off and on",
                                                                "no_silence": False})),
        ("powercycle lab01 --status --driver ilo", ("power_status", "lab01", "ilo", False)),
        ("powercycle lab01 --status --reset",
         ("powercycle", QUIET | {"hosts": "lab01", "action": "reset and status", "no_silence": False})),
    ],
)  # fmt: skip
def test_what_a_command_line_comes_down_to(asked: list[Any], line: str, wanted: Any) -> None:
    with pytest.raises(SystemExit):
        Program(namespace=tasks.ns, name="inv").run(["inv", *shlex.split(line)], exit=False)
    assert asked == [wanted]
