"""Keys that two people have: whoever found one of them gets in as either, so it goes for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runbooks.procedures.patching import Patched
from runbooks.registry import AccountRegistry
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import Edit, fingerprints


def edits_of_others(registry: AccountRegistry, name: str, keys: Sequence[str]) -> Iterator[Edit]:
    """The edits that take somebody's keys from others who have them, too."""
    wanted = set(fingerprints(keys))
    for user in registry.users():
        if user.name == name:
            continue
        for line in dict.fromkeys((*user.ssh_keys, *user.buster_ssh_keys)):
            if wanted & set(fingerprints([line])):
                yield Edit("remove_key", user.name, {"key": line})


def notes_of_others(case: Patched, name: str) -> Iterator[str]:
    """Who else loses a key, for the operator."""
    for edit in map(Edit.of, case.edits):
        if edit.name != name:
            shown = fingerprint_of(edit.arguments["key"])
            yield f"{edit.name} has the key {shown}, too: it goes there as well; tell {edit.name}"
