"""A three-way merge of one file. Source: git-merge-file(1)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from runbooks.errors import CommandFailed

_TIMEOUT_S = 60


def merged(ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """``ours`` with what leads from ``base`` to ``theirs``; None on a conflict. Raises CommandFailed."""
    if ours == base:
        return theirs
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / name for name in ("ours", "base", "theirs")]
        for path, content in zip(paths, (ours, base, theirs), strict=True):
            path.write_bytes(content)
        argv = ["git", "merge-file", "-p", *(str(path) for path in paths)]
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        ended = subprocess.run(argv, cwd=place, env=env, capture_output=True, check=False, timeout=_TIMEOUT_S)
    # The number of conflicts, at most 127; above it is an error.
    if ended.returncode > 127:
        raise CommandFailed(f"git merge-file: {ended.stderr.decode('utf-8', 'replace').strip()[:300]}")
    return ended.stdout if ended.returncode == 0 else None
