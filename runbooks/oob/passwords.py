"""Where a BMC's password comes from: the environment, a file of mode 600, or the operator's keyring; nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runbooks.errors import SettingsError
from runbooks.oob.model import Bmc
from runbooks.secret import Secret, from_environment, from_file

VARIABLE = "OPS_CLINIC_BMC_PASSWORD"


@dataclass(frozen=True)
class Passwords:
    """The fleet's: that of the environment goes before the ``file``, and both before the ``keyring``, a service's name
    there, under which it is kept for each user."""

    file: Path | None = None
    keyring: str | None = None
    shared: Secret | None = field(default_factory=lambda: from_environment(VARIABLE))

    def of(self, bmc: Bmc, own_file: Path | None) -> Secret:
        """The password for a BMC; ``own_file`` is the one that its host names. Raises SettingsError."""
        if own_file is not None:
            return from_file(own_file)
        if self.shared is not None:
            return self.shared
        if self.file is not None:
            return from_file(self.file)
        if self.keyring is not None:
            return _from_keyring(self.keyring, bmc.user)
        where = f"{VARIABLE}, oob.password_file or oob.keyring"
        raise SettingsError(f"the password of {bmc.user} for the BMC of {bmc.host} is nowhere: set {where}")


def _from_keyring(service: str, user: str) -> Secret:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError as error:
        raise SettingsError("oob.keyring is set, and keyring is not installed: bin/setup .venv '.[keyring]'") from error
    try:
        found = keyring.get_password(service, user)
    except KeyringError as error:
        raise SettingsError(f"oob.keyring: {service}: the keyring cannot be read: {error}") from error
    if not found:
        raise SettingsError(f"oob.keyring: {service} has no password of {user}: `keyring set {service} {user}`")
    return Secret(found)
