"""What closes a Mailman 2.1 list, and what opens it again: from its settings alone.

A closed list: the first of its header filter rules matches any mail, and discards it. Those rules are looked at before
all else (``GLOBAL_PIPELINE`` begins with SpamDetect): before a password in an ``Approved:`` header, moderation, holding
and automatic replies; and for mail to ``-owner``, too (``OWNER_PIPELINE``). No other setting does that: ``emergency``
holds mail, ``generic_nonmember_action`` stops no member, ``member_moderation_action`` only members with a bit of their
own, and a password in the header passes all but ``header_filter_rules``. ``ban_list`` keeps people from joining, and no
mail out.

What no setting stops: the answer to a command that somebody mails to ``-request``; a refusal by the sender's DMARC
policy, where the list has that (it comes first); notices to members whose addresses bounced before (cron/disabled).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbooks.lists.model import EVERYBODY, Settings

DISCARD_ALL = [".*", 3, 0]
"""The header filter rule that any mail meets: pattern, what is done (mm_cfg.DISCARD), and that it is complete."""
_QUIET = ("admin_immed_notify", "admin_notify_mchanges", "bounce_processing", "digest_send_periodic", "send_reminders")
"""Switches of what Mailman mails by itself: notices to owners, digests of what came before, monthly reminders."""
_OFF_AT_FIRST = "admin_notify_mchanges"
"""The one of them that is off in a new list."""
_SCRIPT = {"generic_nonmember_action": (2, 1), "member_moderation_action": (2, 0)}
"""What a common script for it sets along with ``emergency``, and what a new list has."""
REQUIRE_APPROVAL = 2
"""In ``subscribe_policy``: who joins is approved by a moderator."""


def closed(settings: Settings) -> Settings:
    """Every mail is discarded before anything else, nobody joins, and nothing is sent by itself."""
    values: dict[str, Any] = {}
    rules, bans = list(settings["header_filter_rules"]), list(settings["ban_list"])
    if not any(map(_discards_all, rules[:1])):
        values["header_filter_rules"] = [DISCARD_ALL, *rules]
    if EVERYBODY not in bans:
        values["ban_list"] = [*bans, EVERYBODY]
    return values | {key: 0 for key in _QUIET if settings.get(key)}


def reopened(settings: Settings) -> Settings:
    """What closing adds is taken off, as is what the common script set; never whether a list is advertised, its archive
    public, or who may join. Nothing where neither has been there."""
    rules = [rule for rule in settings["header_filter_rules"] if not _discards_all(rule)]
    bans = [one for one in settings["ban_list"] if one != EVERYBODY]
    wanted: dict[str, Any] = {"header_filter_rules": rules, "ban_list": bans}
    if all(len(value) == len(settings[key]) for key, value in wanted.items()):
        return {}
    wanted |= {key: 1 for key in _QUIET if key != _OFF_AT_FIRST}
    if settings["emergency"]:
        wanted |= {key: new for key, (old, new) in _SCRIPT.items() if settings[key] == old} | {"emergency": 0}
    return {key: value for key, value in wanted.items() if key in settings and settings[key] != value}


def _discards_all(rule: Sequence[Any]) -> bool:
    return list(rule[:2]) == DISCARD_ALL[:2]


def fresh(private: bool) -> Settings:
    """By the page: who joins is approved; a private list is not advertised, nor is its archive public."""
    return {"subscribe_policy": REQUIRE_APPROVAL, **({"archive_private": 1, "advertised": 0} if private else {})}
