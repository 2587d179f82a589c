"""What this machine can do for a lab: as root, or without root through user namespaces."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runbooks.errors import Blocked, SettingsError

# In a host nothing of the caller's environment matters.
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
_USERNS = ("unshare", "--user", "--map-root-user", "--map-auto")
# Programs of the hosts, and the Debian package of each. As root the hosts borrow them from this machine.
_HOST_PROGRAMS = {
    "/usr/bin/puppet": "puppet-agent",
    "/usr/sbin/sshd": "openssh-server",
    "/usr/sbin/cron": "cron",
    "/usr/bin/setfacl": "acl",
    "/usr/bin/setfattr": "attr",
    "/usr/bin/rsync": "rsync",
    "/usr/bin/sudo": "sudo",
    "/usr/bin/git": "git",
    "/usr/bin/python3": "python3",
    "/usr/sbin/deluser": "adduser",
}
_ROOT_PROGRAMS = {"ip": "iproute2", "ssh-keygen": "openssh-client", "unshare": "util-linux"}
_ROOTLESS_PROGRAMS = {
    "unshare": "util-linux",
    "newuidmap": "uidmap",
    "ssh-keygen": "openssh-client",
    "git": "git",
}
HOST_PACKAGES = (*sorted(set(_HOST_PROGRAMS.values())), "mount", "iproute2")


def say(line: str) -> None:
    """Progress, for a person."""
    print(f"lab: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Machine:
    """This machine, as a lab may use it."""

    rootless: bool

    def inside(self, argv: Sequence[str]) -> list[str]:
        """``argv`` as root of the lab's files: needed to touch what lab hosts own."""
        return [*_USERNS, "--", *argv] if self.rootless else list(argv)

    def call(self, argv: Sequence[str], *, stdin: bytes | None = None) -> bytes:
        """Run a helper on this machine as root of the lab's files; its standard output."""
        done = subprocess.run(self.inside(argv), input=stdin, capture_output=True, check=False)
        if done.returncode:
            raise SettingsError(f"lab: {' '.join(argv)[:200]}: {_last_line(done.stderr)}")
        return done.stdout


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "failed without a word"


def look() -> Machine:
    """This machine, once it is known to be able to carry a lab; one line about what is missing otherwise."""
    if sys.platform != "linux":
        raise Blocked("lab: a lab needs Linux namespaces; use a Linux machine or a virtual one")
    if os.geteuid() == 0:
        _need_namespaces(
            ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "true"], "run it on a machine itself"
        )
        _install_missing()
        return Machine(rootless=False)
    _need_programs(_ROOTLESS_PROGRAMS)
    user = getpass.getuser()
    for table in ("/etc/subuid", "/etc/subgid"):
        if not _has_range(Path(table), user):
            raise Blocked(
                f"lab: {table} has no range for {user}; ask root for: usermod --add-subuids 100000-165535 "
                f"--add-subgids 100000-165535 {user}"
            )
    _need_namespaces(
        [*_USERNS, "--mount", "--pid", "--fork", "true"],
        "user namespaces are switched off here "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone); run the lab as root",
    )
    return Machine(rootless=True)


def _has_range(table: Path, user: str) -> bool:
    if not table.exists():
        return False
    rows = (line.split(":") for line in table.read_text().splitlines())
    return any(len(r) == 3 and r[0] in (user, str(os.getuid())) and int(r[2]) >= 65534 for r in rows)


def _need_programs(programs: dict[str, str]) -> None:
    missing = sorted({package for program, package in programs.items() if not find(program)})
    if missing:
        raise Blocked(f"lab: missing here: {' '.join(missing)}; ask root for: apt-get install {' '.join(missing)}")


def find(program: str) -> str | None:
    """Where a program is; sbin counts, though not every user has it in the path."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


def _need_namespaces(probe: list[str], hint: str) -> None:
    done = subprocess.run(probe, capture_output=True, check=False)
    if done.returncode:
        raise Blocked(f"lab: namespaces cannot be had here ({_last_line(done.stderr)}); {hint}")


def _install_missing() -> None:
    programs = _HOST_PROGRAMS | _ROOT_PROGRAMS
    if all(map(find, programs)):
        return
    if not find("apt-get"):
        raise Blocked(f"lab: missing here: {' '.join(sorted(set(programs.values())))}; install what provides them")
    install(lambda: sorted({package for program, package in programs.items() if not find(program)}))


def install(missing: Callable[[], list[str]]) -> None:
    """The Debian packages that are missing when our turn comes, none of whose daemons is started. Raises Blocked."""
    # Two labs may come up at the same moment: one installs, the other waits for it.
    with Path("/run/lock/ops-clinic-lab").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if packages := missing():
            _install(packages)


def _install(packages: list[str]) -> None:
    say(f"installing {' '.join(packages)} (no daemon is started)")
    with _no_daemons():
        install = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *packages]
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if subprocess.run(install, capture_output=True, check=False, env=env).returncode:
            subprocess.run(["apt-get", "update"], capture_output=True, check=False, env=env)
            done = subprocess.run(install, capture_output=True, check=False, env=env)
            if done.returncode:
                raise Blocked(f"lab: {' '.join(install)}: {_last_line(done.stderr)}")


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian packages start their daemons by themselves; a policy-rc.d that exits 101 stops that."""
    policy = Path("/usr/sbin/policy-rc.d")
    before = policy.read_bytes() if policy.exists() else None
    mode = policy.stat().st_mode if before is not None else 0o755
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            policy.unlink()
        else:
            policy.write_bytes(before)
            policy.chmod(mode)
