"""Other machines than this one, as far as the journal can tell: a pid namespace and a host name of their own."""

from __future__ import annotations

import os
import subprocess

import pytest


def on(name: str, *argv: str) -> list[str]:
    """``argv`` on the machine of that name; it ends with the process that is started. Skips where there can be none."""
    root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    there = ["unshare", *root, "--pid", "--uts", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    if subprocess.run([*there, "hostname", name], capture_output=True, check=False).returncode:
        pytest.skip("namespaces cannot be had here")
    return [*there, "sh", "-c", 'hostname "$1"; shift; exec "$@"', "-", name, *argv]
