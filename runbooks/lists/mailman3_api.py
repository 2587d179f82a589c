"""What a Mailman 3 core is asked with: its REST API 3.1, over HTTP, by mailmanclient's connection. Its certificate is
always checked, and no proxy of the environment is used.

mailmanclient sets no timeout itself; a hook may. Where a hook raises, it prints so and goes on without, so ours does
nothing that could. It takes an answer that is no JSON for one that did not come, and trips over an error whose body is
JSON but no mapping.

Sources: mailmanclient 3.3.5 (restbase/connection.py); Mailman 3.3.8 (rest/helpers.py: ``count`` and ``page`` of a
collection, a form's blank value is an empty list; rest/users.py).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from runbooks.errors import Blocked, SettingsError, Unreachable
from runbooks.model import Json
from runbooks.secret import Secret
from runbooks.systems.wording import said

PAGE = 100
"""How many rows are asked for at once."""
_SHOWN = 300


class Refused(Exception):
    """The core said no, or something in front of it did: with which status (HTTP), and in which words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class NoAnswer(Exception):
    """None came: what became of the request is unknown."""


class Senseless(NoAnswer):
    """What came is no answer of a core."""


@dataclass(frozen=True)
class Core:
    """A Mailman core, and who we are there. ``name`` is what messages call it, ``url`` where its API is (with the
    version), ``setting`` where all that is set; ``ca`` a file of certificates (None: the system's)."""

    name: str
    url: str
    setting: str
    user: str
    password: Secret
    ca: Path | None = None
    timeout_s: float = 30

    @cached_property
    def _connection(self) -> Any:
        from mailmanclient.restbase.connection import Connection

        system = ssl.get_default_verify_paths()
        always = {
            "timeout": self.timeout_s,
            "verify": str(self.ca or system.cafile or system.capath or "") or True,
            "allow_redirects": False,
            # The environment's are only taken for schemes that have none.
            "proxies": {"http": "", "https": ""},
        }
        # As bytes: requests would trip over letters that Latin-1 does not have.
        login = (self.user.encode(), self.password.reveal().encode())
        return Connection(self.url, *login, request_hooks=[lambda request: request | always])

    def send(self, method: str, path: str, form: Mapping[str, Json | Secret] | None = None) -> Any:
        """One request, sent once, and what its answer holds. Raises Refused, NoAnswer, Senseless."""
        from urllib.error import HTTPError

        from mailmanclient import MailmanConnectionError
        from requests import JSONDecodeError

        secrets = [value for value in (form or {}).values() if isinstance(value, Secret)]
        plain = {key: _formed(value) for key, value in form.items()} if form is not None else None
        try:
            return self._connection.call(path, plain, method)[1]
        except HTTPError as error:
            raise Refused(error.code, self._said(error.msg, *secrets)) from error
        except MailmanConnectionError as error:
            kind = Senseless if isinstance(error.__context__, JSONDecodeError) else NoAnswer
            raise kind(self._said(said(error), *secrets)) from error
        except TypeError as error:
            raise Senseless("an error that is no mapping") from error

    def get(self, path: str) -> Mapping[str, Any] | None:
        """What is there; None where nothing is (404). Raises Unreachable, Blocked."""
        try:
            answer = self.send("GET", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise self._explained(error) from error
        except NoAnswer as error:
            raise self._explained(error) from error
        if not isinstance(answer, Mapping):
            raise self.odd(f"{path} is {str(answer)[:60]!r}")
        return answer

    def rows(self, path: str, *keys: str) -> list[Mapping[str, Any]] | None:
        """All rows of a collection, page by page, these keys of each; None where there is no such collection. Raises
        Unreachable, Blocked."""
        rows: list[Mapping[str, Any]] = []
        for number in count(1):
            page = self.page(path, number, PAGE, *keys)
            if page is None:
                return None
            total, entries = page
            rows += entries
            if not entries or len(rows) >= total:
                break
        return rows

    def page(self, path: str, number: int, size: int, *keys: str) -> tuple[int, list[Mapping[str, Any]]] | None:
        """How many rows a collection has, and these keys of those on a page of it; None where there is no such
        collection. Raises Unreachable, Blocked."""
        page = self.get(f"{path}?count={size}&page={number}")
        if page is None:
            return None
        total, rows = page.get("total_size"), page.get("entries", [])
        are_rows = isinstance(rows, list) and all(isinstance(row, dict) and {*keys} <= {*row} for row in rows)
        if not are_rows or not isinstance(total, int):
            raise self.odd(f"{path} is no collection")
        return total, [{key: row[key] for key in keys} for row in rows]

    def size(self, path: str) -> int:
        """How many rows a collection has; 0 where there is no such collection. Raises Unreachable, Blocked."""
        page = self.page(path, 1, 1)
        return page[0] if page else 0

    def opens(self, address: str, password: Secret) -> bool:
        """Whether it is the password of the address's user; nothing is changed by that. Raises Unreachable, Blocked."""
        try:
            self.send("POST", f"users/{quoted(address)}/login", {"cleartext_password": password})
        except Refused as error:
            # 403: another one, or none; 404: the address has no user.
            if error.status in (403, 404):
                return False
            raise self._explained(error) from error
        except NoAnswer as error:
            raise self._explained(error) from error
        return True

    def _explained(self, error: Refused | NoAnswer) -> Unreachable | Blocked:
        """What it means for a look."""
        if isinstance(error, Senseless):
            return self.odd(str(error))
        if isinstance(error, NoAnswer) or error.status >= 500:
            status = "" if isinstance(error, NoAnswer) else f"{error.status} "
            return Unreachable(self.name, f"{self.url}: {status}{error}")
        if error.status in (401, 403):
            return Blocked(
                f"{self.name}: {self.url} refuses {self.user} ({error}): look at {self.setting}.password_file"
            )
        return self.odd(f"{error.status} {error}")

    def odd(self, what: str) -> Blocked:
        """An answer that makes no sense."""
        return Blocked(
            f"{self.name}: {self.url} does not answer as a Mailman core does ({what}): look at {self.setting}.url"
        )

    def _said(self, text: object, *secrets: Secret) -> str:
        """A line, without what nobody is to read."""
        text = str(text)
        for secret in (self.password, *secrets):
            text = text.replace(secret.reveal(), repr(secret)) if secret else text
        line = " ".join(re.sub(r"<[^>]*>", " ", text).split())
        return line[:_SHOWN] or "no reason given"


def opened(name: str, setting: str, chosen: Any, password: Secret) -> Core:
    """The core that a ListDomain has. Raises SettingsError where it cannot be used."""
    url = (chosen.url or "").rstrip("/")
    if not url:
        raise SettingsError(f"{setting}.url is not set: say in invoke.yaml where that list server's REST API is")
    if chosen.ca and not chosen.ca.is_file():
        raise SettingsError(f"{setting}.ca: {chosen.ca}: no such file")
    host = urlsplit(url).hostname or ""
    if not url.startswith("https:") and not re.fullmatch(r"localhost|127(\.\d+){3}|::1", host):
        raise SettingsError(f"{setting}.url: {url}: a password is only sent over https, or to this machine itself")
    url = url if re.search(r"/3\.\d+$", url) else f"{url}/3.1"
    return Core(name, url, setting, chosen.user, password, chosen.ca, chosen.timeout_s)


def quoted(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="@")


def _formed(value: Json | Secret) -> Json:
    """A value as a form has it, which has no empty list, and no null."""
    if isinstance(value, Secret):
        return value.reveal()
    return "" if value is None or value in ([], ()) else value
