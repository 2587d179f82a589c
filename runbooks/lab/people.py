"""Who lives in the lab: made-up people, each with a real account and a real home on every host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.errors import UsageError

DOMAIN = "example.org"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class Person:
    """One account of the lab's registry and the home that goes with it.

    ``process``: a process of theirs runs on every host; with ``crontab`` it starts at boot, from an ``@reboot`` line.
    ``dotfiles``: some of their dot files are kept in the puppet repository. ``local_group``: a group that the registry
    does not know, on every second host. ``odd_names``: file names with newlines and the like, and a
    fifo. The clean-up job's deluser gives up at a newline before it deletes anything, and leaves a fifo behind: a home
    must be without them to be lost whole. ``domain``: that of their address; only staff have the organisation's.
    """

    name: str
    uid: int
    groups: tuple[str, ...] = ("deployment",)
    realname: str = ""
    home_files: int = 60
    process: bool = False
    crontab: bool = True
    mail: bool = True
    password: bool = False
    dotfiles: bool = False
    local_group: str = ""
    odd_names: bool = True
    absent: bool = False
    domain: str = DOMAIN

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"lab: {self.name!r} cannot be an account name")
        if not 1000 <= self.uid <= 49998:
            raise UsageError(f"lab: {self.name}: UID {self.uid} is not between 1000 and 49998")
        if not self.groups and not self.absent:
            raise UsageError(f"lab: {self.name}: without a group the clean-up job would delete the account")

    @property
    def email(self) -> str:
        """Their address."""
        return f"{self.name}@{self.domain}"

    @property
    def staff(self) -> bool:
        """Whether the organisation employs them."""
        return self.domain == DOMAIN

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> Person:
        """The person that ``dataclasses.asdict`` wrote to the lab's state."""
        return cls(**{**saved, "groups": tuple(saved["groups"])})


def cast(home_files: int = 2000) -> tuple[Person, ...]:
    """The people of a lab that nobody chose others for; ``home_files`` is the size of the one big home."""
    return (
        Person("alice", 1001, ("deployment", "analytics-users"), "Alice Liddell", home_files, process=True),
        Person("bob", 1002, ("deployment",), "Bob Baker", process=True, odd_names=False),
        Person("bobby", 1003, ("analytics-users",), "Bobby Tables"),
        Person("carol", 1004, ("ops",), "Carol Chen", dotfiles=True),
        Person("dave", 1005, ("deployment",), "Dave Díaz", local_group="docker"),
        Person("erin", 2001, ("restricted",), "Erin O'Neill", password=True),
        Person("frank", 2002, ("analytics-users", "restricted", "ops"), "Frank Fischer", dotfiles=True, password=True),
        Person("grace", 2003, ("deployment",), "Grace Gómez", process=True, crontab=False, odd_names=False),
        Person("heidi", 2004, ("analytics-users",), "Heidi Huber", mail=False, domain="example.net"),
        Person("ivan", 2005, ("restricted",), "Ivan Ivanov", crontab=False, mail=False),
        Person("judy", 2006, ("deployment", "restricted"), "Judy Jones", home_files=300),
        Person("al", 2007, ("analytics-users",), "Al Ames", domain="example.net"),
        Person("mallory", 1099, (), "Mallory Moore", absent=True),
    )
