"""Secrets: a type that shows itself nowhere, and the places that one may come from."""

from __future__ import annotations

import os
import secrets
import stat
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runbooks.errors import CommandFailed, SettingsError, UsageError

LETTERS = string.ascii_letters + string.digits
LENGTH = 22
"""Of a new password, and of what letters it is."""


class Secret:
    """A password or the like. Printed, logged or put into JSON by mistake it is ``***``; ``reveal`` gives it to the one
    that has to have it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self.__value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__value)


class Fresh:
    """The new password of this process, if it needs one: made when it is first asked for, kept nowhere, and handed to
    the operator as soon as it is set. ``taken``: for whom it was set; ``hand`` is told that and the password (it raises
    UsageError). ``is_wanted``: the plan is going to need it. ``nowhere``: why it could not be handed to anybody; then
    none is made."""

    def __init__(self) -> None:
        self.__secret: Secret | None = None
        self.__is_handed = False
        self.taken: list[str] = []
        self.hand: Callable[[str, Secret], None] = lambda _whom, _secret: None
        self.nowhere = ""
        self.is_wanted = False

    @property
    def is_made(self) -> bool:
        """Whether there is one."""
        return self.__secret is not None

    @contextmanager
    def given(self, whom: str) -> Iterator[Secret]:
        """The password, while it is set for somebody: noted in ``taken``, unless that is refused (CommandFailed). Then
        the operator gets it, before anything is journalled: a process that is killed would leave a password behind that
        nobody knows. Raises UsageError; what cannot be handed over is forgotten, and so never found to be set."""
        secret = self.make()
        self.taken.append(whom)
        try:
            yield secret
        except CommandFailed:
            self.taken.remove(whom)
            raise
        except BaseException:
            # The answer was lost: it may have been set.
            self._hand_over(whom, secret)
            raise
        self._hand_over(whom, secret)

    def _hand_over(self, whom: str, secret: Secret) -> None:
        if self.__is_handed:
            return
        try:
            self.hand(whom, secret)
        except UsageError:
            self.__secret = None
            raise
        self.__is_handed = True

    def go_on(self, secret: Secret) -> None:
        """Use one that an earlier process has handed over."""
        self.__secret, self.__is_handed = secret, True

    def make(self) -> Secret:
        """The password, which is made now if there is none: 22 letters and digits, over 128 bits. Raises UsageError."""
        if self.nowhere:
            raise UsageError(self.nowhere)
        if self.__secret is None:
            self.__secret = Secret("".join(secrets.choice(LETTERS) for _ in range(LENGTH)))
        return self.__secret


def from_environment(name: str) -> Secret | None:
    """The secret in an environment variable, which is taken out of it: no child process sees it."""
    value = os.environ.pop(name, None)
    return Secret(value) if value else None


def find(variable: str, file: Path | None, key: str) -> Secret:
    """The secret in the environment, or else in the file that the setting ``key`` names. Raises SettingsError."""
    if (found := from_environment(variable)) is not None:
        return found
    if file is None:
        section, _, name = key.rpartition(".")
        raise SettingsError(f"the {name.removesuffix('_file')} of {section} is nowhere: set {variable} or {key}")
    return from_file(file)


def from_file(path: Path) -> Secret:
    """The secret on the first line of a file that its owner alone can read. Raises SettingsError."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise SettingsError(f"{path}: holds a secret, and others than its owner can use it: chmod 600 {path}")
            value = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise SettingsError(f"{path}: the secret cannot be read: {why}") from error
    if not value:
        raise SettingsError(f"{path}: its first line is empty: the secret belongs there")
    return Secret(value)
