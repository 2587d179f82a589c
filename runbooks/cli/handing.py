"""How a new password gets to the person: once, on the terminal, or in a file that its owner alone can read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from runbooks.errors import UsageError
from runbooks.secret import LENGTH, LETTERS, Fresh, Secret


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


def hand_over(place: str, whose: str, secret: Secret) -> None:
    """Show a new password, or write it to the file. Where the file cannot be written any more, it is shown all the
    same. Raises UsageError where neither can be."""
    text = secret.reveal()
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


def go_on(fresh: Fresh, place: str) -> None:
    """Take up the password that an earlier process of the same run, which may have been killed right then, has put into
    the file: it is what the account has, or what it is to be given."""
    path = Path(place)
    try:
        seen = path.lstat()
        if not stat.S_ISREG(seen.st_mode) or (stat.S_IMODE(seen.st_mode), seen.st_uid) != (0o600, os.getuid()):
            return
        text = path.read_text(encoding="utf-8").removesuffix("\n")
        if not text:
            path.unlink()
        elif len(text) == LENGTH and set(text) <= set(LETTERS):
            fresh.go_on(Secret(text))
    except (OSError, UnicodeDecodeError):
        return


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text + "\n")
