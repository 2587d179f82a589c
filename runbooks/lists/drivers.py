"""The kinds of list servers by name. A new one is a file here, and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from runbooks.lists.model import ListTarget
from runbooks.secret import Fresh, Secret

if TYPE_CHECKING:
    from runbooks.settings_sections import ListDomain
    from runbooks.systems.host import HostTarget

#: Name to module and class, imported when it is used. Each takes ``(ListDomain, password, host, fresh)``.
DRIVERS: Mapping[str, str] = {
    "mailman3": "runbooks.lists.mailman3:Mailman3Target",
    "mailman2": "runbooks.lists.mailman2:Mailman2Target",
}


def open_lists(
    domain: ListDomain,
    password: Secret,
    host: Callable[[], HostTarget],
    fresh: Fresh,
) -> ListTarget:
    """The lists of a domain: ``host`` gives the list server over ssh, ``fresh`` is where a new password comes from."""
    module, _, attribute = DRIVERS[domain.driver].partition(":")
    found: type[ListTarget] = getattr(import_module(module), attribute)
    # One connection for all that is asked and done there.
    return found(domain, password, cache(host), fresh)  # type: ignore[call-arg]
