"""Jump hosts, as ssh_config and the inventory write them."""

from __future__ import annotations


def split_hop(hop: str) -> tuple[str, str, int | None]:
    """The user (or nothing), host and port (or None) of ``[user@]host[:port]``; an IPv6 address with a port stands in
    brackets."""
    user, _, place = hop.rpartition("@")
    host, colon, port = place.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return user, host.strip("[]"), int(port)
    return user, place.strip("[]"), None
