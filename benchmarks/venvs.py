"""The peers' virtual environments, one for each package, and the versions that are measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

OURS = ("ops-clinic", "fabric", "paramiko", "ssh-python", "cumin", "ClusterShell")
_LIST = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
_TOLD = {"asyncssh", "cryptography", "fabric", "paramiko", "parallel-ssh", "ssh2-python", "pyinfra", "ansible-core"}


def make(folder: Path, package: str) -> bool:
    """Make a package's environment, unless it is there; whether it is now."""
    venv = folder / package
    if is_made(folder, package):
        return True
    print(f"bench: installing {package}", file=sys.stderr, flush=True)
    for argv in (
        [sys.executable, "-m", "venv", str(venv)],
        [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["failed"])[-1]
            print(f"bench: {package} cannot be installed: {said}", file=sys.stderr, flush=True)
            return False
    (venv / "made").touch()
    return True


def is_made(folder: Path, package: str) -> bool:
    """Whether a package's environment is there, whole."""
    return (folder / package / "made").exists()


def versions(folder: Path, packages: Iterable[str]) -> dict[str, dict[str, str]]:
    """By environment (``""``: ours), the versions of what matters there."""
    found = {"": {name: version for name, version in _installed(sys.executable).items() if name in OURS}}
    for package in sorted(set(packages) - {""}):
        there = _installed(str(folder / package / "bin/python"))
        found[package] = {name: version for name, version in there.items() if name in _TOLD}
    return found


def _installed(python: str) -> dict[str, str]:
    listed = subprocess.run([python, "-c", _LIST], capture_output=True, text=True, check=True)
    return dict(json.loads(listed.stdout))


def machine() -> dict[str, object]:
    """What it is measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "openssh": ssh.partition(",")[0].strip(),
    }
