"""Take a mail alias away, or some of those whom it leads to (duty page, "Mail aliases")."""

from __future__ import annotations

from collections.abc import Sequence

from runbooks.aliases.file import meant
from runbooks.aliases.patches import AliasOut
from runbooks.errors import UsageError
from runbooks.inventory.names import suggest
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.alias_edit import Edited, edit_steps, edited, look_at, notes, refuse_trouble, subjects, typed
from runbooks.procedures.forms import check_task
from runbooks.site import Site


def look(site: Site, *, alias: str, to: Sequence[str] = (), task: str = "", without: Sequence[str] = ()) -> Edited:
    """What the alias, its file and the mail hosts are now. Raises UsageError where there is no such alias or target,
    and Blocked where another alias leads to it, or the mail hosts do not let us."""
    check_task(task)
    seen = look_at(site, alias, without)
    if seen.entry is None:
        raise UsageError(f"there is no alias {alias}{suggest(seen.name, seen.file.names)}: check the name")
    entry = seen.entry
    if strangers := [text for text in to if not meant(entry, [text])]:
        raise UsageError(f"{alias} does not lead to {strangers[0]}, but to {entry.shown()}")
    gone = meant(entry, to)
    wanted = tuple(target for target in entry.targets if gone and target not in gone)
    if gone and not wanted:
        raise UsageError(f"nobody would be left in {alias}: leave --to out to remove the alias")
    refuse_trouble(site, seen, AliasOut(seen.domain.path, seen.name, tuple(to)))
    return edited(site, seen, to, wanted, task)


def steps(case: Edited) -> Steps:
    """The page's order: commit, puppet, a look."""
    yield from edit_steps(case, AliasOut(case.path, case.name, case.targets, case.remark, was=case.was))


PROCEDURE = Procedure("alias-remove", Edited, look, steps, subjects, notes, batch_size="1", typed=typed)
