"""The kinds of list servers by name.

A new one is a file here, a line here, and one in runbooks/settings/list_domains.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from runbooks.lists.model import ListTarget
from runbooks.secret import Fresh, Secret

if TYPE_CHECKING:
    from runbooks.settings.sections import ListDomain
    from runbooks.systems.host import HostTarget

#: Name to module and class, imported when it is used. Each takes ``(ListDomain, password, host, fresh)``.
DRIVERS: Mapping[str, str] = {
    "mailman3": "runbooks.lists.mailman3:Mailman3Target",
    "mailman2": "runbooks.lists.mailman2:Mailman2Target",
}


def driver_class(name: str) -> type[ListTarget]:
    """The driver of that name; the settings have no other ones."""
    module, _, attribute = DRIVERS[name].partition(":")
    found: type[ListTarget] = getattr(import_module(module), attribute)
    return found


def open_lists(domain: ListDomain, password: Secret, host: Callable[[], HostTarget], fresh: Fresh) -> ListTarget:
    """The lists of a domain. ``password`` is empty where the driver takes none; ``host`` gives the list server over
    ssh; ``fresh`` is where a new password for a list or an owner comes from."""
    # One connection for all that is asked and done there.
    return driver_class(domain.driver)(domain, password, cache(host), fresh)  # type: ignore[call-arg]
