"""The lab's list server: which lists there are at first, and what the tool's settings say of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

from runbooks.lab.layout import Layout, State
from runbooks.lab.mail import ADDRESS, LISTS
from runbooks.lab.mail.exim import need_exim
from runbooks.lab.mail.mailman import need_mailman
from runbooks.lab.mail.servers import ListServer
from runbooks.lab.network import free_port
from runbooks.lab.people import Person

_OWNERS = ("olga@example.net", "oscar@example.net")
_STRANGER = "stranger@example.net"


def need() -> None:
    """Mailman and exim, installed where we may. Raises Blocked."""
    need_mailman()
    need_exim()


def server_of(layout: Layout, state: State) -> ListServer:
    """The lab's list server, which is known to be there."""
    return ListServer(layout.lists, *state.list_ports)


def bring_up(layout: Layout, state: State) -> None:
    """Make the list server, or start it where any of it is dead. The ports are noted in ``state``, for the caller to
    save: they are others where somebody has taken them. Raises Blocked."""
    if not state.list_ports:
        remove(layout)
        state.list_ports = free_ports()
        server = server_of(layout, state)
        server.start()
        _fill(server, state.people)
        return
    server = server_of(layout, state)
    if not server.powered():
        server.kill()
        if not server.ports_are_free():
            state.list_ports = free_ports()
        server_of(layout, state).start()


def free_ports() -> list[int]:
    """Three, each another, for a ListServer."""
    found: set[int] = set()
    while len(found) < 3:
        found.add(free_port(ADDRESS))
    return sorted(found)


def remove(layout: Layout) -> None:
    """End it and remove its files, however far it had come."""
    ListServer(layout.lists, 0, 0, 0).kill()
    shutil.rmtree(layout.lists, ignore_errors=True)


def _fill(server: ListServer, people: Sequence[Person]) -> None:
    """A public list with a message that waits for a moderator, and a private one."""
    present = [person.email for person in people if not person.absent]
    server.add_list("cats", description="All about cats")
    server.add_list("board", description="The board", archive_policy="private", advertised=False,
                    subscription_policy="confirm_then_moderate")  # fmt: skip
    for name, members in {"cats": present, "board": present[:3]}.items():
        for owner in _OWNERS:
            server.add_member(name, owner, "owner")
        for member in members:
            server.add_member(name, member)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = _STRANGER, f"cats@{LISTS}", "Cheap cat food"
    message.set_content("Buy now.")
    server.exim.send(message, _STRANGER, f"cats@{LISTS}")
    server.settle()


def settings(layout: Layout, state: State) -> dict[str, Any]:
    """The ``lists`` section of the lab's settings; empty where there is no list server."""
    if not state.list_ports:
        return {}
    mailman = server_of(layout, state).mailman
    told = {"driver": "mailman3", "url": mailman.url, "user": mailman.user, "password_file": str(mailman.password_file)}
    return {"lists": {"domains": {LISTS: told}}}
