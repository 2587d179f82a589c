"""A stand-in for Mailman 2.1's configuration: where things are, what numbers mean, and what a new list has."""

from pathlib import Path

VAR_PREFIX = Path("/var/lib/mailman")
LIST_DATA_DIR = VAR_PREFIX / "lists"
DATA_DIR = VAR_PREFIX / "data"
LOCK_DIR = VAR_PREFIX / "locks"
PRIVATE_ARCHIVE_FILE_DIR = VAR_PREFIX / "archives" / "private"
# What has left the system: a line of JSON for each mail.
SENT = VAR_PREFIX / "sent"
for _place in (LIST_DATA_DIR, DATA_DIR, LOCK_DIR, PRIVATE_ARCHIVE_FILE_DIR):
    _place.mkdir(parents=True, exist_ok=True)

DEFAULT_URL_HOST = "www.example.org"
DEFAULT_EMAIL_HOST = "lists.example.org"
DEFAULT_URL_PATTERN = "http://%s/mailman/"
VIRTUAL_HOSTS = {DEFAULT_URL_HOST: DEFAULT_EMAIL_HOST, "www.example.net": "lists.example.net"}
VIRTUAL_HOST_OVERVIEW = True
LIST_LOCK_LIFETIME = 5 * 3600
ALLOW_OPEN_SUBSCRIBE = False
DEFAULT_SERVER_LANGUAGE = "en"
LC_DESCRIPTIONS = {"en": "us-ascii", "de": "iso-8859-1", "fr": "iso-8859-1", "eo": "utf-8", "ja": "euc-jp"}

DEFAULT_LIST_ADVERTISED, DEFAULT_ARCHIVE_PRIVATE, DEFAULT_DMARC_MODERATION_ACTION = 1, 0, 0
MTA = "Manual"
RELEASE = 39

# What a site has in its own mm_cfg.py.
_site = VAR_PREFIX / "mm_cfg.site"
if _site.exists():
    exec(_site.read_text())


def days(number):
    return number * 24 * 60 * 60


DEFER, APPROVE, REJECT, DISCARD, SUBSCRIBE, UNSUBSCRIBE, ACCEPT, HOLD = range(8)
Moderate = 128

Toggle, Radio, String, Text, Email, EmailList, Host, Number = range(1, 9)
Select, Topics, Checkbox, EmailListEx, HeaderFilter = range(10, 15)
FOOTER = "_______________________________________________\n%(real_name)s mailing list\n%(real_name)s@%(host_name)s\n"

# What the web pages show, and so config_list: by category, each with its kind and what it is in a new list.
GUI = {
    "general": [
        ("real_name", String, ""),
        ("owner", EmailList, []),
        ("moderator", EmailList, []),
        ("description", String, ""),
        ("info", Text, ""),
        ("subject_prefix", String, ""),
        ("anonymous_list", Radio, 0),
        ("reply_to_address", Email, ""),
        ("send_reminders", Radio, 1),
        ("welcome_msg", Text, ""),
        ("send_welcome_msg", Radio, 1),
        ("admin_immed_notify", Radio, 1),
        ("admin_notify_mchanges", Radio, 0),
        ("respond_to_post_requests", Radio, 1),
        ("emergency", Radio, 0),
        ("new_member_options", Checkbox, 256),
        ("administrivia", Radio, 1),
        ("max_message_size", Number, 40),
        ("host_name", Host, ""),
        ("max_days_to_hold", Number, 0),
    ],
    "language": [("preferred_language", Select, "en"), ("available_languages", Checkbox, ["en"])],
    "digest": [
        ("digestable", Toggle, True),
        ("digest_size_threshhold", Number, 30),
        ("digest_send_periodic", Radio, True),
    ],
    "nondigest": [("nondigestable", Toggle, True), ("msg_header", Text, ""), ("msg_footer", Text, FOOTER)],
    "privacy": [
        ("advertised", Radio, DEFAULT_LIST_ADVERTISED),
        ("subscribe_policy", Radio, 1),
        ("subscribe_auto_approval", EmailListEx, []),
        ("unsubscribe_policy", Radio, 0),
        ("ban_list", EmailListEx, []),
        ("private_roster", Radio, 1),
        ("default_member_moderation", Radio, 0),
        ("member_moderation_action", Radio, 0),
        ("member_moderation_notice", Text, ""),
        ("member_verbosity_threshold", Number, 0),
        ("dmarc_moderation_action", Radio, DEFAULT_DMARC_MODERATION_ACTION),
        ("accept_these_nonmembers", EmailListEx, []),
        ("hold_these_nonmembers", EmailListEx, []),
        ("reject_these_nonmembers", EmailListEx, []),
        ("discard_these_nonmembers", EmailListEx, []),
        ("generic_nonmember_action", Radio, 1),
        ("forward_auto_discards", Radio, 1),
        ("require_explicit_destination", Radio, 1),
        ("max_num_recipients", Number, 10),
        ("header_filter_rules", HeaderFilter, []),
        ("bounce_matching_headers", Text, "# Lines that *start* with a '#' are comments.\nto: friend@public.com\n"),
    ],
    "bounce": [
        ("bounce_processing", Toggle, True),
        ("bounce_score_threshold", Number, 5.0),
        ("bounce_you_are_disabled_warnings", Number, 3),
        ("bounce_you_are_disabled_warnings_interval", Number, days(7)),
        ("bounce_unrecognized_goes_to_list_owner", Toggle, True),
    ],
    "archive": [
        ("archive", Radio, True),
        ("archive_private", Radio, DEFAULT_ARCHIVE_PRIVATE),
        ("archive_volume_frequency", Radio, 1),
    ],
    "autoreply": [
        ("autorespond_postings", Toggle, 0),
        ("autorespond_admin", Toggle, 0),
        ("autoresponse_postings_text", Text, ""),
    ],
    "topics": [("topics_enabled", Radio, 0), ("topics", Topics, [])],
}
# The release that each of these came with (NEWS).
_SINCE = {"dmarc_moderation_action": 18, "subscribe_auto_approval": 19, "member_verbosity_threshold": 21}
GUI = {category: [row for row in rows if _SINCE.get(row[0], 0) <= RELEASE] for category, rows in GUI.items()}
