"""Edits of the registry as patches to its repository, said by their meaning: they can be made again elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from runbooks.registry.registry import Registry


class Files(Protocol):
    """The files of one commit."""

    def read(self, path: str) -> bytes:
        """A file's contents. Raises RegistryError."""
        ...

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory."""
        ...


@dataclass(frozen=True)
class RenamePatch:
    """Rename an account in the registry at ``path``, and the dot files that the module beside it keeps for the account
    (``files/home/NAME``)."""

    path: str
    old: str
    new: str
    task: str = ""

    @property
    def title(self) -> str:
        """One line for people."""
        return f"admin: rename {self.old} to {self.new}"

    @property
    def message(self) -> str:
        """The commit message."""
        return f"{self.title}\n\nUID and home stay the same." + (f"\n\nBug: {self.task}" if self.task else "")

    def _homes(self) -> PurePosixPath:
        return PurePosixPath(self.path).parent.parent / "files" / "home"

    def edit(self, files: Files) -> Mapping[str, bytes | None]:
        """The files that it changes, with their new contents (None: deleted). Raises RegistryError."""
        registry = Registry.from_bytes(files.read(self.path))
        edits: dict[str, bytes | None] = {
            self.path: registry.rename(self.old, self.new, self.task or None).text.encode()
        }
        old, new = str(self._homes() / self.old), str(self._homes() / self.new)
        for path in files.below(old):
            edits[new + path[len(old) :]] = files.read(path)
            edits[path] = None
        return edits

    def applied(self, files: Files) -> bool:
        """Whether the new name is a present account and the old one is not."""
        return self._present(files, self.new) and not self._present(files, self.old)

    def taken_back(self, files: Files) -> bool:
        """Whether the old name is a present account and the new one is not."""
        return self._present(files, self.old) and not self._present(files, self.new)

    def _present(self, files: Files, name: str) -> bool:
        user = Registry.from_bytes(files.read(self.path)).user(name)
        return user is not None and user.present
