"""parallel-ssh: its native client with a pool of fifty. It has no way to check host keys, and checks none."""

from __future__ import annotations

from peer import give, job
from pssh.clients import ParallelSSHClient

JOB = job()
CLIENT = ParallelSSHClient(
    JOB.hosts,
    user=JOB.user,
    port=JOB.port,
    pkey=JOB.key,
    pool_size=JOB.width,
    allow_agent=False,
    identity_auth=False,
)
ANSWERS: dict[str, list[str]] = {host: [] for host in JOB.hosts}
for command in JOB.commands:
    outputs = CLIENT.run_command(command, stop_on_errors=False)
    CLIENT.join(outputs)
    for output in outputs:
        if output.exit_code == 0:
            ANSWERS[output.host].append("\n".join(output.stdout))
give(ANSWERS)
