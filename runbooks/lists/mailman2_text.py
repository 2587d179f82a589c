"""The text that Mailman 2.1's ``config_list`` prints and takes: Python 2 source, read here without being run.

How values are printed is that command's own way (bin/config_list, ``do_list_categories``): most as Python's ``repr``
gives them; a text of several lines, or a line that is no ASCII in a list whose character set is not ASCII, as it is,
between quotes, with a backslash before each ``"`` and before nothing else. Python would read such a text wrongly where
it holds a backslash; that is undone here, instead. Line ends within and at the end of such a text are lost there.

A list's texts are bytes in the character set of its language. What that set does not have stands as ``&#N;``, as a
browser has it sent in; bytes that are none of the set come as surrogates, and go back as they came.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Mapping
from typing import NamedTuple

from runbooks.model import Json

_ASSIGNMENT = re.compile(rb"([A-Za-z]\w*) = ")
# The word before the colon is translated in some releases, too (NEWS of 2.1.13 and 2.1.27).
_CODING = re.compile(rb"\A(?:#.*\n)?# *-\*-[^:=\n]*[:=]\s*([-\w.]+)\s*-\*-")
_NAME = re.compile(r"[a-z]\w*", re.ASCII)
_REFERENCE = re.compile(r"&#([1-9][0-9]{2,6});")


class Config(NamedTuple):
    """A list's settings, and the character set that its texts are in."""

    charset: str
    settings: Mapping[str, Json]


def parse(text: bytes) -> Config:
    """What ``config_list -o -`` printed. Raises ValueError."""
    charset, settings, at = _charset(text), {}, 0
    while at < len(text):
        end = text.find(b"\n", at) + 1 or len(text)
        if found := _ASSIGNMENT.match(text, at, end):
            settings[found[1].decode()], at = _value(text, found.end(), end, charset)
        else:
            at = end
    if not settings:
        raise ValueError("there is no setting in it")
    return Config(charset, settings)


def _charset(text: bytes) -> str:
    found = _CODING.match(text)
    name = found[1].decode() if found else "us-ascii"
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise ValueError(f"no character set {name}") from error


def _value(text: bytes, start: int, end: int, charset: str) -> tuple[Json, int]:
    """The value that starts there, and where the next line starts."""
    if text.startswith(b'"""', start):
        # No two quotes of the text itself stand side by side; one that it ends with stands before the three.
        close = text.index(b'"""', start + 3)
        close += text.startswith(b'"', close + 3)
        return decoded(text[start + 3 : close].replace(b'\\"', b'"'), charset), text.index(b"\n", close) + 1
    line = text[start:end].rstrip(b"\n")
    if line.isascii():
        return literal(line.decode(), charset), end
    return decoded(line[1:-1].replace(b'\\"', b'"'), charset), end


def literal(text: str, charset: str) -> Json:
    """What Python 2's ``repr`` gave: numbers, texts, and lists of them; tuples become lists, truth values numbers.
    Raises ValueError."""
    try:
        return _plain(ast.parse(text, mode="eval").body, charset)
    except (SyntaxError, RecursionError) as error:
        raise ValueError(f"no value: {text[:80]!r}") from error


def _plain(node: ast.expr, charset: str) -> Json:
    match node:
        case ast.Constant(value=str() as value, kind="u"):
            return value
        case ast.Constant(value=str() as value):
            return decoded(value.encode("latin-1"), charset)
        case ast.Constant(value=bool() as value):
            return int(value)
        case ast.Constant(value=int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_plain(part, charset) for part in parts]
    raise ValueError(f"no plain value: {ast.unparse(node)[:80]}")


def decoded(raw: bytes, charset: str) -> str:
    """A text of a list."""

    def character(found: re.Match[str]) -> str:
        number = int(found[1])
        is_one = 0x80 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return chr(number) if is_one and not _has(charset, chr(number)) else found[0]

    return _REFERENCE.sub(character, raw.decode(charset, "surrogateescape"))


def encoded(text: str, charset: str) -> bytes:
    """A text as a list has it."""

    def character(one: str) -> bytes:
        if "\udc80" <= one <= "\udcff":
            return bytes([ord(one) - 0xDC00])
        return one.encode(charset) if _has(charset, one) else f"&#{ord(one)};".encode()

    return b"".join(map(character, text))


def _has(charset: str, character: str) -> bool:
    try:
        # Some sets take a character, and give another one back: a yen sign for a backslash.
        return character.encode(charset).decode(charset) == character
    except UnicodeError:
        return False


def source(values: Mapping[str, Json], charset: str) -> bytes:
    """What ``config_list -i`` is to read: an assignment a line, in ASCII, every other byte as ``\\xNN``, so that no
    value can be anything but a value. Raises ValueError."""
    lines = []
    for name, value in values.items():
        if not _NAME.fullmatch(name) or name == "mlist":
            raise ValueError(f"no setting: {name!r}")
        lines.append(f"{name} = {_written(value, charset)}\n")
    return "".join(lines).encode("ascii")


def _written(value: Json, charset: str, is_inner: bool = False) -> str:
    if isinstance(value, str):
        # Python 3 writes bytes as Python 2 wrote its texts, but for the letter in front.
        return repr(encoded(value, charset))[1:]
    if isinstance(value, list | tuple):
        parts = [_written(part, charset, is_inner=True) for part in value]
        # What stands in a list is a tuple: Mailman has lists of texts, and of tuples (filter rules, topics).
        return f"({', '.join(parts)},)" if is_inner and parts else f"[{', '.join(parts)}]"
    if value is None or isinstance(value, int | float):
        return repr(int(value) if isinstance(value, bool) else value)
    raise ValueError(f"no value of a setting: {value!r}")
