"""Who we are, as paramiko is to say it: the keys of the route, then those of an agent; the same as by libssh."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runbooks.transport.reasons import NoKey, no_key
from runbooks.transport.route import Route


class Authentication:
    """What paramiko calls to authenticate by (``auth_strategy``): of its own accord it would look for keys elsewhere,
    too, and only for certificates beside them."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._locked = False

    def authenticate(self, transport: Any) -> None:
        """Log in. Raises AuthenticationException, the last refusal, or NoKey."""
        from paramiko import AuthenticationException

        refused: Exception | None = None
        with contextlib.ExitStack() as stack:
            for key in self._keys(stack):
                try:
                    if not transport.auth_publickey(self._route.user, key):
                        return
                    refused = AuthenticationException("the host asks for more than a key")
                except AuthenticationException as error:
                    refused = error
                    if not transport.is_active():
                        break
        raise refused or NoKey(no_key(self._locked))

    def _keys(self, stack: contextlib.ExitStack) -> Iterator[Any]:
        for path in self._route.identities:
            yield from self._keys_of(path)
        if os.environ.get("SSH_AUTH_SOCK") and (self._route.uses_agent or self._locked):
            from paramiko import Agent

            agent = Agent()
            stack.callback(agent.close)
            yield from agent.get_keys()

    def _keys_of(self, path: Path) -> Iterator[Any]:
        """A private key with each certificate that was made for it, then alone."""
        from paramiko import PKey, SSHException
        from paramiko.pkey import UnknownKeyType

        try:
            for certificate in filter(Path.is_file, self._route.certificates):
                key = PKey.from_path(path)
                key.public_blob = None
                with contextlib.suppress(ValueError, SSHException):
                    key.load_certificate(str(certificate))
                    yield key
            key = PKey.from_path(path)
            key.public_blob = None
            yield key
        except (OSError, ValueError, TypeError, SSHException, UnknownKeyType):
            # Not there, or with a passphrase: then the agent may hold it.
            self._locked = self._locked or path.is_file()
