"""The lab's directory: who is in it, and what the tool's settings say of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from runbooks.errors import Blocked
from runbooks.lab.directory import GROUPS, PEOPLE, TOOL, DirectoryServer, Entry, person_entry
from runbooks.lab.layout import Layout, State
from runbooks.lab.machine import say
from runbooks.lab.people import DOMAIN, Person

_PRIVILEGED = {"ops": "ops", "logstash-access": "deployment"}
"""Groups of the directory, and the registry's group whose people are in each."""
_LDAP_ONLY = {
    "victor": Entry(49001, f"victor@{DOMAIN}", "Victor Vega"),
    "trent": Entry(49002, f"trent@{DOMAIN}", "Trent Tully"),
}
_NEWCOMERS = {
    "nina": Entry(49003, f"nina@{DOMAIN}", "Nina Novak"),
    "oscar": Entry(49004, "oscar@example.net", "Oscar Olsen"),
}
"""In the directory, and not in the registry yet: somebody to grant access to."""


def server_of(layout: Layout, state: State) -> DirectoryServer:
    """The lab's directory, which is known to be there."""
    return DirectoryServer(layout.directory, state.ldap_port)


def bring_up(layout: Layout, state: State) -> None:
    """Make the directory, or start it where it is dead; without one where slapd cannot be had. The port is noted in
    ``state``, for the caller to save. Raises Blocked where it was there and does not start."""
    if state.ldap_port:
        server = server_of(layout, state)
        server.start()
    else:
        remove(layout)
        try:
            server = _made(layout, state.people)
        except Blocked as error:
            say(f"no directory here: {error}")
            remove(layout)
            return
    state.ldap_port = server.port


def _made(layout: Layout, people: Sequence[Person]) -> DirectoryServer:
    server = DirectoryServer(layout.directory)
    server.start()
    groups = _groups(people)
    groups["wmf"].append("victor")
    server.fill(_LDAP_ONLY | _NEWCOMERS | _entries(people), groups)
    return server


def remove(layout: Layout) -> None:
    """End it and remove its files, however far it had come."""
    if (layout.directory / "slapd.conf").exists():
        DirectoryServer(layout.directory).kill()
    shutil.rmtree(layout.directory, ignore_errors=True)


def add(layout: Layout, state: State, people: Sequence[Person]) -> None:
    """More people, in the groups that are theirs. Raises Blocked."""
    server = server_of(layout, state)
    server.add("\n".join(person_entry(name, entry) for name, entry in _entries(people).items()))
    for group, names in _groups(people).items():
        server.join(group, names)


def _entries(people: Sequence[Person]) -> dict[str, Entry]:
    return {person.name: Entry(person.uid, person.email, person.realname) for person in people}


def _groups(people: Sequence[Person]) -> dict[str, list[str]]:
    """Who is in which group: staff in wmf, others in nda; those who have left in none."""
    present = [person for person in people if not person.absent]
    groups = {
        "wmf": [person.name for person in present if person.staff],
        "nda": [person.name for person in present if not person.staff],
    }
    return groups | {
        name: [person.name for person in present if group in person.groups] for name, group in _PRIVILEGED.items()
    }


def settings(layout: Layout, state: State) -> dict[str, Any]:
    """The ``ldap`` section of the lab's settings; empty where there is no directory."""
    if not state.ldap_port:
        return {}
    server = server_of(layout, state)
    return {
        "ldap": {
            "url": server.url,
            "ca": str(server.ca),
            "bind_dn": TOOL,
            "password_file": str(server.password_file),
            "people": PEOPLE,
            "groups": GROUPS,
            "domains": [DOMAIN],
            "privileged": list(_PRIVILEGED),
        }
    }
