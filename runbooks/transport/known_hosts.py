"""Which host key belongs to which host: known_hosts files, read once however many hosts are logged in to.

Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Certificate authorities are passed over: their hosts count as unknown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

Key = tuple[str, str]
"""A key's type (``ssh-ed25519``) and its base64 text."""


class HostKeyRefused(Exception):
    """A host showed a key that must not be trusted; the text says why, for a person."""


@cache
def known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """The keys of some files, those that are not there left out."""
    return KnownHosts(line for name in files for line in _lines(Path(name)))


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return


class KnownHosts:
    """Keys by host. A host is named as ssh does it: ``name``, or ``[name]:port`` where the port is not 22."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._plain: dict[str, set[Key]] = defaultdict(set)
        self._hashed: list[tuple[bytes, bytes, Key]] = []
        self._patterns: list[tuple[tuple[str, ...], Key]] = []
        self._revoked: set[Key] = set()
        for line in lines:
            self._add(line.split())

    def _add(self, words: list[str]) -> None:
        if words[:1] == ["@revoked"]:
            # Of whichever host: a key that has got into wrong hands is trusted nowhere.
            self._revoked.update([(words[2], words[3])] if len(words) > 3 else [])
        elif len(words) > 2 and not words[0].startswith(("#", "@")):
            names, key = words[0], (words[1], words[2])
            if names.startswith("|"):
                self._hashed.extend((*parts, key) for parts in _hash_of(names))
            elif any(sign in names for sign in "*?!"):
                self._patterns.append((tuple(names.lower().split(",")), key))
            else:
                for name in names.lower().split(","):
                    self._plain[name].add(key)

    def keys(self, name: str) -> frozenset[Key]:
        """The keys that a host may show."""
        name = name.lower()
        found = set(self._plain.get(name, ()))
        found.update(key for salt, digest, key in self._hashed if hmac.digest(salt, name.encode(), "sha1") == digest)
        found.update(key for patterns, key in self._patterns if _matches(name, patterns))
        return frozenset(found - self._revoked)

    def check(self, name: str, key: Key) -> None:
        """Raise HostKeyRefused unless this key is known as that host's."""
        known = self.keys(name)
        if key in self._revoked:
            raise HostKeyRefused("its host key is revoked (known_hosts): look why before anything else")
        if not known:
            raise HostKeyRefused(
                f"its host key is not known: add it to known_hosts after checking it ({fingerprint(key)})"
            )
        if key not in known:
            raise HostKeyRefused(
                f"the host key is not the known one: look why before anything else (it shows {fingerprint(key)})"
            )


def fingerprint(key: Key) -> str:
    """A key as ``ssh-keygen -l`` shows it: its type and SHA256."""
    digest = hashlib.sha256(base64.b64decode(key[1])).digest()
    return f"{key[0]} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _hash_of(text: str) -> Iterator[tuple[bytes, bytes]]:
    """Salt and digest of ``|1|salt|digest`` (HashKnownHosts)."""
    parts = text.split("|")
    if len(parts) == 4 and parts[1] == "1":
        try:
            yield base64.b64decode(parts[2]), base64.b64decode(parts[3])
        except binascii.Error:
            return


def _matches(name: str, patterns: Iterable[str]) -> bool:
    # [ and ] stand for themselves in known_hosts, around a host with a port.
    hits = [p for p in patterns if fnmatchcase(name, p.removeprefix("!").replace("[", "[[]"))]
    return bool(hits) and not any(pattern.startswith("!") for pattern in hits)
