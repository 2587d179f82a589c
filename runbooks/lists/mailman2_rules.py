"""What closes a Mailman 2.1 list, and what opens it again: from its settings alone.

A closed list: the first of its header filter rules matches any mail, and discards it. Those rules are looked at before
all else (Mailman/Defaults.py, ``GLOBAL_PIPELINE`` begins with SpamDetect): before a password in an ``Approved:`` header
(Approve), automatic replies (Replybot), moderation and holding; and for mail to ``-owner``, too (``OWNER_PIPELINE``),
which is where the daily reminders of waiting requests go (cron/checkdbs). No other setting does that: ``emergency``
holds mail, ``generic_nonmember_action`` stops no member, ``member_moderation_action`` only members with a bit of their
own, and a password in the header passes all but ``header_filter_rules``. ``ban_list`` keeps people from joining, and no
mail out.

Before those rules, SpamDetect (``process``) refuses by the sender's DMARC policy, with a notice to the sender, and
gives members who write much their moderation bit; both are put off. Without posts, cron/disabled goes on warning
members whose addresses bounced, and takes them off the list after some warnings, whatever ``bounce_processing`` says:
the next warning is put off for a hundred years. Older releases lack some of these settings, and the handlers that
would look at them.

What no setting stops: answers to commands that somebody mails to ``-request``, ``-join`` and so on (CommandRunner knows
no filter); mail to ``-bounces`` that came from the site's own list, which its owners get (BounceRunner); a handler that
the site (``GLOBAL_PIPELINE`` in mm_cfg.py) or the list (``pipeline``) has put before SpamDetect; what was approved
before it was closed and still waits in a queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbooks.lists.model import EVERYBODY, Settings, unlike

DISCARD_ALL = [".*", 3, 0]
"""The header filter rule that any mail meets: pattern, what is done (mm_cfg.DISCARD), and that it is complete."""
NEVER = 36_500
"""Days to the next warning of a member whose address bounced."""
_QUIET: Mapping[str, tuple[int, int | None]] = {
    "admin_immed_notify": (0, 1),
    "admin_notify_mchanges": (0, None),
    "bounce_processing": (0, 1),
    "bounce_you_are_disabled_warnings_interval": (NEVER, 7),
    "digest_send_periodic": (0, 1),
    "member_verbosity_threshold": (0, None),
    "send_reminders": (0, 1),
}
"""What Mailman mails or does by itself, in a closed list and in a new one (Mailman/Defaults.py), where that is not the
same."""
_DMARC = {"dmarc_moderation_action": (3, 4)}
"""Reject, and discard: a site may forbid any lower one (Mailman/Gui/Privacy.py, ``_setValue``)."""
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
    values |= {key: shut for key, (shut, _) in _QUIET.items() if settings.get(key, shut) != shut}
    return values | {key: shut for key, (loud, shut) in _DMARC.items() if settings.get(key) == loud}


def reopened(settings: Settings) -> Settings:
    """What closing adds is taken off, as is what the common script set; never whether a list is advertised, its archive
    public, or who may join. Nothing where neither has been there. Mail is refused rather than silently discarded."""
    rules = [rule for rule in settings["header_filter_rules"] if not _discards_all(rule)]
    bans = [one for one in settings["ban_list"] if one != EVERYBODY]
    wanted: dict[str, Any] = {"header_filter_rules": rules, "ban_list": bans}
    if all(len(value) == len(settings[key]) for key, value in wanted.items()):
        return {}
    back = {key: new for key, (shut, new) in _QUIET.items() if new is not None and settings.get(key) == shut}
    back |= {key: loud for key, (loud, shut) in _DMARC.items() if settings.get(key) == shut}
    if settings["emergency"]:
        back |= {key: new for key, (old, new) in _SCRIPT.items() if settings.get(key) == old} | {"emergency": 0}
    return unlike(settings, wanted | back)


def _discards_all(rule: Sequence[Any]) -> bool:
    return list(rule[:2]) == DISCARD_ALL[:2]


def fresh(private: bool) -> Settings:
    """By the page: who joins is approved; a private list is not advertised, nor is its archive public; a public one is
    both, whatever the site's defaults are."""
    return {"subscribe_policy": REQUIRE_APPROVAL, "archive_private": int(private), "advertised": int(not private)}
