"""Puppet on a machine that has come back: it runs, and fails at nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.machine.target import MachineChange, MachineReader, MachineWriter
from runbooks.model import Facts, Finding, done, todo
from runbooks.systems import reads
from runbooks.systems.puppet import Puppet
from runbooks.transport.quoting import command_line


@dataclass(frozen=True)
class PuppetRuns(MachineChange):
    """One run, which may change what it likes, but fails at nothing. A puppet that was stopped stays stopped."""

    puppet: Mapping[str, Any] = field(hash=False)

    no_inverse = "what puppet did stays"

    def check(self, reader: MachineReader) -> Finding:  # noqa: ARG002
        """Always to do: the run that counts is the one after the boot."""
        return todo(f"$ {command_line(Puppet.of(self.puppet).run_once)}")

    def do(self, writer: MachineWriter, before: Facts) -> None:  # noqa: ARG002
        """Run it, after one that a boot may have begun. Raises CommandFailed, Lost, Unwritable, Busy, Fenced."""
        with writer.system() as system:
            Puppet.of(self.puppet).run(system)

    def verify(self, reader: MachineReader, before: Facts) -> Finding:  # noqa: ARG002
        """What puppet itself writes of its last run. Raises Unreachable, CommandFailed."""
        puppet, host = Puppet.of(self.puppet), reader.system()
        last = host.ask(reads.puppet_last_run(puppet.state(host)["dir"]))
        failed = {key: last[key] for key in ("failed", "failed_to_restart") if last.get(key)}
        if not last or failed:
            return todo(note=f"puppet: {', '.join(f'{n} {key}' for key, n in failed.items()) or 'no run to be seen'}")
        return done(f"{last.get('changed', 0)} changed, nothing failed")
