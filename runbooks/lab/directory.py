"""A real OpenLDAP for the lab and the tests: slapd with memberOf, refint, StartTLS under a CA of its own, and a user
for this tool that may write nothing but ``member`` of groups.

Sources: slapd.conf(5), slapo-memberof(5), slapo-refint(5).
"""

from __future__ import annotations

import datetime
import ipaddress
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbooks.errors import Blocked
from runbooks.lab.machine import find, install
from runbooks.secret import Secret

SUFFIX = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ADMIN, TOOL = f"cn=admin,{SUFFIX}", f"cn=ops-clinic,ou=profile,{SUFFIX}"
_CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include {top}/posix.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload refint
pidfile {top}/slapd.pid
TLSCACertificateFile {top}/ca.pem
TLSCertificateFile {top}/server.pem
TLSCertificateKeyFile {top}/server.key
security ssf=128
localSSF 256
sizelimit 5000
access to dn.subtree="{groups}" attrs=member
  by dn.exact="{tool}" write
  by * read
access to attrs=userPassword
  by anonymous auth
  by * none
access to *
  by users read
  by anonymous auth
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {top}/db
maxsize 1073741824
index objectClass,uid,cn,member eq
overlay memberof
memberof-refint false
memberof-dangling error
overlay refint
refint_attributes member
"""
# nis.schema's posixGroup is structural, and so cannot be a groupOfNames as well: RFC 2307bis has it auxiliary.
_SCHEMA = """\
attributetype ( 1.3.6.1.1.1.1.3 NAME 'homeDirectory' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.1.1.1.4 NAME 'loginShell' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY
  MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) MAY ( userPassword $ loginShell $ description ) )
objectclass ( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY MUST gidNumber MAY ( userPassword $ description ) )
attributetype ( 1.3.6.1.4.1.24552.500.1.1.1.13 NAME 'sshPublicKey' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.24552.500.1.1.2.0 NAME 'ldapPublicKey' SUP top AUXILIARY MAY ( sshPublicKey $ uid ) )
"""


@dataclass(frozen=True)
class Entry:
    """Somebody in the directory."""

    uid: int
    mail: str
    cn: str = ""
    ssh_keys: Sequence[str] = ()


@dataclass
class DirectoryServer:
    """One slapd in ``top``, on a port of 127.0.0.1 that was free. It is a child of this process and dies with it."""

    top: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    admin_password: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(12)))
    password: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(12)))

    def __post_init__(self) -> None:
        install(lambda: [] if find("slapd") and find("ldapadd") else ["slapd", "ldap-utils"])
        self.top.chmod(0o700)
        (self.top / "db").mkdir()
        _make_certificates(self.top)
        (self.top / "posix.schema").write_text(_SCHEMA)
        config = self.top / "slapd.conf"
        config.touch(mode=0o600)
        config.write_text(
            _CONFIG.format(
                top=self.top, modules="/usr/lib/ldap", groups=GROUPS, tool=TOOL, suffix=SUFFIX, admin=ADMIN,
                password=self.admin_password.reveal(),
            )
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """The certificate that its own is signed with."""
        return self.top / "ca.pem"

    def start(self) -> None:
        """Until it answers. Raises Blocked."""
        self.port = self.port or _free_port()
        slapd = find("slapd")
        if slapd is None:
            raise Blocked("lab: slapd is missing here: apt-get install slapd ldap-utils")
        argv = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            slapd,
            "-f",
            str(self.top / "slapd.conf"),
            "-h",
            self.url,
            "-d",
            "none",
        ]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.process.stderr.read()[-300:].decode() if self.process.stderr else ""
                raise Blocked(f"lab: slapd did not start: {said.strip()}")
            time.sleep(0.01)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it; SIGKILL: as a power cut would."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            if self.process.stderr:
                self.process.stderr.close()
            self.process = None

    def freeze(self) -> None:
        """Have it stand still: connections are made, and nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def fill(self, people: Mapping[str, Entry], groups: Mapping[str, Sequence[str]]) -> None:
        """Put people and groups in; a group needs a member, so the tool's own user is in each. Once, when it runs."""
        base = [
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n",
            *(f"dn: ou={ou},{SUFFIX}\nobjectClass: organizationalUnit\n" for ou in ("people", "groups", "profile")),
            f"dn: {TOOL}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
            f"userPassword: {self.password.reveal()}\n",
        ]
        self.add("\n".join([*base, *map(_person, people, people.values()), *map(_group, groups, groups.values())]))

    def add(self, ldif: str) -> None:
        """Add entries as the administrator. Raises Blocked."""
        self._admin("ldapadd", ldif)

    def modify(self, ldif: str) -> None:
        """Change entries as the administrator. Raises Blocked."""
        self._admin("ldapmodify", ldif)

    def _admin(self, program: str, ldif: str) -> None:
        secret = self.top / "admin.secret"
        secret.touch(mode=0o600)
        secret.write_text(self.admin_password.reveal())
        argv = [program, "-ZZ", "-x", "-H", self.url, "-D", ADMIN, "-y", str(secret)]
        env = {"LDAPTLS_CACERT": str(self.ca), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run(argv, input=ldif.encode(), capture_output=True, check=False, env=env, timeout=60)
        if done.returncode:
            raise Blocked(f"lab: {program}: {done.stderr.decode(errors='replace').strip()[-300:]}")


def _person(name: str, entry: Entry) -> str:
    keys = "".join(f"sshPublicKey: {key}\n" for key in entry.ssh_keys)
    return (
        f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: ldapPublicKey\n"
        f"uid: {name}\ncn: {entry.cn or name}\nsn: {entry.cn or name}\nmail: {entry.mail}\nuidNumber: {entry.uid}\n"
        f"gidNumber: 500\nhomeDirectory: /home/{name}\n{keys}"
    )


def _group(name: str, members: Sequence[str]) -> str:
    found = "".join(f"member: uid={member},{PEOPLE}\n" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\nmember: {TOOL}\n{found}"


def _free_port() -> int:
    while True:
        port = random.randrange(20000, 32000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _make_certificates(top: Path) -> None:
    """A CA, and a certificate for 127.0.0.1 that it has signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem = serialization.Encoding.PEM
    ca = _certificate("lab CA", ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0))
    (top / "ca.pem").write_bytes(ca.public_bytes(pem))
    (top / "server.pem").write_bytes(_certificate("127.0.0.1", key, ca_key, address).public_bytes(pem))
    (top / "server.key").touch(mode=0o600)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (top / "server.key").write_bytes(private)


def _certificate(subject: str, key: Any, ca_key: Any, extension: Any) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    def named(words: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, words)])

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("lab CA"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(ca_key, hashes.SHA256())
    )
