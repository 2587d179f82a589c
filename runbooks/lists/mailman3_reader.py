"""What a Mailman 3 core says of its lists.

A list's settings are its configuration there, and ``owner``, ``moderator`` and ``ban_list``, which are collections of
their own, sorted here. ``moderator_password`` is a secret, of which REST tells a hash: it is left out.

Sources: Mailman 3.3.8, rest/lists.py, listconf.py, members.py, bans.py, post_moderation.py.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from runbooks.errors import Blocked
from runbooks.lists import mailman3_closing as closing
from runbooks.lists.mailman3_api import Core, quoted
from runbooks.lists.mailman3_web import WebLogins
from runbooks.lists.model import Held, ListReader, Settings
from runbooks.secret import Fresh

ROLES = ("owner", "moderator")
HELD_PAGE = 10
"""How many held messages are asked for at once: each comes as a whole, whatever its size."""
# What REST shows among a list's settings, and takes from nobody; and what nobody is to see.
_NO_SETTINGS = {
    "bounces_address", "created_at", "digest_last_sent_at", "fqdn_listname", "http_etag", "join_address",
    "last_post_at", "leave_address", "list_id", "list_name", "mail_host", "next_digest_number", "no_reply_address",
    "owner_address", "post_id", "posting_address", "request_address", "scheme", "self_link", "usenet_watermark",
    "volume", "web_host", "moderator_password",
}  # fmt: skip


class Mailman3Reader(ListReader):
    """Looks at the lists of a domain."""

    def __init__(self, domain: str, core: Core, web: WebLogins, fresh: Fresh, run_id: str) -> None:
        self.run_id, self.domain = run_id, domain
        self.__core, self.__web, self.__fresh = core, web, fresh

    def look(self) -> None:
        """Whether lists of the domain can be looked at. Raises Unreachable, Blocked."""
        if self.__core.get(f"domains/{self.domain}") is None:
            core = self.__core
            raise Blocked(f"{core.name}: {core.url} has no domain {self.domain}: look at {core.setting}.url")

    def names(self) -> Sequence[str]:
        """All of the domain's."""
        rows = self.__core.rows(f"domains/{self.domain}/lists", "list_name")
        if rows is None:
            self.look()
        return sorted({str(row["list_name"]) for row in rows or []})

    def path(self, name: str) -> str:
        """Where a list is in the API."""
        return f"lists/{quoted(f'{name}@{self.domain}')}"

    def settings(self, name: str) -> Settings | None:
        """In four requests, whatever the list has."""
        config = self._of(name, "config")
        if config is None:
            return None
        if "description" not in config:
            raise self.__core.odd(f"{name} has no description")
        found = {key: value for key, value in sorted(config.items()) if key not in _NO_SETTINGS}
        roles = {role: sorted(self.members(name, role)) for role in ROLES}
        return found | roles | {"ban_list": self.bans(name)}

    def members(self, name: str, role: str) -> dict[str, str]:
        """Who has a role in a list: address to Mailman's own id of that."""
        rows = self.__core.rows(f"{self.path(name)}/roster/{role}", "email", "self_link") or []
        return {str(row["email"]).lower(): str(row["self_link"]).rpartition("/")[2] for row in rows}

    def bans(self, name: str) -> list[str]:
        """Whom a list bans by itself, the site's bans left out."""
        return sorted(str(row["email"]) for row in self.__core.rows(f"{self.path(name)}/bans", "email") or [])

    def list_id(self, name: str) -> str | None:
        """The list's id, which stays when its domain is called otherwise; None where there is no list."""
        found = self._of(name)
        return None if found is None else str(found["list_id"])

    def held(self, name: str) -> Sequence[Held]:
        """What waits, by the number that each message got. Whole messages come over, if few at a time."""
        return self.oldest_held(name, sys.maxsize)[1]

    def oldest_held(self, name: str, most: int) -> tuple[int, Sequence[Held]]:
        """In the order of their numbers, which is Mailman's own (model/requests.py, of_type)."""
        found: dict[int, Held] = {}
        for number in count(1):
            page = self.__core.page(f"{self.path(name)}/held", number, HELD_PAGE, "request_id", "sender", "subject")
            total, rows = page or (0, [])
            held = [Held(str(row["request_id"]), str(row["sender"]), _line(row["subject"])) for row in rows]
            found |= {int(one.id): one for one in held}
            if not rows or len(found) >= min(most, total):
                break
        return total, [found[number] for number in sorted(found)][:most]

    def is_held(self, name: str, number: str) -> bool:
        """Whether one message still waits."""
        return self.__core.get(f"{self.path(name)}/held/{quoted(number)}") is not None

    def in_use(self, name: str) -> str:
        """Members besides its owners, requests, and mail that it ever had; what an archiver holds cannot be asked."""
        config = self._of(name, "config")
        if config is None:
            return ""
        size, path = self.__core.size, self.path(name)
        owners = [self.__core.get(f"{path}/member/{quoted(one)}") for one in self.members(name, "owner")]
        others = size(f"{path}/roster/member") - sum(one is not None for one in owners)
        posts = config.get("last_post_at") or config.get("post_id", 1) > 1
        waiting, asked = size(f"{path}/held"), size(f"{path}/requests")
        found = {
            f"{others:,} member{'s' * (others != 1)} besides its owners": others,
            "it has had mail": posts or size(f"{path}/roster/nonmember"),
            f"{waiting:,} held message{'s' * (waiting != 1)}": waiting,
            f"{asked:,} request{'s' * (asked != 1)} to join or leave": asked,
        }
        return ", ".join(words for words, count in found.items() if count)

    def styles(self) -> Sequence[str]:
        """What kinds of lists can be made."""
        found = self.__core.get("lists/styles") or {}
        return [str(name) for name in found.get("style_names", [])]

    def accounts(self, name: str) -> Sequence[str]:
        """Its owners."""
        return sorted(self.members(name, "owner"))

    def has_account(self, address: str) -> bool:
        """Whether there is a user with that address."""
        return self.__core.get(f"users/{quoted(address)}") is not None

    def has_password(self, name: str, account: str) -> bool:  # noqa: ARG002 - one for all lists
        """Whether the core lets the user in by it."""
        return self.__fresh.is_made and self.__core.opens(account, self.__fresh.make())

    @property
    def web(self) -> str:
        """Django's command, and where it is."""
        return self.__web.told

    @property
    def password_note(self) -> str:
        """Which passwords are there."""
        mailman = "this sets the owner's password in Mailman itself, one for all of their lists; a list has none"
        django = "web log-ins (Postorius, HyperKitty) are accounts of Django"
        if self.__web.told:
            return f"{mailman}; {django}, and that of this address gets the same one"
        return f"{mailman}; {django} and are NOT changed: no web is set for {self.domain} in lists.domains"

    def web_account(self, account: str) -> str:
        """By its address."""
        return self.__web.account(account, self.run_id)

    def has_web_password(self, account: str) -> bool:
        """Whether Django says so."""
        return self.__fresh.is_made and self.__web.opens(account, self.run_id)

    def closed(self, settings: Settings) -> Settings:
        """See ``mailman3_closing``."""
        return closing.closed(settings)

    def reopened(self, settings: Settings) -> Settings:
        """See ``mailman3_closing``."""
        return closing.reopened(settings)

    def fresh(self, private: bool) -> Settings:
        """See ``mailman3_closing``."""
        return closing.fresh(private)

    def _of(self, name: str, part: str = "") -> Mapping[str, Any] | None:
        """A part of a list. Anything may answer 404: that there is no list is believed of its own server alone."""
        found = self.__core.get(f"{self.path(name)}/{part}".rstrip("/"))
        if found is None:
            self.look()
        return found


def _line(text: object) -> str:
    return " ".join(str(text).split())
