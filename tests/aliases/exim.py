"""The real exim for the tests: what it reads in an alias file, and where it sends mail for an alias."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from runbooks.lab.machine import find, install

_CONFIG = """
spool_directory = {top}/spool
log_file_path = {top}/%slog
keep_environment =
primary_hostname = mx.example
qualify_domain = q.example
begin routers
aliases:
  driver = redirect
  domains = in.example
  condition = ${{if !def:parent_local_part}}
  data = ${{lookup{{$local_part}}lsearch{{{file}}}}}
  allow_fail
  allow_defer
  file_transport = none
  pipe_transport = none
  directory_transport = none
rest:
  driver = accept
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
"""

_HOST = """
spool_directory = {top}/spool
log_file_path = {top}/%slog
keep_environment =
primary_hostname = mx.example
qualify_domain = one.example
begin routers
aliases:
  driver = redirect
  domains = dsearch;{directory}
  data = ${{lookup{{$local_part}}lsearch{{{directory}/$domain_data}}}}
mailboxes:
  driver = accept
  domains = dsearch;{directory}
  local_parts = {mailboxes}
  transport = none
elsewhere:
  driver = accept
  domains = ! dsearch;{directory}
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
"""


@functools.cache
def program() -> str:
    """exim4; the test is skipped where there is none and it cannot be installed."""
    if not find("exim4") and os.geteuid() == 0 and shutil.which("apt-get"):
        install(lambda: [] if find("exim4") else ["exim4-daemon-light"])
    return find("exim4") or pytest.skip("no exim4 here: apt-get install exim4-daemon-light")


class Exim:
    """exim with one alias file, for the domain in.example; unqualified targets are q.example's."""

    def __init__(self, top: Path) -> None:
        self.file, self.config = top / "aliases", top / "exim.conf"
        self.config.write_text(_CONFIG.format(top=top, file=self.file))

    @classmethod
    def host(cls, top: Path, mailboxes: Sequence[str]) -> Exim:
        """A mail host as the field has it: a directory of files and links, one a domain, and mailboxes behind that."""
        exim = cls(top)
        exim.file = top / "aliases.d"
        exim.file.mkdir()
        exim.config.write_text(_HOST.format(top=top, directory=exim.file, mailboxes=":".join(mailboxes)))
        return exim

    def fails(self, addresses: Sequence[str]) -> list[bool]:
        """Whether some of the mail for each address is not delivered."""
        return [b"undeliverable" in text or b"cannot be" in text for text in self._ask("-bt", addresses)]

    def _ask(self, option: str, lines: Sequence[str]) -> list[bytes]:
        """What one process answers to each line."""
        feed = "".join(f"{line}\n" for line in lines).encode()
        argv = [program(), "-C", str(self.config), option]
        done = subprocess.run(argv, input=feed, capture_output=True, check=False, timeout=60)
        assert done.stdout.startswith(b"> "), done.stderr
        # The last prompt is for what does not come.
        return done.stdout[2:].split(b"\n> ")[: len(lines)]

    def values(self, data: bytes, keys: Sequence[bytes]) -> list[bytes | None]:
        """The data of each key, None where there is none."""
        self.file.write_bytes(data)
        found = self._ask(
            "-be", [f"${{lookup{{{_hex(key)}}}lsearch{{{self.file}}}{{=${{base64:$value}}}}{{}}}}" for key in keys]
        )
        return [base64.b64decode(value[1:]) if value.startswith(b"=") else None for value in found]

    def routes(self, data: bytes, names: Sequence[str]) -> list[list[str]]:
        """Where mail for each name goes: addresses, pipes, files; one sentence where it goes nowhere."""
        self.file.write_bytes(data)
        found = self._ask("-bt", [f"{name}@in.example" for name in names])
        return [
            [line for line in text.decode("utf-8", "surrogateescape").split("\n") if line[:1].strip()] for text in found
        ]


def _hex(key: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in key)
