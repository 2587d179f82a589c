"""The commands over plans and runs: apply, resume, undo, abandon, runs, show."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runbooks import glance
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
    """A command over plans and runs, or one that reports."""

    def apply(self, reference: str) -> NoReturn:
        """Apply a saved plan: the procedure runs again from its arguments, and what differs is drift."""

        def command(site: Site) -> int:
            from runbooks.engine import UNDO

            plan = read_plan(site, reference)
            if plan.procedure == UNDO:
                raise UsageError(f"that is the plan of an undo: `inv undo {plan.arguments['run']}` makes it again")
            draft = self._again(site, plan)
            return self.plan_and_apply(site, draft, saved=plan)

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

    def resume(self, reference: str, confirmed: str | bool | None = None) -> NoReturn:
        """Go on with an unfinished run; ``confirmed``: what it waits for is so, and where that can be read (True: the
        option was given without)."""

        def command(site: Site) -> int:
            from runbooks.report.terminal import print_plan
            from runbooks.walker import Stop

            run = pick(site, reference)
            if run.status.finished:
                raise UsageError(f"run {run.id} is {run.status}: there is nothing to resume")
            site.journal.refuse_driven(run.id)
            draft = draft_of(site, run)
            site.confirmed_at = place(confirmed)
            what = f"{question_of(run, draft)} (as of {site.confirmed_at}) " if site.confirmed_at else ""
            with waiting("Looking at what remains"):
                findings = self.engine(site, Stop()).remaining(run, draft.steps)
            plan = remaining_plan(run, draft, findings)
            if not self.options.as_json:
                print_plan(plan, file=sys.stdout, title_line=f"run {run.id}: what remains", hint=False)
            self.ask(f"{what}Resume run {run.id}?", hosts_of(plan), run.plan, site, draft.typed)
            return self._walk(site, run.plan, lambda engine: engine.resume(run, draft.steps), run)

        self.run(command)

    def undo(self, reference: str, arguments: Mapping[str, Any]) -> NoReturn:
        """Take back what a run has done; it is planned, asked and journalled like anything else."""

        def command(site: Site) -> int:
            from runbooks.engine import UNDO
            from runbooks.model import RunStatus
            from runbooks.walker import Stop

            run = site.journal.run(reference)
            if run.plan.procedure == UNDO:
                raise UsageError(f"run {run.id} is an undo itself: run the procedure again instead")
            if run.status is RunStatus.UNDONE:
                raise UsageError(f"run {run.id} is undone already")
            site.journal.refuse_driven(run.id)
            draft = self.engine(site, Stop()).undo(run, draft_of(site, run, arguments), arguments)
            return self.plan_and_apply(site, draft)

        self.run(command)

    def abandon(self, reference: str) -> NoReturn:
        """Give a run up: what it did stays, and it owns nothing any more."""

        def command(site: Site) -> int:
            run = site.journal.run(reference)
            if run.status.finished:
                raise UsageError(f"run {run.id} is {run.status} already")
            site.journal.refuse_driven(run.id)
            self.ask(f"Give run {run.id} up? What it did stays, half done as it may be.", 0, run.plan, site)
            given_up = site.journal.abandon(run.id)
            self.document = {"plan": given_up.plan.to_json(), "run": given_up.to_json()}
            print(f"run {run.id} is abandoned; `inv show {run.id}` says what it did", file=self.talk)
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

    def show(self, reference: str, html: str, outputs: bool) -> NoReturn:
        """Show a run: on the terminal, as JSON, or as one HTML page."""

        def command(site: Site) -> int:
            from runbooks.report.ticket import still_missing

            run = site.journal.run(reference)
            self.document = {"plan": run.plan.to_json(), "run": run.to_json()}
            if html:
                from runbooks.report.html import run_html

                try:
                    Path(html).write_text(run_html(run), encoding="utf-8")
                except OSError as error:
                    raise UsageError(f"--html {html}: {error.strerror}") from error
                print(f"wrote {html}", file=self.talk)
            elif not self.options.as_json:
                from runbooks.report.terminal import print_run

                print_run(run, file=sys.stdout, outputs=outputs)
            if not html:
                self.post(still_missing(run), run.plan)
            return 0

        self.run(command)
