"""Which settings of Mailman 3 stop a list, and which ones make it work again.

The default chain of a post is: DMARC, senders, ``Approved:``, emergency, loop, bans, then members and non-members. So
the ban of everybody discards mail in silence, whatever a member's own ``moderation_action`` is, and nobody can join;
``emergency`` comes before it, holds, and tells the owners: it has to be off. What gets past the ban is a post with the
list's moderator password in an ``Approved:`` header, or a held one that is let through. REST tells of that password
only a hash, and would hash that again, so it cannot be put back and is left alone. Instead the list gets the ``virgin``
pipeline, which finds no recipients, no archive and no digest: what goes through it arrives nowhere. Whoever opens a
list by hand has to set ``posting_pipeline`` back, too.

The actions of members and non-members count while the ban is lifted to give somebody a role. An auto-response is sent
before the chain. Who asked to join earlier can still confirm that: with a moderated policy it then waits, and nobody is
told; who leaves must not wait. Bounces of earlier mail have owners told, and members warned and removed. A digest that
waits is sent from cron; it stays for later.

What no setting stops: mail to LIST-owner (to owners and moderators, and where there is neither, to the site's owner);
cron's reminder of requests, as long as there is either; answers to who writes to LIST-request, LIST-join or LIST-leave;
and `mailman digests --send`.

Mailman 3.2 tells by REST neither of ``emergency`` nor of bounces and leaving: who has put a list into emergency there,
in a shell, has to take it out first.

Sources: Mailman 3.3.8, chains/builtin.py, rules/approved.py, runners/incoming.py, runners/bounce.py,
pipelines/virgin.py, app/subscriptions.py, commands/cli_digests.py, commands/cli_notify.py; all of it seen with real
mail, but for a sender's domain whose DMARC policy is reject, also with 3.3.10. The defaults are those of
styles/base.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbooks.lists.model import EVERYBODY, Settings, unlike

_CLOSED: Mapping[str, Any] = {
    "emergency": False,
    "default_member_action": "discard",
    "default_nonmember_action": "discard",
    "posting_pipeline": "virgin",
    "autorespond_owner": "none",
    "autorespond_postings": "none",
    "autorespond_requests": "none",
    "admin_immed_notify": False,
    "admin_notify_mchanges": False,
    "process_bounces": False,
    "digest_send_periodic": False,
}
_DEFAULTS: Mapping[str, Any] = {
    "default_member_action": "defer",
    "default_nonmember_action": "hold",
    "posting_pipeline": "default-posting-pipeline",
    "admin_immed_notify": True,
    "process_bounces": True,
    "digest_send_periodic": True,
}
"""Of those that closing changes; what is not here has the same value in a closed list and in a new one."""
_MODERATED = ("moderate", "confirm_then_moderate")
_ANYBODY = ("a@b.example", "0-z_9.q+x@x-9.example.org", '"q q"@[192.0.2.1]', "é@ü.example")


def closed(settings: Settings) -> Settings:
    """What closes a list, as far as it is not so already; settings that this version does not have are left out."""
    wanted = dict(_CLOSED)
    if settings.get("subscription_policy") not in _MODERATED:
        wanted["subscription_policy"] = "confirm_then_moderate"
    if settings.get("unsubscription_policy") in _MODERATED:
        wanted["unsubscription_policy"] = "confirm"
    # The only thing before the ban that tells a sender anything.
    if settings.get("dmarc_mitigate_action") == "reject":
        wanted["dmarc_mitigate_action"] = "no_mitigation"
    # Mailman refuses the ban of everybody beside another one that says the same.
    if not any(map(_is_of_everybody, settings["ban_list"])):
        wanted["ban_list"] = sorted({*settings["ban_list"], EVERYBODY})
    return _unlike(settings, wanted)


def reopened(settings: Settings) -> Settings:
    """What a new list has, of all that ``closed`` changes; subscriptions stay moderated, as the page wants them.
    Nothing for a list that is not closed."""
    bans = [ban for ban in settings["ban_list"] if not _is_of_everybody(ban)]
    if bans == list(settings["ban_list"]) and settings.get("posting_pipeline") != _CLOSED["posting_pipeline"]:
        return {}
    wanted = {key: value for key, value in _DEFAULTS.items() if settings.get(key) == _CLOSED[key]}
    wanted["emergency"] = False
    wanted["ban_list"] = bans
    return _unlike(settings, wanted)


def fresh(private: bool) -> Settings:
    """What the page wants of a new list."""
    hidden = {"archive_policy": "private", "advertised": False} if private else {}
    return {"subscription_policy": "confirm_then_moderate", **hidden}


def _is_of_everybody(ban: str) -> bool:
    """Such as ``^.*``: whoever it was that closed a list by hand may have written it otherwise than we do."""
    try:
        return ban.startswith("^") and all(re.match(ban, one, re.IGNORECASE) for one in _ANYBODY)
    except re.error:
        return False


def _unlike(settings: Settings, wanted: Settings) -> Settings:
    return unlike(settings, {key: value for key, value in wanted.items() if key in settings})
