"""The mapping of list domains in the settings: one level deeper than all else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbooks.inventory.names import short, suggest
from runbooks.settings.kinds import Kind, a_host_path, a_line, a_path, a_user, a_web_url, an_argv, one_of, whole
from runbooks.settings.layer import Layer
from runbooks.settings.sections import ListDomain

_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
DRIVERS: Mapping[str, str] = {"mailman3": "url", "mailman2": "host"}
"""The drivers of runbooks/lists/drivers.py, and the key that says where each one's list server is."""
_KEYS: Mapping[str, Kind] = {
    "driver": one_of(*DRIVERS),
    "url": a_web_url,
    "user": a_user,
    "password_file": a_path,
    "ca": a_path,
    "timeout_s": whole(1, 86_400),
    "host": a_line,
    "bin": a_host_path,
    "web": an_argv,
}


def list_domains(value: Any, layer: Layer, key: str) -> tuple[ListDomain, ...]:
    """Read ``{lists.example.org: {driver: …}}``."""
    if not isinstance(value, Mapping):
        raise layer.fail(key, f"must be a mapping of domains, not {short(repr(value), 40)}")
    return tuple(_domain(name, inner, layer, f"{key}.{name}") for name, inner in value.items())


def _domain(name: Any, value: Any, layer: Layer, key: str) -> ListDomain:
    if not isinstance(name, str) or not _DOMAIN.fullmatch(name):
        raise layer.fail(key, "is no domain in small letters (lists.example.org)")
    if not isinstance(value, Mapping):
        raise layer.fail(key, "must be a mapping (key: value)")
    given = {str(word): inner for word, inner in value.items() if inner is not None}
    for word in given:
        if word not in _KEYS:
            raise layer.fail(f"{key}.{word}", f"is no setting{suggest(word, list(_KEYS))}")
    read = {word: _KEYS[word](inner, layer, f"{key}.{word}") for word, inner in given.items()}
    domain = ListDomain(name, **read)
    for word in (DRIVERS[domain.driver], *(("host",) if domain.web else ())):
        if getattr(domain, word) is None:
            raise layer.fail(f"{key}.{word}", "is not set: say where that list server is")
    return domain
