"""Web log-ins beside Mailman 3: accounts of Django, told of a new password by a command on the list server's host.

Which command that is, the settings say. It gets the password twice on its standard input, a line each: Django's own
``changepassword`` asks twice by getpass, which reads standard input where it finds no terminal (django/contrib/auth,
management/commands/changepassword.py of 3.2; Python's getpass.py), and wants the account's name: where that is not the
address, the command has to find it. What it prints is kept, without the password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runbooks.errors import Blocked, CommandFailed
from runbooks.model import Facts
from runbooks.secret import Fresh
from runbooks.settings_sections import ListDomain
from runbooks.systems import reads
from runbooks.systems.host import HostTarget


@dataclass(frozen=True)
class WebLogins:
    """Those of a domain's owners, if anything is set up for them; ``setting`` is where."""

    domain: ListDomain
    setting: str
    host: Callable[[], HostTarget]
    fresh: Fresh

    @property
    def told(self) -> str:
        """The command that sets a password, and where; empty where none is set up."""
        words = self.domain.web_password
        return f"{' '.join(words)} (on {self.domain.host})" if words else ""

    def opens(self, address: str, run_id: str) -> bool | None:
        """Whether the new password opens an account; None where nothing is set up to ask. Raises Unreachable, Blocked
        where the command that is to say so does neither."""
        if not self.domain.web_check:
            return None
        words = self._of(self.domain.web_check, address)
        try:
            return self.host().reader(run_id).ask(reads.takes_secret(words, self.fresh.make()))
        except CommandFailed as error:
            raise Blocked(f"{error}: look at {self.setting}.web_check") from error

    def set(self, address: str, lock: tuple[str, int, float], transcript: list[Facts]) -> None:
        """Give an account the new password, under the host's ``lock`` (run, epoch, wait_s). Raises CommandFailed, Lost,
        Unreachable, Busy."""
        words = self._of(self.domain.web_password, address)
        with self.host().writer(*lock) as writer, self.fresh.given(address) as secret:
            password = secret.reveal()
            try:
                writer.run(*words, feed=f"{password}\n{password}\n".encode())
            except CommandFailed as error:
                raise CommandFailed(f"{writer.host}: {str(error).replace(password, '***')}") from None
            finally:
                hidden = [
                    entry | {"output": str(entry["output"]).replace(password, "***")}
                    for entry in map(dict, writer.transcript)
                ]
                transcript += hidden

    def _of(self, words: tuple[str, ...], address: str) -> tuple[str, ...]:
        if address.startswith("-"):
            raise CommandFailed(f"{address} begins with a dash, so {words[0]} would take it for an option")
        return tuple(word.replace("{address}", address) for word in words)
