"""paramiko alone: fifty threads, one client a host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import paramiko
from peer import give, job

JOB = job()
KEY = paramiko.PKey.from_path(JOB.key)
KNOWN = paramiko.HostKeys(JOB.known_hosts)


def client_of(host: str) -> paramiko.SSHClient:
    """A connected client, which takes only the known host key."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    place = f"[{host}]:{JOB.port}"
    for kind, key in KNOWN[place].items():
        client.get_host_keys().add(place, kind, key)
    client.connect(host, JOB.port, JOB.user, pkey=KEY, allow_agent=False, look_for_keys=False)
    return client


def run(host: str) -> tuple[str, list[str]]:
    """What the commands printed on a host; what fails there concerns no other."""
    said: list[str] = []
    with suppress(paramiko.SSHException, OSError), closing(client_of(host)) as client:
        for command in JOB.commands:
            _, stdout, _ = client.exec_command(command)
            text = stdout.read().decode()
            if stdout.channel.recv_exit_status() != 0:
                break
            said.append(text)
    return host, said


with ThreadPoolExecutor(JOB.width) as pool:
    give(dict(pool.map(run, JOB.hosts)))
