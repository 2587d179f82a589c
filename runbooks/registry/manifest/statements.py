"""What a manifest's classes are made of: assignments, resources, includes, and blocks behind a condition.

Only the shapes that accounts are written in are taken apart. Where something else speaks of keys or accounts it is told
as odd, so that nobody is edited on a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbooks.registry.manifest.tokens import Source, Token

KEY = "ssh_authorized_key"
ACCOUNT = "unixaccount"
SPEAKS_OF_ACCESS = frozenset({KEY, ACCOUNT, "account_ssh_key"})
_CONDITIONS = frozenset({"if", "elsif", "else", "unless"})
_INCLUDES = frozenset({"include", "require", "contain"})
_OPENS = frozenset("{([")
_CONTINUES = frozenset({"?", "[", "+", "-", "*", "/", "%", ".", "==", "!=", "=~", "!~", "<", ">", "(", "|"})
_CONTINUING_WORDS = frozenset({"and", "or", "in"})


@dataclass(frozen=True)
class Class:
    """A class by its full name (``accounts::alice``), with the indices of the tokens ``class``, ``{`` and ``}``, and
    the class that it inherits."""

    name: str
    first: int
    opens: int
    closes: int
    inherits: str = ""

    @property
    def short(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("::")[2]


@dataclass(frozen=True)
class Block:
    """A block behind a condition: the indices of ``if``, ``{`` and ``}``."""

    first: int
    opens: int
    closes: int


@dataclass(frozen=True)
class Attribute:
    """``name => value`` of a resource: the index of the name, and where the value's tokens begin and end."""

    first: int
    begins: int
    ends: int


@dataclass(frozen=True)
class Entry:
    """One title of a resource, with its attributes; ``begins`` and ``ends`` bound the title's tokens."""

    begins: int
    ends: int
    attributes: Mapping[str, Attribute]

    @property
    def last(self) -> int:
        """The index of its last token, a comma or semicolon behind it left out."""
        return max((attribute.ends - 1 for attribute in self.attributes.values()), default=self.ends)


@dataclass(frozen=True)
class Resource:
    """``type { title: … }``: the indices of the type, ``{`` and ``}``; no entries where it only sets defaults."""

    kind: str
    first: int
    opens: int
    closes: int
    entries: tuple[Entry, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Assignment:
    """``$name = value``: the indices of the variable and of the value; None where the value is computed."""

    name: str
    first: int
    value: int | None
    conditional: bool


@dataclass(frozen=True)
class Include:
    """A statement that includes classes: the indices of ``include`` and of each name."""

    first: int
    names: tuple[int, ...]
    conditional: bool


@dataclass
class Body:
    """What stands in a class, each in the file's order. ``odd`` are the indices of what speaks of access in a way that
    is not read."""

    assignments: list[Assignment] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)


def classes(source: Source) -> Iterator[Class]:
    """Every class, an outer one in front of those in it. Raises RegistryError as ``Source`` does."""
    tokens, around = source.tokens, list[tuple[str, int]]()
    for number, token in enumerate(tokens):
        while around and number > around[-1][1]:
            around.pop()
        if token.text != "class" or token.kind != "word" or number + 2 >= len(tokens):
            continue
        if tokens[number + 1].kind != "word":
            continue
        opens = _brace(source, number + 2, len(tokens))
        if opens is None:
            continue
        inherits = tokens[number + 3].text if tokens[number + 2].text == "inherits" else ""
        prefix = around[-1][0] + "::" if around else ""
        name = prefix + tokens[number + 1].text.removeprefix("::")
        closes = source.partner[opens]
        yield Class(name, number, opens, closes, inherits.removeprefix("::"))
        around.append((name, closes))


def body_of(source: Source, owner: Class) -> Body:
    """What stands in a class."""
    body = Body()
    _Reader(source, body).read(owner.opens + 1, owner.closes, ())
    return body


def _brace(source: Source, begin: int, end: int) -> int | None:
    """The index of the next brace that opens, brackets of other kinds passed over."""
    number = begin
    while number < end:
        token = source.tokens[number]
        if token.is_mark("{"):
            return number
        number = source.partner.get(number, number) + 1
    return None


class _Reader:
    def __init__(self, source: Source, body: Body) -> None:
        self.source, self.tokens, self.body = source, source.tokens, body

    def read(self, begin: int, end: int, blocks: tuple[Block, ...]) -> None:
        number = begin
        while number < end:
            token, following = self.tokens[number], self.tokens[number + 1]
            if token.kind == "variable" and following.text in ("=", "+") and following.kind == "mark":
                number = self._assignment(number, following, blocks)
            elif token.kind == "word" and token.text in _CONDITIONS:
                number = self._condition(number, end, blocks)
            elif token.kind == "word" and token.text in _INCLUDES and following.kind in ("word", "string"):
                number = self._include(number, blocks)
            elif token.kind == "word" and following.is_mark("{") and not self.tokens[number - 1].is_mark("@"):
                number = self._resource(number, blocks)
            else:
                number = self._other(number)

    def _assignment(self, number: int, following: Token, blocks: tuple[Block, ...]) -> int:
        value = number + 2
        behind = self.tokens[min(number + 3, len(self.tokens) - 1)]
        computed = (
            following.text != "="
            or self.tokens[value].value is None
            or (behind.kind == "mark" and behind.text in _CONTINUES)
            or (behind.kind == "word" and behind.text in _CONTINUING_WORDS)
        )
        name = self.tokens[number].text[1:]
        self.body.assignments.append(Assignment(name, number, None if computed else value, bool(blocks)))
        return value if computed else value + 1

    def _condition(self, number: int, end: int, blocks: tuple[Block, ...]) -> int:
        opens = _brace(self.source, number + 1, end)
        if opens is None:
            return number + 1
        block = Block(number, opens, self.source.partner[opens])
        self.body.blocks.append(block)
        self.read(opens + 1, block.closes, (*blocks, block))
        return block.closes + 1

    def _include(self, number: int, blocks: tuple[Block, ...]) -> int:
        names = [number + 1]
        while self.tokens[names[-1] + 1].is_mark(",") and self.tokens[names[-1] + 2].kind in ("word", "string"):
            names.append(names[-1] + 2)
        self.body.includes.append(Include(number, tuple(names), bool(blocks)))
        return names[-1] + 1

    def _resource(self, number: int, blocks: tuple[Block, ...]) -> int:
        kind, opens = self.tokens[number].text.removeprefix("::").lower(), number + 1
        closes = self.source.partner[opens]
        entries = self._entries(opens + 1, closes)
        if entries is None:
            self._tell_mentions(number, closes)
        else:
            self.body.resources.append(Resource(kind, number, opens, closes, tuple(entries), blocks))
        return closes + 1

    def _entries(self, begin: int, end: int) -> list[Entry] | None:
        """The entries of a resource, none for defaults; None for what is no resource."""
        found: list[Entry] = []
        number = begin
        if begin + 1 < end and self.tokens[begin + 1].is_mark("=>"):
            return []
        while number < end:
            if self.tokens[number].is_mark(";"):
                number += 1
                continue
            colon = self._up_to(number, end, ":")
            attributes, behind = self._attributes(colon + 1, end)
            if colon == end or behind is None:
                return None
            found.append(Entry(number, colon, attributes))
            number = behind
        return found

    def _attributes(self, begin: int, end: int) -> tuple[dict[str, Attribute], int | None]:
        found: dict[str, Attribute] = {}
        number = begin
        while number < end and not self.tokens[number].is_mark(";"):
            if self.tokens[number].is_mark(","):
                number += 1
                continue
            name = self.tokens[number]
            if name.kind != "word" or name.text in found or not self.tokens[number + 1].is_mark("=>"):
                return found, None
            ends = self._up_to(number + 2, end, ",;")
            found[name.text] = Attribute(number, number + 2, ends)
            number = ends
        return found, number

    def _up_to(self, begin: int, end: int, marks: str) -> int:
        """The index of the next of some marks, or the end."""
        number = begin
        while number < end and not (self.tokens[number].kind == "mark" and self.tokens[number].text in marks):
            number = self.source.partner.get(number, number) + 1
        return min(number, end)

    def _other(self, number: int) -> int:
        token = self.tokens[number]
        if token.is_mark("{") or (token.kind == "word" and token.text == "class"):
            opens = _brace(self.source, number, len(self.tokens))
            closes = number if opens is None else self.source.partner[opens]
            self._tell_mentions(number, closes)
            return closes + 1
        following = self.tokens[number + 1]
        if token.kind == "word" and _speaks(token):
            behind = self.source.partner.get(number + 1, number + 1) + 1
            overridden = following.is_mark("[") and self.tokens[behind].is_mark("{")
            if overridden or not following.is_mark("["):
                self.body.odd.append(number)
        elif token.kind == "string" and _speaks(token):
            self.body.odd.append(number)
        return number + 1

    def _tell_mentions(self, begin: int, end: int) -> None:
        mentions = (number for number in range(begin, end) if _speaks(self.tokens[number]))
        if (first := next(mentions, None)) is not None:
            self.body.odd.append(first)


def _speaks(token: Token) -> bool:
    if token.kind == "variable":
        return token.text == "$enabled"
    return token.kind in ("word", "string") and (token.value or "").lower() in SPEAKS_OF_ACCESS
