"""From a command line to an exit status; tasks only name their arguments."""

from runbooks.cli.commands import Commands
from runbooks.cli.options import Options

__all__ = ["Commands", "Options"]
