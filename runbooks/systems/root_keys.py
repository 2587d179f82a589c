"""The keys that open root's account everywhere: a file of the private repository, from which puppet takes them.

It has the format of sshd's own files: sshd(8), AUTHORIZED_KEYS FILE FORMAT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbooks.systems.authorized_keys import holds, shown
from runbooks.systems.commits import HeadFiles


@dataclass(frozen=True)
class RootKeysOut:
    """The file at ``path`` holds none of these keys of somebody's, which are given in base64. Nothing else is touched:
    another line that names them may hold a key of theirs that the registry does not know, and is told."""

    path: str
    name: str
    blobs: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The one file."""
        return (self.path,)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"taking {self.name}'s key out of root's"

    def edit(self, files: HeadFiles) -> Mapping[str, bytes]:
        """The file without their lines. Raises CommandFailed where there is none."""
        lines = files.read(self.path).splitlines(keepends=True)
        return {self.path: b"".join(line for line in lines if not holds(_text(line), set(self.blobs)))}

    def remarks(self, files: HeadFiles) -> str:
        """Lines that name them, and stay."""
        word = re.compile(rf"(?<![\w-]){re.escape(self.name)}(?![\w-])")
        lines = [_text(line).strip() for line in files.read(self.path).splitlines()]
        stay = [line for line in lines if word.search(line) and holds(line, None) and not holds(line, set(self.blobs))]
        what = "; ".join(shown(line) for line in stay)
        return f"root's keys name {self.name} besides: {what}: --key takes that one, too" if stay else ""


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
