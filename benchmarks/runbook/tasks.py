"""The benchmark's commands as a user runs them: ``inv -r benchmarks/runbook -f SETTINGS mark --steps 6``."""

from __future__ import annotations

from typing import Any

from invoke import task


@task(auto_shortflags=False, help={"steps": "How many commands.", "confirm": "The name that has to be typed: mark."})
def mark(context: Any, steps: int = 1, confirm: str = "") -> None:
    """Do ordered commands on every host of the inventory."""
    from marks import PROCEDURE

    from runbooks.cli import Commands, Options

    surface = Commands(context, Options(confirm=confirm))
    surface.run(lambda site: surface.plan_and_apply(site, PROCEDURE.draft(site, {"steps": steps})))
