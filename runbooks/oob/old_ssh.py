"""Ssh as old BMCs speak it: key exchanges and host keys with SHA-1, which paramiko (5) has no more.

They come last, so that a BMC which has anything better is talked to in that. Its host key is still the known one: what
SHA-1 makes cheaper is to forge the signature of an exchange while it goes on, which nobody has shown. Seen to need it:
iDRAC 7 (group14-sha1, ssh-rsa) and Supermicro X9 (group1-sha1, ssh-rsa). DSA host keys are beyond it.

Sources: RFC 4253 (6.6, 8.1, 8.2), RFC 2409 (6.2, the group of 1024 bits), RFC 3526 (3).
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from typing import Any

_GROUP1 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)


@cache
def old_transport() -> Any:
    """Paramiko's transport, with those at the end of its lists."""
    from cryptography.hazmat.primitives import hashes
    from paramiko import RSAKey, Transport
    from paramiko.kex_group14 import KexGroup14SHA256

    class Group14(KexGroup14SHA256):  # type: ignore[misc]
        """RFC 4253, 8.2."""

        name = "diffie-hellman-group14-sha1"
        hash_algo = sha1

    class Group1(Group14):
        """RFC 4253, 8.1."""

        name = "diffie-hellman-group1-sha1"
        P = _GROUP1

    class OldRsa(RSAKey):  # type: ignore[misc]
        """RFC 4253, 6.6."""

        HASHES = RSAKey.HASHES | {"ssh-rsa": hashes.SHA1}

    class OldTransport(Transport):  # type: ignore[misc]
        """What is not told here is as paramiko has it."""

        _kex_info = Transport._kex_info | {kind.name: kind for kind in (Group14, Group1)}
        _preferred_kex = (*Transport._preferred_kex, Group14.name, Group1.name)
        _key_info = Transport._key_info | {"ssh-rsa": OldRsa}
        _preferred_keys = (*Transport._preferred_keys, "ssh-rsa")

    return OldTransport
