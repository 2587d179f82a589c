"""A real Mailman 3 core for the tests, REST alone, and what it is given beside its API: messages that are held."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runbooks.errors import Blocked
from runbooks.lab.mail import ADDRESS
from runbooks.lab.mail.mailman import Mailman
from runbooks.lab.network import free_port

# In Mailman's own Python: REST takes no mail.
_HOLD = """
import sys
from mailman.core.initialize import initialize
initialize(sys.argv[1])
from email import message_from_string
from mailman.app.moderator import hold_message
from mailman.database.transaction import transaction
from mailman.email.message import Message
from mailman.interfaces.listmanager import IListManager
from zope.component import getUtility
with transaction():
    held = getUtility(IListManager).get(sys.argv[2])
    for number, subject in enumerate(sys.argv[3:]):
        head = f"From: Anna <anna{number}@example.net>\\nMessage-ID: <{number}@{sys.argv[2]}>\\n"
        text = f"{head}Subject: {subject}\\n\\nhello\\n"
        hold_message(held, message_from_string(text, Message), {}, "why not")
"""


@contextmanager
def running(top: Path) -> Iterator[Mailman]:
    """One in a folder, that ends with this; skips where none can be had."""
    server = Mailman(top / "mailman", free_port(ADDRESS))
    try:
        try:
            server.start()
        except Blocked as missing:
            pytest.skip(str(missing))
        yield server
    finally:
        server.kill()


def hold(server: Mailman, address: str, *subjects: str) -> None:
    """Have messages wait for the moderators of a list."""
    argv = [str(server.python), "-c", _HOLD, str(server.config), address, *subjects]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=server.folder)
