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


def fed(argv: Sequence[Argument], feed: bytes | None) -> bytes:
    """The command with its standard input, the given bytes and never the shell's own; redirections may follow it."""
    line = b" ".join([_program(argv[0]), *[quote(argument) for argument in argv[1:]]])
    if feed is None:
        # A program takes the shell no second process, which costs a fifth of a small command.
        own = os.fsdecode(argv[0]) in _BUILT_IN
        return b"( " + line + b" </dev/null )" if own else line + b" </dev/null"
    # printf is the shell's own, so what is fed never stands in a process list. Base64 needs no quotes.
    return b"( printf %s '" + base64.b64encode(feed) + b"' | base64 -d | " + line + b" )"
