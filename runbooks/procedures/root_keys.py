"""Somebody's keys among root's, which lie in the private repository (duty page, "Removing access")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbooks.errors import SettingsError
from runbooks.model import Step
from runbooks.procedure import Steps
from runbooks.site import Site
from runbooks.systems.commits import Commit
from runbooks.systems.root_keys import RootKeysOut


def root_keys_of(site: Site) -> dict[str, str]:
    """Where root's keys lie: ``host``, ``checkout`` and ``path``; empty where no setting says so. Raises SettingsError,
    InventoryError."""
    chosen = site.settings.private
    if not chosen.root_keys:
        return {}
    hosts = site.hosts_named([chosen.host]) if chosen.host else ()
    if len(hosts) != 1 or not chosen.checkout:
        raise SettingsError(
            "private.root_keys is set: private.checkout has to say where that repository lies, and private.host on "
            f"which one host, not on {len(hosts)}"
        )
    return {"host": hosts[0], "checkout": chosen.checkout, "path": chosen.root_keys}


def root_key_steps(where: Mapping[str, Any], name: str, blobs: Sequence[str], operator: str) -> Steps:
    """Out of root's keys, so that puppet gives them to no host any more."""
    if where and blobs:
        yield Step(
            f"Take {name}'s keys out of root's, in the private repository",
            Commit(where["checkout"], RootKeysOut(where["path"], name, tuple(blobs)), operator),
            on=(where["host"],),
            patient=True,
            undo="Commit the revert to the private repository",
        )
