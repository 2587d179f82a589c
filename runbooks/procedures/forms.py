"""The forms of what operators give: addresses and tickets."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[^\s@<>\"',;:]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}")
_TASK = re.compile(r"T[1-9][0-9]*")


def is_address(text: str) -> bool:
    """Whether it has the form of a mail address."""
    return bool(_ADDRESS.fullmatch(text))


def is_task(text: str) -> bool:
    """Whether it has the form of a ticket's name."""
    return bool(_TASK.fullmatch(text))
