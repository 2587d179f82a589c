"""What the scripts of the peers share: a job comes as JSON, what hosts answered goes back as JSON.

Each script runs in its tool's own virtual environment, written as a careful user of that tool would: the private key
and the known host keys are read once, fifty hosts at a time, every command only after the one before it was good.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """Where, and what; ``hosts`` are addresses, ``commands`` lines for sh, in order."""

    hosts: list[str]
    port: int
    user: str
    key: str
    known_hosts: str
    ssh_config: str
    commands: list[str]
    width: int


def job() -> Job:
    """The job in the file that the first argument names."""
    return Job(**json.loads(Path(sys.argv[1]).read_text()))


def give(answers: dict[str, list[Any]]) -> None:
    """Hand back what each host printed, a list in the order of the commands; only what ended with status 0."""
    json.dump(answers, sys.stdout)
