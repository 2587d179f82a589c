"""What a mailing list is, and who runs it. Nothing is changed."""

from __future__ import annotations

from typing import Any

from runbooks.lists.changes import MOST_HELD
from runbooks.procedures.mailing_lists import is_disabled, meant, reader_of, settings_of
from runbooks.site import Site


def list_info(site: Site, text: str) -> dict[str, Any]:
    """What is known of the list that ``text`` (a name or an address) stands for: its ``address``, whether it is
    ``disabled``, its ``settings``, how many messages are held for it (``held_count``), and the oldest of them
    (``held``). Raises UsageError where there is none."""
    address = meant(site, text)
    name = address.partition("@")[0]
    reader = reader_of(site, address)
    settings = dict(settings_of(reader, name))
    count, oldest = reader.oldest_held(name, MOST_HELD)
    held = [{"id": one.id, "sender": one.sender, "subject": one.subject} for one in oldest]
    disabled = is_disabled(site, reader, settings)
    return {"address": address, "disabled": disabled, "settings": settings, "held_count": count, "held": held}
