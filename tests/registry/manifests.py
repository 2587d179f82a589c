"""Made-up registries of the old style: manifests in the ways in which the field wrote its own, and what they say."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from pathlib import Path

OLD = (Path(__file__).parents[1] / "data/admins.pp").read_text(encoding="utf-8")
"""One with most of the field's ways; its keys are those of the seeds 1 to 5."""


def key_line(seed: int, comment: str = "") -> str:
    """A key in the right format, of nobody."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + random.Random(seed).randbytes(32)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment or f'somebody@{seed}'}"


def blob(seed: int) -> str:
    return key_line(seed).split()[1]


@dataclass(frozen=True)
class Style:
    """One way of writing: the indentation, what stands between a name and its arrow, the quotes, how true is said."""

    unit: str = "\t"
    arrow: str = "\t=> "
    quote: str = '"'
    on: str = '"true"'
    word: str = "present"
    together: bool = True
    guard: str = "$manage_home"
    aligned: bool = False
    line_break: str = "\n"

    def say(self, text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace(self.quote, "\\" + self.quote)
        return self.quote + (escaped if self.quote == "'" else escaped.replace("$", "\\$")) + self.quote


STYLES = (
    Style(),
    Style(
        "    ",
        " => ",
        "'",
        "true",
        "'present'",
        together=False,
        guard="$enabled == true and $manage_home",
        aligned=True,
    ),
    Style("  ", "=>", "'", "'true'", '"present"', line_break="\r\n"),
    Style("\t", "    => ", '"', "true", "present", together=False),
)


@dataclass(frozen=True)
class Person:
    """Somebody in a made-up manifest; keys by their seeds, and whether each is present."""

    name: str
    uid: int
    keys: tuple[tuple[int, bool], ...] = ()
    switch: bool | None = None
    comment: str = ""


@dataclass(frozen=True)
class Made:
    """A manifest's people and groups; ``text`` writes it in a style."""

    people: tuple[Person, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self, style: Style) -> str:
        lines = ["# made up", "class baseaccount {", f"{style.unit}$enabled = {style.on}", "}", "class accounts {"]
        for person in self.people:
            lines += _person(person, style)
        lines += ["}", ""]
        for group, members in self.groups.items():
            lines += [
                f"class admins::{group} {{",
                f"{style.unit}$gid = 500  # 'wikidev'",
                f"{style.unit}include groups::wikidev",
            ]
            lines += [f"{style.unit}include accounts::{name}" for name in members] + ["}"]
        return style.line_break.join(lines) + style.line_break


def _person(person: Person, style: Style) -> list[str]:
    one, two = style.unit, style.unit * 2
    gap = "      " if style.aligned else " "
    lines = [f"{one}# {person.comment}"] if person.comment else []
    lines += [f"{one}class {person.name} inherits baseaccount {{", f"{two}$username = {style.say(person.name)}"]
    lines += [f"{two}$realname = {style.say(person.name.title() + ' Exämple')}", f"{two}$uid{gap}= {person.uid}"]
    if person.switch is not None:
        said = style.on.replace("true", "true" if person.switch else "false")
        lines.append(f"{two}$enabled{'  ' if style.aligned else ' '}= {said}")
    lines += ["", f"{two}unixaccount {{ $realname: username => $username, uid => $uid, gid => $gid }}"]
    if person.keys:
        lines += ["", f"{two}if {style.guard} {{", *_keys(person, style), f"{two}}}"]
    return [*lines, f"{one}}}", ""]


def _keys(person: Person, style: Style) -> list[str]:
    three, four = style.unit * 3, style.unit * 4
    lines = [f"{three}Ssh_authorized_key {{ require => Unixaccount[$realname] }}", ""]
    opened = [f"{three}ssh_authorized_key {{"] if style.together else []
    lines += opened
    for seed, present in person.keys:
        title = style.say(f"{person.name}@{seed}") + ":"
        lines.append(f"{four}{title}" if style.together else f"{three}ssh_authorized_key {{ {title}")
        said = style.word if present else style.word.replace("present", "absent")
        values = {"ensure": said, "user": "$username", "type": style.say("ssh-ed25519"), "key": style.say(blob(seed))}
        texts = [
            f"{four}{style.unit if style.together else ''}{what}{style.arrow}{value}" for what, value in values.items()
        ]
        lines += [f"{text}," for text in texts[:-1]] + [texts[-1] + (";" if style.together else ",")]
        lines += [] if style.together else [f"{three}}}"]
    return lines + ([f"{three}}}"] if opened else [])
