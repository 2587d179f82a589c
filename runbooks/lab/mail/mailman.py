"""A Mailman 3 of its own: Debian's programs over a folder, on ports of 127.0.0.1, with SQLite. Those of another one,
such as in a virtual environment, are taken where the environment's ``MAILMAN_BIN`` names their folder.

Its files: ``rest.secret`` and ``mailman.cfg`` (mode 600), ``var`` (all that Mailman keeps), ``var/logs``, ``log``. REST
alone takes 250 MB and answers after 1.5 s; with all runners it is 680 MB and 5 s. Source: config/schema.cfg of 3.3.8.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbooks.errors import Blocked
from runbooks.lab.detached import Detached, write_secret
from runbooks.lab.machine import find, install
from runbooks.lab.mail import ADDRESS, MAILBOXES
from runbooks.lab.network import answers, is_free

SITE_OWNER = f"postmaster@{MAILBOXES}"
"""Who gets what is for a list's owners where it has none."""
_DEBIAN = "/usr/lib/mailman3/bin"
_BIN = Path(os.environ.get("MAILMAN_BIN", _DEBIAN))
_CONFIG = """[mailman]
layout: own
site_owner: {site_owner}
[paths.own]
var_dir: {folder}/var
bin_dir: {bin}
[webservice]
hostname: {address}
port: {port}
admin_user: {user}
admin_pass: {password}
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: {address}
smtp_port: {smtp_port}
lmtp_host: {address}
lmtp_port: {lmtp_port}
[dmarc]
org_domain_data_url: file://{suffixes}
[archiver.mhonarc]
class:
[archiver.mail_archive]
class:
[archiver.prototype]
class:
[database]
url: sqlite:///{folder}/var/data/mailman.db?timeout={patience_s}
"""
# Its processes write to one SQLite in turn. Who has waited for 5 s, which is what Python has them wait, gives up: REST
# with a 500, LMTP with a bounce, a runner by setting the mail aside.
# No archivers: two runners put them down for a new list, and if both do, no mail of it is delivered any more (3.3.8).
# Mailman's own copy of the public suffixes: with the address that it has otherwise, mail waits for the Internet.
_SUFFIXES = "/usr/lib/python3/dist-packages/mailman/rules/data/public_suffix_list.dat"
_FLOW = ("in", "command", "bounces", "pipeline", "digest", "archive", "virgin", "out", "retry", "out")
"""The queues, each before those into which its runner puts what comes of a message."""
_BROKEN = ("bad", "shunt")
_FAULT = re.compile(r"^\S*(?:Error|Exception)\b.*", re.MULTILINE)
"""The line of a traceback that says what it was."""
# How often a runner looks into its queue, else 1 s to 15 min; there is no news server.
_ALL = "[runner.nntp]\nstart: no\n" + "".join(f"[runner.{name}]\nsleep_time: 0.2s\n" for name in sorted(set(_FLOW)))
# By options of master it cannot be said (3.3.8: a TypeError).
_ALONE = "".join(f"[runner.{name}]\nstart: no\n" for name in sorted({*_FLOW, "lmtp", "nntp", "task"}))


@dataclass(frozen=True)
class Mailman(Detached):
    """One Mailman. Without an ``lmtp_port`` it is REST alone: it can be asked and told everything, and no mail flows.
    Its own mail goes to ``smtp_port``."""

    top: Path
    port: int
    lmtp_port: int = 0
    smtp_port: int = 0
    user = "restadmin"
    program = "Mailman"
    name = "mailman"
    patience_s = 120

    @property
    def folder(self) -> Path:
        """Its files."""
        return self.top

    @property
    def where(self) -> str:
        """Its ports."""
        return f"port {' or '.join(map(str, self._ports()))} of {ADDRESS}"

    def _ports(self) -> list[int]:
        return [port for port in (self.port, self.lmtp_port) if port]

    @property
    def url(self) -> str:
        """Its REST API, without the version."""
        return f"http://{ADDRESS}:{self.port}"

    @property
    def password_file(self) -> Path:
        """The password of ``user`` for the REST API, mode 600; there from the first start on."""
        return self.folder / "rest.secret"

    @property
    def config(self) -> Path:
        """mailman.cfg, for Mailman's own commands."""
        return self.folder / "mailman.cfg"

    def prepare(self) -> Sequence[str]:
        """rest.secret and mailman.cfg."""
        need_mailman()
        if not self.password_file.exists():
            write_secret(self.password_file, secrets.token_hex(16))
        config = _CONFIG.format(
            folder=self.folder, bin=_BIN, address=ADDRESS, port=self.port, user=self.user, smtp_port=self.smtp_port,
            lmtp_port=self.lmtp_port, site_owner=SITE_OWNER, suffixes=_SUFFIXES,
            password=self.password_file.read_text(), patience_s=self.patience_s,
        )  # fmt: skip
        write_secret(self.config, config + (_ALL if self.lmtp_port else _ALONE))
        # --force: the lock of one that was killed is no obstacle.
        return [str(_BIN / "master"), "--force", "--config", str(self.config)]

    def answers(self) -> bool:
        """The REST API does, to its user, and LMTP takes connections."""
        if not all(answers(ADDRESS, port) for port in self._ports()):
            return False
        try:
            return bool(self.rest("system/versions"))
        except Blocked:
            return False

    def port_is_free(self) -> bool:
        """Whether nobody has any of them."""
        return all(is_free(ADDRESS, port) for port in self._ports())

    def rest(self, path: str, data: dict[str, Any] | None = None, method: str = "") -> Any:
        """Ask or tell the REST API, as a witness that is no client library; {} where it answers nothing. Raises
        Blocked."""
        import requests

        user = (self.user, self.password_file.read_text())
        verb = method or ("GET" if data is None else "POST")
        try:
            # A form, which has no null and no empty list: of JSON, Mailman 3.2 takes words alone.
            form = data and {key: "" if value in (None, []) else value for key, value in data.items()}
            done = requests.request(verb, f"{self.url}/3.1/{path}", data=form, auth=user, timeout=60)
        except requests.RequestException as error:
            raise Blocked(f"lab: {self.name}: {self.url} does not answer") from error
        if not done.ok:
            raise Blocked(f"lab: {self.name}: {verb} {path}: {done.status_code} {done.text[:300]}")
        return done.json() if done.content else {}

    def command(self, *words: str) -> list[str]:
        """One of Mailman's own commands, as cron jobs are: ``digests --periodic``, ``notify``."""
        root = ["--run-as-root"] if os.geteuid() == 0 else []
        return [str(_BIN / "mailman"), *root, "--config", str(self.config), *words]

    @property
    def python(self) -> Path:
        """The Python that its programs run in."""
        own = _BIN / "python3"
        return own if own.exists() else Path("/usr/bin/python3")

    # ---- mail on its way

    def waiting(self) -> list[str]:
        """Messages in its queues, also those that are being worked on, as ``in/…``; looked for along their way, so that
        none slips past. Raises Blocked where Mailman has put one aside for a fault of its own."""
        if broken := _files(self.folder, _BROKEN):
            log = self.folder / "var/logs/mailman.log"
            why = _FAULT.findall(log.read_text(errors="replace")) if log.exists() else []
            raise Blocked(f"lab: {self.name}: shunted, see {log}: {', '.join([*broken, *why[-2:]])}")
        return _files(self.folder, _FLOW)


def _files(folder: Path, queues: Iterable[str]) -> list[str]:
    """A queue file is .pck.tmp while it is written, .pck, and .bak while its runner has it (core/switchboard.py)."""
    return [f"{queue}/{path.name}" for queue in queues for path in (folder / "var/queue" / queue).glob("*")]


def need_mailman() -> None:
    """Installed where we may. Raises Blocked."""
    master = _BIN / "master"
    if str(_BIN) != _DEBIAN and not master.exists():
        raise Blocked(f"lab: MAILMAN_BIN: {master}: no such file")
    if os.geteuid() == 0 and find("apt-get"):
        install(lambda: [] if master.exists() else ["mailman3"])
    elif not master.exists():
        raise Blocked("lab: missing here: mailman3; ask root for: apt-get install mailman3")
