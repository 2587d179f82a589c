"""What can go wrong, one class and one exit status each.

Every error is one line for a person: where, what was expected, what was found, what to do next. The surface prints it
without a traceback; only ``--debug`` shows one.
"""

from __future__ import annotations

from typing import ClassVar


class RunbookError(Exception):
    """Anything this tool refuses, stops at or cannot do.

    ``exit_status`` is what the process returns, ``kind`` the word for it in JSON.
    """

    exit_status: ClassVar[int] = 2
    kind: ClassVar[str] = "error"


class UsageError(RunbookError):
    """Wrong arguments: a name that is no name, options that do not go together."""

    kind = "usage"


class SettingsError(RunbookError):
    """The settings cannot be used."""

    kind = "settings"


class InventoryError(RunbookError):
    """The inventory is broken, or a query names what is not in it."""

    kind = "inventory"


class RegistryError(RunbookError):
    """The account registry is broken, or an edit of it is refused; names the user, group, key or line."""

    kind = "registry"


class Blocked(RunbookError):
    """Something stands in the way, or the operator declined; nothing was changed."""

    exit_status = 3
    kind = "blocked"


class Drift(RunbookError):
    """The world is no longer what the plan saw; nothing was changed."""

    exit_status = 4
    kind = "drift"


class Incomplete(RunbookError):
    """The run stopped before its end; it can be resumed."""

    exit_status = 5
    kind = "incomplete"


class VerificationFailed(RunbookError):
    """A step was carried out, and the second look does not show what was promised."""

    exit_status = 6
    kind = "verification"


class Owned(RunbookError):
    """Another run owns the subject, or another driver drives the run."""

    exit_status = 7
    kind = "owned"


class Waiting(RunbookError):
    """The run waits for a person."""

    exit_status = 9
    kind = "waiting"


class Interrupted(RunbookError):
    """A signal stopped the run; it can be resumed."""

    exit_status = 130
    kind = "interrupted"


class Unreachable(RunbookError):
    """A target could not be reached; nothing was sent to it. ``target`` names it."""

    exit_status = 3
    kind = "unreachable"

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: unreachable: {why}")
        self.target = target
        self.why = why


class LoginRefused(Unreachable):
    """A target answers, and says that user or password are wrong; nothing was sent to it."""

    kind = "login"


class JournalLost(RunbookError):
    """The journal's database can no longer be used; inside a run that is Incomplete. ``nothing_written``: what was to
    be written is known not to be there; else that is unknown."""

    kind = "journal"

    def __init__(self, where: str, why: str, nothing_written: bool = False) -> None:
        super().__init__(f"journal {where}: {why}: try again once it can be used")
        self.where = where
        self.why = why
        self.nothing_written = nothing_written


class Lost(RunbookError):
    """A target went away, or fell silent, while a command was under way: what became of it is unknown."""

    exit_status = 5
    kind = "lost"

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: {why}; what became of the command is unknown")
        self.target = target
        self.why = why


class CommandFailed(RunbookError):
    """A command on a target returned a status that it should not have."""

    exit_status = 5
    kind = "command"


class Busy(RunbookError):
    """The target's lock is held: an earlier command still runs there."""

    exit_status = 5
    kind = "busy"


class Unwritable(RunbookError):
    """The target cannot be written to, or cannot keep our records; nothing was sent to it."""

    exit_status = 5
    kind = "unwritable"


class Fenced(RunbookError):
    """A newer driver has taken this run over; this one may do nothing more."""

    exit_status = 7
    kind = "fenced"
