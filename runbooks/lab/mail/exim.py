"""An exim of its own: mail for Mailman's domain goes to Mailman, every address of some other domains is a mailbox, and
all else is refused: no mail ever leaves the machine.

Its files: ``exim.conf``, ``spool``, ``mail`` (one mbox per address), ``log``. As root it runs as the user
``mail``, so that nobody is delivered to as root; it keeps the right to use a folder that is root's alone.

Sources: the Exim 4.96 specification; Mailman's own manual, "Hooking up your mail server", of exim.
"""

from __future__ import annotations

import mailbox
import os
import smtplib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path

from runbooks.errors import Blocked
from runbooks.lab.detached import Detached
from runbooks.lab.machine import CLEAN, find, install
from runbooks.lab.mail import ADDRESS, LISTS, MAILBOXES
from runbooks.lab.network import answers, is_free
from runbooks.lab.people import DOMAIN

_CONFIG = r"""exim_user = {user}
exim_group = {group}
primary_hostname = {lists}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
log_selector = -queue_run
pid_file_path = {folder}/exim.pid
local_interfaces = {address}
daemon_smtp_ports = {port}
keep_environment =
tls_advertise_hosts =
acl_smtp_rcpt = known
message_size_limit = 5M

begin acl
known:
  accept verify = recipient
  deny message = no mail leaves this machine

begin routers
lists:
  driver = accept
  domains = {lists}
  require_files = {mailman}/var/lists/${{local_part}}.${{domain}}
  local_part_suffix_optional
  local_part_suffix = -bounces : -bounces+* : -confirm : -confirm+* : -join : -leave : -owner : -request : \
                      -subscribe : -unsubscribe
  transport = mailman
mailboxes:
  driver = accept
  domains = {mailboxes}
  local_parts = ^[a-z0-9][a-z0-9._+-]*\$
  # The local part, whatever it is, as something that may name a file.
  address_data = ${{lookup{{$local_part}}lsearch*,ret=key{{{folder}/any}}}}
  transport = mailbox

begin transports
mailman:
  driver = smtp
  protocol = lmtp
  hosts = {address}
  port = {lmtp_port}
  allow_localhost
  rcpt_include_affixes
mailbox:
  driver = appendfile
  file = {folder}/mail/$address_data@$domain_data
  envelope_to_add
  return_path_add
  mode = 0600

begin retry
* * F,4d,1s
"""
_AS_MAIL = ("setpriv", "--reuid", "mail", "--regid", "mail", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all,+dac_override", "--ambient-caps", "+dac_override", "--")  # fmt: skip


@dataclass(frozen=True)
class Exim(Detached):
    """One exim. ``mailman`` is the folder of the Mailman that listens at ``lmtp_port``."""

    top: Path
    port: int
    mailman: Path
    lmtp_port: int
    program = "exim"
    name = "exim"

    @property
    def folder(self) -> Path:
        """Its files."""
        return self.top

    @property
    def where(self) -> str:
        """Its port."""
        return f"port {self.port} of {ADDRESS}"

    @property
    def config(self) -> Path:
        """For exim's own commands."""
        return self.folder / "exim.conf"

    def prepare(self) -> Sequence[str]:
        """exim.conf and the folders."""
        need_exim()
        for part in ("spool", "mail"):
            (self.folder / part).mkdir(exist_ok=True)
        (self.folder / "any").write_text("*: any\n")
        root = os.geteuid() == 0
        config = _CONFIG.format(
            user="mail" if root else os.geteuid(), group="mail" if root else os.getegid(), folder=self.folder,
            address=ADDRESS, port=self.port, lists=LISTS, mailboxes=f"{MAILBOXES} : {DOMAIN}", mailman=self.mailman,
            lmtp_port=self.lmtp_port,
        )  # fmt: skip
        self.config.write_text(config)
        # In the foreground; the queue is looked through every five seconds.
        return self.command("-bdf", "-q5s")

    def command(self, *options: str) -> list[str]:
        """exim with its configuration, as it runs itself."""
        return [*(_AS_MAIL if os.geteuid() == 0 else ()), str(find("exim4")), "-C", str(self.config), *options]

    def answers(self) -> bool:
        """It greets."""
        try:
            with smtplib.SMTP(ADDRESS, self.port, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def port_is_free(self) -> bool:
        """Whether nobody has it."""
        return is_free(ADDRESS, self.port) and not answers(ADDRESS, self.port)

    def send(self, message: EmailMessage | bytes, sender: str, *recipients: str) -> None:
        """Hand a message in by SMTP, with an envelope. Raises smtplib.SMTPException where it is refused."""
        data = message if isinstance(message, bytes) else message.as_bytes()
        with smtplib.SMTP(ADDRESS, self.port, timeout=60) as smtp:
            smtp.sendmail(sender, recipients, data)

    def mailbox(self, address: str) -> list[Message]:
        """What was delivered to an address, oldest first."""
        path = self.folder / "mail" / address
        return list(mailbox.mbox(path, create=False)) if path.exists() else []

    def waiting(self) -> int:
        """How many messages it has not delivered everywhere yet (exim -bpc). Raises Blocked."""
        done = subprocess.run(self.command("-bpc"), capture_output=True, text=True, check=False, env=CLEAN, timeout=60)
        if done.returncode:
            raise Blocked(f"lab: exim -bpc: {done.stderr.strip()[-300:]}")
        return int(done.stdout)

    def history(self) -> str:
        """Its log: a line for each message received and each delivery."""
        log = self.folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""


def need_exim() -> None:
    """Installed where we may. Raises Blocked."""
    if os.geteuid() == 0 and find("apt-get"):
        install(lambda: [] if find("exim4") else ["exim4-daemon-light"])
    elif not find("exim4"):
        raise Blocked("lab: missing here: exim4; ask root for: apt-get install exim4-daemon-light")
