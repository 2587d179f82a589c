"""Which host key belongs to which host: known_hosts files, read once however many hosts are logged in to.

Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Certificate authorities are passed over: their hosts count as unknown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

Key = tuple[str, str]
"""A key's type (``ssh-ed25519``) and its base64 text."""


class HostKeyRefused(Exception):
    """A host showed a key that must not be trusted; the text says why, for a person."""


def known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """The keys of some files, those that are not there left out."""
    return KnownHosts(line for name in files for line in _lines(Path(name)))


def _lines(path: Path) -> Iterator[str]:
    try:
        # Bytes as they are, and no line ends but "\n": what ssh takes for a comment must not become an entry here.
        yield from path.read_bytes().decode("latin-1").split("\n")
    except OSError:
        return


class KnownHosts:
    """Keys by host. A host is named as ssh does it: ``name``, or ``[name]:port`` where the port is not 22."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._plain: dict[str, set[Key]] = defaultdict(set)
        self._hashed: list[tuple[bytes, bytes, Key]] = []
        self._patterns: list[tuple[tuple[str, ...], Key]] = []
        self._revoked: set[Key] = set()
        self._found: dict[str, frozenset[Key]] = {}
        for line in lines:
            self._add([word for word in re.split(r"[ \t]+", line.strip("\r")) if word])

    def _add(self, words: list[str]) -> None:
        revoked = words[:1] == ["@revoked"]
        names, kind, text = (*words[revoked : revoked + 3], "", "", "")[:3]
        if names.startswith(("#", "@")) or (key := _key(kind, text)) is None:
            return
        if revoked:
            # Of whichever host: a key that has got into wrong hands is trusted nowhere.
            self._revoked.add(key)
        elif names.startswith("|"):
            self._hashed.extend((*parts, key) for parts in _hash_of(names))
        elif any(sign in names for sign in "*?!"):
            self._patterns.append((tuple(names.lower().split(",")), key))
        else:
            for name in names.lower().split(","):
                self._plain[name].add(key)

    def keys(self, name: str) -> frozenset[Key]:
        """The keys that a host may show."""
        name = name.lower()
        if name not in self._found:
            self._found[name] = self._keys(name)
        return self._found[name]

    def _keys(self, name: str) -> frozenset[Key]:
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


def _key(kind: str, text: str) -> Key | None:
    """A key as it is written, or None where it is none: ssh passes over such a line."""
    blob = _decoded("".join(text.split()))
    # The first field of the key itself is its type (RFC 4253, 6.6).
    named = blob[4 : 4 + int.from_bytes(blob[:4], "big")] if blob else b""
    return (kind, base64.b64encode(blob).decode()) if blob and named.decode("latin-1") == kind else None


def _decoded(text: str) -> bytes | None:
    """What base64 stands for; None where ssh would not read it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def _hash_of(text: str) -> Iterator[tuple[bytes, bytes]]:
    """Salt and digest of ``|1|salt|digest`` (HashKnownHosts)."""
    parts = text.split("|")
    if len(parts) == 4 and parts[1] == "1":
        salt, digest = _decoded(parts[2]), _decoded(parts[3])
        if salt and digest and len(salt) == hashlib.sha1().digest_size:
            yield salt, digest


def _matches(name: str, patterns: Iterable[str]) -> bool:
    # [ and ] stand for themselves in known_hosts, around a host with a port.
    hits = [p for p in patterns if fnmatchcase(name, p.removeprefix("!").replace("[", "[[]"))]
    return bool(hits) and not any(pattern.startswith("!") for pattern in hits)
