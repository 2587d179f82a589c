"""Run `inv` in this process and kill it with SIGKILL at one point: ``child.py POINT -- rename-user --old x …``.

Points: ``event:N`` after the Nth journal event has become durable; ``do:STEP:TARGET:SECONDS`` that long after the first
command of that step's ``do`` was sent to that target (after its last one has ended, if it is quicker); ``write:N``
when the Nth request that changes a list server was answered, in whichever ``do``; ``none`` never.
``begin:STEP:TARGET:WHAT`` does something else once that begin is durable: ``stop`` stops this process (SIGSTOP), and
``kill``, ``freeze`` or ``cut`` does so to the host of that name, in the lab of OPS_CLINIC_CAMPAIGN_LAB. ``puppet:…``
does so once puppet is at work there, ``look:…`` before that step looks, and ``send:N:TARGET:WHAT`` before the Nth
request that changes a list server is sent.
With OPS_CLINIC_CAMPAIGN_LOG in the environment, each event and each ``do`` is written there, a line each.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from invoke.main import program

from runbooks.lab import Lab
from runbooks.lab.mail.servers import ListServer
from runbooks.lease import Lease
from runbooks.lists.mailman3_api import Core
from runbooks.model import Event
from runbooks.systems.git import Repository
from runbooks.systems.ldap import LdapWriter
from runbooks.transport.shell import Shell
from runbooks.walker import Walker

LISTS = ListServer.name
AGENT_AT_WORK = "/var/cache/puppet/state/agent_catalog_run.lock"
_now: ContextVar[tuple[int, str] | None] = ContextVar("now", default=None)
"""What this fibre or thread does, and on which target."""
_lock = threading.Lock()
_events = 0
_writes = 0


def die() -> None:
    """As a power cut of the management host would: at once, with nothing said."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(line: str) -> None:
    if log := os.environ.get("OPS_CLINIC_CAMPAIGN_LOG"):
        with Path(log).open("a") as stream:
            stream.write(line + "\n")


def kill_after_event(number: int) -> None:
    record = Lease.record

    def counted(self: Lease, *events: Event) -> None:
        global _events
        record(self, *events)
        with _lock:
            # What is written at once is there as a whole, or not at all.
            for event in events:
                _events += 1
                note(f"event:{_events} {event.kind} {event.step} {event.target}")
            if 0 <= _events - number < len(events):
                die()

    Lease.record = counted  # type: ignore[method-assign]


def break_at(step: int, target: str, what: str) -> None:
    """Break a host, or stop, right after a begin has become durable: the command is not sent yet."""
    record = Lease.record

    def watched(self: Lease, *events: Event) -> None:
        record(self, *events)
        if ("begin", step, target) not in [(event.kind, event.step, event.target) for event in events]:
            return
        befall(target, what)

    Lease.record = watched  # type: ignore[method-assign]


def befall(target: str, what: str) -> None:
    """Stop this process, or break a host, or the list server."""
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1)  # another thread may take the signal: this one goes no further before it has stopped, too
        return
    getattr(the_lab(), what)(LISTS if target.startswith("@") else target)


def the_lab() -> Lab:
    return Lab(Path(os.environ["OPS_CLINIC_CAMPAIGN_LAB"]))


def break_at_look(step: int, target: str, what: str) -> None:
    """Break a host right before a step looks there."""
    look = Walker._look

    def watched(self: Walker, number: int, name: str, *rest: Any) -> Any:
        if (number, name) == (step, target):
            befall(target, what)
        return look(self, number, name, *rest)

    Walker._look = watched  # type: ignore[method-assign]


def break_in_puppet(step: int, target: str, what: str) -> None:
    """Break a host once the puppet run there has begun that a step has started."""

    def wait() -> None:
        while the_lab().run(target, ["test", "-s", AGENT_AT_WORK], check=False).returncode:
            time.sleep(0.05)
        befall(target, what)

    record = Lease.record

    def watched(self: Lease, *events: Event) -> None:
        record(self, *events)
        if ("begin", step, target) in [(event.kind, event.step, event.target) for event in events]:
            threading.Thread(target=wait, daemon=True).start()

    Lease.record = watched  # type: ignore[method-assign]


def break_before_write(number: int, target: str, what: str) -> None:
    """Break the list server right before a request is sent to it."""
    send = Core.send

    def counted(self: Core, *request: Any) -> Any:
        global _writes
        if changes(*request):
            _writes += 1
            if _writes == number:
                befall(target, what)
        return send(self, *request)

    Core.send = counted  # type: ignore[method-assign]


def kill_inside(step: int, target: str, seconds: float) -> None:
    """Kill while a command of one ``do`` is under way; what was sent stays sent."""
    do = Walker._do

    def marked(self: Walker, number: int, name: str, *rest: Any) -> Any:
        note(f"do:{number}:{name}")
        before = _now.set((number, name))
        try:
            return do(self, number, name, *rest)
        finally:
            if (number, name) == (step, target):
                die()
            _now.reset(before)

    Walker._do = marked  # type: ignore[method-assign]

    def here() -> bool:
        return _now.get() == (step, target)

    def soon(original: Callable[..., Any], sends: Callable[..., bool]) -> Callable[..., Any]:
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            if here() and sends(*args):
                threading.Thread(target=lambda: (time.sleep(seconds), die()), daemon=True).start()
            return original(self, *args, **kwargs)

        return run

    Shell.act = soon(Shell.act, lambda *_: True)  # type: ignore[method-assign]
    LdapWriter._modify = soon(LdapWriter._modify, lambda *_: True)  # type: ignore[method-assign]
    Repository.git = soon(Repository.git, lambda *argv: argv[0] == "push")  # type: ignore[method-assign]
    Core.send = soon(Core.send, changes)  # type: ignore[method-assign]


def changes(method: str, *_: Any) -> bool:
    """Whether a request to a list server may change something, when it is sent by a ``do``."""
    return method != "GET" and _now.get() is not None


def kill_after_write(number: int) -> None:
    send = Core.send

    def counted(self: Core, *request: Any) -> Any:
        global _writes
        try:
            return send(self, *request)
        finally:
            if changes(*request):
                with _lock:
                    _writes += 1
                    note(f"write:{_writes} {request[0]} {request[1]}")
                    if _writes == number:
                        die()

    Core.send = counted  # type: ignore[method-assign]


BREAKS = {"begin": break_at, "look": break_at_look, "puppet": break_in_puppet, "send": break_before_write}


def run(point: str, command: Sequence[str]) -> None:
    """`inv`, with something in store for it, or ``never``."""
    kind, _, rest = point.partition(":")
    if kind not in ("never", "do"):
        kill_inside(-1, "", 0)
    if kind == "event":
        kill_after_event(int(rest))
    elif kind == "do":
        step, target, seconds = rest.split(":")
        kill_inside(int(step), target, float(seconds))
    elif kind == "write":
        kill_after_write(int(rest))
    elif kind in BREAKS:
        number, target, what = rest.split(":")
        BREAKS[kind](int(number), target, what)
    elif kind == "none":
        kill_after_event(-1)
        kill_after_write(-1)
    program.run(["inv", *command])


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[3:])
