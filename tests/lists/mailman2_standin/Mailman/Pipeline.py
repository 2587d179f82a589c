"""A stand-in for the way of a mail through Mailman 2.1: SpamDetect, Approve, Replybot, Moderate, Hold, Emergency, and
out (Defaults.py, GLOBAL_PIPELINE; for -owner SpamDetect, Replybot and out, OWNER_PIPELINE)."""

import hashlib
import re
from email.utils import parseaddr

from Mailman import Utils, mm_cfg


class Ended(Exception):
    """The mail goes no further; its text says what became of it."""


def post(mlist, msg, to_owner=False, from_usenet=False, approved=False):
    """What becomes of a mail: delivered, held, rejected, discarded."""
    data = {"approved": approved, "admin": approved, "owner": to_owner, "usenet": from_usenet}
    data["sender"] = parseaddr(msg.get("from", ""))[1].lower()
    handlers = (spam_detect, replybot) if to_owner else (spam_detect, approve, replybot, moderate, hold, emergency)
    try:
        for handler in handlers:
            handler(mlist, msg, data)
    except Ended as ended:
        return str(ended)
    if to_owner:
        for owner in (*mlist.owner, *mlist.moderator):
            Utils.sent("owner", owner, msg["subject"])
        return "delivered"
    for member in mlist.getMembers():
        Utils.sent("post", member, msg["subject"])
    mlist.post_id += 1
    with mlist.ArchiveFileName().open("a") as stream:
        stream.write(msg.as_string())
    return "delivered"


def hold_for_approval(mlist, msg, data, reason):
    mlist.HoldMessage(msg, data["sender"], reason)
    if mlist.respond_to_post_requests and not data["usenet"]:
        Utils.sent("notice", data["sender"], f"Your message to {mlist.real_name} awaits moderator approval")
    mlist.notify_owners(f"{mlist.real_name} post from {data['sender']} requires approval")
    raise Ended("held")


def reject(mlist, data):
    Utils.sent("notice", data["sender"], f"Your message to {mlist.real_name} was rejected")
    raise Ended("rejected")


def before_all(mlist, data):
    """What comes before the filter rules, since 2.1.19 and 2.1.21 (SpamDetect.py, process)."""
    sender = data["sender"]
    if mm_cfg.RELEASE >= 19 and mlist.dmarc_moderation_action > 2 and Utils.is_dmarc_prohibited(sender):
        if mlist.dmarc_moderation_action == 3:
            reject(mlist, data)
        raise Ended("discarded")
    if mm_cfg.RELEASE >= 21 and mlist.member_verbosity_threshold > 0 and mlist.isMember(sender):
        mlist.recent_postings[sender] = mlist.recent_postings.get(sender, 0) + 1
        if mlist.recent_postings[sender] > mlist.member_verbosity_threshold:
            mlist.user_options[sender] |= mm_cfg.Moderate


def spam_detect(mlist, msg, data):
    if not data["owner"]:
        before_all(mlist, data)
    if data["approved"]:
        return
    headers = "".join(f"{name}: {value}\n" for part in msg.walk() for name, value in part.items())
    for patterns, action, _ in mlist.header_filter_rules:
        for pattern in patterns.splitlines() if action != mm_cfg.DEFER else ():
            if pattern.startswith("#") or not pattern.strip():
                continue
            if re.search(pattern, headers, re.IGNORECASE | re.MULTILINE):
                if action == mm_cfg.DISCARD or (action == mm_cfg.REJECT and data["owner"]):
                    raise Ended("discarded")
                if action == mm_cfg.REJECT:
                    reject(mlist, data)
                if action == mm_cfg.HOLD and not data["owner"]:
                    hold_for_approval(mlist, msg, data, "The message headers matched a filter rule")
                if action in (mm_cfg.HOLD, mm_cfg.ACCEPT):
                    return


def approve(mlist, msg, data):
    """A header, or the first line of the text (Approve.py); since 2.1.14 with X-, since 2.1.15 a poster's password."""
    names = ("approved", "approve", "x-approved", "x-approve")[: 4 if mm_cfg.RELEASE >= 14 else 2]
    line = next((line for line in msg.get_payload().splitlines() if line.strip()), "")
    name, _, text = line.partition(":")
    in_text = text.lstrip() if name.lower() in names else ""
    given = next((msg[name] for name in names if name in msg), in_text)
    kept = [mlist.password, mlist.mod_password, mlist.post_password][: 3 if mm_cfg.RELEASE >= 15 else 2]
    if given and hashlib.sha1(given.encode()).hexdigest() in kept:
        data["approved"] = data["admin"] = True


def replybot(mlist, _msg, data):
    if mlist.autorespond_admin if data["owner"] else mlist.autorespond_postings:
        Utils.sent("notice", data["sender"], f"Auto-response for your message to {mlist.real_name}")


def is_among(address, patterns):
    return any(re.search(one, address, re.I) if one.startswith("^") else one.lower() == address for one in patterns)


def moderate(mlist, msg, data):
    if data["approved"]:
        return
    sender = data["sender"]
    if mlist.isMember(sender):
        if mlist.getMemberOption(sender, mm_cfg.Moderate):
            if mlist.member_moderation_action == 0:
                hold_for_approval(mlist, msg, data, "Post to moderated list")
            if mlist.member_moderation_action == 1:
                reject(mlist, data)
            raise Ended("discarded")
        return
    if is_among(sender, mlist.accept_these_nonmembers):
        return
    if is_among(sender, mlist.hold_these_nonmembers):
        hold_for_approval(mlist, msg, data, "Post by non-member to a members-only list")
    if is_among(sender, mlist.reject_these_nonmembers):
        reject(mlist, data)
    if is_among(sender, mlist.discard_these_nonmembers):
        discard(mlist)
    if mlist.generic_nonmember_action == 0 or data["usenet"]:
        return
    if mlist.generic_nonmember_action == 1:
        hold_for_approval(mlist, msg, data, "Post by non-member to a members-only list")
    if mlist.generic_nonmember_action == 2:
        reject(mlist, data)
    discard(mlist)


def discard(mlist):
    if mlist.forward_auto_discards:
        Utils.sent("notice", mlist.getListAddress("owner"), "Auto-discard notification")
    raise Ended("discarded")


def hold(mlist, msg, data):
    if data["approved"]:
        return
    if mlist.require_explicit_destination and mlist.getListAddress() not in msg.get("to", ""):
        hold_for_approval(mlist, msg, data, "Message has implicit destination")
    if mlist.max_message_size and len(msg.get_payload()) / 1024 > mlist.max_message_size:
        hold_for_approval(mlist, msg, data, "Message body is too big")


def emergency(mlist, msg, data):
    if mlist.emergency and not data["admin"]:
        mlist.HoldMessage(msg, data["sender"], "Emergency hold on all list traffic is in effect")
        raise Ended("held")
