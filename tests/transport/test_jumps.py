"""Sites behind bastions, by the inventory and by ssh_config: real daemons, whose own logs say who came through."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import SettingsError, Unreachable
from runbooks.settings import Settings, Ssh
from runbooks.site import Site
from runbooks.systems import reads
from runbooks.systems.host import REMEMBERED_S
from runbooks.transport import fabric
from runbooks.transport.route import Routes, SshSettings
from runbooks.transport.ssh import SshTransport

HOSTS = ("127.0.54.11", "127.0.54.12", "127.0.54.13")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def hosts(start_sshd: Callable[..., Any]) -> list[Any]:
    """Three daemons, which the names of many hosts lead to."""
    return [start_sshd(address) for address in HOSTS]


@pytest.fixture
def bastion(start_sshd: Callable[..., Any], hosts: list[Any]) -> Callable[..., Any]:
    """Starts a bastion that takes the hosts' key, and knows nobody yet."""

    def start(address: str, port: int = 0) -> Any:
        gate = start_sshd(address, port=port, LogLevel="VERBOSE")
        (gate.home / "authorized_keys").write_text((hosts[0].home / "id.pub").read_text())
        return gate

    return start


@pytest.fixture
def site(hosts: list[Any], tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites from the text of an inventory; all host keys of the daemons given are known."""
    for one in hosts[1:]:
        (one.home / "authorized_keys").write_text((hosts[0].home / "id.pub").read_text())
    opened = []

    def make(text: str, *known: Any, lines: tuple[str, ...] = ()) -> Site:
        directory = tmp_path / f"inventory{len(opened)}"
        directory.mkdir()
        (directory / "hosts.yaml").write_text(text)
        config = hosts[0].config(*lines, known="".join(one.known() for one in (*hosts, *known)))
        ssh = Ssh(config=config, connect_timeout_s=20, command_timeout_s=20)
        settings = replace(Settings.of(root=tmp_path), inventory=directory, ssh=ssh)
        opened.append(Site(settings))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def several(hosts: list[Any], name: str, site: str) -> str:
    """Lines of an inventory: these daemons as hosts of a site."""
    lines = [f"  {name}{n}: {{address: {h.address}, port: {h.port}, site: {site}}}" for n, h in enumerate(hosts)]
    return "\n".join(lines) + "\n"


def walk(site: Site, names: list[str] | None = None) -> dict[str, str]:
    """Ask all hosts at once; what each says, or why it does not."""

    def one(name: str) -> str:
        try:
            reader = site.targets[name].reader()
            return "ok" if reader.ask(reads.passwd()) else "nobody"  # type: ignore[attr-defined]
        except Unreachable as error:
            return error.why

    chosen = names or list(site.inventory.hosts)
    with ThreadPoolExecutor(16) as pool:
        return dict(zip(chosen, pool.map(one, chosen), strict=True))


def logged_in(gate: Any) -> int:
    """How many have logged in, by its own log."""
    return len(re.findall("Accepted publickey", (gate.home / "log").read_text()))


def test_each_bastion_is_logged_in_to_once(hosts: list[Any], bastion: Any, site: Any) -> None:
    east, west = bastion("127.0.54.1"), bastion("127.0.54.2")
    text = "hosts:\n" + several(hosts[:2], "east", "east") + several(hosts[2:], "west", "west")
    text += f"sites: {{east: {{jump: {east.address}:{east.port}}}, west: {{jump: ['{west.address}:{west.port}']}}}}\n"
    one = site(text, east, west)
    for _ in range(2):
        assert set(walk(one).values()) == {"ok"}
    for name in one.inventory.hosts:
        one.targets[name].close()
    assert set(walk(one).values()) == {"ok"}
    assert (logged_in(east), logged_in(west)) == (1, 1)


def test_many_hosts_side_by_side(hosts: list[Any], bastion: Any) -> None:
    gate = bastion("127.0.54.1")
    config = hosts[0].config(known=hosts[0].known() + gate.known())
    transport = SshTransport(SshSettings(config, connect_timeout_s=20.0))
    hop = (f"{gate.address}:{gate.port}",)
    with ThreadPoolExecutor(24) as pool:
        opened = list(
            pool.map(lambda n: transport.open(f"h{n}", hosts[0].address, hosts[0].port, None, hop), range(24))
        )
    assert logged_in(gate) == 1
    for channel in opened:
        channel.close()
    transport.close()


def test_a_jump_host_of_the_inventory_by_its_name(hosts: list[Any], bastion: Any, site: Any) -> None:
    gate = bastion("127.0.54.1")
    text = "hosts:\n" + several(hosts[:2], "h", "east")
    text += f"  gate: {{address: {gate.address}, port: {gate.port}, user: root, site: east}}\n"
    one = site(text + "sites: {east: {jump: gate}}\n", gate)
    assert set(walk(one).values()) == {"ok"}
    assert one.inventory.jump("gate") == ()
    # Once as the way to the others, once as a host of its own.
    assert logged_in(gate) == 2


def test_two_hops_of_a_site(hosts: list[Any], bastion: Any, site: Any) -> None:
    first, second = bastion("127.0.54.1"), bastion("127.0.54.2")
    hops = f"[root@{first.address}:{first.port}, {second.address}:{second.port}]"
    one = site("hosts:\n" + several(hosts, "h", "east") + f"sites: {{east: {{jump: {hops}}}}}\n", first, second)
    assert set(walk(one).values()) == {"ok"}
    assert (logged_in(first), logged_in(second)) == (1, 1)
    assert f"from {first.address}" not in (second.home / "log").read_text() or logged_in(first)


@pytest.mark.parametrize("known", ["unknown", "changed"])
def test_a_bastions_host_key_is_strict(hosts: list[Any], bastion: Any, site: Any, known: str) -> None:
    gate = bastion("127.0.54.1")
    text = "hosts:\n" + several(hosts[:2], "h", "east") + f"sites: {{east: {{jump: {gate.address}:{gate.port}}}}}\n"
    one = site(text)
    if known == "changed":
        config = hosts[0].config(known="".join(h.known() for h in hosts) + gate.known("stranger"))
        one.settings = replace(one.settings, ssh=replace(one.settings.ssh, config=config))
    for why in walk(one).values():
        assert why.startswith(f"jump host {gate.address}:{gate.port}: ") and "host key is not" in why
    assert logged_in(gate) == 0


def test_a_dead_bastion_costs_its_timeout_once_and_is_named(
    hosts: list[Any], site: Any, swallowing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocks: list[tuple[str, int, float]] = []
    connect = fabric.connect
    monkeypatch.setattr(fabric, "connect", lambda *where: (knocks.append(where), connect(*where))[1])
    text = "hosts:\n" + several(hosts, "h", "east") + several([], "w", "west")
    one = site(text + f"sites: {{east: {{jump: 127.0.54.9:{swallowing}}}}}\n")
    one.settings = replace(one.settings, ssh=replace(one.settings.ssh, connect_timeout_s=1))
    for _ in range(2):
        assert set(walk(one).values()) == {f"jump host 127.0.54.9:{swallowing}: no answer (connect timed out)"}
    assert knocks == [("127.0.54.9", swallowing, 1)]


@pytest.fixture
def swallowing() -> Iterator[int]:
    """A port whose listener's queue is full."""
    import socket
    from contextlib import ExitStack

    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind(("127.0.54.9", 0))
        sock.listen(0)
        for _ in range(3):
            knock = stack.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(sock.getsockname())
        yield int(sock.getsockname()[1])


def test_a_dead_host_behind_a_bastion(hosts: list[Any], bastion: Any, site: Any) -> None:
    gate = bastion("127.0.54.1")
    text = "hosts:\n" + several(hosts[:1], "h", "east") + "  dead: {address: 127.0.54.99, port: 1, site: east}\n"
    one = site(text + f"sites: {{east: {{jump: {gate.address}:{gate.port}}}}}\n", gate)
    assert walk(one) == {"h0": "ok", "dead": f"jump host {gate.address}:{gate.port} cannot reach it (Connect failed)"}


def test_a_bastion_that_dies_and_comes_back(hosts: list[Any], bastion: Any, site: Any, monkeypatch: Any) -> None:
    gate = bastion("127.0.54.1")
    text = "hosts:\n" + several(hosts, "h", "east") + f"sites: {{east: {{jump: {gate.address}:{gate.port}}}}}\n"
    one = site(text, gate)
    assert set(walk(one).values()) == {"ok"}
    children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
    gate.process.kill()
    gate.process.wait()
    import os
    import signal

    for child in children:
        os.kill(int(child), signal.SIGKILL)
    assert all(why != "ok" for why in walk(one).values())
    assert all("refused" in why and "jump host" in why for why in walk(one).values())
    again = bastion(gate.address, gate.port)
    (again.home / "known").write_text(again.known())
    config = hosts[0].config(known="".join(h.known() for h in hosts) + again.known())
    one.targets.transport._routes.settings = replace(one.targets.transport.settings, config=config)
    one.targets.transport._routes._config = None
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + REMEMBERED_S + 1)
    assert set(walk(one).values()) == {"ok"}
    assert logged_in(again) == 1


def inner(hosts: list[Any], *lines: str) -> tuple[str, ...]:
    return ("Host inner", f"  HostName {hosts[0].address}", f"  Port {hosts[0].port}", *lines)


def asked(config: Path, timeout_s: float = 20.0) -> str:
    transport = SshTransport(SshSettings(config, connect_timeout_s=timeout_s))
    channel = transport.open("inner", "inner", None, None)
    try:
        channel.send(b"echo hello\n")
        return channel.receive(10)[0].decode()
    finally:
        channel.close()
        transport.close()


@pytest.mark.parametrize("how", ["two hops", "the jump host's own ProxyJump"])
def test_proxy_jump_over_two(hosts: list[Any], bastion: Any, how: str) -> None:
    first, second = bastion("127.0.54.1"), bastion("127.0.54.2")
    gates = [f"Host {n}\n  HostName {g.address}\n  Port {g.port}" for n, g in (("one", first), ("two", second))]
    if how == "two hops":
        lines = (*inner(hosts, "  ProxyJump one,two"), *gates)
    else:
        lines = (*inner(hosts, "  ProxyJump two"), *gates, "  ProxyJump one")
    config = hosts[0].config(*lines, known=hosts[0].known() + first.known() + second.known())
    assert asked(config) == "hello\n"
    assert (logged_in(first), logged_in(second)) == (1, 1)


@pytest.mark.parametrize("word", ["none", "None"])
def test_proxy_jump_none(hosts: list[Any], word: str) -> None:
    assert (
        asked(hosts[0].config(*inner(hosts, f"  ProxyJump {word}"), "Host *", "  ProxyJump 127.0.54.99")) == "hello\n"
    )


def test_a_jump_host_for_all_does_not_go_through_itself(hosts: list[Any], bastion: Any) -> None:
    gate = bastion("127.0.54.1")
    lines = ["Host *", f"  ProxyJump {gate.address}:{gate.port}"]
    config = hosts[0].config(*inner(hosts), *lines, known=hosts[0].known() + gate.known())
    assert Routes(SshSettings(config)).find("inner", None, None).jump == (f"{gate.address}:{gate.port}",)
    assert asked(config) == "hello\n"


def test_proxy_jumps_in_a_circle_end(hosts: list[Any]) -> None:
    config = hosts[0].config("Host inner", "  ProxyJump a", "Host a", "  ProxyJump b", "Host b", "  ProxyJump a")
    assert len(Routes(SshSettings(config)).find("inner", None, None).jump) <= 3


def test_a_proxy_command(hosts: list[Any], bastion: Any) -> None:
    gate = bastion("127.0.54.1")
    known = hosts[0].known() + gate.known()
    plain = hosts[0].config(known=known)
    command = f"  ProxyCommand ssh -F {plain} -p {gate.port} -W %h:%p root@{gate.address} 2>/dev/null"
    assert asked(hosts[0].config(*inner(hosts, command), known=known)) == "hello\n"
    assert logged_in(gate) == 1


def test_a_proxy_command_is_told_the_port_and_user_that_are_used(hosts: list[Any]) -> None:
    config = hosts[0].config("Host h1", "  HostName 127.0.0.9", "  Port 5", "  ProxyCommand to %n %h %p %r 100%%")
    assert Routes(SshSettings(config)).find("h1", 7, "me").proxy_command == "to h1 127.0.0.9 7 me 100%"


@pytest.mark.parametrize("command", ["/nowhere/at-all %h", "true", "echo hello"])
def test_a_proxy_command_that_leads_nowhere(hosts: list[Any], command: str) -> None:
    before = time.monotonic()
    with pytest.raises(Unreachable, match=r"^inner: unreachable: [^\n]+$"):
        asked(hosts[0].config(*inner(hosts, f"  ProxyCommand {command}")), 5.0)
    assert time.monotonic() - before < 20


def test_a_key_exchange_that_the_way_cannot_have_is_a_fault_of_the_settings(hosts: list[Any], bastion: Any) -> None:
    gate = bastion("127.0.54.1")
    lines = (*inner(hosts, f"  ProxyJump {gate.address}:{gate.port}"), f"Host {gate.address}", "  KexAlgorithms bogus")
    with pytest.raises(SettingsError, match="key exchange bogus"):
        asked(hosts[0].config(*lines, known=hosts[0].known() + gate.known()))
