"""Fabric: ``group``, a ThreadingGroup of fifty hosts after the other, or ``threads``, Connections on fifty threads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import paramiko
from fabric import Config, Connection, ThreadingGroup
from fabric.exceptions import GroupException
from peer import give, job

JOB = job()
KNOWN = paramiko.HostKeys(JOB.known_hosts)
OPTIONS = {
    "user": JOB.user,
    "port": JOB.port,
    "config": Config(runtime_ssh_path=JOB.ssh_config),
    "connect_kwargs": {"pkey": paramiko.PKey.from_path(JOB.key), "allow_agent": False, "look_for_keys": False},
}
ANSWERS: dict[str, list[str]] = {host: [] for host in JOB.hosts}


def strict(connection: Connection) -> Connection:
    """Have it take only the known host key: by default Fabric takes any."""
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    place = f"[{connection.host}]:{JOB.port}"
    for kind, key in KNOWN[place].items():
        connection.client.get_host_keys().add(place, kind, key)
    return connection


def with_group(hosts: Sequence[str]) -> None:
    """Each command on all of these hosts, then the next one."""
    group = ThreadingGroup(*hosts, **OPTIONS)
    for connection in group:
        strict(connection)
    with group:
        for command in JOB.commands:
            try:
                results = group.run(command, hide=True)
            except GroupException as failed:
                results = failed.result.succeeded
            for connection, result in results.items():
                ANSWERS[connection.host].append(result.stdout)


def with_connection(connection: Connection) -> None:
    """All commands on one host; what fails there concerns no other."""
    with suppress(Exception), connection:
        for command in JOB.commands:
            ANSWERS[connection.host].append(connection.run(command, hide=True).stdout)


if sys.argv[2] == "group":
    for at in range(0, len(JOB.hosts), JOB.width):
        with_group(JOB.hosts[at : at + JOB.width])
else:
    # Made before the threads: in threads, one that shares its configuration now and then misses a key of it.
    connections = [strict(Connection(host, **OPTIONS)) for host in JOB.hosts]
    with ThreadPoolExecutor(JOB.width) as pool:
        list(pool.map(with_connection, connections))
give(ANSWERS)
