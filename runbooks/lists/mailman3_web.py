"""Web log-ins beside Mailman 3: accounts of Django, told of a new password on the list server's host.

Postorius and HyperKitty know their people by allauth: the name of an account is its owner's own choice, often no
address and sometimes somebody else's, so Django's ``changepassword``, which wants a name, is no help. An address is the
account's that has confirmed it; or that has it in Django's own table, and that allauth has never seen (made by hand).
There has to be one such account, and it has to be active.

Django's management command runs what it is handed (``shell -c``); address and password come over its standard input.

Sources: Django 3.2 to 5.0 (core/management/commands/shell.py, contrib/auth), django-allauth 0.51 to 65
(account/models.py, EmailAddress); seen with Postorius 1.3.13 and django-mailman3 1.3.15, whose log-in takes name or
address, and sends who has not confirmed one to do so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runbooks.errors import Blocked, CommandFailed
from runbooks.model import Facts
from runbooks.secret import Fresh
from runbooks.settings.sections import ListDomain
from runbooks.systems import reads
from runbooks.systems.host import HostTarget

T = TypeVar("T")

_SET = (
    reads.WEB_ACCOUNT
    + """
import sys
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
if account is None:
    sys.exit(why)
password = input()
try:
    validate_password(password, account)
except ValidationError as error:
    sys.exit(" ".join(error.messages))
account.set_password(password)
account.save()
"""
)
_RUN = "exec(eval(input()))"
"""Keeps the command short, for whoever reads what was done: the program is the first line of what it is fed."""


@dataclass(frozen=True)
class WebLogins:
    """Those of a domain's owners, if Django is set up for them; ``setting`` is where."""

    domain: ListDomain
    setting: str
    host: Callable[[], HostTarget]
    fresh: Fresh

    @property
    def told(self) -> str:
        """Django's command, and where it is; empty where none is set up."""
        words = self.domain.web
        return f"{' '.join(words)} (on {self.domain.host})" if words else ""

    def account(self, address: str, run_id: str) -> str:
        """The name of the account that has an address. Raises Unreachable, and Blocked where there is not one."""
        name, why = self._ask(reads.web_account(self.domain.web, address), run_id)
        if why:
            raise Blocked(f"{self.domain.host}: {why}")
        return name

    def opens(self, address: str, run_id: str) -> bool:
        """Whether the new password opens it. Raises Unreachable, Blocked."""
        return self._ask(reads.opens_web_account(self.domain.web, address, self.fresh.make()), run_id)

    def _ask(self, read: reads.Read[T], run_id: str) -> T:
        try:
            return self.host().reader(run_id).ask(read)
        except CommandFailed as error:
            raise Blocked(f"{error}: look at {self.setting}.web") from error

    def set(self, address: str, lock: tuple[str, int, float], transcript: list[Facts]) -> None:
        """Give the account the new password, under the host's ``lock`` (run, epoch, wait_s). Raises CommandFailed,
        Lost, Unreachable, Busy."""
        with self.host().writer(*lock) as writer, self.fresh.given(address) as secret:
            password = secret.reveal()
            try:
                feed = f"{_SET!r}\n{address}\n{password}\n".encode()
                writer.run(*self.domain.web, "shell", "-c", _RUN, feed=feed)
            except CommandFailed as error:
                raise CommandFailed(f"{writer.host}: {str(error).replace(password, '***')}") from None
            finally:
                hidden = [
                    entry | {"output": str(entry["output"]).replace(password, "***")}
                    for entry in map(dict, writer.transcript)
                ]
                transcript += hidden
