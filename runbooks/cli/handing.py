"""How a new password gets to the person: once, on the terminal, or in a file that its owner alone can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runbooks.errors import UsageError
from runbooks.secret import Fresh


def nowhere(place: str) -> str:
    """Why a password could not be handed to anybody, or nothing. ``place`` is a file, or empty for the terminal."""
    if not place:
        why = "there is no terminal to show the new password on: give --password-file where the plan is made"
        return "" if sys.stderr.isatty() else why
    path = Path(place)
    if path.exists() or path.is_symlink():
        return f"--password-file {place}: is there already: name one that is not"
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        return f"--password-file {place}: cannot be written in {path.absolute().parent}"
    return ""


def hand_over(fresh: Fresh, place: str) -> None:
    """Show the new password, or write it to the file; nothing where none was sent to anybody. Where the file cannot be
    written any more, it is shown all the same. Raises UsageError where neither can be."""
    if not fresh.taken:
        return
    whose = ", ".join(dict.fromkeys(fresh.taken))
    text = fresh.make().reveal()
    try:
        if place:
            _write(Path(place), text)
            print(f"the new password of {whose} is in {place}", file=sys.stderr)
            return
    except OSError as error:
        if not sys.stderr.isatty():
            raise UsageError(
                f"--password-file {place}: {error.strerror}: nobody has the new password: set another"
            ) from error
    print(f"\nThe new password of {whose}, shown this once: {text}\n", file=sys.stderr)


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text + "\n")
