"""``P{}``: Cumin's own PuppetDB backend, with every host that it names or returns held against the inventory."""

from __future__ import annotations

from typing import Any

import requests
from ClusterShell.NodeSet import NodeSetException
from cumin.backends.puppetdb import PuppetDBQuery

from runbooks.errors import InventoryError
from runbooks.inventory.cumin_backend import known_hosts
from runbooks.inventory.names import short


class PuppetDB(PuppetDBQuery):  # type: ignore[misc]
    """What stands in ``P{}``."""

    def __init__(self, config: Any) -> None:
        self.inventory = config["ops_clinic"]["inventory"]
        if not config["puppetdb"].get("host"):
            raise InventoryError("P{...} asks PuppetDB, and none is configured: set puppetdb.host in the settings")
        super().__init__(config)

    def _build(self, query_string: str) -> None:
        self.where = f"P{{{short(query_string, 60)}}}"
        super()._build(query_string)

    def _add_hosts(self, hosts: Any, neg: Any = False) -> None:
        known_hosts(self.inventory, [str(pattern) for nodes in hosts for pattern in nodes], self.where)
        super()._add_hosts(hosts, neg)

    def _execute(self) -> Any:
        try:
            names = {str(name) for name in super()._execute()}
        except (requests.RequestException, NodeSetException, ValueError, TypeError, KeyError) as error:
            raise InventoryError(
                f"PuppetDB at {self.url} can't answer {self.where}: {short(str(error), 200)}"
            ) from error
        if strangers := names - self.inventory.hosts.keys():
            raise self.inventory.unknown(strangers, f"PuppetDB's answer to {self.where}")
        return names
