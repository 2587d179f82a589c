"""A glance at the runs of a journal on SQLite, by Python's own driver: the list is looked at often, and is there before
SQLAlchemy would be."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runbooks.model import RunLine, RunStatus, Tally

_PREFIX = "sqlite:///"
COLUMNS = ("id", "heading", "status", "operator", "created", "finished", "undoes", "tally")
"""What a list needs of a run."""


def line_of(row: Mapping[str, Any]) -> RunLine:
    """A run as a list shows it, from its columns."""
    plan = json.loads(row["heading"])
    return RunLine(
        row["id"],
        plan["id"],
        plan["procedure"],
        plan["arguments"],
        RunStatus(row["status"]),
        row["operator"],
        row["created"],
        row["finished"],
        row["undoes"],
        Tally(*json.loads(row["tally"])) if row["tally"] else None,
    )


def newest(url: str, limit: int) -> list[RunLine] | None:
    """The newest runs, newest first; None where a glance does not tell: another database, one of an earlier version or
    none yet, or a run that is being driven, whose hosts have to be counted. Nothing is written, nor made."""
    path = Path(url.removeprefix(_PREFIX))
    try:
        if not url.startswith(_PREFIX) or not path.is_file() or _is_unsafe(path):
            return None
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", timeout=5, uri=True)) as db:
            db.row_factory = sqlite3.Row
            query = f"SELECT {', '.join(COLUMNS)} FROM runs ORDER BY created DESC LIMIT ?"
            lines = [line_of(row) for row in db.execute(query, (limit,))]
    except (OSError, sqlite3.Error, ValueError, KeyError, TypeError):
        return None
    settled = all(line.tally is not None and line.status is not RunStatus.RUNNING for line in lines)
    return lines if settled else None


def _is_unsafe(path: Path) -> bool:
    """Whether others could have written it: whoever opens it in full says so."""
    return any(place.stat().st_mode & stat.S_IWOTH for place in (path, path.parent))
