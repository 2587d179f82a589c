"""Why a log-in failed, in one line for a person, whichever client it was."""

from __future__ import annotations

from runbooks.transport.known_hosts import HostKeyRefused


class JumpFailed(Exception):
    """A jump host could not be used; the text names it and says why."""


class NoKey(Exception):
    """There is nothing to log in with."""


def no_key(locked: bool) -> str:
    """What NoKey says; ``locked``: a key is there, but with a passphrase."""
    return f"no private key to log in with: {'one needs an agent' if locked else 'IdentityFile names none'}"


def reason(error: Exception) -> str:
    """What a log-in failed with. The clients tell some things only by the words of their messages."""
    text = str(error)
    if isinstance(error, HostKeyRefused | JumpFailed):
        return text
    if isinstance(error, TimeoutError):
        return "no answer (connect timed out)"
    if "Authentication" in type(error).__name__ or "Access denied" in text or isinstance(error, NoKey):
        return f"log-in refused ({text})"
    if "Timeout opening channel" in text:
        return "no answer (connect timed out)"
    if "Timeout connecting" in text or "No existing session" in text or "banner" in text:
        return "no answer (something takes connections at its ssh port, and stays silent)"
    if "no match for method" in text or "Incompatible ssh" in text:
        return f"no algorithm in common ({text}): ssh.key_exchange and KexAlgorithms say what may be used"
    return text or type(error).__name__
