"""Key exchange algorithms, asked for as ssh_config(5) has it for KexAlgorithms: ``a,b``, ``+a,b``, ``^a,b``, ``-a,b*``.

What a client does not have is refused, never passed over; what is only to be left out, it need not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from runbooks.errors import SettingsError

NAMES = (
    "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256", "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256", "diffie-hellman-group18-sha512", "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group1-sha1",
)  # fmt: skip
"""Those that a pattern may stand for, where a client does not tell which it has (``ssh -Q kex``)."""


def parted(asked: Sequence[str], has: Callable[[str], bool], client: str) -> tuple[str, tuple[str, ...]]:
    """The sign (or nothing), which the first name carries for all, and the names. Raises SettingsError for a name that
    the client is to use and does not have."""
    sign = asked[0][:1] if asked[0][:1] in ("+", "^", "-") else ""
    names = (asked[0][len(sign) :], *asked[1:])
    for name in names:
        if sign != "-" and not has(name):
            instead = ", or set ssh.client to fabric" if client == "libssh" else ""
            raise SettingsError(
                f"key exchange {name}: {client} here does not have it: name others in ssh.key_exchange{instead}"
            )
    return sign, names


def left_out(patterns: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Those of ``own`` that patterns stand for."""
    return tuple(name for name in own if any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns))


def none_left(asked: Sequence[str]) -> SettingsError:
    """The error (not raised) for leaving out all there is."""
    return SettingsError(f"key exchange {','.join(asked)}: leaves none to use: change KexAlgorithms in ssh_config")
