"""Puppet on a host: stop it, run it once, let it run again; and the deployed repository on a puppet server.

What state puppet is in is read from the host's own files. Sources: puppet-agent(8), Puppet 7 configuration reference.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from runbooks import fibres
from runbooks.errors import CommandFailed
from runbooks.model import Change, Facts, Finding, blocked, done, later, todo
from runbooks.systems import reads
from runbooks.systems.host import HostReader, HostWriter
from runbooks.systems.wording import listed
from runbooks.transport.quoting import command_line

NEVER = "/run/ops-clinic.no-such-lock"
_IN_PROGRESS = "already in progress; skipping"
"""What an agent says that finds another one at work (puppet/agent.rb); its status is 1, as after a failure."""


@dataclass(frozen=True)
class Puppet:
    """How puppet is called on the hosts. ``state_dirs`` are where it may keep its state; times in seconds."""

    agent: tuple[str, ...] = ("puppet", "agent", "--test", "--detailed-exitcodes", "--color=false")
    disable: tuple[str, ...] = ("puppet", "agent", "--disable")
    enable: tuple[str, ...] = ("puppet", "agent", "--enable")
    state_dirs: tuple[str, ...] = (
        "/var/cache/puppet/state",
        "/var/lib/puppet/state",
        "/opt/puppetlabs/puppet/cache/state",
    )
    run_timeout_s: float = 1800.0
    wait_s: float = 900.0

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Puppet:
        """From a case, where tuples have become lists."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**values)

    @property
    def run_once(self) -> tuple[str, ...]:
        """A run although puppet is stopped: this one run looks for another lock, and every other one stays stopped."""
        return (*self.agent, f"--agent_disabled_lockfile={NEVER}")

    def state(self, reader: HostReader | HostWriter) -> dict[str, str]:
        """``reads.puppet_state``. Raises CommandFailed where the host has no puppet."""
        state = reader.ask(reads.puppet_state(self.state_dirs))
        if not state.get("dir"):
            raise CommandFailed(f"{reader.host}: no puppet state directory among {', '.join(self.state_dirs)}")
        return state

    def is_stopped(self, reader: HostReader | HostWriter) -> bool:
        """Whether puppet is disabled, by whomever, and no agent is at work."""
        state = self.state(reader)
        return "disabled" in state and "running" not in state

    def reason(self, state: dict[str, str]) -> str | None:
        """Why puppet is disabled, or None where it is not."""
        text = state.get("disabled")
        if text is None:
            return None
        try:
            return str(json.loads(text)["disabled_message"])
        except (ValueError, KeyError, TypeError):
            return text.strip() or "no reason given"

    def is_running(self, asker: HostReader | HostWriter) -> bool:
        """Whether an agent is at work; none is where there is no puppet."""
        return "running" in asker.ask(reads.puppet_state(self.state_dirs))

    def wait_until_idle(self, writer: HostWriter) -> None:
        """Wait for an agent at work. Raises CommandFailed when that takes longer than ``wait_s``."""
        deadline = time.monotonic() + self.wait_s
        while "running" in (state := self.state(writer)):
            if time.monotonic() > deadline:
                raise CommandFailed(f"a puppet run (pid {state['running']}) is still at work after {self.wait_s:.0f} s")
            fibres.sleep(0.5)

    def run(self, writer: HostWriter) -> int:
        """Run puppet once, though it is stopped; 0: nothing changed, 2: changed. Raises CommandFailed for 1, 4, 6."""
        return self.run_when_idle(writer, self.run_once)

    def run_when_idle(self, writer: HostWriter, command: Sequence[str]) -> int:
        """One of the two commands that run it, after a run that is under way. Raises CommandFailed."""
        deadline = time.monotonic() + self.wait_s
        while True:
            self.wait_until_idle(writer)
            try:
                return writer.run(*command, ok=(0, 2), timeout_s=self.run_timeout_s).status
            except CommandFailed:
                # Puppet has begun a run of its own since we looked.
                if _IN_PROGRESS not in str(writer.transcript[-1]["output"]) or time.monotonic() > deadline:
                    raise


@dataclass(frozen=True)
class Stop(Change[HostReader, HostWriter]):
    """Disable puppet with a reason, and wait for a run that is under way. Somebody else's lock is left as it is."""

    puppet: Puppet
    reason: str
    when_undone: str

    def check(self, reader: HostReader) -> Finding:
        """Done when disabled, by whomever, and idle."""
        state = self.puppet.state(reader)
        why = self.puppet.reason(state)
        facts = {"disabled": why}
        if why is not None and "running" not in state:
            note = "" if why == self.reason else f"already stopped by somebody else, and stays so: {why}"
            return done(note, **facts)
        return todo(f"$ {command_line([*self.puppet.disable, self.reason])}", facts=facts, before={"was": why})

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Disable, then wait. Raises CommandFailed."""
        writer.run(*self.puppet.disable, self.reason)
        self.puppet.wait_until_idle(writer)

    def inverse(self, before: Facts) -> Start | None:
        """Let it run again, unless it was stopped before us."""
        return Start(self.puppet, self.reason, self.when_undone) if before.get("was") in (None, self.reason) else None


@dataclass(frozen=True)
class Start(Change[HostReader, HostWriter]):
    """Enable puppet again if it is disabled with our reason; somebody else's lock stays. ``after`` is the account that
    has to be there first."""

    puppet: Puppet
    reason: str
    after: str

    def check(self, reader: HostReader) -> Finding:
        """Done unless it is disabled by us."""
        preview = f"$ {command_line(self.puppet.enable)}"
        if not any(account.name == self.after for account in reader.ask(reads.passwd())):
            return later(preview)
        why = self.puppet.reason(self.puppet.state(reader))
        if why == self.reason:
            return todo(preview)
        return done("" if why is None else f"left stopped, as somebody else wants it: {why}")

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Enable, having looked once more whose lock it is. Raises CommandFailed."""
        if self.puppet.reason(self.puppet.state(writer)) == self.reason:
            writer.run(*self.puppet.enable)

    def inverse(self, before: Facts) -> Stop:  # noqa: ARG002
        """Stop it again."""
        return Stop(self.puppet, self.reason, self.after)


@dataclass(frozen=True)
class RunAgain(Change[HostReader, HostWriter]):
    """Run puppet once more, which must change nothing. Judged by what puppet itself writes of its last run.

    ``after`` is the account that has to be there, ``others`` what it also goes by. A host on which puppet always
    changes something is judged by what it changed: nothing may be about these names, and the rest is told.
    """

    puppet: Puppet
    after: str
    others: tuple[str, ...] = ()

    def check(self, reader: HostReader) -> Finding:
        """Done when the last run changed nothing, or nothing of ours, and none of that failed."""
        preview = f"$ {command_line(self.puppet.run_once)}"
        if not any(account.name == self.after for account in reader.ask(reads.passwd())):
            return later(preview)
        last = reader.ask(reads.puppet_last_run(self.puppet.state(reader)["dir"]))
        if last and not any(last.get(count) for count in ("changed", "failed", "out_of_sync", "failed_to_restart")):
            return done("the last puppet run changed nothing")
        touched = reader.ask(reads.puppet_last_touched(self.puppet.state(reader)["dir"]))
        if last and touched and not any(self._is_ours(resource) for resource in touched):
            return done(f"the last puppet run changed nothing of {self.after}, but {listed(touched)}")
        counts = ", ".join(f"{last[key]} {key}" for key in ("changed", "failed") if last.get(key)) or "no run yet"
        return todo(preview, note=f"last puppet run: {counts}")

    def _is_ours(self, resource: str) -> bool:
        return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", resource) for name in (self.after, *self.others))

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Run it. Raises CommandFailed."""
        self.puppet.run(writer)


@dataclass(frozen=True)
class Idle(Change[HostReader, HostWriter]):
    """A gate: puppet is stopped, the old account is gone and its UID free. Looked at right before the merge."""

    puppet: Puppet
    name: str
    uid: int

    looks_only = True

    def check(self, reader: HostReader) -> Finding:
        """Done, later (the account is still there), or blocked."""
        if any(account.name == self.name for account in reader.ask(reads.passwd())):
            return later()
        if not self.puppet.is_stopped(reader):
            return blocked("puppet is no longer stopped here: stop it, and look whether it ran meanwhile")
        if holders := reader.ask(reads.account_of_uid(self.uid)):
            return blocked(f"UID {self.uid} went to {', '.join(holders)} meanwhile: free it before going on")
        return done("puppet stopped, UID free")


@dataclass(frozen=True)
class CheckedOut:
    """The files of a checkout on a puppet server, as they lie there."""

    reader: HostReader
    checkout: str

    def read(self, path: str) -> bytes:
        """A file's contents. Raises CommandFailed."""
        return self.reader.ask(reads.checkout_file(self.checkout, path))


class Deployed(Protocol):
    """What tells from a checkout's files whether a patch is deployed there."""

    def applied(self, files: CheckedOut) -> bool:
        """Whether its intent holds."""
        ...

    def taken_back(self, files: CheckedOut) -> bool:
        """Whether what was before holds."""
        ...


@dataclass(frozen=True)
class Deploy(Change[HostReader, HostWriter]):
    """Bring a puppet server's checkout up to what was merged, and read back there what it serves now: the patch, or
    where ``back``, what was before it."""

    checkout: str
    branch: str
    patch: Deployed
    back: bool = False

    def check(self, reader: HostReader) -> Finding:
        """Done when what is deployed says so; later while the origin has nothing newer."""
        head = reader.ask(reads.checkout_commit(self.checkout))
        files = CheckedOut(reader, self.checkout)
        if self.patch.taken_back(files) if self.back else self.patch.applied(files):
            return done(f"serves commit {head[:12]}")
        preview = f"$ {command_line(self._pull)}"
        if head == reader.ask(reads.checkout_origin_tip(self.checkout, self.branch)):
            return later(preview)
        return todo(preview, facts={"deployed": head})

    @property
    def _pull(self) -> tuple[str, ...]:
        return ("git", "-C", self.checkout, "pull", "--ff-only", "--quiet", "origin", self.branch)

    def do(self, writer: HostWriter, before: Facts) -> None:  # noqa: ARG002
        """Pull, fast-forward only. Raises CommandFailed."""
        writer.run(*self._pull)

    def inverse(self, before: Facts) -> Deploy:  # noqa: ARG002
        """Deploy again, what was reverted by then."""
        return replace(self, back=not self.back)
