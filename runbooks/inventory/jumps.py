"""Sites that are reached through jump hosts: the ``sites`` section of the inventory.

``sites: {east: {jump: gate-east}}`` is what ``ProxyJump gate-east`` in ssh_config would be for all hosts of the site.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from yaml.nodes import Node, SequenceNode

from runbooks.errors import InventoryError
from runbooks.inventory.hosts import Host
from runbooks.inventory.names import address_problem, short, suggest, user_problem
from runbooks.inventory.yaml_file import YamlFile
from runbooks.transport.hops import split_hop

Hops = tuple[str, ...]
"""Jump hosts as ``[user@]host[:port]``, the first one nearest to us."""


def read_site(file: YamlFile, site: str, node: Node) -> Hops:
    """One site's jump hosts. Raises InventoryError."""
    hops: Hops = ()
    for key, key_node, value in file.items(node, f"site {site}"):
        if key != "jump":
            raise file.fail(key_node, f"site {site}: {key} is no field: jump is")
        what = f"site {site}: jump"
        hops = file.texts(value, what) if isinstance(value, SequenceNode) else (file.text(value, what),)
        for hop in hops:
            if wrong := _problem(hop):
                raise file.fail(value, f"{what}: {short(hop)} {wrong}: write [user@]host[:port]")
    if not hops:
        raise file.fail(node, f"site {site} says nothing: write jump: HOST")
    return hops


def _problem(hop: str) -> str | None:
    user, host, port = split_hop(hop)
    if "@" in hop and (wrong := user_problem(user)):
        return f"has a user that {wrong}"
    if port is not None and not 1 <= port <= 65535:
        return "has a port that is none"
    return address_problem(host)


def refuse_unknown_sites(places: Mapping[str, str], hosts: Iterable[Host]) -> None:
    """Raise InventoryError for a site that no host is of; ``places`` says where each was written."""
    known = {host.site for host in hosts if host.site}
    for site, place in places.items():
        if site not in known:
            raise InventoryError(f"{place}: no host is of site {short(site)}{suggest(site, known)}")


def hops_to(host: Host, jumps: Mapping[str, Hops], hosts: Mapping[str, Host]) -> Hops | None:
    """The way to a host, jump hosts that the inventory has by their address; None where ssh_config is to say. A jump
    host is itself reached through those before it."""
    hops = jumps.get(host.site)
    if hops is None:
        return None
    names = [split_hop(hop)[1] for hop in hops]
    if host.name in names:
        hops = hops[: names.index(host.name)]
    return tuple(_resolved(hop, hosts) for hop in hops)


def _resolved(hop: str, hosts: Mapping[str, Host]) -> str:
    user, name, port = split_hop(hop)
    host = hosts.get(name)
    if host is None:
        return hop
    user = user or host.user or ""
    address = f"[{host.address}]" if ":" in host.address else host.address
    return f"{user}@{address}:{port or host.port}" if user else f"{address}:{port or host.port}"
