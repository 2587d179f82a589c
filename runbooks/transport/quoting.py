"""Commands are argv lists; this is the one place where they are quoted for sh."""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Sequence
from functools import lru_cache

Argument = str | bytes
# What a shell does in its own process: the built-ins of POSIX (XCU 2.14 and 1.6), dash, bash and busybox.
_OWN = (
    ". : [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue declare dirs "
    "disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout "
    "mapfile popd printf pushd pwd read readarray readonly return set shift shopt source suspend test time times "
    "trap true type typeset ulimit umask unalias unset wait"
)
_BUILT_IN = frozenset(_OWN.split())


@lru_cache(maxsize=4096)
def quote(argument: Argument) -> bytes:
    """One argument, quoted for sh. Raises ValueError for a NUL byte, which no argument can hold. What was quoted is
    kept, as a fleet is asked the same everywhere."""
    raw = argument.encode("utf-8", "surrogateescape") if isinstance(argument, str) else argument
    if b"\0" in raw:
        raise ValueError("an argument cannot hold a NUL byte")
    return shlex.quote(raw.decode("latin-1")).encode("latin-1")


def command_line(argv: Sequence[Argument]) -> str:
    """An argv list as a person would type it."""
    return b" ".join([quote(argument) for argument in argv]).decode("utf-8", "replace")


def _program(name: Argument) -> bytes:
    """A command's name, always in quotes: ``if`` or ``A=b`` is no word of the shell's language here."""
    quoted = quote(name)
    return quoted if quoted.startswith(b"'") else b"'" + quoted + b"'"


@lru_cache(maxsize=4096)
def _alone(argv: tuple[Argument, ...]) -> bytes:
    """The command without any input. A program takes the shell no second process, which costs a fifth of a small
    command."""
    line = _line(argv) + b" </dev/null"
    return b"( " + line + b" )" if os.fsdecode(argv[0]) in _BUILT_IN else line


def _line(argv: Sequence[Argument]) -> bytes:
    return b" ".join([_program(argv[0]), *[quote(argument) for argument in argv[1:]]])


def fed(argv: Sequence[Argument], feed: bytes | None) -> bytes:
    """The command with its standard input, the given bytes and never the shell's own; redirections may follow it."""
    if feed is None:
        return _alone(tuple(argv))
    # printf is the shell's own, so what is fed never stands in a process list. Base64 needs no quotes.
    return b"( printf %s '" + base64.b64encode(feed) + b"' | base64 -d | " + _line(argv) + b" )"
