"""Whether a server would let somebody in by a public key: asked, without the private one and without a log-in.

A client may offer a key before it signs with it, and the server says whether it would do (RFC 4252, section 7). So what
counts is sshd's own word: whatever files, commands or authorities it takes keys from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runbooks.transport.libssh import connected, end, said
from runbooks.transport.route import Route, SshSettings

Answers = dict[str, bool | None]
"""By key, ``type base64``: whether it opens; None where that could not be asked."""


def would_open(route: Route, settings: SshSettings, user: str, keys: Sequence[str]) -> Answers:
    """Which keys would let ``user`` in, at the end of a route without hops. Raises OSError, HostKeyRefused,
    SettingsError."""
    answers: Answers = {}
    while left := [key for key in keys if key not in answers]:
        known = len(answers)
        session = connected(replace(route, user=user), settings)
        try:
            _ask(session, left, answers)
        except OSError:
            # Each refusal counts: after some (MaxAuthTries) a server hangs up, and takes a new connection.
            if len(answers) == known:
                raise
        finally:
            end(session)
    return answers


def _ask(session: Any, keys: Sequence[str], answers: Answers) -> None:
    """Fill in the answers, one after another. Raises OSError."""
    from ssh.exceptions import AuthenticationDenied, BaseSSHError, KeyImportError

    for key in keys:
        try:
            session.userauth_try_publickey(_public(key))
            answers[key] = True
        except AuthenticationDenied:
            answers[key] = False
        except (KeyImportError, ValueError):
            # A kind of key that libssh has no name for, or no key.
            answers[key] = None
        except BaseSSHError as error:
            raise OSError(said(error)) from error


def _public(key: str) -> Any:
    from ssh.key import import_pubkey_base64
    from ssh.keytypes import key_type_from_name

    kind, base64 = key.split()[:2]
    return import_pubkey_base64(base64.encode(), key_type_from_name(kind.encode()))
