"""The loopback fleet: up to thousands of hosts on one machine, each an address of 127.0.0.0/8 with a real sshd.

All hosts are this machine, seen through namespaces of their own. What they do not share is ``/root``, which holds what
is done on a host, and can be looked at from outside. They have one sshd configuration, one host key and one user.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.meter import tree
from runbooks.errors import Blocked
from runbooks.lab import scratch
from runbooks.lab.host import wait_for
from runbooks.lab.machine import CLEAN, Machine, find, look

LISTENER = Path(__file__).with_name("listener.py")
CURVE = "curve25519-sha256"
_KEX = re.compile(r"kex: algorithm: (\S+)")
_SSHD_CONFIG = """\
HostKey /run/fleet/host_key
AuthorizedKeysFile /run/fleet/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxSessions 100
PidFile none
LogLevel ERROR
"""
_SSH_CONFIG = """\
Host *
  User root
  Port {port}
  IdentityFile {top}/key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {top}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  PasswordAuthentication no
  BatchMode yes
  LogLevel ERROR
"""


@dataclass(frozen=True)
class Host:
    """A host: what it calls itself, and where it is reached."""

    name: str
    address: str


PROBE = Host("probe", "127.1.255.1")
"""A host beside the fleet whose sshd tells in the log what was agreed upon."""


def hosts(count: int) -> tuple[Host, ...]:
    """The first hosts of a fleet."""
    return tuple(Host(f"h{n + 1:04d}", f"127.1.{n // 250}.{n % 250 + 1}") for n in range(count))


class Fleet:
    """A running fleet, as a context manager; its hosts are ``hosts(size)`` and the probe. It ends with the ``with``, or
    with this process, however that ends. Raises Blocked where this machine cannot carry one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.port = 0

    def __enter__(self) -> Fleet:
        _need()
        self.top = scratch()
        try:
            self._build()
            self._start()
            self._write_ssh()
        except BaseException:
            shutil.rmtree(self.top)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self.top)

    @property
    def key(self) -> Path:
        """The private key that root of each host takes."""
        return self.top / "key"

    @property
    def known_hosts(self) -> Path:
        """A line for each host, as a fleet's known_hosts has."""
        return self.top / "known_hosts"

    def ssh_config(self, curve: bool = False) -> Path:
        """An ssh_config for every host; ``curve``: with the key exchange that costs a tenth of OpenSSH's own choice."""
        return self.top / ("ssh_config.curve" if curve else "ssh_config")

    def reset(self, some: Iterable[Host]) -> None:
        """Put hosts back to where nothing was done on them."""
        for host in some:
            home = self.top / "hosts" / host.address
            shutil.rmtree(home, ignore_errors=True)
            (home / "ops-clinic").mkdir(parents=True)
            (home / "name").write_text(f"{host.name}\n")
            (home / "mark").write_text("0\n")

    def mark(self, host: Host) -> int:
        """The number of the last command that was done on a host."""
        return int((self.top / "hosts" / host.address / "mark").read_text())

    def key_exchange(self) -> str:
        """What the probe's newest connection since the last time agreed upon; nothing where none was made."""
        log = self.top / "log"
        found = _KEX.findall(log.read_text(errors="replace")) if log.exists() else []
        log.unlink(missing_ok=True)
        return found[-1] if found else ""

    def settle(self) -> None:
        """Wait until no host has a connection any more. Raises RunbookError."""
        # All that is left is the listener.
        wait_for(lambda: len(list(tree(self._process.pid))) <= 1, 30, "fleet: a connection does not end")

    def _build(self) -> None:
        for name in ("host_key", "key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "benchmark", "-f", str(self.top / name)]
            subprocess.run(argv, check=True)
        shutil.copy(self.top / "key.pub", self.top / "authorized_keys")
        (self.top / "sshd_config").write_text(_SSHD_CONFIG)
        accounts = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines() if line.count(":") == 6]
        others = [":".join(account) for account in accounts if account[0] != "root"]
        (self.top / "passwd").write_text("\n".join(["root:x:0:0:root:/root:/bin/sh", *others, ""]))
        (self.top / "shadow").write_text("root:*:19000:0:99999:7:::\n")
        (self.top / "lib").mkdir()
        (self.top / "lib/ops-clinic").symlink_to("/root/ops-clinic")
        self.reset([*hosts(self.size), PROBE])

    def _start(self) -> None:
        python = [sys.executable, "-I", "-S", str(LISTENER), str(self.top), PROBE.address]
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"]
        argv = Machine(rootless=os.geteuid() != 0).inside([*spaces, *python])
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=CLEAN, start_new_session=True
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip().splitlines()
            raise Blocked(f"fleet: cannot be started here: {said[-1] if said else 'it ended at once'}")
        self.port = int(line)

    def _write_ssh(self) -> None:
        host_key = " ".join((self.top / "host_key.pub").read_text().split()[:2])
        known = [f"[{host.address}]:{self.port} {host_key}\n" for host in (*hosts(self.size), PROBE)]
        self.known_hosts.write_text("".join(known))
        text = _SSH_CONFIG.format(port=self.port, top=self.top)
        self.ssh_config().write_text(text)
        self.ssh_config(curve=True).write_text(f"{text}  KexAlgorithms {CURVE}\n")


def _need() -> None:
    """What a fleet needs of this machine; as root, what is missing is installed as for a lab. Raises Blocked."""
    needed = {"/usr/sbin/sshd": "openssh-server", "ssh-keygen": "openssh-client", "unshare": "util-linux"}
    if os.geteuid():
        needed["newuidmap"] = "uidmap"
    missing = [package for program, package in needed.items() if not find(program)]
    if missing and os.geteuid() == 0:
        look()
    elif missing:
        raise Blocked(f"fleet: missing here: {' '.join(missing)}; apt-get install {' '.join(missing)}")
