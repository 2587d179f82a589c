"""A real OpenLDAP for the lab and the tests: slapd with memberOf, refint, StartTLS under a CA of its own, and a user
for this tool that may write nothing but ``member`` of groups.

Sources: slapd.conf(5), slapo-memberof(5), slapo-refint(5).
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runbooks.errors import Blocked, Unreachable
from runbooks.lab import certificates
from runbooks.lab.host import process_stat, wait_for
from runbooks.lab.layout import FILES
from runbooks.lab.machine import CLEAN, find, install
from runbooks.lab.network import answers, free_port, is_free
from runbooks.secret import Secret

SUFFIX = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
_TRIES = 3
_FILES = FILES / "ldap"
ADMIN, TOOL = f"cn=admin,{SUFFIX}", f"cn=ops-clinic,ou=profile,{SUFFIX}"


@dataclass(frozen=True)
class Entry:
    """Somebody in the directory."""

    uid: int
    mail: str
    cn: str = ""
    ssh_keys: Sequence[str] = ()


@dataclass
class DirectoryServer:
    """One slapd in ``top``, on a port of 127.0.0.1: the one given if it is free, else another. It runs by itself, and a
    handle on a folder that has one already is cheap: every question is asked of the kernel."""

    top: Path
    port: int = 0
    admin_password: Secret = field(init=False)
    password: Secret = field(init=False)
    name = "ldap"
    address = "127.0.0.1"

    def __post_init__(self) -> None:
        fresh = not self.config.exists()
        if fresh:
            _need_slapd()
            self.top.mkdir(exist_ok=True)
            self.top.chmod(0o700)
        self.admin_password, self.password = _secret(self.top / "admin.secret"), _secret(self.password_file)
        if fresh:
            self._make()

    def _make(self) -> None:
        (self.top / "db").mkdir()
        certificates.make(self.top, self.address)
        self.config.touch(mode=0o600)
        filled = (_FILES / "slapd.conf").read_text().format(
            files=_FILES, top=self.top, modules="/usr/lib/ldap", groups=GROUPS, tool=TOOL, suffix=SUFFIX, admin=ADMIN,
            password=self.admin_password.reveal(),
        )  # fmt: skip
        self.config.write_text(filled)

    @property
    def config(self) -> Path:
        """What slapd is started with, and known by."""
        return self.top / "slapd.conf"

    @property
    def password_file(self) -> Path:
        """The password of the tool's user, mode 600."""
        return self.top / "tool.secret"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"ldap://{self.address}:{self.port}"

    @property
    def ca(self) -> Path:
        """The certificate that its own is signed with."""
        return self.top / "ca.pem"

    def pid(self) -> int | None:
        """Its process; a number left from an earlier life does not count."""
        try:
            pid = int((self.top / "slapd.pid").read_text())
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.config).encode() in argv else None

    def powered(self) -> bool:
        """Whether it runs."""
        return self.pid() is not None

    def frozen(self) -> bool:
        """Whether it stands still."""
        pid = self.pid()
        seen = process_stat(pid) if pid else None
        return seen is not None and seen[0] == "T"

    def start(self) -> None:
        """Until it answers; a live one is left alone. Raises Blocked: where AppArmor keeps slapd to folders of its own,
        it says that it may not read its configuration."""
        if self.pid() is not None:
            return
        _need_slapd()
        for _ in range(_TRIES):
            if not self.port or not is_free(self.address, self.port):
                self.port = free_port(self.address)
            # By itself it goes into a session of its own, and lets go of our files. It is about to listen then.
            if not self._slapd("-h", self.url).returncode:
                wait_for(lambda: answers(self.address, self.port), 60, f"lab: {self.name}: slapd does not answer")
                return
        said = self._slapd("-T", "test", "-d", "none").stderr.decode(errors="replace").strip().splitlines()
        raise Blocked(f"lab: slapd did not start: {'; '.join(said[-2:]) or 'it does not say why'}")

    def _slapd(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        argv, mark = [str(find("slapd")), *options, "-f", str(self.config)], {"LAB_HOST_DIR": str(self.top)}
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=CLEAN | mark)

    def kill(self) -> None:
        """End it as a power cut would; what it has answered for stays."""
        if self._signal(signal.SIGKILL):
            # A process on its way out has no arguments any more, and its port still.
            wait_for(
                lambda: not self.pid() and is_free(self.address, self.port), 60, f"lab: {self.name}: slapd does not end"
            )

    def freeze(self) -> None:
        """Have it stand still: connections are made, and nothing is answered. Raises Unreachable where it is dead."""
        self._require(signal.SIGSTOP)
        wait_for(self.frozen, 60, f"lab: {self.name}: slapd does not stand still")

    def thaw(self) -> None:
        """Have it go on. Raises Unreachable where it is dead."""
        self._require(signal.SIGCONT)
        wait_for(lambda: not self.frozen(), 60, f"lab: {self.name}: slapd does not go on")

    def _require(self, number: signal.Signals) -> None:
        if not self._signal(number):
            raise Unreachable(self.name, f"the lab's directory is dead; start it with: inv lab.start {self.name}")

    def _signal(self, number: signal.Signals) -> bool:
        pid = self.pid()
        if pid:
            os.kill(pid, number)
        return pid is not None

    def fill(self, people: Mapping[str, Entry], groups: Mapping[str, Sequence[str]]) -> None:
        """Put people and groups in; a group needs a member, so the tool's own user is in each. Once, when it runs."""
        base = [
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n",
            *(f"dn: ou={ou},{SUFFIX}\nobjectClass: organizationalUnit\n" for ou in ("people", "groups", "profile")),
            f"dn: {TOOL}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
            f"userPassword: {self.password.reveal()}\n",
        ]
        self.add("\n".join([*base, *map(person_entry, people, people.values()), *map(_group, groups, groups.values())]))

    def add(self, ldif: str) -> None:
        """Add entries as the administrator. Raises Blocked."""
        self._admin("ldapadd", ldif)

    def modify(self, ldif: str) -> None:
        """Change entries as the administrator. Raises Blocked."""
        self._admin("ldapmodify", ldif)

    def join(self, group: str, names: Iterable[str]) -> None:
        """Put accounts into a group as the administrator. Raises Blocked."""
        self._membership("add", group, names)

    def leave(self, group: str, names: Iterable[str]) -> None:
        """Take accounts out of a group as the administrator. Raises Blocked."""
        self._membership("delete", group, names)

    def _membership(self, verb: str, group: str, names: Iterable[str]) -> None:
        members = "".join(f"member: uid={name},{PEOPLE}\n" for name in names)
        if members:
            self.modify(f"dn: cn={group},{GROUPS}\nchangetype: modify\n{verb}: member\n{members}")

    def members(self, group: str) -> set[str]:
        """The accounts in a group, the tool's own user aside, as the administrator sees them. Raises Blocked."""
        found = self._admin("ldapsearch", "", "-LLL", "-o", "ldif-wrap=no", "-b", GROUPS, f"(cn={group})", "member")
        return set(re.findall(r"^member: uid=([^,]+),", found, re.MULTILINE))

    def _admin(self, program: str, ldif: str, *more: str) -> str:
        argv = [program, "-ZZ", "-x", "-H", self.url, "-D", ADMIN, "-y", str(self.top / "admin.secret"), *more]
        env = CLEAN | {"LDAPTLS_CACERT": str(self.ca)}
        try:
            done = subprocess.run(argv, input=ldif.encode(), capture_output=True, check=False, env=env, timeout=30)
        except subprocess.TimeoutExpired as error:
            raise Blocked(f"lab: {program}: {self.url} does not answer; is it frozen?") from error
        if done.returncode:
            raise Blocked(f"lab: {program}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return done.stdout.decode()


def _need_slapd() -> None:
    """Installed where we may. Raises Blocked."""
    if os.geteuid() == 0 and find("apt-get"):
        install(lambda: [] if find("slapd") and find("ldapadd") else ["slapd", "ldap-utils"])
    elif not (find("slapd") and find("ldapadd")):
        raise Blocked("lab: missing here: slapd; ask root for: apt-get install slapd ldap-utils")


def _secret(path: Path) -> Secret:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    return Secret(path.read_text())


def person_entry(name: str, entry: Entry) -> str:
    """Somebody in LDIF."""
    keys = "".join(f"sshPublicKey: {key}\n" for key in entry.ssh_keys)
    return (
        f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: ldapPublicKey\n"
        f"uid: {name}\ncn: {entry.cn or name}\nsn: {entry.cn or name}\nmail: {entry.mail}\nuidNumber: {entry.uid}\n"
        f"gidNumber: 500\nhomeDirectory: /home/{name}\n{keys}"
    )


def _group(name: str, members: Sequence[str]) -> str:
    found = "".join(f"member: uid={member},{PEOPLE}\n" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\nmember: {TOOL}\n{found}"
