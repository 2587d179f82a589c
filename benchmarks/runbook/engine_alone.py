"""The benchmark's commands by the engine alone, without the surface: ``engine_alone.py SETTINGS STEPS``.

The settings, inventory, transport, journal and checks are those that ``inv`` has; nothing is printed. Exit status 0
where the run was done, 5 where it was not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from marks import PROCEDURE

from runbooks.engine import Engine
from runbooks.model import Batch, RunStatus
from runbooks.settings import Settings
from runbooks.settings.layer import Layer
from runbooks.site import Site


def main() -> int:
    """Plan and apply; the exit status."""
    path, steps = Path(sys.argv[1]), int(sys.argv[2])
    values = yaml.safe_load(path.read_text())["ops_clinic"]
    settings = Settings.of(Layer(values, str(path), path.parent), root=path.parent)
    site = Site(settings)
    try:
        draft = PROCEDURE.draft(site, {"steps": steps})
        engine = Engine(site.journal, site.targets, site.operator)
        run = engine.apply(engine.plan(draft), draft, Batch(settings.batch_size))
    finally:
        site.close()
    return 0 if run.status is RunStatus.DONE else 5


if __name__ == "__main__":
    sys.exit(main())
