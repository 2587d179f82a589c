"""What Invoke's configuration holds for us, level by level."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runbooks.errors import SettingsError
from runbooks.inventory.names import suggest
from runbooks.settings.keys import KEYS
from runbooks.settings.layer import Layer

PREFIX = "INVOKE_OPS_CLINIC_"


def refuse_ignored(config: Any) -> None:
    """Raise SettingsError for what Invoke passes over without a word: a file of ``inv -f`` that isn't there, and names
    in the environment that are no setting's."""
    path = getattr(config, "_runtime_path", None)
    if path and not Path(path).is_file():
        raise SettingsError(f"-f {path}: no such file")
    known = {PREFIX + key.upper().replace(".", "_") for key in KEYS}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise SettingsError(f"environment: {name} is no setting{suggest(name, sorted(known))}")


def layers_of(config: Any, root: Path) -> tuple[list[Layer], list[Layer]]:
    """Take Invoke's configuration apart: the layers that the inventory's settings go over, and those above them.

    Invoke has no public way to ask which level a value came from; the names of its levels have been these since 1.0.
    """
    here = Path.cwd()
    below = [
        ("defaults", "tasks.py", root, False),
        ("collection", "tasks.py", root, False),
        ("system", _file(config, "system"), _beside(config, "system", root), False),
        ("user", _file(config, "user"), _beside(config, "user", root), False),
        ("project", _file(config, "project"), _beside(config, "project", root), False),
    ]
    above = [
        ("env", "environment (INVOKE_OPS_CLINIC_...)", here, True),
        ("runtime", _file(config, "runtime"), _beside(config, "runtime", here), False),
        ("overrides", "the command line", here, False),
        ("modifications", "tasks.py", root, False),
    ]
    return _layers(config, below), _layers(config, above)


def _layers(config: Any, levels: list[tuple[str, str, Path, bool]]) -> list[Layer]:
    layers = []
    for level, where, root, textual in levels:
        # An empty file is None there.
        values = (getattr(config, f"_{level}") or {}).get("ops_clinic")
        if values is not None:
            layers.append(Layer(values, where, root, textual))
    return layers


def _file(config: Any, level: str) -> str:
    return str(getattr(config, f"_{level}_path") or f"Invoke's {level} configuration")


def _beside(config: Any, level: str, otherwise: Path) -> Path:
    path = getattr(config, f"_{level}_path")
    return Path(path).absolute().parent if path else otherwise
