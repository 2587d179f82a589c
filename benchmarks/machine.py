"""The machine that figures come from."""

from __future__ import annotations

import os
import platform


def machine() -> dict[str, object]:
    """Its cores, its memory in GiB, and its Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "memory_gib": round(memory, 1), "python": platform.python_version()}
