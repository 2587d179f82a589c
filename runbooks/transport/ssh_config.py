"""The ssh_config files, read by paramiko's own reader, which is Fabric's: so they mean what Fabric's users know.

Only the reader is loaded: all of paramiko takes as long to import as fifty log-ins by libssh.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from runbooks.errors import SettingsError

_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
_ALONE = "_paramiko_alone"


def read(path: Path | None) -> Any:
    """What the file says, or for None the user's and the system's: a ``paramiko.SSHConfig``. Raises SettingsError."""
    if path is not None and not path.is_file():
        raise SettingsError(f"ssh.config: {path}: no such file")
    config = _reader()()
    for place in [path] if path else [Path(name).expanduser() for name in _FILES]:
        if place.is_file():
            with place.open(encoding="utf-8", errors="surrogateescape") as stream:
                config.parse(stream)
    return config


@cache
def _reader() -> Any:
    """``paramiko.config.SSHConfig``, below a package of that place which imports nothing by itself."""
    spec = importlib.util.find_spec("paramiko")
    assert spec is not None and spec.submodule_search_locations is not None
    package = ModuleType(_ALONE)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[_ALONE] = package
    return importlib.import_module(f"{_ALONE}.config").SSHConfig
