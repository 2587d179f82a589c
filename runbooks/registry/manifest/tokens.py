"""The words of a Puppet manifest and where they stand: strings, variables, names, marks; comments between them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from runbooks.errors import RegistryError

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)|(?P<comment>\#(?:[^\r\n]|\r(?!\n))*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\$]|\\.|\$(?!\{))*")
    |(?P<variable>\$(?:::)?\w+(?:::\w+)*)
    |(?P<word>(?:::)?\w(?:[\w-]*\w)?(?:::\w(?:[\w-]*\w)?)*)
    |(?P<mark>=>|\+>|==|=~|!=|!~|<\||\|>|->|~>|[{}()\[\],;:=?@!<>+*/%.|~-])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_INTERPOLATED = re.compile(r'[^"\\$]+|\\.|\$\{|\$|"', re.DOTALL)
_WITHIN = re.compile(r"""[^{}"'\\]+|'(?:[^'\\]|\\.)*'|\\.|[{}"\\']""", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\n\\]|\\[^\n])*/")
_BEFORE_REGEX = frozenset({"node", "case", "if", "unless", "elsif", "and", "or", "in"})
_COMPUTED = re.compile(r"\$(?:\{|::|\w)")
_ESCAPE = re.compile(r"""\\([ntrs"'$\\])""")
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "s": " "}
_CLOSES = {"}": "{", ")": "(", "]": "["}


class Token(NamedTuple):
    """A word of the manifest, and the offset of its first character. Its kind is ``string``, ``variable``, ``word``
    (numbers, too), ``regex`` or ``mark``."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)

    @property
    def value(self) -> str | None:
        """What a string or word says; None for what Puppet computes."""
        if self.kind == "word":
            return self.text
        if self.kind != "string":
            return None
        inner = self.text[1:-1]
        if self.text[0] == "'":
            return re.sub(r"\\([\\'])", r"\1", inner)
        if _COMPUTED.search(re.sub(r"\\.", "", inner, flags=re.DOTALL)):
            return None
        return _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]), inner)

    def is_mark(self, text: str) -> bool:
        """Whether it is that mark."""
        return self.kind == "mark" and self.text == text


@dataclass(frozen=True)
class Source:
    """A manifest's text in tokens; ``partner`` leads from the index of a bracket to the one that closes it.

    Raises RegistryError, with the line, for a text that cannot be taken apart: a string or comment without an end, a
    heredoc, brackets that do not fit.
    """

    text: str = field(repr=False)

    @cached_property
    def _taken_apart(self) -> tuple[tuple[Token, ...], tuple[tuple[int, int], ...]]:
        tokens: list[Token] = []
        comments: list[tuple[int, int]] = []
        for kind, start, end in self._pieces(tokens):
            if kind == "comment":
                comments.append((start, end))
            elif kind != "blank":
                tokens.append(Token(kind, self.text[start:end], start))
        return tuple(tokens), tuple(comments)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """In order; comments are not among them."""
        return self._taken_apart[0]

    @property
    def comments(self) -> tuple[tuple[int, int], ...]:
        """The offsets at which each comment begins and ends."""
        return self._taken_apart[1]

    @cached_property
    def partner(self) -> dict[int, int]:
        """From each opening bracket to its closing one. Raises RegistryError."""
        found: dict[int, int] = {}
        still_open: list[int] = []
        for number, token in enumerate(self.tokens):
            if token.kind != "mark":
                continue
            if token.text in "{([":
                still_open.append(number)
            elif token.text in _CLOSES:
                if not still_open or self.tokens[still_open[-1]].text != _CLOSES[token.text]:
                    raise self.error(token.start, f"{token.text!r} closes nothing that was opened")
                found[still_open.pop()] = number
        if still_open:
            raise self.error(self.tokens[still_open[-1]].start, f"{self.tokens[still_open[-1]].text!r} is never closed")
        return found

    @cached_property
    def _line_ends(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self.text)]

    def line(self, offset: int) -> int:
        """The line of a character, from 1."""
        return bisect_right(self._line_ends, offset - 1) + 1

    def line_start(self, offset: int) -> int:
        """The offset at which a character's line begins."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """The offset at which a character's line ends, in front of its line break."""
        end = self.text.find("\n", offset)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    @property
    def line_break(self) -> str:
        """The one that the file uses."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def error(self, offset: int, what: str) -> RegistryError:
        """An error that names the line."""
        return RegistryError(f"line {self.line(offset)}: {what}; repair the manifest first")

    def _pieces(self, tokens: list[Token]) -> Iterator[tuple[str, int, int]]:
        """Kind, start and end of each piece of the text. ``tokens`` are those so far."""
        text, position = self.text, 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                end = self._string_end(position) if text[position] == '"' else None
                if end is None:
                    raise self.error(position, f"{text[position]!r} begins nothing that Puppet knows, or has no end")
                kind = "string"
            else:
                kind, end = str(found.lastgroup), found.end()
                if text.startswith("@(", position):
                    raise self.error(position, "a heredoc, which is not read here")
                if found[0] == "/" and (regex := _may_be_regex(tokens) and _REGEX.match(text, position)):
                    kind, end = "regex", regex.end()
                elif text.startswith("/*", position) and kind != "comment":
                    raise self.error(position, "a comment without an end")
            yield kind, position, end
            position = end

    def _string_end(self, start: int) -> int | None:
        """Where a string ends in which Puppet computes something; None where it does not."""
        position = start + 1
        while found := _INTERPOLATED.match(self.text, position):
            position = found.end()
            if found[0] == '"':
                return position
            if found[0] == "${":
                inner = self._expression_end(position)
                if inner is None:
                    return None
                position = inner
        return None

    def _expression_end(self, position: int) -> int | None:
        depth = 1
        while found := _WITHIN.match(self.text, position):
            position = found.end()
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if depth == 0:
                return position
            if found[0] == '"':
                inner = self._string_end(position - 1)
                if inner is None:
                    return None
                position = inner
        return None


def _may_be_regex(tokens: list[Token]) -> bool:
    """Whether a slash behind these begins a regular expression, and is no division."""
    if not tokens or tokens[-1].text in _BEFORE_REGEX:
        return True
    return tokens[-1].kind == "mark" and tokens[-1].text not in (")", "]")
