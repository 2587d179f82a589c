"""What every kind of list server can be asked and told, and what it answers.

A list is its settings: a mapping by the system's own names, of JSON values. Four of them every system has by the same
names: ``description`` (a line), ``owner`` and ``moderator`` (addresses, sorted, in small letters), and ``ban_list``
(addresses, or patterns that begin with ``^``, in the system's order). So one Change serves all systems.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbooks.model import Json, Reader, Target, Writer

Settings = Mapping[str, Json]

EVERYBODY = "^.*@.*"
"""In ``ban_list``: nobody may write, whoever it is."""


def alike(one: Json, other: Json) -> bool:
    """Whether two values of a setting are the same. Lists and tuples are, at any depth (a journal gives back lists
    where there were tuples), and numbers as they count; but true is not 1, nor is a text a number."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def unlike(settings: Settings, wanted: Settings) -> dict[str, Json]:
    """Those of the wanted settings that a list has otherwise, or not at all."""
    return {key: value for key, value in wanted.items() if not alike(settings.get(key), value)}


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for a moderator. ``id`` is the system's own."""

    id: str
    sender: str
    subject: str


class ListReader(Reader, ABC):
    """Looks at the lists of one domain. All of it raises Unreachable where the server cannot be asked, and Blocked
    where it does not let us or answers what makes no sense."""

    domain: str
    has_own_password = False
    """Whether a list has a password itself, which it gets when it is made."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The lists' names, without the domain, sorted."""

    @abstractmethod
    def settings(self, name: str) -> Settings | None:
        """All settings that can be written, secrets left out; None where there is no such list."""

    @abstractmethod
    def held(self, name: str) -> Sequence[Held]:
        """The messages that wait for a moderator, oldest first. Requests to join do not count."""

    def oldest_held(self, name: str, most: int) -> tuple[int, Sequence[Held]]:
        """How many messages wait, and the ``most`` oldest of them; for where reading all would take long."""
        held = self.held(name)
        return len(held), held[:most]

    @abstractmethod
    def in_use(self, name: str) -> str:
        """What a list has had since it was made (members, mail), so that it must not be removed; else empty."""

    def taken(self, name: str) -> str:  # noqa: ARG002 - for systems where each domain has its own names
        """The address of another domain's list that keeps a new one from having this name, or nothing."""
        return ""

    @abstractmethod
    def accounts(self, name: str) -> Sequence[str]:
        """Whose passwords open the administration of a list: its owners' addresses, or the list's own address where it
        is the list that has one."""

    @abstractmethod
    def has_password(self, name: str, account: str) -> bool:
        """Whether the new password that this process has made is the account's. False where it has made none yet."""

    @property
    @abstractmethod
    def web(self) -> str:
        """The command that sets the password of a web log-in, to be shown; empty where web log-ins have no password of
        their own, or no command is set up."""

    @property
    @abstractmethod
    def password_note(self) -> str:
        """A note for the operator: which passwords are set by a reset, and which are not."""

    def web_account(self, account: str) -> str:
        """What its web log-in is called. Raises Blocked where there is none, or more than one."""
        return account

    def has_web_password(self, account: str) -> bool:
        """Whether the new password opens the web log-in. False where none was made yet."""
        raise NotImplementedError(f"{type(self).__name__} has no web log-ins")

    # what a list has to be told, from what it is; nothing is asked or changed

    @abstractmethod
    def closed(self, settings: Settings) -> Settings:
        """The settings with which a list delivers nothing, holds nothing and notifies nobody, as far as they are not
        so already; owners, moderators and the description are left out."""

    @abstractmethod
    def reopened(self, settings: Settings) -> Settings:
        """The settings with which a closed list works as a new one does; used where nobody knows what was before."""

    @abstractmethod
    def fresh(self, private: bool) -> Settings:
        """The settings that the page wants of a new list: who joins is approved; a ``private`` one has a private
        archive, too, and is not advertised."""


class ListWriter(Writer, ABC):
    """Changes the lists of one domain. All of it raises CommandFailed where the server refuses, and Lost where its
    answer did not come and a second look does not show the change."""

    reader: ListReader

    @abstractmethod
    def create(self, name: str, owners: Sequence[str], private: bool) -> None:
        """Make a list; the system's own notice to the owners is not sent. Where a list has a password, it is the new
        one that this process has made."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take a list away that was never used."""

    @abstractmethod
    def configure(self, name: str, values: Settings) -> None:
        """Set some settings, and no others."""

    @abstractmethod
    def discard(self, name: str, ids: Sequence[str]) -> None:
        """Discard held messages, without telling anybody; those that are gone already are passed over."""

    def discard_all(self, name: str) -> None:
        """Discard whatever is held by now. Raises CommandFailed where it was hurried, too."""
        self.discard(name, [one.id for one in self.reader.held(name)])

    @abstractmethod
    def set_password(self, name: str, account: str) -> None:
        """Give an account the new password that this process has made."""

    def set_web_password(self, account: str) -> None:
        """Give its web log-in the same."""
        raise NotImplementedError(f"{type(self).__name__} has no web log-ins")


class ListTarget(Target):
    """The lists of one domain; its name is the domain's, behind an ``@``."""

    domain: str
    takes_password = False
    """Whether we log in to the list server with a password of the settings (not over ssh)."""

    @abstractmethod
    def reader(self, run_id: str = "") -> ListReader:
        """A Reader; nothing is asked before it looks."""
