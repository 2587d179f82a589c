"""Edits of the registry as patches to its repository, said by their meaning: they can be made again elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from runbooks.errors import RegistryError
from runbooks.registry.edits import Edit
from runbooks.registry.kinds import AccountRegistry, registry_of
from runbooks.registry.validate import introduced


class Readable(Protocol):
    """Files that can be read, of a commit or of a checkout on a host."""

    def read(self, path: str) -> bytes:
        """A file's contents. Raises RegistryError, CommandFailed."""
        ...


class Files(Readable, Protocol):
    """The files of one commit."""

    def below(self, directory: str) -> list[str]:
        """The paths of the files below a directory."""
        ...

    def mentions(self, word: str) -> list[str]:
        """The paths of text files that hold a word, whole."""
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
        registry = registry_of(self.path, files.read(self.path))
        edits: dict[str, bytes | None] = {
            self.path: registry.rename(self.old, self.new, self.task or None).text.encode()
        }
        old, new = str(self._homes() / self.old), str(self._homes() / self.new)
        if taken := files.below(new):
            raise RegistryError(f"{taken[0]} is in the repository already: whose dot files are those? Move them away")
        for path in files.below(old):
            edits[new + path[len(old) :]] = files.read(path)
            edits[path] = None
        return edits

    def remarks(self, files: Files) -> str:
        """What else goes by the old name and stays as it is: the operator sees to it."""
        user = registry_of(self.path, files.read(self.path)).user(self.old)
        found = [f"{self.old} has a Kerberos principal: rename it, too"] if user and user.krb == "present" else []
        ours = (self.path, f"{self._homes() / self.old}/")
        others = [path for path in files.mentions(self.old) if not path.startswith(ours)]
        if others:
            more = f" and {len(others) - 5} more" if len(others) > 5 else ""
            found.append(f"the repository names {self.old} elsewhere, too: {', '.join(others[:5])}{more}")
        return "; ".join(found)

    def applied(self, files: Readable) -> bool:
        """Whether the new name is a present account and the old one is not. Raises RegistryError."""
        return self._present(files) == (False, True)

    def taken_back(self, files: Readable) -> bool:
        """Whether the old name is a present account and the new one is not. Raises RegistryError."""
        return self._present(files) == (True, False)

    def _present(self, files: Readable) -> tuple[bool, bool]:
        registry = registry_of(self.path, files.read(self.path))
        users = [registry.user(name) for name in (self.old, self.new)]
        old, new = (user is not None and user.present for user in users)
        return old, new

    def refuse_unsound(self, files: Files, edits: Mapping[str, bytes | None]) -> None:
        """Raises RegistryError where edits would break rules that the registry keeps now, as a revert does when others
        have come to use the new name."""
        _refuse_unsound(self.path, files, edits, self.new, self.old)


def _refuse_unsound(path: str, files: Files, edits: Mapping[str, bytes | None], *names: str) -> None:
    text = edits.get(path)
    if text is None:
        return
    before, after = registry_of(path, files.read(path)), registry_of(path, text)
    if broken := introduced(before.validate(), after.validate(), *names):
        raise RegistryError(f"it would break the registry: {broken[0].message}: take the change back by hand")


@dataclass(frozen=True)
class AccountPatch:
    """Edits of accounts in the registry at ``path``, all or none; those that hold already are left out. ``title`` is
    one line for people, ``why`` what stands in the commit message besides."""

    path: str
    edits: tuple[Edit, ...]
    title: str
    why: str = ""
    task: str = ""

    @property
    def message(self) -> str:
        """The commit message."""
        return "\n\n".join(filter(None, [self.title, self.why, f"Bug: {self.task}" if self.task else ""]))

    def edit(self, files: Files) -> Mapping[str, bytes | None]:
        """The registry with its new contents. Raises RegistryError."""
        registry = self._registry(files)
        for edit in self.edits:
            registry = edit.apply(registry)
        return {self.path: registry.text.encode()}

    def remarks(self, files: Files) -> str:
        """What the edits leave to the operator."""
        registry = self._registry(files)
        return "; ".join(filter(None, (registry.remarks(edit.method, edit.name) for edit in self.edits)))

    def applied(self, files: Readable) -> bool:
        """Whether all of them hold. Raises RegistryError."""
        registry = self._registry(files)
        return all(edit.holds(registry) for edit in self.edits)

    def taken_back(self, files: Readable) -> bool:
        """Whether none of them holds. Raises RegistryError."""
        registry = self._registry(files)
        return not any(edit.holds(registry) for edit in self.edits)

    def refuse_unsound(self, files: Files, edits: Mapping[str, bytes | None]) -> None:
        """Raises RegistryError where edits would break rules that the registry keeps now."""
        _refuse_unsound(self.path, files, edits)

    def _registry(self, files: Readable) -> AccountRegistry:
        return registry_of(self.path, files.read(self.path))
