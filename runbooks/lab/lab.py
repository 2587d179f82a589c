"""The lab: start it, end it, break its hosts, and look at them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbooks.errors import Blocked, SettingsError, UsageError
from runbooks.lab import build, directory_people, end, fleet, inventory, repository
from runbooks.lab.bmc.hosts import SUFFIX, HostBmc, bmc_of, bmcs_of
from runbooks.lab.directory import DirectoryServer
from runbooks.lab.host import Host, wait_for
from runbooks.lab.layout import FILES, SERVER, HostStatus, Layout, Life, State
from runbooks.lab.mail import lists
from runbooks.lab.mail.servers import ListServer
from runbooks.lab.people import Person

Entry = tuple[object, ...]
Target = Host | DirectoryServer | ListServer | HostBmc


class Lab:
    """A handle on the lab in a directory; everything that is remembered is in there, so handles are cheap."""

    def __init__(self, directory: Path) -> None:
        self.layout = Layout(directory.resolve())
        self.inventory = self.layout.inventory
        self.ssh_config = self.layout.ssh_config
        self.origin = inventory.ORIGIN
        self.checkout = inventory.CHECKOUT

    # ---- the whole lab

    def up(
        self,
        hosts: int | None = None,
        people: Sequence[Person] | None = None,
        puppet_every_s: int = 60,
        network: build.Wanted = "auto",
        home_files: int = 2000,
        seed_processes: bool = True,
        bmcs: bool = False,
        mx: bool = False,
        lists: bool = False,
    ) -> None:
        """Make the lab, or bring back what is dead and add what is missing; safe to repeat.

        Over a standing lab only ``hosts`` counts (None: as many as there are, 8 for a new lab), and ``bmcs`` and
        ``lists``, if it has none: its people, network and rhythm stay as they were made. ``mx`` makes mail hosts of a
        new lab's first two; ``lists`` is a list server.
        """
        order = build.Order(hosts, people, puppet_every_s, network, home_files, seed_processes, bmcs, mx, lists)
        with self.layout.locked():
            build.up(self.layout, order)

    def down(self) -> None:
        """End every process and remove everything the lab made, disks included; safe to repeat."""
        with self.layout.locked():
            end.down(self.layout)

    def status(self) -> list[HostStatus]:
        """Every host as it is now, then the puppet server, the directory, the list server and the BMCs; empty where
        there is no lab."""
        state = self.layout.load()
        if state is None:
            return []
        rows = [self._status(host, state) for host in fleet.hosts_of(self.layout, state)]
        if state.ldap_port:
            rows.append(self._status(directory_people.server_of(self.layout, state), state))
        if state.list_ports:
            rows.append(self._status(lists.server_of(self.layout, state), state))
        return rows + [self._status(bmc, state) for bmc in bmcs_of(self.layout, state)]

    @staticmethod
    def _status(host: Target, state: State) -> HostStatus:
        pid = host.pid()
        life: Life = "running"
        if not host.powered():
            # It may have ended since.
            life, pid = "dead", None
        elif host.frozen():
            life = "frozen"
        elif host.name in state.cut:
            life = "cut"
        return HostStatus(host.name, host.address, host.port, life, pid)

    @property
    def hosts(self) -> list[str]:
        """The hosts that carry accounts, in order; the puppet server is not among them."""
        return [name for name in self._state().hosts if name != SERVER]

    @property
    def people(self) -> list[Person]:
        """Everyone the lab was made with, the absent included."""
        return self._state().people

    def _state(self) -> State:
        state = self.layout.load()
        if state is None or not state.ready:
            raise SettingsError(f"lab: there is no lab in {self.layout.top}; start one with: inv lab.up")
        return state

    def _host(self, name: str) -> Host:
        state = self._state()
        if name not in state.hosts:
            raise UsageError(f"lab: no host {name!r}; there are {', '.join(state.hosts)}")
        return fleet.host_of(self.layout, state, name)

    @property
    def directory(self) -> DirectoryServer:
        """The LDAP directory. Raises UsageError where slapd could not be had."""
        state = self._state()
        if not state.ldap_port:
            raise UsageError("lab: this lab has no directory; once slapd can be had here, inv lab.up makes one")
        return directory_people.server_of(self.layout, state)

    @property
    def lists(self) -> ListServer:
        """The list server. Raises UsageError where there is none."""
        state = self._state()
        if not state.list_ports:
            raise UsageError("lab: this lab has no list server; one made by inv lab.up --mail has")
        return lists.server_of(self.layout, state)

    def _bmc(self, name: str) -> HostBmc:
        state = self._state()
        if not state.bmc_ports:
            raise UsageError("lab: this lab has no BMCs; inv lab.up gives it some")
        return bmc_of(self.layout, state, self._host(name.removesuffix(SUFFIX)).name)

    def _target(self, name: str) -> Target:
        if name.endswith(SUFFIX):
            return self._bmc(name)
        if name == ListServer.name:
            return self.lists
        return self.directory if name == DirectoryServer.name else self._host(name)

    # ---- faults; the directory is a host named ldap, the list server one named lists, a BMC one named lab01.mgmt

    def kill(self, host: str) -> None:
        """Pull the plug: its processes end at once and its address falls silent; the disk stays."""
        with self.layout.locked():
            self._kill(host)

    def _kill(self, host: str) -> None:
        target = self._target(host)
        target.kill()
        if isinstance(target, Host) and self._state().network == "netns":
            target.network.plug(host, connected=False)

    def start(self, host: str, *, wait: bool = True) -> None:
        """Boot a dead host from its disk; a live one is left alone. Without ``wait`` it is only given power."""
        with self.layout.locked():
            build.start(self.layout, self._state(), self._target(host).name, wait=wait)

    def reset(self, host: str) -> None:
        """Take its power and give it again, in one; without waiting for its boot."""
        with self.layout.locked():
            self._kill(host)
            build.start(self.layout, self._state(), host, wait=False)

    def freeze(self, host: str) -> None:
        """Stop every process: connections stay open and nothing answers."""
        self._target(host).freeze()

    def thaw(self, host: str) -> None:
        """Let a frozen host go on where it stood."""
        self._target(host).thaw()

    def cut(self, host: str) -> None:
        """Pull the network cable; the host lives on behind it. Blocked on loopback."""
        self._plug(host, connected=False)

    def uncut(self, host: str) -> None:
        """Put the network cable back."""
        self._plug(host, connected=True)

    def _plug(self, host: str, *, connected: bool) -> None:
        with self.layout.locked():
            target, state = self._target(host), self._state()
            if not isinstance(target, Host):
                raise Blocked(f"lab: {host}: cannot be cut off: it runs on this machine itself; freeze it instead")
            target.network.plug(host, connected=connected)
            state.cut = sorted(set(state.cut) - {host} if connected else {*state.cut, host})
            self.layout.save(state)

    # ---- looking and touching, without ssh

    def run(
        self,
        host: str,
        argv: Sequence[str],
        *,
        input: bytes | None = None,
        check: bool = True,
        timeout: float = 180,
    ) -> subprocess.CompletedProcess[bytes]:
        """A command as root inside the host's namespaces: an eye that does not depend on what is tested."""
        return self._host(host).run(argv, input, check, timeout)

    def shell(self, host: str) -> int:
        """A root shell in the host, on this terminal; its exit status."""
        return subprocess.call(self._host(host).enter(["/bin/bash", "-l"]))

    def upper(self, host: str) -> Path:
        """The host's disk on this machine: all that differs from the base tree."""
        return self._host(host).folder / "upper"

    def fingerprint(self, host: str, path: str) -> dict[str, Entry]:
        """Everything below a path that a move must keep, by relative name; "." is the top, nothing there is {}."""
        script = (FILES / "inside/fingerprint.py").read_bytes()
        done = self._host(host).run(["/usr/bin/python3", "-I", "-", path], script, check=True, timeout_s=120)
        return {name: tuple(_frozen(value) for value in entry) for name, entry in json.loads(done.stdout).items()}

    def login(self, host: str, user: str, *, key_of: str | None = None) -> bool:
        """Whether ``user`` can log in by ssh with their own private key, or with that of ``key_of``."""
        argv = [*self.ssh(host, user, key_of or user), "id", "-un"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0 and done.stdout.decode().strip() == user

    def ssh(self, host: str, user: str, key_of: str) -> list[str]:
        """The command that logs in as ``user`` with somebody's private key, and with no other."""
        target = self._host(host)
        key = self.layout.person_key(key_of)
        options = {"IdentitiesOnly": "yes", "BatchMode": "yes", "StrictHostKeyChecking": "yes", "ConnectTimeout": "5",
                   "UserKnownHostsFile": str(self.layout.known_hosts), "ControlPath": "none"}  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "/dev/null", *words, "-i", str(key), "-p", str(target.port), "-l", user, target.address]

    def start_process(self, host: str, user: str) -> int:
        """Start a long-lived process of a user, one that no crontab brings back; its number inside the host."""
        script = (
            'exec setsid -f setpriv --reuid "$1" --regid 500 --init-groups sleep 2147483 </dev/null >/dev/null 2>&1'
        )
        target, before = self._host(host), self._sleeping(host, user)
        target.run(["bash", "-c", script, "-", user], None, check=True, timeout_s=60)
        # Not before it is what it is to be: it has its user before that.
        complaint = f"lab: {host}: no process of {user} came up"
        wait_for(lambda: bool(self._sleeping(host, user) - before), 60, complaint)
        return max(self._sleeping(host, user) - before)

    def _sleeping(self, host: str, user: str) -> set[int]:
        done = self._host(host).run(["pgrep", "-U", user, "-x", "sleep"], None, check=False, timeout_s=60)
        return set(map(int, done.stdout.split()))

    def processes(self, host: str, uid: int) -> list[int]:
        """The processes of a UID, by their numbers inside the host."""
        done = self._host(host).run(["pgrep", "-U", str(uid)], None, check=False, timeout_s=60)
        return [int(word) for word in done.stdout.split()]

    # ---- puppet and its repository

    def puppet(self, host: str, *args: str, timeout: float = 180) -> subprocess.CompletedProcess[bytes]:
        """One puppet run there, after one that may be under way: ``puppet agent --test`` with ``args``."""
        argv = ["/usr/local/sbin/puppet", "agent", "--test", "--waitforlock", "60", *args]
        return self._host(host).run(argv, None, check=False, timeout_s=timeout)

    def show(self, path: str = inventory.REGISTRY) -> str:
        """A file at origin's tip; the registry unless told otherwise."""
        return repository.show(self._host(SERVER), path).decode()

    def commit(self, files: Mapping[str, str], message: str) -> str:
        """Merge new contents of files into origin; the commit. Hosts see it only once it is deployed."""
        changed = {path: text.encode() for path, text in files.items()}
        return repository.commit(self._host(SERVER), changed, message)

    def deploy(self) -> str:
        """Bring the puppet server's checkout to origin's tip; the commit."""
        return repository.deploy(self._host(SERVER))

    def add_people(self, people: Sequence[Person]) -> None:
        """More people: merged, deployed, created by puppet on every live host, and their homes filled."""
        with self.layout.locked():
            build.add_people(self.layout, self._state(), people)


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
