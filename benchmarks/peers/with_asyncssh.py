"""asyncssh: one connection a host, fifty at a time."""

from __future__ import annotations

import asyncio

import asyncssh
from peer import Job, give, job


async def _host(job: Job, host: str, options: dict[str, object], said: list[str]) -> None:
    async with asyncssh.connect(host, **options) as connection:
        for command in job.commands:
            result = await connection.run(command)
            if result.exit_status != 0:
                return
            said.append(str(result.stdout))


async def main(job: Job) -> None:
    """All hosts."""
    options: dict[str, object] = {
        "port": job.port,
        "username": job.user,
        "client_keys": [asyncssh.read_private_key(job.key)],
        "known_hosts": asyncssh.read_known_hosts(job.known_hosts),
        "config": None,
        "agent_path": None,
    }
    answers: dict[str, list[str]] = {host: [] for host in job.hosts}
    turn = asyncio.Semaphore(job.width)

    async def in_turn(host: str) -> None:
        async with turn:
            await _host(job, host, options, answers[host])

    # What fails on one host concerns no other.
    await asyncio.gather(*map(in_turn, job.hosts), return_exceptions=True)
    give(answers)


asyncio.run(main(job()))
