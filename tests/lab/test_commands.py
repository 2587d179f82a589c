"""What a person sees of the lab's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.errors import SettingsError, UsageError
from runbooks.lab import Lab, commands


def test_status_is_a_table(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    commands.status(lab.layout.top)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["HOST", "ADDRESS", "PORT", "STATE", "PID"]
    assert [line.split()[0] for line in lines[1:]] == ["lab01", "lab02", "puppet01", "ldap"]


def test_without_a_lab_the_next_step_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.status(tmp_path / "none")
    assert "inv lab.up" in capsys.readouterr().out
    with pytest.raises(SettingsError, match=r"inv lab\.up"):
        commands.kill("lab01", tmp_path / "none")
    commands.down(tmp_path / "none")
    assert "no lab" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [{"hosts": 0}, {"hosts": 999}, {"network": "carrier-pigeon"}])
def test_impossible_wishes_are_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        commands.up(directory=tmp_path / "none", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
