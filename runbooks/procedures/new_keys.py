"""A key that somebody hands in: whether it is one, and nobody else's."""

from __future__ import annotations

from pathlib import Path

from runbooks.errors import Blocked, UsageError
from runbooks.registry import AccountRegistry
from runbooks.registry.account_keys import fingerprint_of
from runbooks.registry.edits import fingerprints
from runbooks.registry.keys import parse_new_key
from runbooks.site import Site

LONGEST = 8000
"""More characters than any key has."""


def read_key(path: str) -> str:
    """The one key in a file. Raises UsageError."""
    if not path:
        raise UsageError("give --key, a file with the one public key")
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        why = str(error) if isinstance(error, RuntimeError) else why
        raise UsageError(f"--key {path}: {why}") from error
    if "PRIVATE KEY" in text:
        raise UsageError(f"--key {path}: a PRIVATE key, which must not leave its owner: give the .pub file")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) != 1:
        raise UsageError(f"--key {path}: {len(lines)} keys: one is wanted")
    if len(lines[0]) > LONGEST or not lines[0].isprintable():
        raise UsageError(f"--key {path}: not one line of text that a key could be")
    try:
        parse_new_key(lines[0])
    except ValueError as error:
        raise UsageError(f"--key {path}: {error}") from error
    return lines[0]


def refuse_used(site: Site, registry: AccountRegistry, name: str, key: str) -> None:
    """Nobody has the key yet, in the registry or, for another realm, in the directory. Raises Blocked, Unreachable."""
    wanted = fingerprint_of(key)
    for user in registry.users():
        if wanted in fingerprints((*user.ssh_keys, *user.buster_ssh_keys)):
            whose = "has it already" if user.name == name else "has it"
            raise Blocked(f"the key {wanted}: {user.name} {whose} (line {user.line}); nothing was changed")
    if not site.settings.ldap.url:
        return
    for owner, line in site.targets["@ldap"].reader().all_keys():  # type: ignore[attr-defined]
        if wanted in fingerprints([line]):
            raise Blocked(
                f"the key {wanted} is {owner}'s in LDAP: one for servers is used for nothing else; make another"
            )
