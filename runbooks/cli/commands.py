"""All commands: those over plans and runs stand here, each called like its task; the others are inherited."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runbooks import glance
from runbooks.cli.interrupts import signals
from runbooks.cli.mail import Mail
from runbooks.cli.records import draft_of, pick, place, question_of, read_plan, remaining_plan
from runbooks.cli.reports import Reports
from runbooks.cli.surface import hosts_of
from runbooks.cli.waiting import waiting
from runbooks.errors import (
    Drift,
    InventoryError,
    Owned,
    RunbookError,
    SettingsError,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    from runbooks.engine import Draft
    from runbooks.model import Plan
    from runbooks.site import Site


SHOWN = 50
"""How many runs are listed."""


class Commands(Reports, Mail):
    """What a command line can call besides procedures. Each method ends with an exit status."""

    def powercycle(self, hosts: str, driver: str, insecure: bool, status: bool, **given: Any) -> NoReturn:
        """Plan the procedure; with ``status`` and nothing else to do, only say what the power is."""
        actions = [word for word in ("off", "on", "reset") if given.pop(word)]
        if status and not actions:
            self.power_status(hosts, driver, insecure)
        action = " and ".join([*actions, *(("status",) if status else ())]) or "cycle"
        given["no_silence"] = not given.pop("silence")
        chosen = {"hosts": hosts, "action": action, "driver": driver, "insecure": insecure}
        self.procedure("powercycle", chosen | given)

    def apply(self, plan: str) -> NoReturn:
        """Apply a saved plan: the procedure runs again from its arguments, and what differs is drift."""

        def command(site: Site) -> int:
            from runbooks.engine import UNDO

            saved = read_plan(site, plan)
            if saved.procedure == UNDO:
                raise UsageError(f"that is the plan of an undo: `inv undo {saved.arguments['run']}` makes it again")
            draft = self._again(site, saved)
            return self.plan_and_apply(site, draft, saved=saved)

        self.run(command)

    def _again(self, site: Site, plan: Plan) -> Draft:
        from runbooks.procedure import find

        chosen = find(plan.procedure)
        site.journal.refuse_owned(chosen.subjects(plan.arguments))
        try:
            return chosen.draft(site, dict(plan.arguments))
        except (Owned, Drift, SettingsError, InventoryError, Unreachable):
            raise
        except RunbookError as error:
            why = str(error).removesuffix("; nothing was changed")
            raise Drift(f"the plan no longer applies: {why}; nothing was changed") from error

    def resume(self, run: str, confirmed: str | bool | None) -> NoReturn:
        """Go on with an unfinished run; ``confirmed``: what it waits for is so, and where that can be read (True: the
        option was given without)."""

        def command(site: Site) -> int:
            from runbooks.report.terminal import print_plan
            from runbooks.walker import Stop

            earlier = pick(site, run)
            if earlier.status.finished:
                raise UsageError(f"run {earlier.id} is {earlier.status}: there is nothing to resume")
            site.journal.refuse_driven(earlier.id)
            draft = draft_of(site, earlier)
            site.confirmed_at = place(confirmed)
            what = f"{question_of(earlier, draft)} (as of {site.confirmed_at}) " if site.confirmed_at else ""
            with waiting("Looking at what remains"):
                findings = self.engine(site, Stop()).remaining(earlier, draft.steps)
            plan = remaining_plan(earlier, draft, findings)
            if not self.options.as_json:
                print_plan(plan, file=sys.stdout, title_line=f"run {earlier.id}: what remains", hint=False)
            self.ask(f"{what}Resume run {earlier.id}?", hosts_of(plan), earlier.plan, site, draft.typed)
            return self._walk(site, earlier.plan, lambda engine: engine.resume(earlier, draft.steps), earlier)

        self.run(command)

    def undo(self, run: str, end_processes: bool) -> NoReturn:
        """Take back what a run has done; it is planned, asked and journalled like anything else."""
        arguments = {"end_processes": True} if end_processes else {}

        def command(site: Site) -> int:
            from runbooks.engine import UNDO
            from runbooks.model import RunStatus
            from runbooks.walker import Stop

            done = site.journal.run(run)
            if done.plan.procedure == UNDO:
                raise UsageError(f"run {done.id} is an undo itself: run the procedure again instead")
            if done.status is RunStatus.UNDONE:
                raise UsageError(f"run {done.id} is undone already")
            site.journal.refuse_driven(done.id)
            draft = self.engine(site, Stop()).undo(done, draft_of(site, done, arguments), arguments)
            return self.plan_and_apply(site, draft)

        self.run(command)

    def abandon(self, run: str) -> NoReturn:
        """Give a run up: what it did stays, and it owns nothing any more."""

        def command(site: Site) -> int:
            from runbooks.walker import Stop

            left = site.journal.run(run)
            if left.status.finished:
                raise UsageError(f"run {left.id} is {left.status} already")
            site.journal.refuse_driven(left.id)
            self.ask(f"Give run {left.id} up? What it did stays, half done as it may be.", 0, left.plan, site)
            # Who interrupts it now comes too late, and must not be told that nothing was changed.
            with signals(Stop()):
                given_up = site.journal.abandon(left.id)
                self.walked = 0
            self.document = {"plan": given_up.plan.to_json(), "run": given_up.to_json()}
            print(f"run {left.id} is abandoned; `inv show {left.id}` says what it did", file=self.talk)
            return 0

        self.run(command)

    def runs(self, check: bool) -> NoReturn:
        """List the newest runs; ``check``: one line and status for a monitoring system."""

        def command(site: Site) -> int:
            if check:
                return self._check_runs(site)
            runs = glance.newest(site.settings.journal, SHOWN)
            if runs is None:
                runs = site.journal.runs(SHOWN)
            self.document = {"runs": [run.to_json() for run in runs]}
            if not self.options.as_json:
                from runbooks.report.runs import print_runs

                print_runs(runs, file=sys.stdout)
            return 0

        self.run(command)

    def _check_runs(self, site: Site) -> int:
        """Exit statuses of the Monitoring Plugins guidelines: 0 OK, 1 WARNING."""
        unfinished = site.journal.unfinished()
        names = ", ".join(f"{run.id} ({run.procedure}, {run.status}, {run.operator})" for run in unfinished)
        state = f"WARNING: {len(unfinished)} unfinished: {names}" if unfinished else "OK: no unfinished run"
        self.document = {"check": state}
        print(f"RUNS {state} | unfinished={len(unfinished)}", file=self.talk)
        return 1 if unfinished else 0

    def show(self, run: str, html: str, outputs: bool) -> NoReturn:
        """Show a run: on the terminal, as JSON, or as one HTML page."""

        def command(site: Site) -> int:
            from runbooks.report.ticket import still_missing

            found = site.journal.run(run)
            self.document = {"plan": found.plan.to_json(), "run": found.to_json()}
            if html:
                from runbooks.report.html import run_html

                try:
                    Path(html).write_text(run_html(found), encoding="utf-8")
                except OSError as error:
                    raise UsageError(f"--html {html}: {error.strerror}") from error
                print(f"wrote {html}", file=self.talk)
            elif not self.options.as_json:
                from runbooks.report.terminal import print_run

                print_run(found, file=sys.stdout, outputs=outputs)
            if not html:
                self.post(still_missing(found), found.plan)
            return 0

        self.run(command)
