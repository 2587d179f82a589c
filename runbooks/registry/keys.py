"""Public SSH keys as an authorized_keys line has them: options, type, blob, comment.

The blob's wire format is taken apart (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4, OpenSSH PROTOCOL.u2f), so that a key
cut short or pasted over a line's end is found before sshd silently ignores it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_CURVES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_ED25519_BYTES = 32
_FIELDS = {
    "ssh-rsa": ("number", "number"),
    "ssh-dss": ("number",) * 4,
    "ssh-ed25519": ("ed25519",),
    "sk-ssh-ed25519@openssh.com": ("ed25519", "application"),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("curve", "point", "application"),
    **{f"ecdsa-sha2-{curve}": ("curve", "point") for curve in _CURVES},
}
_WORDS = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
"""A word of the line; in the options a quoted value may hold blanks."""


@dataclass(frozen=True)
class Key:
    """A public key: its type, its blob (base64, which identifies it), its comment and the options in front."""

    type: str
    blob: str
    comment: str = ""
    options: str = ""


def parse_key(line: str) -> Key:
    """The key in an authorized_keys line. Raises ValueError that says what is wrong with it."""
    words = list(_WORDS.finditer(line))
    place = next((number for number, word in enumerate(words[:2]) if word.group() in _FIELDS), None)
    if place is None:
        raise ValueError("no known key type")
    if len(words) < place + 2:
        raise ValueError("no key behind its type")
    kind, blob = words[place].group(), words[place + 1].group()
    _check_blob(kind, blob)
    options = line[: words[place].start()].strip()
    return Key(kind, blob, line[words[place + 1].end() :].strip(), options)


LEAST_RSA_BITS = 3072


def parse_new_key(line: str) -> Key:
    """The key in a line that somebody hands in: ed25519 or RSA, long enough, and without options. Raises ValueError
    that says what is wrong with it."""
    key = parse_key(line)
    if key.options:
        raise ValueError("the key comes with options in front: hand in the key alone")
    if key.type == "ssh-rsa":
        bits = int.from_bytes(_strings(base64.b64decode(key.blob))[2], "big").bit_length()
        if bits < LEAST_RSA_BITS:
            raise ValueError(f"an RSA key of {bits} bits: {LEAST_RSA_BITS} is the least; better make an ed25519 key")
    elif "ed25519" not in key.type:
        raise ValueError(f"a key of type {key.type}: make an ed25519 key (ssh-keygen -t ed25519)")
    return key


def _check_blob(kind: str, blob: str) -> None:
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the key is no base64: {error}") from error
    parts = _strings(data)
    if not parts or parts[0] != kind.encode():
        raise ValueError(f"the key says it is of another type than {kind}")
    fields = _FIELDS[kind]
    if len(parts) != len(fields) + 1:
        raise ValueError(f"the key has {len(parts) - 1} parts, a {kind} key has {len(fields)}")
    for field, part in zip(fields, parts[1:], strict=True):
        _check_part(kind, field, part)


def _strings(data: bytes) -> list[bytes]:
    parts, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 4 + length
        if len(data) < position + 4 or end > len(data):
            raise ValueError("the key is cut short")
        parts.append(data[position + 4 : end])
        position = end
    return parts


def _check_part(kind: str, field: str, part: bytes) -> None:
    curve = kind.split("@")[0].rpartition("-")[2]
    good = {
        "number": len(part) > 0 and not part[0] & 0x80,
        "ed25519": len(part) == _ED25519_BYTES,
        "application": len(part) > 0,
        "curve": part == curve.encode(),
        "point": len(part) == _CURVES.get(curve) and part[:1] == b"\x04",
    }
    if not good[field]:
        raise ValueError(f"the key's {field} is malformed")
