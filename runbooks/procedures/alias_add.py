"""Make a mail alias, or have one lead to more people (duty page, "Mail aliases")."""

from __future__ import annotations

from collections.abc import Sequence

from runbooks.aliases.file import leads_to
from runbooks.aliases.patches import AliasIn
from runbooks.aliases.policy import judge, people_of
from runbooks.aliases.targets import Target, targets_of
from runbooks.errors import Blocked, UsageError
from runbooks.procedure import Procedure, Steps
from runbooks.procedures.alias_edit import (
    Edited,
    Seen,
    edit_steps,
    edited,
    look_at,
    notes,
    refuse_trouble,
    subjects,
    typed,
)
from runbooks.procedures.forms import check_task
from runbooks.site import Site


def look(
    site: Site, *, alias: str, to: Sequence[str], more: bool = False, task: str = "", without: Sequence[str] = ()
) -> Edited:
    """Whether the alias may be made, and what its file and the mail hosts have now. Raises UsageError, and Blocked
    where it would be one person's own, or the mail hosts do not let us."""
    check_task(task)
    if not to:
        raise UsageError("give --to, where its mail is to go: addresses, by commas")
    seen = look_at(site, alias, without)
    if seen.entry and not more and not leads_to(seen.entry, to):
        todo = "--more has it lead to others, too" if seen.was else "complete it by hand, or remove it first"
        raise UsageError(f"{alias} leads to {seen.entry.shown()} already: {todo}")
    if not seen.entry and more:
        raise UsageError(f"--more: there is no alias {alias}: leave it out to make one")
    refuse_personal(site, seen, (*(seen.was or ()), *to))
    refuse_trouble(site, seen, AliasIn(seen.domain.path, seen.name, tuple(to), more=more))
    return edited(site, seen, to, _all_targets(seen, to), task, more)


def _all_targets(seen: Seen, to: Sequence[str]) -> list[Target]:
    """What the alias has, and what it shall have besides, each once."""
    found: dict[tuple[str, str], Target] = {}
    old = seen.entry.targets if seen.entry else ()
    for one in (*old, *(target for text in to for target in targets_of(text.encode()))):
        found.setdefault(one.meaning, one)
    return list(found.values())


def refuse_personal(site: Site, seen: Seen, targets: Sequence[str]) -> None:
    """Raise Blocked for an alias of one person's. ``targets`` are all that it is to have."""
    people = people_of(site.registry()) if site.settings.repository.url else []
    for domain in dict.fromkeys((seen.domain.name, *seen.domain.together)):
        if why := judge(seen.name, domain, tuple(dict.fromkeys(targets)), site.settings.aliases, people):
            raise Blocked(f"{why}; nothing was changed")


def steps(case: Edited) -> Steps:
    """The page's order: commit, puppet, a look."""
    patch = AliasIn(case.path, case.name, case.targets, case.remark, was=case.was, more=case.more)
    yield from edit_steps(case, patch)


PROCEDURE = Procedure("alias-add", Edited, look, steps, subjects, notes, batch_size="1", typed=typed)
