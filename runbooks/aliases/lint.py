"""What exim lets pass in alias files, and what it stumbles over: found before mail does.

``exim4 -bt`` returns 0 for much of it. Sources: exim specification, 9.3, 22.4 to 22.6; how exim 4.96 reads a file is
in ``entries``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from runbooks.aliases.domains import DomainKind, Domains
from runbooks.aliases.entries import Entry
from runbooks.aliases.file import AliasFile
from runbooks.aliases.local import Local
from runbooks.aliases.problems import Problem, error, warning
from runbooks.aliases.targets import WHOLE, Kind, Target, text_of
from runbooks.errors import RegistryError
from runbooks.inventory.names import short

_TELLING = {
    Kind.PIPE: ("a command that the mail host runs", "mail goes to programs elsewhere: take it out"),
    Kind.FILE: ("a file on the mail host", "take it out"),
    Kind.INCLUDE: ("a list outside of the repository", "write its addresses here"),
}
_LINE = re.compile(r"line (\d+): (.*)", re.DOTALL)


def lint(
    domains: Domains, files: Mapping[str, bytes], known: Callable[[str], bool], qualify: str = ""
) -> list[Problem]:
    """All problems, sorted by path and line. ``files`` are the contents of the domains' own files by their paths in the
    repository; ``known`` and ``qualify`` are as ``Local`` has them."""
    found = [
        error(f"{domains.directory}/{one.chain[0]}", 0, one.problem, "repair it where it is made")
        for one in domains.problems()
        if one.kind is not DomainKind.MANIFEST or not one.mentions
    ]
    parsed: dict[str, AliasFile] = {}
    for path, data in files.items():
        found += _encoding(path, data)
        try:
            parsed[path] = AliasFile.parse(data)
        except RegistryError as refused:
            found.append(_unread(path, str(refused)))
            continue
        found += _file(path, parsed[path])
    return sorted({*found, *Local(domains, parsed, known, qualify).problems()})


def _encoding(path: str, data: bytes) -> Iterator[Problem]:
    try:
        data.decode()
    except UnicodeDecodeError as refused:
        line = data.count(b"\n", 0, refused.start) + 1
        yield warning(path, line, f"the byte {data[refused.start]:#04x} is no UTF-8", "write the character in UTF-8")


def _unread(path: str, why: str) -> Problem:
    line, what = (int(found[1]), found[2]) if (found := _LINE.fullmatch(why)) else (0, why)
    what, _, todo = what.rpartition(": ")
    return error(path, line, what, todo)


def _file(path: str, file: AliasFile) -> Iterator[Problem]:
    for line in file.lost:
        yield error(path, line, "continues no alias, for none stands above it: exim does not read it", "take it out")
    first: dict[str, Entry] = {}
    for entry in file.entries:
        if (other := first.setdefault(entry.name, entry)) is not entry:
            what = f"{entry.key} is an alias above already, and that one counts"
            yield error(path, entry.line, what, f"make one of this and line {other.line}")
        for line in entry.lost:
            what = f"exim does not read this line of {entry.key}: an empty line or a comment above has ended it"
            yield error(path, line, what, "take the empty line or the comment out")
        yield from _key(path, entry)
        yield from _targets(path, entry)


def _key(path: str, entry: Entry) -> Iterator[Problem]:
    if not entry.key:
        yield error(path, entry.line, "there is no name before the colon", "write one, or take the line out")
    elif "@" in entry.key:
        yield error(path, entry.line, f"{entry.key} is never found: aliases are looked up by the part before the @",
                    f"write {entry.key.partition('@')[0]}")  # fmt: skip
    elif entry.key != entry.name:
        yield warning(path, entry.line, f"{entry.key} has capital letters, which mean nothing", f"write {entry.name}")
    if not entry.key.isascii():
        yield _no_ascii(path, entry.line, entry.key)
    if not entry.colon:
        yield warning(path, entry.line, f"no colon behind {entry.key}: exim takes it for an alias all the same",
                      "write one, or a # before the line")  # fmt: skip


def _targets(path: str, entry: Entry) -> Iterator[Problem]:
    if not entry.targets:
        yield error(path, entry.line, f"{entry.key} leads nowhere: exim goes on as if there were no such alias",
                    "write where it leads, or take it out")  # fmt: skip
    seen: set[tuple[str, str]] = set()
    for target in entry.targets:
        line = entry.line_of(target)
        if target.meaning in seen:
            yield warning(path, line, f"{entry.key} leads to {target.text} twice", "take one out")
        seen.add(target.meaning)
        yield from _target(path, line, entry, target)
    yield from _passed_over(path, entry)


def _target(path: str, line: int, entry: Entry, target: Target) -> Iterator[Problem]:
    if target.kind is Kind.BAD:
        what = f"exim refuses {short(target.text)!r} ({short(target.error)}), and delivers nothing for {entry.key}"
        yield error(path, line, what, _repair(target.text))
    elif not target.address.isascii():
        yield _no_ascii(path, line, target.address)
    elif target.text == "/dev/null":
        yield warning(path, line, f"{entry.key} leads to /dev/null", "write :blackhole:")
    elif target.kind in _TELLING:
        what, todo = _TELLING[target.kind]
        yield error(path, line, f"{entry.key} leads to {what}: {short(target.text)}", todo)
    elif target.kind in WHOLE:
        word = f":{target.kind}:"
        behind = target.kind is Kind.BLACKHOLE and target.text.removeprefix(word).strip(" ,")
        if behind or len(entry.targets) > 1:
            yield error(
                path, line, f"{word} counts for all of {entry.key}: its other targets get nothing", "choose one"
            )


def _no_ascii(path: str, line: int, text: str) -> Problem:
    """A blank that is none, a byte-order mark: such things cannot be seen."""
    return warning(path, line, f"{text!a} has characters that addresses have not", "write it anew")


def _repair(text: str) -> str:
    if "#" in text:
        return "put the comment on a line of its own above the alias"
    if re.match(r"\S+[ \t]*:", text):
        return "if it is an alias of its own, take the blanks before it away"
    return "is a comma missing?" if " " in text.strip() else "write an address"


def _passed_over(path: str, entry: Entry) -> Iterator[Problem]:
    """What stands between targets and is none."""
    at = 0
    for start, end in [*((one.start, one.end) for one in entry.targets), (len(entry.value), 0)]:
        left = text_of(entry.value[at:start].decode("latin-1")).strip(" \t\r\v\f,")
        if left.startswith("#"):
            yield error(path, entry.line, f"exim does not read what is behind the # in {entry.key}: {short(left)}",
                        "put the comment on a line of its own above the alias")  # fmt: skip
        elif left:
            yield warning(path, entry.line, f"exim passes over {short(left)!r} in {entry.key}", "take it out")
        at = end
