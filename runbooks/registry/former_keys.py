"""Keys that the registry has held once: an entry that is absent has lost its keys, and only the past tells them."""

from __future__ import annotations

import re
from collections.abc import Iterable

ENTRY = r"^  [\"']?([A-Za-z0-9._-]+)[\"']?:"
"""A line that begins an entry, as a regular expression that git and Python read alike; its group is the name."""
_ENTRY = re.compile(ENTRY)
_BLOB = re.compile(r"AAAA[A-Za-z0-9+/]{40,}={0,2}")
_HUNK = re.compile(r"@@ .*? @@ ?(.*)")


def former_keys(diffs: Iterable[str]) -> dict[str, str]:
    """Each key in base64 that lines were added or taken with, and whose entry it was in. ``diffs`` are the lines of
    unified diffs without context, newest first, each hunk headed with the name of the entry that it begins in."""
    found: dict[str, str] = {}
    # What was taken and what was added are two texts, each with entries of its own.
    names = {"+": "", "-": ""}
    for line in diffs:
        if hunk := _HUNK.match(line):
            names = dict.fromkeys(names, hunk[1])
        elif line[:1] in names and (entry := _ENTRY.match(line[1:])):
            names[line[0]] = entry[1]
        elif name := names.get(line[:1]):
            for blob in _BLOB.findall(line):
                found.setdefault(blob, name)
    return found
