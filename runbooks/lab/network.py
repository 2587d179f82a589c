"""How hosts are reached: a network namespace each behind a switch of the lab's own, or loopback addresses."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import random
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from runbooks.errors import Blocked, RunbookError, UsageError
from runbooks.lab.layout import Layout, State

_FIRST = 10
MOST_HOSTS = 240


def answers(address: str, port: int, timeout_s: float = 0.2) -> bool:
    """Whether something listens there already."""
    try:
        with socket.create_connection((address, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def is_free(address: str, port: int) -> bool:
    """Whether a server could have it."""
    with suppress(OSError), socket.create_server((address, port)):
        return True
    return False


def free_port(address: str) -> int:
    """One that a server could have, below those that the kernel gives to anybody."""
    return next(port for port in iter(lambda: random.randrange(20000, 32000), 0) if is_free(address, port))


class Network(Protocol):
    """What a lab asks of its network."""

    def attach(self, host: str, address: str) -> None:
        """Make the host's end, before it boots; safe to repeat."""

    def prefix(self, host: str) -> list[str]:
        """What to put before a command so that it runs in the host's network."""

    def plug(self, host: str, *, connected: bool) -> None:
        """Connect the host to the switch, or pull its cable."""

    def unplugging(self, host: str) -> list[str]:
        """The command that pulls its cable, where there is one."""

    def remove(self) -> None:
        """Take everything away again; safe to repeat."""


def _ip(*argv: str, batch: str | None = None, check: bool = True) -> str:
    done = subprocess.run(["ip", *argv], input=batch, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RunbookError(f"lab: ip {' '.join(argv)}: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    return done.stdout if done.returncode == 0 else ""


def _seed(layout: Layout) -> int:
    return int.from_bytes(hashlib.sha256(str(layout.top).encode()).digest()[:4], "big")


class Netns:
    """One network namespace a host and one for the switch, all named after the lab's subnet 198.18.X.0/24."""

    def __init__(self, subnet: str) -> None:
        self.subnet = subnet
        self.name = f"opslab{subnet.split('.')[2]}"

    @staticmethod
    def claim(layout: Layout) -> Netns:
        """Take a subnet that nothing on this machine uses. Making the namespace is what claims it from other labs."""
        taken = _subnets_in_use()
        for i in range(250):
            net = Netns(f"198.18.{(_seed(layout) + i) % 250 + 1}")
            if ipaddress.ip_network(f"{net.subnet}.0/24") in taken or Path("/run/netns", net.name).exists():
                continue
            if subprocess.run(["ip", "netns", "add", net.name], capture_output=True, check=False).returncode:
                continue
            try:
                net._make_switch()
            except RunbookError:
                net.remove()
                raise
            return net
        raise Blocked("lab: no free subnet left in 198.18.0.0/16; end a lab that is not needed (inv lab.down)")

    @staticmethod
    def available() -> bool:
        """Whether this machine gives network namespaces, veth and bridges."""
        probe = ["unshare", "--net", "sh", "-c", "ip link add br0 type bridge && ip link add a0 type veth peer name a1"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def _make_switch(self) -> None:
        _ip("-n", self.name, "-batch", "-", batch="link add br0 type bridge\nlink set br0 up\nlink set lo up\n")
        _ip("link", "add", self.name, "type", "veth", "peer", "name", "uplink", "netns", self.name)
        _ip("-n", self.name, "link", "set", "uplink", "master", "br0", "up")
        _ip("-batch", "-", batch=f"addr add {self.subnet}.1/24 dev {self.name}\nlink set {self.name} up\n")

    def _of(self, host: str) -> str:
        return f"{self.name}-{host}"

    def attach(self, host: str, address: str) -> None:
        """A namespace with eth0, whose other end is a port of the switch that bears the host's name."""
        mine = self._of(host)
        if Path("/run/netns", mine).exists():
            return
        _ip("netns", "add", mine)
        _ip(
            "-n",
            self.name,
            "-batch",
            "-",
            batch=f"link add {host} type veth peer name eth0 netns {mine}\nlink set {host} master br0 up\n",
        )
        _ip(
            "-n",
            mine,
            "-batch",
            "-",
            batch=f"addr add {address}/24 dev eth0\nlink set lo up\nlink set eth0 up\n"
            f"route add default via {self.subnet}.1\n",
        )

    def prefix(self, host: str) -> list[str]:
        """Enter the host's network namespace."""
        return ["nsenter", f"--net=/run/netns/{self._of(host)}", "--"]

    def plug(self, host: str, *, connected: bool) -> None:
        """Set the host's port on the switch up or down."""
        _ip("-n", self.name, "link", "set", host, "up" if connected else "down")

    def unplugging(self, host: str) -> list[str]:
        """Set its port down, as ``plug`` does."""
        return ["ip", "-n", self.name, "link", "set", host, "down"]

    def remove(self) -> None:
        """Delete the namespaces and the machine's end of the uplink."""
        _ip("link", "del", self.name, check=False)
        folder = Path("/run/netns")
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        # The switch's is what claims the subnet: another lab may have it as soon as that is gone.
        for name in [*(name for name in names if name.startswith(f"{self.name}-")), self.name]:
            _ip("netns", "del", name, check=False)


def _subnets_in_use() -> set[ipaddress.IPv4Network]:
    wide = ipaddress.IPv4Network("198.18.0.0/15")
    used: set[ipaddress.IPv4Network] = set()
    words = [row["dst"] for row in json.loads(_ip("-json", "-4", "route", "show", "table", "all") or "[]")]
    for word in words:
        if word == "default":
            continue
        net = ipaddress.IPv4Network(word, strict=False)
        if net.prefixlen < 24 and net.overlaps(wide):
            used |= set(net.subnets(new_prefix=24)) if net.prefixlen >= 15 else set(wide.subnets(new_prefix=24))
        elif net.overlaps(wide):
            used.add(net.supernet(new_prefix=24))
    return used


class Loopback:
    """Addresses 127.A.B.N of this machine; there is no cable to pull."""

    def attach(self, host: str, address: str) -> None:
        """Nothing to make: every address in 127.0.0.0/8 is there."""

    def prefix(self, host: str) -> list[str]:  # noqa: ARG002
        """Nothing to enter."""
        return []

    def plug(self, host: str, *, connected: bool) -> None:  # noqa: ARG002
        """Not possible here."""
        raise Blocked(f"lab: {host}: cannot be cut off: this lab is on loopback; network namespaces need root")

    def unplugging(self, host: str) -> list[str]:  # noqa: ARG002
        """Nothing to pull."""
        return []

    def remove(self) -> None:
        """Nothing to remove."""


def choose_loopback(layout: Layout, *, rootless: bool, hosts: int) -> tuple[str, int, int]:
    """A free (subnet, ssh port, git port) on loopback. A forgotten old server must not pass for a new host."""
    for i in range(200):
        number = _seed(layout) + i * 7919
        subnet = f"127.{64 + number % 60}.{number // 60 % 250 + 1}"
        for port in (20022 + i, 21022 + i) if rootless else (22, 20022 + i):
            addresses = address_list(subnet, hosts)
            if not any(answers(address, port) for address in addresses) and not answers(addresses[0], port + 10000):
                return subnet, port, port + 10000
    raise Blocked("lab: every loopback address and port that was tried already answers")


def address_list(subnet: str, hosts: int) -> list[str]:
    """The addresses of the puppet server and of the hosts, in order."""
    if not 1 <= hosts <= MOST_HOSTS:
        raise UsageError(f"lab: {hosts} hosts: between 1 and {MOST_HOSTS} fit into a lab")
    return [f"{subnet}.{_FIRST + number}" for number in range(hosts + 1)]


def bmc_address(address: str) -> str:
    """Where the BMC of a host at an address of a lab is: on loopback, and as much the lab's own as the host's is."""
    first, second, rest = address.split(".", 2)
    return f"127.{18 if first == '198' else int(second) + 64}.{rest}"


def network_of(state: State) -> Network:
    """The network that a lab's state describes."""
    return Netns(state.subnet) if state.network == "netns" else Loopback()
