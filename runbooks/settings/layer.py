"""Settings from one place, not looked at yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place: ``where`` is how a message names it, ``root`` where its relative paths start.

    ``textual`` says that values may come as text that stands for numbers and yes or no (the environment).
    """

    values: Mapping[str, Any]
    where: str
    root: Path
    textual: bool = False

    def fail(self, key: str, message: str) -> SettingsError:
        """Return (not raise) the error for a key."""
        return SettingsError(f"{self.where}: {key} {message}")
