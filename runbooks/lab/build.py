"""Making, reviving and removing a lab: the order in which its parts come up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runbooks.errors import Blocked, CommandFailed, UsageError
from runbooks.lab import base, directory_people, end, fleet, inventory, repository
from runbooks.lab.bmc import hosts as bmcs
from runbooks.lab.directory import DirectoryServer
from runbooks.lab.host import Host
from runbooks.lab.layout import SERVER, Layout, State
from runbooks.lab.machine import Machine, look, say
from runbooks.lab.mail import hosts as mail
from runbooks.lab.mail import lists
from runbooks.lab.mail.servers import ListServer
from runbooks.lab.network import Netns, address_list, choose_loopback, network_of
from runbooks.lab.people import Person, cast
from runbooks.lab.registry_text import registry_text, with_people

Wanted = Literal["auto", "netns", "loopback"]
_PUPPET = "/usr/local/sbin/puppet"
_COMPILED = "/var/tmp/puppet.compiled"
_NEVER_S = 10**8


@dataclass(frozen=True)
class Order:
    """What ``up`` was asked for."""

    hosts: int | None
    people: Sequence[Person] | None
    puppet_every_s: int
    network: Wanted
    home_files: int
    seed_processes: bool
    bmcs: bool = False
    mx: bool = False
    lists: bool = False


def up(layout: Layout, order: Order) -> None:
    """Make the lab, or bring it back."""
    if order.lists:
        lists.need()
    state = layout.load()
    if state and not state.ready:
        say("an earlier start was cut short: clearing it away")
        end.clear(layout)
        state = None
    if state:
        _revive(layout, state, order)
        return
    try:
        _make(layout, order)
    except BaseException:
        if layout.state.exists():
            say("the start failed: clearing it away")
        end.down(layout)
        raise


# ---- a new lab


def _make(layout: Layout, order: Order) -> None:
    people = list(cast(order.home_files) if order.people is None else order.people)
    machine = look()
    if order.mx:
        mail.need(machine)
    state = _new_state(layout, machine, order)
    state.people = people
    try:
        layout.save(state)
    except OSError:
        network_of(state).remove()
        raise
    say(f"making {len(state.hosts) - 1} hosts and {SERVER} in {layout.top}, {state.network} {state.subnet}.0/24")
    base.make_base(layout, machine)
    base.make_layer(layout)
    fleet.make_keys(layout, people)
    base.add_operator(layout, machine)
    for name in state.hosts:
        fleet.give_identity(layout, state, name)
    first = fleet.carriers(layout, state)[0]
    _make_image(layout, state, first, mail.private_files(people) if order.mx else ({}, {}))
    if order.mx:
        _make_mail_hosts(layout, state)
    fleet.side_by_side(
        lambda host: fleet.copy_image(layout, host), [h for h in fleet.carriers(layout, state) if h != first], 2
    )
    _boot_fleet(layout, state, fresh=True)
    _finish(layout, state, fleet.carriers(layout, state), order)


def _new_state(layout: Layout, machine: Machine, order: Order) -> State:
    kind = order.network
    if kind == "netns" and machine.rootless:
        raise Blocked("lab: network namespaces behind a switch need root; use --network loopback, or run as root")
    if kind == "auto":
        kind = "netns" if not machine.rootless and Netns.available() else "loopback"
    hosts = 8 if order.hosts is None else order.hosts
    names = [SERVER, *(f"lab{number:02}" for number in range(1, hosts + 1))]
    if kind == "netns":
        address_list("198.18.0", hosts)
        subnet, port, git_port = Netns.claim(layout).subnet, 22, 9418
    else:
        subnet, port, git_port = choose_loopback(layout, rootless=machine.rootless, hosts=hosts)
    addresses = dict(zip(names, address_list(subnet, hosts), strict=True))
    return State(machine.rootless, kind, subnet, port, git_port, order.puppet_every_s, addresses)


def _make_image(layout: Layout, state: State, first: Host, private: repository.Private) -> None:
    """Let puppet make the accounts on one host, fill the homes there, and keep its disk as the others' beginning."""
    server = fleet.host_of(layout, state, SERVER)
    fleet.boot(layout, state, server, 0)
    fleet.boot(layout, state, first, _NEVER_S)
    server.wait_until_up()
    keys = fleet.public_keys(layout, state.people)
    repository.publish(server, repository.tree(registry_text(state.people, keys), state.people))
    repository.publish_private(server, state.people, keys, private)
    first.wait_until_up()
    say("puppet makes the accounts on the first host")
    compiles = ["env", f"LAB_COMPILE={_COMPILED}", _PUPPET, "agent", "--test"]
    done = first.run(compiles, None, check=False, timeout_s=600)
    if done.returncode not in (0, 2):
        text = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise CommandFailed(f"{first.name}: the first puppet run failed with {done.returncode}: {text[-1500:]}")
    say("filling the homes")
    fleet.seed(first, state.people)
    first.kill()
    fleet.keep_compiled(layout, first, _COMPILED)
    Machine(state.rootless).call(["cp", "-a", str(first.folder / "upper"), str(layout.image)])


def _make_mail_hosts(layout: Layout, state: State) -> None:
    """Not before there is an image: what puppet brings to mail hosts is no other host's."""
    state.mx = mail.chosen(state)
    for name in state.mx:
        fleet.give_identity(layout, state, name)


def _splay(state: State, name: str) -> int:
    """When a fresh host has its first run: spread over the interval, so that a fleet does not run all at once."""
    if state.puppet_every_s <= 0:
        return _NEVER_S
    number = int(name.removeprefix("lab") or 0) if name != SERVER else 0
    return 5 + state.puppet_every_s * number // len(state.hosts)


def _boot_fleet(layout: Layout, state: State, *, fresh: bool) -> None:
    dead = [host for host in fleet.hosts_of(layout, state) if not host.powered()]
    for host in sorted(dead, key=lambda host: host.name != SERVER):
        fleet.boot(layout, state, host, _splay(state, host.name) if fresh else 0)
    for host in dead:
        host.wait_until_up()


def _finish(layout: Layout, state: State, new: Sequence[Host], order: Order) -> None:
    fleet.side_by_side(lambda host: fleet.settle_in(host, state.people, order.seed_processes), new)
    inventory.write_ssh(layout, state)
    mail_hosts = [fleet.host_of(layout, state, name) for name in state.mx]
    fleet.side_by_side(lambda host: mail.bring_up(host, state), mail_hosts)
    if order.bmcs or state.bmc_ports:
        bmcs.bring_up(layout, state)
    if order.lists or state.list_ports:
        lists.bring_up(layout, state)
    state.ready = True
    _start_directory(layout, state)
    with_bmcs = ", each with a BMC" if state.bmc_ports else ""
    say(f"up: {len(state.hosts) - 1} hosts, {SERVER}{with_bmcs}; inventory in {layout.inventory}")


# ---- a lab that is there


def start(layout: Layout, state: State, name: str, *, wait: bool = True) -> None:
    """Boot one host, or start the directory, the list server or a BMC, if it is dead."""
    if name in (DirectoryServer.name, ListServer.name):
        (_start_directory if name == DirectoryServer.name else _start_lists)(layout, state)
        return
    if name.endswith(bmcs.SUFFIX):
        bmcs.bmc_of(layout, state, name.removesuffix(bmcs.SUFFIX)).start()
        return
    host = fleet.host_of(layout, state, name)
    if host.powered():
        return
    fleet.boot(layout, state, host, 0)
    if state.network == "netns":
        host.network.plug(name, connected=name not in state.cut)
    if wait and name not in state.cut:
        host.wait_until_up()


def _start_lists(layout: Layout, state: State) -> None:
    """Bring the list server up; where its ports have become others, the settings follow. Raises Blocked."""
    lists.bring_up(layout, state)
    inventory.write_inventory(layout, state)
    layout.save(state)


def _start_directory(layout: Layout, state: State) -> None:
    """Bring the directory up; where its port has become another one, the settings follow. Raises Blocked."""
    directory_people.bring_up(layout, state)
    inventory.write_inventory(layout, state)
    layout.save(state)


def _revive(layout: Layout, state: State, order: Order) -> None:
    wanted = len(state.hosts) - 1 if order.hosts is None else order.hosts
    present = len(state.hosts) - 1
    if order.people is not None and {p.name for p in order.people} - {p.name for p in state.people}:
        raise UsageError("lab: the lab stands already, with other people; use add_people, or lab.down first")
    if order.mx:
        mail.refuse_late(state)
    _renew_network(layout, state)
    new = _missing(layout, state, wanted)
    fresh = {host.name for host in new}
    dead = [h.name for h in fleet.hosts_of(layout, state) if not h.powered() and h.name not in fresh]
    say(f"the lab stands: {present} hosts" + (f"; starting {', '.join(dead)}" if dead else ""))
    for name in sorted(dead, key=lambda name: name != SERVER):
        start(layout, state, name)
    for host in new:
        say(f"adding {host.name}")
        fleet.boot(layout, state, host, 0)
        host.wait_until_up()
    _finish(layout, state, new, order)


def _missing(layout: Layout, state: State, wanted: int) -> list[Host]:
    """Give identity and disk to hosts that were asked for beyond those there are."""
    names = [SERVER, *(f"lab{number:02}" for number in range(1, wanted + 1))]
    for name, address in zip(names, address_list(state.subnet, wanted), strict=True):
        if name not in state.hosts:
            state.hosts[name] = address
            fleet.give_identity(layout, state, name)
            fleet.copy_image(layout, fleet.host_of(layout, state, name))
    known = {path.name for path in (layout.top / "hosts").iterdir() if (path / "pid").exists()}
    return [host for host in fleet.carriers(layout, state) if host.name not in known]


def _renew_network(layout: Layout, state: State) -> None:
    """After a reboot of the machine the switch is gone; the subnet may even be someone else's by now."""
    if any(host.powered() for host in fleet.hosts_of(layout, state)):
        return
    if state.network == "netns":
        if Path("/run/netns", f"opslab{state.subnet.split('.')[2]}").exists():
            return
        subnet = Netns.claim(layout).subnet
        state.cut = []
    else:
        subnet, state.port, state.git_port = choose_loopback(
            layout, rootless=state.rootless, hosts=len(state.hosts) - 1
        )
    state.subnet = subnet
    state.hosts = dict(zip(state.hosts, address_list(subnet, len(state.hosts) - 1), strict=True))
    for name in state.hosts:
        fleet.give_identity(layout, state, name)
    bmcs.move(layout, state)
    layout.save(state)


def add_people(layout: Layout, state: State, people: Sequence[Person]) -> None:
    """Put people into the registry, deploy, run puppet everywhere, fill their homes."""
    twice = {p.name for p in people} & {p.name for p in state.people} | {p.name for p in people if _uid_taken(p, state)}
    if twice:
        raise UsageError(f"lab: already there, by name or UID: {', '.join(sorted(twice))}")
    fleet.make_keys(layout, people)
    if state.ldap_port:
        directory_people.add(layout, state, people)
    server = fleet.host_of(layout, state, SERVER)
    registry = repository.show(server, inventory.REGISTRY).decode()
    files = {inventory.REGISTRY: with_people(registry, people, fleet.public_keys(layout, people)).encode()}
    repository.commit(server, files | repository.dot_files(people), "Add people")
    repository.deploy(server)
    fleet.side_by_side(lambda host: _welcome(host, people), [h for h in fleet.carriers(layout, state) if h.pid()], 2)
    state.people = [*state.people, *people]
    layout.save(state)


def _uid_taken(person: Person, state: State) -> bool:
    return any(person.uid == other.uid for other in state.people)


def _welcome(host: Host, people: Sequence[Person]) -> None:
    done = host.run([_PUPPET, "agent", "--test", "--waitforlock", "60"], None, check=False, timeout_s=300)
    if done.returncode not in (0, 2):
        raise CommandFailed(
            f"{host.name}: puppet: status {done.returncode}: {done.stdout.decode(errors='replace')[-800:]}"
        )
    fleet.seed(host, people)
    fleet.settle_in(host, people, True)
