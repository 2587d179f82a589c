"""Plans and runs on a terminal, or as plain text where there is none."""

from runbooks.report.plan import print_plan
from runbooks.report.progress import Progress
from runbooks.report.runs import print_runs
from runbooks.report.summary import print_run, print_summary

__all__ = ["Progress", "print_plan", "print_run", "print_runs", "print_summary"]
