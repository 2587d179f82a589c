"""The real exim with a configuration of its own: for where it routes, nothing of it is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runbooks.lab.machine import install

EXIM = "/usr/sbin/exim4"
_CONFIG = """
primary_hostname = mx.test
spool_directory = {top}/spool
log_file_path = {top}/%slog
keep_environment =
begin routers
outside:
  driver = manualroute
  domains = example.net
  transport = smtp
  route_list = * 192.0.2.9::26:192.0.2.10
aliases:
  driver = redirect
  domains = dsearch;{aliases}
  data = ${{lookup{{$local_part}}lsearch{{{aliases}/$domain_data}}}}
  allow_fail
  allow_defer
  file_transport = file
{forbid}
people:
  driver = accept
  domains = mx.test
  local_parts = alice : bob
  transport = file
begin transports
smtp:
  driver = smtp
file:
  driver = appendfile
  file = /dev/null
begin rewrite
old-desk@mx.test alice@mx.test T
"""


def command(top: Path, forbid: str = "") -> tuple[str, ...]:
    """Exim, with aliases in ``top``/aliases; skips where there is none."""
    if os.geteuid() != 0:
        pytest.skip("exim says no more than that a route fails, unless to root")
    if shutil.which("apt-get"):
        install(lambda: [] if Path(EXIM).exists() else ["exim4-daemon-light"])
    elif not Path(EXIM).exists():
        pytest.skip("no exim4 here: apt-get install exim4-daemon-light")
    (top / "aliases").mkdir()
    config = top / "exim.conf"
    config.write_text(_CONFIG.format(top=top, aliases=top / "aliases", forbid=forbid))
    return EXIM, "-C", str(config)
