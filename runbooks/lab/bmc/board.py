"""What every BMC of the lab is made of, whatever it speaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runbooks.secret import Secret


@dataclass(frozen=True)
class Board:
    """One BMC: where it listens, who may log in, and its machine. ``chassis`` is a command that is called with
    ``get power`` (it prints ``power:1`` or ``power:0``), ``set power 0``, ``set power 1``, ``set reset 1`` or ``set
    shutdown 1`` behind it, and returns when that has been taken. ``folder`` is for its files. ``serial`` is the
    machine's number, where it is to have a certain one."""

    name: str
    address: str
    port: int
    user: str
    password: Secret
    chassis: tuple[str, ...]
    folder: Path = field(repr=False)
    serial: str = ""
