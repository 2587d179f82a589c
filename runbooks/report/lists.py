"""Mailing lists on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from runbooks.model import Json
from runbooks.report.canvas import Canvas, column, padded
from runbooks.report.words import clean, number

FIRST = ("description", "owner", "moderator", "advertised", "archive_policy", "archive", "archive_private",
         "subscription_policy", "subscribe_policy", "ban_list", "emergency")  # fmt: skip
"""What is told without being asked for, in this order; each system has its own of them."""
MOST_HELD = 10


def print_list(found: Mapping[str, Json], every: bool, *, file: TextIO) -> None:
    """Print what ``inv list-info`` found: what matters, or ``every`` setting; and the mail that is held."""
    settings = found["settings"]
    keys = [key for key in FIRST if key in settings]
    keys += sorted(key for key in settings if key not in FIRST) if every else []
    canvas = Canvas(file)
    state = ("disabled", "yellow") if found["disabled"] else ("in use", "green")
    canvas.line(clean(found["address"]), "  ", state)
    width = column(keys, 40)
    for key in keys:
        for place, word in enumerate(_words(settings[key])):
            canvas.line("  ", (padded("" if place else key, width), "dim"), "  ", word, hang=width + 4)
    held, count = found["held"][:MOST_HELD], found["held_count"]
    canvas.line("  ", number(count, "held message") if count else "no mail is held")
    for one in held:
        canvas.line("    ", clean(f"{one['sender']}: {one['subject']}"), hang=6)
    if count > len(held):
        canvas.line(f"    … and {count - len(held):,} more")
    canvas.show()


def print_owners(owners: Sequence[str], moderators: Sequence[str], *, file: TextIO) -> None:
    """Print what ``inv list-owners`` found, an address a line."""
    print(*(clean(one) for one in owners or ["no owner"]), sep="\n", file=file)
    for one in moderators:
        if one not in owners:
            print(f"{clean(one)} (moderator)", file=file)


def _words(value: Json) -> Sequence[str]:
    if isinstance(value, list | tuple):
        return [clean(str(word)) for word in value] or ["-"]
    return [{True: "yes", False: "no"}[value] if isinstance(value, bool) else clean(str(value)) or "-"]
