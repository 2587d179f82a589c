"""One command, from its options to an exit status: plan, show, ask, apply, report; errors are one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runbooks.cli.handing import go_on, hand_over, nowhere
from runbooks.cli.interrupts import interruptible, quiet, signals
from runbooks.cli.options import Options, batch_policy
from runbooks.cli.waiting import waiting
from runbooks.errors import (
    Blocked,
    Interrupted,
    RunbookError,
    UsageError,
)

if TYPE_CHECKING:
    from runbooks.engine import Draft, Engine
    from runbooks.model import Event, Plan, Run
    from runbooks.site import Site
    from runbooks.walker import Stop

FOUND = 8
"""The exit status of a report that found something."""
ROOT = Path(__file__).resolve().parents[2]


class Surface:
    """One command: it prints, asks, and ends with an exit status. ``context`` is Invoke's."""

    def __init__(self, context: Any, options: Options) -> None:
        self.context = context
        self.options = options
        self.document: dict[str, Any] = {}
        self.walked: int | None = None

    def run(self, command: Callable[[Site], int]) -> NoReturn:
        """Do it and exit; an error is one line (``--debug`` adds the traceback), or a JSON document."""
        status: int | None
        site: Site | None = None
        try:
            self._refuse_dry()
            batch_policy(self.options, "1")
            site = self._site()
            with interruptible():
                status = command(site)
        except RunbookError as error:
            status = self._told(error.kind, str(error), error.exit_status)
        except KeyboardInterrupt:
            status = self.walked
            if status is None:
                status = self._told(Interrupted.kind, "interrupted; nothing was changed", Interrupted.exit_status)
        except BrokenPipeError:
            # Whoever read our output has gone: before the walk that ends us, quietly; what a walk did still counts.
            status = Interrupted.exit_status if self.walked is None else self.walked
        except Exception as error:
            status = self._told("bug", f"{type(error).__name__}: {error} (--debug shows where)", 1)
        finally:
            if site is not None:
                site.close()
        self._write_out(status)
        from invoke.exceptions import Exit

        raise Exit(code=status)

    def _write_out(self, status: int) -> None:
        """The document, if one is wanted; nothing is said where nobody reads any more."""
        try:
            if self.options.as_json:
                print(json.dumps(self.document | {"exit": status}, indent=1, default=list))
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _told(self, kind: str, message: str, status: int) -> int:
        self.document = {"error": {"kind": kind, "message": message}}
        if not self.options.as_json:
            print(f"inv: {message}", file=sys.stderr)
        if self.options.debug:
            import traceback

            traceback.print_exc()
        return status

    def _refuse_dry(self) -> None:
        if self.context.config.run.dry:
            raise UsageError("--dry is Invoke's, and shows nothing here: use --dry-run, which looks at every host")

    def _site(self) -> Site:
        from runbooks.site import open_site

        return open_site(self.context.config, ROOT)

    @property
    def talk(self) -> Any:
        """Where people are talked to: standard error when standard output is a JSON document."""
        return sys.stderr if self.options.as_json else sys.stdout

    # what the commands are made of

    def engine(self, site: Site, stop: Stop, observer: Callable[..., None] = lambda _: None) -> Engine:
        """The engine for a site."""
        from runbooks.engine import Engine

        lease = site.settings.lease
        patience_s = site.settings.ssh.command_timeout_s + site.settings.puppet.run_timeout_s
        return Engine(
            site.journal, site.targets, site.operator, observer, stop, lease.heartbeat_s, min(patience_s, 900.0)
        )

    def procedure(self, name: str, given: Mapping[str, Any]) -> NoReturn:
        """Plan a procedure from what the operator gave, and apply it unless it is a dry run."""

        def command(site: Site) -> int:
            from runbooks.procedure import find

            chosen = find(name)
            arguments = chosen.resolve(site, given)
            site.journal.refuse_owned(chosen.subjects(arguments))
            return self.plan_and_apply(site, chosen.draft(site, arguments))

        self.run(command)

    def plan_and_apply(self, site: Site, draft: Draft, saved: Plan | None = None) -> int:
        """Show the plan, ask, apply; the exit status. Where a plan was ``saved``, what is found now has to be the
        same: it is what is shown, asked about and applied."""
        from runbooks.report.terminal import print_plan
        from runbooks.verdicts import refuse_drift

        site.journal.refuse_owned(draft.subjects, unless=draft.undoes)
        plan = self._look(site, draft)
        if saved is not None:
            refuse_drift(saved, plan)
        self.document = {"plan": plan.to_json(), "run": None}
        self._keep(site, plan)
        if not self.options.as_json:
            print_plan(
                plan,
                file=sys.stdout,
                title_line=_where(site),
                hint=self.options.dry_run,
            )
        return self._go_on(site, draft, plan)

    def _go_on(self, site: Site, draft: Draft, plan: Plan) -> int:
        from runbooks.model import Status
        from runbooks.report.ticket import missing
        from runbooks.verdicts import refuse_inapplicable

        try:
            refuse_inapplicable(plan)
        except Blocked as error:
            self.post(missing(plan), plan)
            if self.options.as_json or not self.options.dry_run:
                print(f"inv: {error}", file=sys.stderr)
            return error.exit_status
        if self.options.dry_run:
            self.post(missing(plan), plan)
            return 0
        # A host that a patient step could not reach is to be come back for; and a run is undone only by an undo's end.
        if not draft.undoes and not any(
            plan.count(status) for status in (Status.TODO, Status.LATER, Status.UNREACHABLE)
        ):
            print("Nothing to do.", file=self.talk)
            return 0
        if site.fresh.is_wanted and (why := nowhere(_place(plan))):
            raise UsageError(why)
        where = f" to {hosts_of(plan)} host(s)" if hosts_of(plan) else ""
        self.ask(f"Apply this plan{where}?", hosts_of(plan), plan, site, draft.typed)
        policy = batch_policy(self.options, draft.batch_size or site.settings.batch_size)
        return self._walk(site, plan, lambda engine: engine.apply(plan, draft, policy))

    def post(self, text: str, plan: Plan) -> None:
        """What to write on the ticket, behind all else, or in the document; nothing where there is none."""
        from runbooks.report.ticket import print_post

        if text and self.options.as_json:
            self.document["post"] = text
        elif text:
            print_post(text, str(plan.arguments.get("task") or ""), file=sys.stdout)

    def _look(self, site: Site, draft: Draft) -> Plan:
        from runbooks.walker import Stop

        with waiting(f"Looking at {len({t for s in draft.steps for t in s.on})} targets"):
            return self.engine(site, Stop()).plan(draft)

    def _keep(self, site: Site, plan: Plan) -> None:
        if self.options.save:
            try:
                Path(self.options.save).write_text(json.dumps(plan.to_record(), indent=1), encoding="utf-8")
            except OSError as error:
                raise UsageError(f"--save {self.options.save}: {error.strerror}") from error
        if self.options.dry_run:
            site.journal.save_plan(plan)

    def _walk(self, site: Site, plan: Plan, walk: Callable[[Engine], Run], earlier: Run | None = None) -> int:
        """Walk, and tell; a new password is handed over as soon as somebody has it."""
        place = _place(plan)
        if earlier and place:
            go_on(site.fresh, place)
        site.fresh.nowhere = "" if site.fresh.is_made else nowhere(place)
        site.fresh.hand = partial(hand_over, place)
        return self._walked(site, plan, walk, earlier)

    def _walked(self, site: Site, plan: Plan, walk: Callable[[Engine], Run], earlier: Run | None = None) -> int:
        from runbooks.report.terminal import Progress, print_summary
        from runbooks.report.ticket import outcome, still_missing
        from runbooks.verdicts import exit_status
        from runbooks.walker import Stop

        stop = Stop()
        with signals(stop):
            progress = Progress(plan, file=sys.stderr, earlier=earlier)

            def observe(event: Event) -> None:
                # A terminal that is gone is no reason to stop half-way.
                with suppress(OSError):
                    progress(event)

            with quiet(progress):
                run = walk(self.engine(site, stop, observe))
            self.walked = exit_status(run, stop)
            self.document = {"plan": plan.to_json(), "run": run.to_json()}
            if not self.options.as_json:
                print_summary(run, file=sys.stdout)
            on_ticket = plan.arguments.get("task") or plan.arguments.get("reason")
            self.post(still_missing(run) or (outcome(run) if on_ticket else ""), plan)
        return self.walked

    def ask(self, question: str, hosts: int, plan: Plan, site: Site, must_type: str = "") -> None:
        """Ask before anything is changed. ``--yes`` answers the question, but never stands for a name that has to be
        typed: ``must_type``, or whom it is about over many hosts. Raises Blocked when declined, or when nobody can be
        asked."""
        # Whom or what it is about: typed, it tells alice from alicia.
        about = (
            must_type,
            *(plan.arguments.get(name) for name in ("old", "name", "list", "alias", "run")),
            _machines(plan),
        )
        name = str(next(filter(None, about), plan.procedure))
        typed = bool(must_type) or hosts > site.settings.ask_above
        if self.options.confirm:
            if self.options.confirm != name:
                raise Blocked(f"--confirm {self.options.confirm}: it has to be {name}; nothing was changed")
            return
        if self.options.yes and not typed:
            return
        many = "" if must_type else f"{hosts} hosts: "
        want = f"{many}type {name} to go on" if typed else "[y/N]"
        if not sys.stdin.isatty():
            how = f"--confirm {name}" if typed else "--yes"
            raise Blocked(f"there is no terminal to ask on: give {how}; nothing was changed")
        print(f"{question} {want} ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline().strip()
        if answer != name if typed else answer.lower() not in ("y", "yes"):
            raise Blocked("declined; nothing was changed")


def _place(plan: Plan) -> str:
    """Where a new password is handed to: a file, or nothing for the terminal."""
    return str(plan.arguments.get("password_file") or "")


def _machines(plan: Plan) -> str:
    from runbooks.inventory.fold import fold

    return fold(plan.arguments.get("hosts") or ())


def _where(site: Site) -> str:
    used = site.targets.key_exchanges()
    return f"fleet: {site.inventory.source}" + (f"; key exchange: {used}" if used else "")


def hosts_of(plan: Plan) -> int:
    """How many hosts a plan acts on, systems left out."""
    return len({host for step in plan.steps for host in step.hosts if not host.startswith("@")})
